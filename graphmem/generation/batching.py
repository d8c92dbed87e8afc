"""Batched greedy generation with left padding."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch


@torch.inference_mode()
def generate_texts(
    model: Any, prompts: Sequence[str], retrievals: Sequence[Any] | None, *, batch: int = 16, max_new_tokens: int = 48
) -> list[tuple[str, int, float]]:
    """Greedy continuations with prompt lengths and seconds each; reads the retrievals, or nothing when None."""
    tokenized = [model.tokenizer(prompt, add_special_tokens=False)["input_ids"] for prompt in prompts]
    order = sorted(range(len(prompts)), key=lambda i: len(tokenized[i]))
    done: list[tuple[str, int, float]] = [("", 0, 0.0)] * len(prompts)
    for rows in _chunks(order, batch):
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
    """Token ids and mask, int64 [B, T] each, padded on the left, as decoding wants them."""
    width = max(len(row) for row in rows)
    ids = torch.tensor([[pad] * (width - len(row)) + list(row) for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask


def _chunks(items: Sequence[int], size: int) -> Iterator[Sequence[int]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
