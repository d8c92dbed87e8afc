"""Wrong types and values for every argument of every public method of a memory: typed errors, nothing written."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphmem.core.edits import AddNode
from graphmem.core.errors import GraphMemError, InvalidName, InvalidValue
from graphmem.memory import GraphMemory
from graphmem.testing import HashEncoder

HOSTILE: tuple[Any, ...] = (
    None, 123, 1.5, math.nan, math.inf, True, [], {}, (), b"x", object(), "", " ", "\ud800", "\x00", 2**63, -(2**70),
    -1, 0, "x" * 1_000_000, [None], [""], ["\ud800"], [object()], [("a", "b")], [(None, "", 3)], {"a": 1}, len,
    "2024-99-99", "nan",
)  # fmt: skip
GIVEN: dict[str, Any] = {
    "subject": "Ada", "relation": "lives in", "object": "London", "name": "Ada", "keep": "Ada", "absorb": "London",
    "facts": [("a", "b", "c")], "names": ["x"], "triples": [("a", "b", "c")], "documents": [("Title", "A text.")],
    "plan": [AddNode("Q")], "fact": 1, "query": "Ada", "queries": ["Ada"], "aliases": "A. L.", "progress": False,
    "node": "Ada", "before": "2000",
}  # fmt: skip
"""Arguments that work, for those that are not under test."""


def methods() -> Iterator[tuple[str, str]]:
    """Every public method with each of its parameters."""
    for name, method in inspect.getmembers(GraphMemory, callable):
        if not name.startswith("_"):
            for parameter in inspect.signature(method).parameters.values():
                if parameter.name != "self":
                    yield name, parameter.name


def call(memory: GraphMemory, name: str, parameter: str, value: Any, given: dict[str, Any]) -> Any:
    signature = inspect.signature(getattr(GraphMemory, name))
    positional, named = [], {}
    for p in signature.parameters.values():
        if p.name == "self" or (p.name != parameter and p.default is not p.empty and p.name != "progress"):
            continue
        if p.name != parameter and p.name not in given:
            continue
        chosen = value if p.name == parameter else given[p.name]
        if p.kind is p.VAR_POSITIONAL:
            positional.append(chosen)
        elif p.kind is not p.VAR_KEYWORD or p.name == parameter:
            named["x" if p.kind is p.VAR_KEYWORD else p.name] = chosen
    if positional:
        positional = [named.pop(p) for p in list(named)] + positional
    result = getattr(memory, name)(*positional, **named)
    if isinstance(result, GraphMemory):
        result.close()
    return result


def state(memory: GraphMemory) -> tuple[int, int, int]:
    found = memory.store.stats()
    return found["entries"], found["nodes"], found["facts_recorded"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "parameter"), list(methods()), ids=lambda value: str(value))
def test_only_typed_errors(name: str, parameter: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    facts = tmp_path / "facts.tsv"
    facts.write_text("Mona\tborn in\tLeeds\n")
    given = {**GIVEN, "path": str(tmp_path / "other.db") if name == "open" else str(facts)}
    memory, before = None, None
    for value in HOSTILE:
        if memory is None:  # a new one after each success
            memory = GraphMemory.open(":memory:", encoder=HashEncoder(16))
            memory.add("Ada", "lives in", "London", valid_from="1830", source="wiki")
            before = state(memory)
        try:
            call(memory, name, parameter, value, given)
        except GraphMemError as error:
            assert str(error), f"{name}({parameter}={value!r:.40}) says nothing"
            assert state(memory) == before, f"{name}({parameter}={value!r:.40}) failed and left something"
        except Exception as error:
            pytest.fail(f"{name}({parameter}={value!r:.40}): {type(error).__name__}: {error!s:.120}")
        else:
            memory.close()
            memory = None
    assert name == "open" or set(os.listdir(tmp_path)) <= {"facts.tsv"}


@pytest.mark.parametrize(
    ("use", "error"),
    [
        (lambda m: m.add_node("N", aliases="abc"), InvalidName),
        (lambda m: m.add("Ada", "lives in", "Bath", valid_from=[]), InvalidValue),
        (lambda m: m.undo("x"), InvalidValue),
        (lambda m: m.retrieve("Ada", top_k="3"), InvalidValue),
        (lambda m: m.retrieve_many("Ada"), InvalidValue),
        (lambda m: m.facts(limit=-1), InvalidValue),
        (lambda m: GraphMemory.open(123), InvalidValue),  # type: ignore[arg-type]
        (lambda m: GraphMemory.open(":memory:", namespace=[]), InvalidValue),  # type: ignore[arg-type]
    ],
)
def test_the_error_says_what_is_wrong(use: Callable[[GraphMemory], Any], error: type[Exception]) -> None:
    with GraphMemory.open(":memory:", encoder=HashEncoder(16)) as memory:
        memory.add("Ada", "lives in", "London")
        with pytest.raises(error, match="must be|cannot|whole number"):
            use(memory)
        assert state(memory) == (1, 2, 1)
