"""Greedy generation for batches of prompts, with left padding."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch

from graphmem.core.errors import UnsupportedModel


@torch.inference_mode()
def generate_ids(model: Any, prompts: Sequence[Sequence[int]], max_new_tokens: int) -> list[list[int]]:
    """Greedy continuations of token ids by the base, which reads the active memory context; stop tokens are cut off.

    Args:
        model: a ``GraphMemoryModel``.
        prompts: token ids.
        max_new_tokens: of each.

    Raises:
        UnsupportedModel: the base generates no text.
    """
    if not model.decoder.writes:
        raise UnsupportedModel(f"{type(model.base).__name__} writes no text; call the model itself for its logits")
    stop = model.names.stop
    ids, mask = left_padded(prompts, stop, model.base.device)
    out = model.base.generate(
        input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=stop,
        pad_token_id=stop,
    )  # fmt: skip
    start = 1 if getattr(model.base.config, "is_encoder_decoder", False) else ids.shape[1]
    rows = out[:, start:].tolist()
    return [row[: row.index(stop)] if stop in row else row for row in rows]


@torch.inference_mode()
def generate_texts(
    model: Any, prompts: Sequence[str], retrievals: Sequence[Any] | None, *, batch: int = 16, max_new_tokens: int = 48
) -> list[tuple[str, int, float]]:
    """Greedy continuations with prompt lengths and seconds each; reads the retrievals, or nothing when None."""
    tokenized = [model.tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(tokenized[i]))
    done: list[tuple[str, int, float]] = [("", 0, 0.0)] * len(prompts)
    for first in range(0, len(order), batch):
        rows = order[first : first + batch]
        started = time.perf_counter()
        ids, mask = left_padded([tokenized[i] for i in rows], model.names.stop, model.base.device)
        options = dict(
            attention_mask=mask, do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=model.names.stop
        )
        if retrievals is None:
            with model.memory_disabled():
                out = model.generate(ids, **options)
        else:
            out = model.generate(ids, retrieval=[retrievals[i] for i in rows], **options)
        texts = model.tokenizer.batch_decode(out[:, ids.shape[1] :], skip_special_tokens=True)
        seconds = (time.perf_counter() - started) / len(rows)
        for i, text in zip(rows, texts, strict=True):
            done[i] = text.strip(), len(tokenized[i]), seconds
    return done


def left_padded(rows: Sequence[Sequence[int]], pad: int, device: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, int64 [B, T] each, padded on the left, as decoding needs them."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask
