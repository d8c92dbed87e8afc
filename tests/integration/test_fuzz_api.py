"""Random operations with hostile values on one file: typed errors only, and a sound file after each batch."""

from __future__ import annotations

import random
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.core.edits import AddEdge, AddNode, MergeNodes, PinEdge, Restore, Retire, SupersedeEdge, UpdateNode
from graphmem.core.errors import GraphMemError
from graphmem.core.types import Fact
from graphmem.memory import GraphMemory
from graphmem.storage.maintenance.check import check
from graphmem.testing import HashEncoder
from graphmem.writing.pipeline import read_text

NAMES = (
    "Ada", "ada ", "Ada Lovelace", "O’Brien", "O'Brien", "A\u200bda", "İstanbul", "istanbul", "ﬁ", "Łukasz", "a\tb",
    "'; DROP TABLE nodes; --", "session:t", "session:t #1: hi", "reading:0", "claim: Ada", "\u202eabc", "=1+1", "a\nb",
    "x" * 1024, "x" * 1025, "", " ", "\u200b", "\ud800", "a\x00b", "🚀" * 20, "NULL", "1", "has passage", "A|B", '"',
)  # fmt: skip
RELATIONS = ("lives in", "lives_in", "born in", "has passage", "passage mentions", "", "r" * 1025, "\ud800", "x\x00")
TIMES = (
    None,
    "2020",
    "1990-05",
    "1990-05-01",
    "0001",
    "9999-12-31",
    "x",
    "2020-13",
    1843,
    -5,
    1e300,
    [],
    "",
    "c. 1815",
)
WRONG = (None, 0, -1, 2**63, 1.5, float("nan"), True, b"x", [], {}, object(), "", "\ud800", "\x00", "3", ("a",))
WRONG_SHARE = 0.1
ENCODER = HashEncoder()


class Fuzz:
    """Seeded operations on one namespace of a file, with counts of what came of them."""

    def __init__(self, path: Path, seed: int) -> None:
        self.path, self.rng, self.outcomes = path, random.Random(seed), Counter[str]()
        self.memory = self._open("default")

    def _open(self, namespace: str) -> GraphMemory:
        return GraphMemory.open(self.path, encoder=ENCODER, namespace=namespace)

    def some(self, values: tuple[Any, ...]) -> Any:
        return self.rng.choice(WRONG if self.rng.random() < WRONG_SHARE else values)

    def name(self) -> Any:
        return self.some(NAMES)

    def number(self) -> Any:
        return self.some(tuple(range(1, 40)))

    def triple(self) -> tuple[Any, Any, Any]:
        return self.name(), self.some(RELATIONS), self.name()

    def edit(self) -> Any:
        """One edit of any kind; some are none."""
        kinds: tuple[Callable[[], Any], ...] = (
            lambda: AddEdge(*self.triple(), text=self.name(), valid_from=self.some(TIMES), valid_to=self.some(TIMES)),
            lambda: AddNode(self.name(), self.some(("entity", "episode", "session", "passage")), self.name()),
            lambda: UpdateNode(self.number(), name=self.name(), strength=self.some((1.0, 2.5)), text=self.name()),
            lambda: SupersedeEdge(self.number(), AddEdge(*self.triple()), self.some(TIMES)),
            lambda: MergeNodes(self.number(), self.number()),
            lambda: Retire(self.number(), self.some(("node", "edge"))),
            lambda: Restore(self.number(), self.some(("node", "edge"))),
            lambda: PinEdge(self.number(), self.some((True, False))),
            lambda: self.some((1,)),
        )
        return self.rng.choice(kinds)()

    def read(self) -> Any:
        """A text with facts of hostile names, through the whole pipeline after extraction."""
        facts = [Fact(*map(str, self.triple()), confidence=self.rng.random()) for _ in range(3)]
        extractor = SimpleNamespace(extract=lambda text, at: facts)
        model = SimpleNamespace(memory=self.memory, base=None)
        options = {"trust": self.some((0.2, 0.8, 1.0)), "source": self.name(), "at": self.some(TIMES)}
        return read_text(model, self.some(NAMES), apply=True, extractor=extractor, **options)

    def operations(self) -> list[Callable[[], Any]]:
        """Every operation, with values of this moment."""
        memory, times = self.memory, {"valid_from": self.some(TIMES), "valid_to": self.some(TIMES)}
        document, aliases = (self.name(), self.name()), self.some(((self.name(),),))
        return [
            partial(memory.add, *self.triple(), **times, confidence=self.some((0.5, 1.0)), source=self.name()),
            partial(memory.add, *self.triple()),
            partial(memory.add_many, [self.triple() for _ in range(3)]),
            partial(memory.add_many, self.some(([Fact(*self.triple(), valid_from=self.some(TIMES))],))),
            partial(memory.bulk_load, self.some(([self.name()],)), [self.triple()]),
            partial(memory.add_node, self.name(), aliases=aliases, text=self.name()),
            partial(memory.add_alias, self.name(), self.name()),
            partial(memory.add_passages, self.some(([document],)), encode=False, date=self.some(TIMES)),
            partial(memory.supersede, *self.triple(), at=self.some(TIMES)),
            partial(memory.retire, self.name(), self.some((None, *RELATIONS)), self.some((None, *NAMES))),
            partial(memory.merge, self.name(), self.name()),
            partial(memory.apply, [self.edit() for _ in range(self.rng.randint(1, 4))]),
            partial(memory.pin, self.number()),
            partial(memory.unpin, self.number()),
            partial(memory.undo, self.some((None, None, self.number()))),
            partial(memory.redo, self.some((None, None, self.number()))),
            partial(memory.consolidate, at=self.some(TIMES)),
            partial(memory.facts, self.name(), as_of=self.some(TIMES), known_at=self.some(TIMES), limit=self.number()),
            partial(memory.node, self.name()),
            partial(memory.history, self.name()),
            partial(memory.retrieve, self.name(), ranker=self.some(("ppr", "bm25")), as_of=self.some(TIMES)),
            partial(memory.retrieve_many, [self.name()], ranker="ppr", top_k=self.number()),
            self.read,
            self.reopen,
        ]

    def reopen(self) -> None:
        """Close the file and open it again, in another namespace sometimes."""
        self.memory.close()
        self.memory = self._open(self.rng.choice(("default", "default", "bob")))

    def step(self) -> None:
        """One operation; anything but success and typed errors is raised."""
        operation = self.rng.choice(self.operations())
        name = getattr(getattr(operation, "func", operation), "__name__", "")
        try:
            operation()
            self.outcomes[f"{name} done"] += 1
        except GraphMemError as error:
            self.outcomes[f"{name} refused"] += 1
            assert str(error)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    """A block that fails where it hangs."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"a hang of {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("seeds", "steps"),
    [pytest.param(range(1), 300, id="quick"), pytest.param(range(1, 41), 500, id="20,000", marks=pytest.mark.slow)],
)
def test_only_typed_errors_and_a_sound_file(seeds: range, steps: int, tmp_path: Path) -> None:
    outcomes = Counter[str]()
    for seed in seeds:
        fuzz = Fuzz(tmp_path / f"{seed}.db", seed)
        for step in range(steps):
            try:
                with at_most(60):
                    fuzz.step()
            except Exception as error:
                raise AssertionError(f"seed {seed}, step {step}: {type(error).__name__}: {error!s:.200}") from error
            if step % 100 == 99:
                report = check(str(fuzz.path))
                assert report.ok, f"seed {seed}, step {step}: {report}"
        fuzz.memory.close()
        outcomes += fuzz.outcomes
    done = {name.removesuffix(" done") for name in outcomes if name.endswith(" done")}
    refused = {name.removesuffix(" refused") for name in outcomes if name.endswith(" refused")}
    assert len(done) >= 15, f"operations that never succeeded: {refused - done}"
    assert len(refused) >= 12
