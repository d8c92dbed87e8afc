"""Token states of the real model."""

from typing import Any

import pytest
import torch

from graphmem.hub import load_language_model
from graphmem.reading.hidden_states import token_states

TEXTS = ["Ada Lovelace was born in London.", "It rained."]


@pytest.fixture(scope="module")
def parts() -> tuple[Any, Any]:
    return load_language_model()


def test_an_early_end_gives_the_same_states(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    whole = token_states(model, tokenizer, TEXTS, (12, 20))
    short = token_states(model, tokenizer, TEXTS, (12, 20), surprise=False)
    for a, b in zip(whole, short, strict=True):
        assert torch.equal(a.hidden, b.hidden)
        assert a.offsets == b.offsets
        assert a.surprise is not None
        assert b.surprise is None


def test_an_early_end_leaves_the_model_as_it_was(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    layers = model.base_model.layers
    before = [len(layer._forward_hooks) for layer in layers]  # transformers keeps some of its own
    ran: list[int] = []
    hook = layers[20].register_forward_hook(lambda *_: ran.append(1))
    token_states(model, tokenizer, TEXTS, (12, 20), surprise=False)
    assert ran == []
    token_states(model, tokenizer, TEXTS, (12, 20))
    assert ran == [1]
    hook.remove()
    assert [len(layer._forward_hooks) for layer in layers] == before


def test_the_last_entry_takes_the_whole_run(parts: tuple[Any, Any]) -> None:
    model, tokenizer = parts
    last = len(model.base_model.layers)
    whole = token_states(model, tokenizer, TEXTS, (0, last))
    short = token_states(model, tokenizer, TEXTS, (0, last), surprise=False)
    assert all(torch.equal(a.hidden, b.hidden) for a, b in zip(whole, short, strict=True))
