"""What every method shares: greedy answers in batches, and logits of a text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any, Protocol

import torch
from torch import Tensor

from graphmem.adapters.chat_templates import chat_prompt, stop_token
from graphmem.experiments.tasks.fact_set import Asked, Pair
from graphmem.generation.batching import left_padded


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, the tokens of its prompt, and the seconds it took (retrieval included where one is read)."""

    text: str
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Cost:
    """What learning took: optimizer steps, tokens seen in them, seconds; and the losses on the way, step by step."""

    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    losses: tuple[float, ...] = ()

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.steps + other.steps, self.tokens + other.tokens, self.seconds + other.seconds,
            self.losses + other.losses,
        )  # fmt: skip


class Method(Protocol):
    """One way of giving a model knowledge."""

    name: str

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Take new facts into the weights; methods that read them elsewhere do nothing."""
        ...

    def say(self, asked: Sequence[Asked], limit: int = 24) -> list[Said]:
        """Answer greedily."""
        ...

    def logits(self, ids: Tensor, asked: Asked) -> Tensor | None:
        """float32 [T, V], what follows each token of the plain text ``ids`` [1, T]; None where there is no model."""
        ...


@dataclass
class Language:
    """A causal language model with its tokenizer: the base that all methods share."""

    base: Any
    tokenizer: Any

    @property
    def stop(self) -> int:
        """Id of the token that ends an answer."""
        return stop_token(self.base, self.tokenizer)

    @property
    def embedding(self) -> Any:
        """The token embeddings."""
        return self.base.get_input_embeddings()

    @property
    def width(self) -> int:
        """D."""
        return int(self.embedding.weight.shape[1])

    def ids(self, text: str) -> list[int]:
        """Token ids, no special ones added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt(self, question: str) -> str:
        """The question as a chat turn."""
        return chat_prompt(self.tokenizer, question)

    @torch.inference_mode()
    def decode(
        self, prompts: Sequence[str], *, limit: int = 24, batch: int = 16,
        around: Callable[[list[int]], AbstractContextManager[Any]] | None = None,
        prefix: Callable[[list[int]], Tensor] | None = None,
    ) -> list[Said]:  # fmt: skip
        """Greedy continuations, in batches of like length.

        Args:
            prompts: texts.
            limit: most new tokens.
            batch: prompts decoded at once.
            around: makes, for the positions of a batch, the context in which it is decoded.
            prefix: makes embeddings [B, P, D] that stand before the prompts.
        """
        rows = [self.ids(prompt) for prompt in prompts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        said = [Said("", 0, 0.0)] * len(rows)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            began = time.perf_counter()
            with around(chosen) if around else nullcontext():
                texts, extra = self._continue([rows[i] for i in chosen], limit, prefix(chosen) if prefix else None)
            seconds = (time.perf_counter() - began) / len(chosen)
            for i, text in zip(chosen, texts, strict=True):
                said[i] = Said(text.strip(), len(rows[i]) + extra, seconds)
        return said

    def _continue(self, rows: list[list[int]], limit: int, prefix: Tensor | None) -> tuple[list[str], int]:
        ids, mask = left_padded(rows, self.stop, self.base.device)
        options: dict[str, Any] = dict(
            do_sample=False, max_new_tokens=limit, eos_token_id=self.stop, pad_token_id=self.stop
        )  # fmt: skip
        if prefix is None:
            out = self.base.generate(input_ids=ids, attention_mask=mask, **options)[:, ids.shape[1] :]
            return self.tokenizer.batch_decode(out, skip_special_tokens=True), 0
        embeds, mask = insert_prefix(self.embedding(ids), mask, prefix)
        out = self.base.generate(inputs_embeds=embeds, attention_mask=mask, **options)
        return self.tokenizer.batch_decode(out, skip_special_tokens=True), prefix.shape[1]

    @torch.inference_mode()
    def after(self, ids: Tensor, before: str = "") -> Tensor:
        """Logits float32 [T, V] at each token of ``ids`` [1, T], with a text before them."""
        lead = self.ids(before) if before else []
        whole = torch.cat([torch.tensor([lead], dtype=ids.dtype, device=ids.device), ids], 1) if lead else ids
        kept = {"logits_to_keep": ids.shape[1]} if lead and self._keeps else {}
        logits: Tensor = self.base(input_ids=whole, use_cache=False, **kept).logits[0, -ids.shape[1] :]
        return logits.float()

    @cached_property
    def _keeps(self) -> bool:
        """Whether the base can leave out logits that nobody looks at: those of a long lead cost as much as its body."""
        return "logits_to_keep" in signature(self.base.forward).parameters


def insert_prefix(embeds: Tensor, mask: Tensor, prefix: Tensor) -> tuple[Tensor, Tensor]:
    """Put prefix [B, P, D] between the left padding of embeds [B, T, D] and its first real token."""
    rows, masks = [], []
    for row, seen, lead in zip(embeds, mask, prefix.to(embeds.dtype), strict=True):
        pad = int((seen == 0).sum())
        rows.append(torch.cat([row[:pad], lead, row[pad:]]))
        masks.append(torch.cat([seen[:pad], seen.new_ones(len(lead)), seen[pad:]]))
    return torch.stack(rows), torch.stack(masks)
