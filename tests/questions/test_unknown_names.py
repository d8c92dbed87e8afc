from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.core.edits import AddEdge, AddNode
from graphmem.ingestion.documents import add_passages
from graphmem.questions.unknown_names import UnknownName, unknown_names
from graphmem.retrieval.seeds import SeedFinder
from graphmem.text.name_matching import match_names
from graphmem.text.name_parts import match_parts
from graphmem.text.name_tagging import capitalised

NOTE = "Met Zora Quist at the Blue Anchor; she paid for Ragna. Wade Ott rang, and Bob came in a Saab."


@pytest.fixture
def clinic(store: Any) -> Any:
    facts = [
        ("Joanna Pike", "job", "head nurse"), ("Tobias Renn", "wife", "Hana Okabe"),
        ("Finn Okafor", "lives in", "Bergen"),
        ("Maeve Lavery", "mother of", "Finn Okafor"), ("Nordale Dairy", "ships", "butter"),
        ("Truck 9", "driver", "Ann Ott"),
        ("Truck 22", "driver", "Ann Ott"), ("issue #412", "state", "open"), ("issue #720", "state", "open"),
        ("quillmesh-web", "written in", "Go"), ("quillmesh-cli", "written in", "Go"),
        ("contract N-114", "for", "Nordale Dairy"),
        ("Christmas 2022", "guests", "14"), ("Patrick Lavery", "also known as", "Pat"), ("cat", "coat", "tabby"),
        ("Hana Okabe", "DBS check", "2024-05-01"), ("clinic", "WiFi password", "walrus"),
    ]  # fmt: skip
    store.apply([AddEdge(*fact) for fact in facts] + [AddNode("Lewis Tarrant", aliases=("Lew",))])
    add_passages(store, [("Notes of June", NOTE)], encoder=None, tagger=lambda texts: [[] for _ in texts])
    return store


def ask(query: str, store: Any, **options: Any) -> list[UnknownName]:
    matches = match_names(query, store)
    return unknown_names(query, store, [*matches, *match_parts(query, store)], **options)


@pytest.mark.parametrize(
    ("query", "name", "near"),
    [
        ("Where does Joanna Peake live?", "Joanna Peake", "Joanna Pike"),  # another surname
        ("Where does Tabitha Renn live?", "Tabitha Renn", "Tobias Renn"),  # another first name; a cat is tabby
        ("Is Rose Lavery here?", "Rose Lavery", "Maeve Lavery"),  # a first name that is a word
        ("Did Finn Lavery call?", "Finn Lavery", "Finn Okafor"),  # both words are known, of different people
        ("What does Nordic Dairy ship?", "Nordic Dairy", "Nordale Dairy"),
        ("What is the capital of Denmark?", "Denmark", None),
        ("who wrote Wuthering Heights?", "Wuthering Heights", None),
        ("who drives truck 41?", "truck 41", "Truck 9"),
        ("who reported issue #721", "issue #721", "issue #720"),
        ("what about #721?", None, None),  # of no kind that is known
        ("is contract N-115 signed?", "N-115", "contract N-114"),
        ("who maintains quillmesh-mobile", "quillmesh-mobile", "quillmesh-web"),
        ("Who came to Christmas 2031?", "Christmas 2031", "Christmas 2022"),
        ("Where is Joanna Bike?", "Joanna Bike", "Joanna Pike"),  # the first letter is seldom mistaken
        ("Is Zora Vale here?", "Zora Vale", None),
        ("Who reads Polis (Journal of Ptolemy)?", "Polis", None),  # what is in parentheses says what Polis is
        ("Which of them (Zanzibar, Bergen) is it?", "Zanzibar", None),
        ("Tell me, does Imke know Pat?", "Imke", None),
    ],
)
def test_names_that_nothing_holds_are_given_with_the_nearest(
    clinic: Any, query: str, name: str | None, near: str | None
) -> None:
    found = ask(query, clinic)
    assert [unknown.text for unknown in found] == ([name] if name else [])
    for unknown in found:
        assert query[unknown.start : unknown.end] == unknown.text
        assert near is None or near in unknown.near


@pytest.mark.parametrize(
    "query",
    [
        "Where does Joanna Pike live?",
        "Where does Joana Pike live?",  # one letter less
        "Where does Joanna Pkie live?",  # two letters changed places
        "Where does Toby live, and Toby Renn?",  # another form of the first name
        "Is Tob here?",  # the beginning of a first name
        "Is Grandpa Pat here, or Auntie Maeve, or Skipper Pat?",  # forms of address
        "Did Mr. Renn call?",
        "Did Zora Quist pay at the Blue Anchor?",  # in a document only
        "Does Nordale Dairy (Plc of Utrecht) ship butter?",
        "Does Robert drive a Saab?",  # in a document, in another form
        "When is the next DBS check of Hana, and what is the WiFi password?",  # words of relations
        "Is Finn coming on Monday, in May or at the end of June?",
        "Is there an MRI, and are there NGOs?",
        "Where Does Joanna Peake Live Now?",  # capitals say nothing here
        "WHERE DOES JOANNA PEAKE LIVE?",
        "where does joanna peake live, at zanzibar's?",
        "Denmark?",
        "Yesterday was long. Nobody came. Sadly.",
        "who drives truck 22, issue #412, quillmesh-web or N-114?",
        "we paid 41 euros for 23 of them, quick-drying, 4x4, in 2031",
        "", "?", "!!! ???", "A", "Ä Ö Ü", "'\"*:^()", "\u202e\u0000", "x" * 100_000,
        "кто там?", "Осло там, Бонн?", "谁住在卑尔根",
    ],
)  # fmt: skip
def test_what_is_known_or_doubtful_is_left_out(clinic: Any, query: str) -> None:
    assert ask(query, clinic) == []


@pytest.mark.parametrize("name", ["Engin Firat", "Engin Fırat", "Firat", "Lukasz Oster", "Dorde Strasse", "Aero Aegir"])
def test_letters_without_their_marks_are_the_same_name(store: Any, name: str) -> None:
    store.apply([AddEdge("Engin Fırat", "friend", "Łukasz Øster"), AddEdge("Đorđe Straße", "lives in", "Ærø")])
    add_passages(store, [("Ærø Ægir", "Sea.")], encoder=None, tagger=lambda texts: [[] for _ in texts])
    assert ask(f"Does anyone here know {name} well?", store) == []
    assert [unknown.text for unknown in ask(f"Does {name} know Engin Zanzibar?", store)] == ["Engin Zanzibar"]


def test_a_tagger_finds_names_that_begin_a_sentence(clinic: Any) -> None:
    query = "Imke is ill. Denmark too?"
    assert ask(query, clinic) == []
    assert [unknown.text for unknown in ask(query, clinic, tagger=capitalised)] == ["Imke", "Denmark"]


def test_names_of_other_namespaces_conversations_and_erased_names_are_unknown(clinic: Any) -> None:
    clinic.apply([AddNode("session:x", "session", "where is Imke"), AddNode("claim of x", "episode", "Imke is ill")])
    assert [unknown.text for unknown in ask("Where is Imke?", clinic)] == ["Imke"]
    clinic.apply([AddEdge("Ann Ott", "friend", "Nora", text="her friend Imke, whom she calls Nora")])
    assert ask("Where is Imke?", clinic) == []


def test_an_empty_memory_knows_no_name(store: Any) -> None:
    assert [unknown.text for unknown in unknown_names("Where does Joanna Peake live?", store)] == ["Joanna Peake"]


def test_the_spans_of_linked_names_are_used(clinic: Any, encoder: Any) -> None:
    query = "Does Toby know Joanna Peake?"
    mentions = SeedFinder(clinic, encoder).find(query).mentions
    assert [unknown.text for unknown in unknown_names(query, clinic, mentions)] == ["Joanna Peake"]


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from("Joanna Peake #721 N-1 the of? Who's “Pat” -- 12".split())).map(" ".join)
)
def test_any_text_gives_spans_of_itself(query: str) -> None:
    from graphmem.memory import GraphMemory

    with GraphMemory.open(":memory:") as memory:
        for unknown in unknown_names(query, memory.store):
            assert query[unknown.start : unknown.end] == unknown.text != ""


def test_the_look_ups_of_a_long_question_are_bounded(clinic: Any) -> None:
    asked: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(clinic, name)

        def held(self, phrases: list[str]) -> set[str]:
            asked.extend(phrases)
            return clinic.held(phrases)

    unknown_names("who is " + ", ".join(f"Worda{'x' * (number % 7)}-{number}" for number in range(5_000)), Counting())
    assert 0 < len(asked) <= 3_000
