"""Wrong values for every argument of every public method of the wrapped model: typed errors, and nothing changed."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from graphmem.core.errors import GraphMemError, InvalidValue
from graphmem.fusion.config import FusionConfig
from graphmem.generation.conversation import Session, SessionConfig
from graphmem.generation.decoding import RetrievalSchedule
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import HashEncoder, byte_tokenizer, open_gates, tiny_model
from graphmem.writing.pipeline import read_text

WRONG = {
    "None": None, "123": 123, "-5": -5, "huge": 2**70, "1.5": 1.5, "NaN": math.nan, "infinity": -math.inf,
    "True": True, "a list": [], "a nested list": [None], "a mapping": {}, "bytes": b"x", "an object": object(),
    "no text": "", "blank": " \n", "a lone surrogate": "\ud800 who", "a NUL": "who\0", "text": "3",
    "a tensor": torch.tensor([[1.5]]), "a class": dict,
}  # fmt: skip
GIVEN: dict[str, Any] = {
    "question": "Where was Ada born?", "node": "Ada", "max_new_tokens": 2, "text": "Ada was born in London.",
    "texts": ["Ada was born in London."], "name": "tea", "apply": False, "surprise": False,
}  # fmt: skip
"""Right values of arguments that have no default, or a slow one."""


@pytest.fixture(scope="module")
def model() -> Iterator[GraphMemoryModel]:
    with GraphMemory.open(":memory:", encoder=HashEncoder()) as memory:
        memory.add("Ada", "born in", "London")
        tokenizer = byte_tokenizer("<|im_start|>", "<|im_end|>")
        yield open_gates(attach(tiny_model("Llama"), tokenizer, memory)).eval()


def methods() -> list[str]:
    """Names of public methods that take arguments."""
    return [
        name
        for name, method in vars(GraphMemoryModel).items()
        if not name.startswith("_") and callable(getattr(method, "__func__", method)) and len(parameters(name)) > 0
    ]


def parameters(name: str) -> list[str]:
    """Arguments of a method, and those of ``read_text`` where it passes options on."""
    found = inspect.signature(getattr(GraphMemoryModel, name)).parameters
    own = [key for key, one in found.items() if key != "self" and one.kind is not one.VAR_KEYWORD]
    if name in ("read", "read_stream"):
        own += [key for key in inspect.signature(read_text).parameters if key not in ("model", "text", *own)]
    return own + (["attention_mask", "labels"] if name == "generate" else [])


def refused(call: Callable[[], Any], model: GraphMemoryModel) -> None:
    """Call; where it does not succeed the error is typed and has changed nothing."""
    store = model.memory.store  # type: ignore[attr-defined]
    before, weights = len(store.journal()), [p.clone() for p in model.parameters()]
    try:
        out = call()
        if inspect.isgenerator(out):
            list(out)
    except GraphMemError as error:
        assert str(error) and len(str(error)) < 2000
        assert len(store.journal()) == before
    assert all(torch.equal(a, b) for a, b in zip(weights, model.parameters(), strict=True))


@pytest.mark.parametrize(("name", "key"), [(name, key) for name in methods() for key in parameters(name)])
def test_wrong_values_are_refused_by_typed_errors(
    model: GraphMemoryModel, name: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ids = torch.randint(2, 250, (1, 6))
    right = {**GIVEN, "input_ids": ids, "folder": tmp_path, "base_or_name": model.base, "memory": model.memory}
    right |= {"tokenizer": model.tokenizer, "weights": model.save_pretrained(tmp_path / "own")}
    needed = {one: right[one] for one in parameters(name) if one in right}
    if name in ("forward", "generate") and key != "input_ids":
        needed.pop("inputs", None)
    for value in WRONG.values():
        asked = dict(needed) | {key: value}
        if key == "inputs":
            asked.pop("input_ids")
        call = getattr(GraphMemoryModel if name == "from_pretrained" else model, name)
        with torch.no_grad():
            refused(lambda call=call, asked=asked: call(**asked), model)  # type: ignore[misc]


def test_the_walk_covers_what_people_call() -> None:
    called = "ask describe read read_stream session generate forward from_pretrained save_pretrained"
    assert set(called.split()) <= set(methods())


@pytest.mark.parametrize("key", ["base", "tokenizer", "memory", "config"])
@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_attach_refuses_wrong_values(model: GraphMemoryModel, key: str, value: Any) -> None:
    right = {"base": model.base, "tokenizer": model.tokenizer, "memory": model.memory}
    if key == "config" and value is None:
        return
    with pytest.raises(GraphMemError):
        attach(**{**right, key: value})
    assert not any("FusionLayers" in type(part).__name__ for part in model.base.modules())


@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_properties_and_sessions_refuse_wrong_values(model: GraphMemoryModel, value: Any) -> None:
    for name in ("memory", "config"):
        kept = getattr(model, name)
        with pytest.raises(GraphMemError):
            setattr(model, name, value)
        assert getattr(model, name) is kept
    session = Session(model, "tea")
    for key in ("text", "at", "trust"):
        refused(lambda key=key: session.say(**{"text": "", key: value}), model)  # type: ignore[misc]


@pytest.mark.parametrize("kind", [FusionConfig, SessionConfig, RetrievalSchedule])
@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG.keys())
def test_settings_refuse_wrong_values(kind: Any, value: Any) -> None:
    for key in inspect.signature(kind).parameters:
        try:
            made = kind(**{key: value})
        except GraphMemError:
            continue
        assert getattr(made, key) is value


@pytest.mark.parametrize("shape", ["who is x{}x", "{}", "who is {}?", "tell me about {}."])
@pytest.mark.parametrize("unit", [" ", "x", "?", "\n", "I ", "a\u0301", "😀", "the ", "\ud7ff", "(", "x."])
def test_a_question_longer_than_the_model_reads_is_refused(model: GraphMemoryModel, shape: str, unit: str) -> None:
    before = len(model.memory.store.journal())  # type: ignore[attr-defined]
    with pytest.raises(InvalidValue, match=r"tokens, the model reads 255 at most|must be visible text"):
        model.ask(shape.format(unit * ((1_000_000 if unit == " " else 100_000) // len(unit))))
    assert len(model.memory.store.journal()) == before  # type: ignore[attr-defined]


def test_generation_stops_where_the_positions_end(model: GraphMemoryModel) -> None:
    answer = model.ask("Where was Ada born?", max_new_tokens=1 << 31)
    assert answer.prompt_tokens < 256 and len(answer.text) <= 256
