"""Every public text entry takes work that grows no faster than its text, by counted calls and lines, on any shape."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

import pytest

from graphmem.core.errors import InvalidName
from graphmem.core.types import Fact
from graphmem.generation.description import requested_topic
from graphmem.generation.turns import last_sentences, resolve_first_person
from graphmem.memory import GraphMemory
from graphmem.reading.alias_patterns import find_aliases
from graphmem.reading.candidates import CandidateFact
from graphmem.retrieval.answerability import answerability_threshold
from graphmem.testing import HashEncoder
from graphmem.text.name_tagging import capitalised, short_title
from graphmem.text.sentences import sentences
from graphmem.text.windows import windows
from graphmem.writing.deduplication import ReadHistory
from graphmem.writing.entity_linking import EntityLinker
from graphmem.writing.pipeline import _linked

SHAPES = (
    "I ", "'", "Ab; ", " ", "x", "a ", "A ", "Ab ", "of the ", "Ada Lovelace ", "Ada. ", "(", ")", '"', "\n", ". ",
    "é", "\u200b", "1", "1990 ", "who is ", "x\n\n", "-", "_", ",", "🚀", "王", "İ", "\u0301", "A.b.",
    "in 1990 and ", "? ",
)  # fmt: skip
SIZE, MAX_RATIO = 1_200, 2.6
"""Characters of the shorter text, and most growth of the work for a text twice as long."""


class Work:
    """Counted calls of functions, Python's and C's, and lines of the library."""

    def __init__(self) -> None:
        self.steps = 0


@contextmanager
def counted() -> Iterator[Work]:
    work = Work()

    def profile(frame: FrameType, event: str, argument: Any) -> None:
        work.steps += event in ("call", "c_call")

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        work.steps += event == "line"
        return trace if "graphmem" in frame.f_code.co_filename else None

    sys.setprofile(profile)
    sys.settrace(trace)
    try:
        yield work
    finally:
        sys.settrace(None)
        sys.setprofile(None)


def steps(use: Callable[[str], Any], text: str) -> int:
    with counted() as work:
        use(text)
    return work.steps


def _read(memory: GraphMemory) -> Callable[[str], Any]:
    def use(text: str) -> None:
        words = text.split()[:2000]
        pairs = zip(words, words[1:], strict=False)
        found = [CandidateFact(Fact(a, "likes", b), object_span=(i, i + 1)) for i, (a, b) in enumerate(pairs)]
        list(_linked(found, EntityLinker(memory.store), memory.store))
        history = ReadHistory(memory.store, text)
        for candidate in found:
            history.contains(candidate)

    return use


def _refused(call: Callable[[str], Any], name: str) -> None:
    """Call with a name; one without a visible character is refused."""
    with suppress(InvalidName):
        call(name)


ENTRIES: dict[str, Callable[[GraphMemory], Callable[[str], Any]]] = {
    "retrieve": lambda m: lambda text: m.retrieve(text, ranker="ppr").nodes,
    "bm25": lambda m: lambda text: m.retrieve(text, ranker="bm25").nodes,
    "answerable": lambda m: lambda text: answerability_threshold(m.retrieve(text, ranker="ppr"), 0.4),
    "description": lambda m: lambda text: requested_topic(m.retrieve(f"who is {text} x", ranker="ppr")),
    "search": lambda m: lambda text: m.store.search_text(text),
    "node": lambda m: lambda text: _refused(m.node, text[:1000]),
    "facts": lambda m: lambda text: _refused(m.facts, text[:1000]),
    "sentences": lambda m: sentences,
    "windows": lambda m: windows,
    "tagging": lambda m: lambda text: capitalised([text]),
    "title": lambda m: short_title,
    "question": lambda m: last_sentences,
    "first person": lambda m: lambda text: resolve_first_person(text, "Ada"),
    "aliases": lambda m: lambda text: find_aliases(text, [(0, 2), (len(text) - 2, len(text))]),
    "passages": lambda m: lambda text: m.add_passages([("T", f"x{text}")], encode=False, tagger=capitalised),
    "reading": _read,
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("entry", ENTRIES)
@pytest.mark.parametrize("shapes", [SHAPES[:3], pytest.param(SHAPES[3:], marks=pytest.mark.slow)], ids=["few", "all"])
def test_the_work_grows_with_the_text(entry: str, shapes: tuple[str, ...]) -> None:
    with GraphMemory.open(":memory:", encoder=HashEncoder(16)) as memory:
        memory.add("Ada Lovelace", "lives in", "London")
        memory.add("Who", "likes", "The Who")
        memory.retrieve("Ada Lovelace lives", ranker="ppr")
        use = ENTRIES[entry](memory)
        use("warm up")
        for shape in shapes:
            short = (shape * SIZE)[:SIZE]
            few, many = steps(use, short), steps(use, short + short)
            assert many <= MAX_RATIO * few + 2_000, f"{entry} of {shape!r}: {few} to {many} steps"
