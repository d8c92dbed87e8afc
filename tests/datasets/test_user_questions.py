"""Questions about a user's facts are English whatever the relations are called."""

from __future__ import annotations

import re
from random import Random

import pytest

from graphmem.datasets.user_questions import ask_for, noun_phrase, own_questions
from graphmem.memory import GraphMemory
from graphmem.text.lexicon import OPEN_ENDINGS, load_lexicon

OWN = (
    "part of", "works in", "works at", "WORKS_AT", "reports to", "married to", "is married to", "head of", "has_part",
    "likes", "founded", "located in the administrative territorial entity", "the boss of", "born in/on", "of", "'in'",
    "x", "2020", "{s}", "%s", 'a "b" of',
)  # fmt: skip
DOUBLE = re.compile(rf"\b({'|'.join(sorted(OPEN_ENDINGS))}) of\b|\b(\w+) \2\b")


def unquoted(question: str) -> str:
    return re.sub(r'"[^"]*"', "Q", question)


def names() -> list[str]:
    lexicon = [name for r in load_lexicon() for name in (r.relation, r.inverse, r.noun, r.inverse_noun, *r.paraphrases)]
    return [*dict.fromkeys(lexicon), *OWN]


def test_no_preposition_stands_beside_another_for_any_relation() -> None:
    rng, wrong = Random(0), []
    for relation in names():
        noun = noun_phrase(relation, "Ines Tanaka")
        for inner in ("Ines Tanaka", noun or 'what Ines Tanaka has under "R"'):
            for _ in range(8):
                text = ask_for(relation, inner, rng, plain='"' not in inner)
                if DOUBLE.search(unquoted(text)) or inner not in text.replace("What Ines", "what Ines"):
                    wrong.append(text)
                assert text[0].isupper() and text.count('"') % 2 == 0
    assert wrong == []


@pytest.mark.parametrize("relation", OWN)
def test_a_relation_that_is_no_noun_is_never_used_as_one(relation: str) -> None:
    rng = Random(1)
    for _ in range(20):
        assert f"{relation} of" not in unquoted(ask_for(relation, "Ines", rng)).removeprefix(relation)


def test_nouns_are_used_as_they_are() -> None:
    assert noun_phrase("mother", "Ann") == "the mother of Ann"
    assert noun_phrase("home_city", "Ann") == "the home city of Ann"
    assert noun_phrase("works in", "Ann") == "the city of work of Ann"
    assert noun_phrase("reports to the", "Ann") is None


def test_two_hops_through_relations_that_are_no_nouns() -> None:
    with GraphMemory.open(":memory:") as memory:
        memory.add_many([("Ines Tanaka", "paints for", "Atelier"), ("Atelier", "rents from", "Bo {s}")])
        made = own_questions(memory, Random(0), 20)
    two = {question.question for question in made if question.hops == 2}
    assert two == {'What is under "rents from" for what Ines Tanaka has under "paints for"?'}
    assert all(question.answers == ("Bo {s}",) for question in made if question.hops == 2)


@pytest.mark.parametrize("spelling", ["hasBoss", "dateOfBirth", "livesIn"])
def test_a_relation_in_camel_case_is_asked_for_in_words(spelling: str) -> None:
    asked = {ask_for(spelling, "Ines", Random(seed)) for seed in range(20)}
    assert asked == {ask_for(words_of(spelling), "Ines", Random(seed)) for seed in range(20)}
    assert not any(spelling in text for text in asked)


def words_of(spelling: str) -> str:
    return {"hasBoss": "has boss", "dateOfBirth": "date of birth", "livesIn": "lives in"}[spelling]
