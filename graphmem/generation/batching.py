"""Greedy generation for batches of prompts, with left padding."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from graphmem.core.errors import UnsupportedModel
from graphmem.fusion.context import MemoryContext, active_context


@torch.inference_mode()
def generate_ids(
    model: Any, prompts: Sequence[Sequence[int]], context: MemoryContext | None, max_new_tokens: int
) -> list[list[int]]:
    """Greedy continuations of token ids by the base with a memory context or none; stop tokens are cut off.

    Raises:
        UnsupportedModel: the base generates no text.
    """
    if not model.decoder.writes:
        raise UnsupportedModel(f"{type(model.base).__name__} writes no text; call the model itself for its logits")
    stop = model.names.stop
    ids, mask = left_padded(prompts, stop, model.base.device)
    with active_context(context):
        out = model.base.generate(
            input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=stop,
            pad_token_id=stop,
        )  # fmt: skip
    start = 1 if getattr(model.base.config, "is_encoder_decoder", False) else ids.shape[1]
    rows = out[:, start:].tolist()
    return [row[: row.index(stop)] if stop in row else row for row in rows]


def generate_texts(
    model: Any, prompts: Sequence[str], retrievals: Sequence[Any] | None, *, batch: int = 16, max_new_tokens: int = 48
) -> list[tuple[str, int, float]]:
    """Greedy continuations with prompt lengths and seconds each; without the memory where ``retrievals`` is None."""
    tokenized = [model.tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    done: list[tuple[str, int, float]] = [("", 0, 0.0)] * len(prompts)
    for rows in length_batches(tokenized, batch):
        started, own = time.perf_counter(), [tokenized[i] for i in rows]
        context = None
        if retrievals is not None:
            ids, mask = left_padded(own, model.names.stop, model.base.device)
            context = model.contexts.build(ids, [retrievals[i] for i in rows], {"attention_mask": mask})
        out = generate_ids(model, own, context, max_new_tokens)
        texts = model.tokenizer.batch_decode(out, skip_special_tokens=True)
        seconds = (time.perf_counter() - started) / len(rows)
        for i, text in zip(rows, texts, strict=True):
            done[i] = text.strip(), len(tokenized[i]), seconds
    return done


def length_batches(rows: Sequence[Sequence[int]], batch: int) -> list[list[int]]:
    """Indices of rows in batches of similar length."""
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    return [order[start : start + batch] for start in range(0, len(order), batch)]


def right_padded(rows: Sequence[tuple[int, ...]], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Token ids and mask, int64 [B, T] each, padded on the right."""
    tensors = [torch.tensor(row, device=device) for row in rows]
    return pad_sequence(tensors, True), pad_sequence([torch.ones_like(row) for row in tensors], True)


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[Tensor, Tensor]:
    """Token ids and mask, int64 [B, T] each, padded on the left, as decoding needs them."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask
