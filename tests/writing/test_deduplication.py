"""Read history, alone and in the reading pipeline."""

from __future__ import annotations

import random
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.core.edits import AddNode
from graphmem.core.types import READ_MARK, Fact
from graphmem.hub import load_encoder
from graphmem.memory import GraphMemory
from graphmem.reading.candidates import CandidateFact
from graphmem.writing.deduplication import ReadHistory, is_mark
from graphmem.writing.pipeline import read_stream, read_text

LONG = "Ada Lovelace, who liked numbers very much, lives in London."


class FakeExtractor:
    """Reads lines such as "A | relation | B", and later ``more``: extractors change as the graph grows."""

    def __init__(self) -> None:
        self.more: list[Fact] = []

    def extract(self, text: str, at: object = None) -> list[CandidateFact]:
        found = [
            CandidateFact(Fact(*line.split(".")[0].split(" | "), text=line), object_span=(at, at + len(line)))
            for line in text.splitlines()
            if line.count(" | ") == 2
            for at in [text.index(line)]
        ]
        return found + [CandidateFact(fact, object_span=(0, len(text))) for fact in self.more]


@pytest.fixture(scope="module")
def encoder() -> Any:
    return load_encoder()


@pytest.fixture
def memory(encoder: Any) -> GraphMemory:
    return GraphMemory.open(":memory:", encoder=encoder)


def counts(memory: GraphMemory) -> tuple[int, int, int]:
    return memory.stats()["nodes"], len(memory.facts()), len(memory.facts(history=True))


def line(text: str, at: int = 0) -> CandidateFact:
    return CandidateFact(Fact("a", "b", "c"), object_span=(at, at + len(text)))


def history(memory: GraphMemory, text: str, **options: Any) -> ReadHistory:
    return ReadHistory(memory.store, text, **options)


def remember(memory: GraphMemory, text: str, **options: Any) -> Any:
    edits = ReadHistory(memory.store, text, **options).mark()
    return memory.store.apply(edits) if edits else None


def test_a_long_sentence_is_recognised_in_any_text(memory: GraphMemory) -> None:
    remember(memory, f"It rained. {LONG}")
    read = history(memory, f"  {LONG.upper()}  Nobody came to the grand opening of the fair.")
    assert read.contains(line(LONG, 2))
    assert not read.contains(line("Nobody came to the grand opening of the fair.", len(LONG) + 4))


def test_short_sentences_are_not_recognised(memory: GraphMemory) -> None:
    remember(memory, "Bob lives in Rome. Bob works for Acme in Paris.")
    assert not history(memory, "Bob lives in Rome.").contains(line("Bob lives in Rome."))
    assert history(memory, "Bob lives in Rome. Bob works for Acme in Paris.").contains(line("Bob lives in Rome."))


def test_short_sentences_after_the_same_long_one_are_recognised(memory: GraphMemory) -> None:
    remember(memory, f"It rained. {LONG} Bob lives in Rome.")
    assert history(memory, f"{LONG} Bob lives in Rome. Yes.").contains(line("Bob lives in Rome.", len(LONG) + 1))
    assert not history(memory, "Bob lives in Rome. Yes.", context=LONG).contains(line("Bob lives in Rome."))


def test_sentences_with_pronouns_depend_on_the_one_before(memory: GraphMemory) -> None:
    born = "He was born in London in the spring of 1950."
    remember(memory, f"John Smith was a baker. {born}")
    assert history(memory, born, context="Yes. John Smith was a baker.").contains(line(born))
    assert not history(memory, f"Paul Jones was a baker. {born}").contains(line(born, 24))


def test_questions_leave_no_trace(memory: GraphMemory) -> None:
    assert history(memory, "Was Ada?").mark() == []


def test_a_better_source_or_another_time_is_read_again(memory: GraphMemory) -> None:
    remember(memory, LONG, trust=0.5, at="2020")
    assert history(memory, LONG, trust=0.5).contains(line(LONG))
    assert history(memory, LONG, trust=0.4, at="2020-01-01").contains(line(LONG))
    assert not history(memory, LONG, trust=0.9).contains(line(LONG))
    assert not history(memory, LONG, trust=0.5, at="2021").contains(line(LONG))


def test_marks_are_not_counted_or_found(memory: GraphMemory) -> None:
    remember(memory, LONG)
    assert (memory.stats()["nodes"], memory.stats()["texts_read"]) == (0, 1)
    assert memory.store.search_text("Ada Lovelace London reading") == []
    assert history(memory, LONG).mark() == []
    memory.consolidate()
    assert history(memory, LONG).contains(line(LONG))


def test_undo_and_redo_of_marks(memory: GraphMemory) -> None:
    remember(memory, LONG)
    memory.undo()
    assert not history(memory, LONG).contains(line(LONG))
    memory.redo()
    assert history(memory, LONG).contains(line(LONG))


def test_a_node_of_the_users_own_is_no_mark(memory: GraphMemory) -> None:
    memory.store.apply([AddNode("reading: a history", "entity")])
    assert memory.stats()["nodes"] == 1
    assert not history(memory, "reading: a history of books and of the people in them").contains(line("x" * 60))


# ---------------------------------------------------------------- through reading


def reading_model(memory: GraphMemory) -> Any:
    return SimpleNamespace(memory=memory)


def test_later_candidates_of_a_read_sentence_add_nothing(memory: GraphMemory) -> None:
    model, extractor = reading_model(memory), FakeExtractor()
    text = "Ada | lives in | London. She said so in a long letter to her mother.\nBob | works for | Acme."
    read_text(model, text, apply=True, extractor=extractor)
    before = counts(memory)
    assert before[1] == 2
    extractor.more = [Fact("Ada", "writes to", "Acme")]
    plan = read_text(model, text, apply=True, extractor=extractor)
    assert counts(memory) == before
    assert [d.evidence.get("read_before", False) for d in plan.decisions] == [False, False, True]
    assert memory.store.edge(memory.facts("Ada", "lives in")[0].id).strength == 2.0
    anew = read_text(model, text, extractor=extractor, reread=True)
    assert [d.action for d in anew.decisions] == ["skip", "skip", "add"]


def test_a_text_of_another_time_is_read_again(memory: GraphMemory) -> None:
    model, extractor = reading_model(memory), FakeExtractor()
    rome, paris = (f"Bob | lives in | {c}. It is a lovely town in the south." for c in ("Rome", "Paris"))
    read_text(model, rome, apply=True, extractor=extractor, at="2020")
    read_text(model, paris, apply=True, extractor=extractor, at="2021")
    again = read_text(model, rome, apply=True, extractor=extractor)
    assert [d.action for d in again.decisions] == ["skip"]
    assert [f.object for f in memory.facts("Bob", "lives in")] == ["Paris"]
    read_text(model, rome, apply=True, extractor=extractor, at="2022")
    assert "Rome" in [f.object for f in memory.facts("Bob", "lives in")]


def test_a_distrusted_text_leaves_no_mark(memory: GraphMemory) -> None:
    model = reading_model(memory)
    rumour = read_text(model, LONG, apply=True, extractor=FakeExtractor(), trust=0.1)
    assert not any(map(is_mark, rumour.edits))


def test_rereading_in_any_order_adds_nothing(memory: GraphMemory) -> None:
    model, rng = reading_model(memory), random.Random(0)
    names = [f"Person {i} of the town of Elsewhere" for i in range(8)]
    texts = ["\n".join(f"{rng.choice(names)} | knows | {rng.choice(names)}." for _ in range(3)) for _ in range(12)]
    list(read_stream(model, texts, apply=True, extractor=FakeExtractor(), resume="first"))
    before = counts(memory)
    for seed in range(3):
        random.Random(seed).shuffle(texts)
        list(read_stream(model, texts, apply=True, extractor=FakeExtractor(), resume=f"again {seed}"))
        read_text(model, "\n".join(texts), apply=True, extractor=FakeExtractor(), keep=False)
    after = counts(memory)
    assert after[1:] == before[1:]
    kinds = [node.kind for node in memory.store.all_nodes()]
    assert after[0] - before[0] == kinds.count("session") - 1  # streams under other names, and nothing else
    assert READ_MARK in kinds
