"""Annotated texts: what is appended is marked where it lies."""

from __future__ import annotations

from random import Random

from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, SentenceWriter, Thing
from graphmem.text.lexicon import load_lexicon

ADA, OSLO, ROME = Thing(1, "Ada", "person"), Thing(2, "Oslo", "city"), Thing(3, "Rome", "city")
LIVES = next(relation for relation in load_lexicon() if relation.relation == "lives in")


def test_words_begin_sentences_with_a_capital_and_articles_suit_names() -> None:
    text = AnnotatedText()
    text.write("she met a ")
    number = text.name(OSLO)
    assert text.text == "She met an Oslo" and text.surface(text.mentions[number]) == "Oslo"


def test_an_appended_text_keeps_its_marks() -> None:
    text, other = AnnotatedText(), AnnotatedText()
    text.name(ADA)
    text.write(". ")
    other.facts.append(GoldFact(other.name(OSLO), "twin of", other.name(ROME)))
    text.append(other)
    (fact,) = text.facts
    assert [text.surface(text.mentions[i]) for i in (fact.subject, fact.object)] == ["Oslo", "Rome"]


def test_the_former_object_is_marked_as_ended() -> None:
    text, writer = AnnotatedText(), SentenceWriter(Random(0))
    writer.write_sentence(
        text, "{s} moved from {old} to {o}.", LIVES, ADA, things={"{o}": OSLO, "{old}": ROME}
    )  # fmt: skip
    assert text.text == "Ada moved from Rome to Oslo."
    assert {(text.surface(text.mentions[f.object]), f.factuality) for f in text.facts} == {
        ("Oslo", "asserted"), ("Rome", "ended"),
    }  # fmt: skip


def test_a_subject_named_before_is_shortened() -> None:
    writer, found = SentenceWriter(Random(0)), set()
    for _ in range(60):
        text = AnnotatedText()
        number, rest = writer.refer(text, Thing(1, "Ada Byron", "person"), True, "'s home")
        found.add(text.surface(text.mentions[number]).lower() + rest)
    assert found & {"his home", "her home", "their home"} and {"ada's home", "byron's home"} <= found
