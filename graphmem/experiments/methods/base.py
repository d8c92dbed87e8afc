"""The ``Method`` protocol, and the base model with greedy decoding in batches and logits of a text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from inspect import signature
from typing import Any, Protocol

import torch
from torch import Tensor

from graphmem.adapters.chat_templates import chat_prompt, stop_token
from graphmem.experiments.tasks.fact_set import Pair, Query
from graphmem.generation.batching import left_padded


@dataclass(frozen=True, slots=True)
class Generation:
    """An answer, the tokens of its prompt, and its seconds (retrieval included where it is used)."""

    text: str
    prompt_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of training: optimizer steps, tokens seen in them, seconds, and the loss of each step."""

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
    """One way of giving facts to a model."""

    name: str

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Train on texts of new facts; methods that read the facts elsewhere do nothing."""
        ...

    def generate(self, queries: Sequence[Query], max_new_tokens: int = 24) -> list[Generation]:
        """Greedy answers."""
        ...

    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """Next-token logits float32 [T, V] of the plain text ``ids`` [1, T]; None where there is no model."""
        ...


class FactReader:
    """Base class of methods that read new facts and are not trained on them."""

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Nothing is trained."""
        return Cost()


@dataclass
class Language:
    """A causal language model with its tokenizer."""

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

    def answers(self, queries: Sequence[Query], max_new_tokens: int, **options: Any) -> list[Generation]:
        """Greedy answers to queries, the seconds of their retrievals added; options are those of ``decode``."""
        prompts = [self.prompt(query.question) for query in queries]
        decoded = self.decode(prompts, max_new_tokens=max_new_tokens, **options)
        return [replace(d, seconds=d.seconds + q.seconds) for d, q in zip(decoded, queries, strict=True)]

    @torch.inference_mode()
    def decode(
        self, prompts: Sequence[str], *, max_new_tokens: int = 24, batch: int = 16,
        context: Callable[[list[int]], AbstractContextManager[Any]] | None = None,
        prefix: Callable[[list[int]], Tensor] | None = None,
    ) -> list[Generation]:  # fmt: skip
        """Greedy continuations, in batches of like length.

        Args:
            prompts: texts.
            max_new_tokens: of a continuation.
            batch: prompts decoded at once.
            context: makes the context manager around a batch, from its positions.
            prefix: makes embeddings [B, P, D] before the prompts, from their positions.
        """
        rows = [self.ids(prompt) for prompt in prompts]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
        out = [Generation("", 0, 0.0)] * len(rows)
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            began = time.perf_counter()
            with context(chosen) if context else nullcontext():
                texts, extra = self._continue(
                    [rows[i] for i in chosen], max_new_tokens, prefix(chosen) if prefix else None
                )
            seconds = (time.perf_counter() - began) / len(chosen)
            for i, text in zip(chosen, texts, strict=True):
                out[i] = Generation(text.strip(), len(rows[i]) + extra, seconds)
        return out

    def _continue(self, rows: list[list[int]], max_new_tokens: int, prefix: Tensor | None) -> tuple[list[str], int]:
        ids, mask = left_padded(rows, self.stop, self.base.device)
        options: dict[str, Any] = dict(
            do_sample=False, max_new_tokens=max_new_tokens, eos_token_id=self.stop, pad_token_id=self.stop
        )  # fmt: skip
        if prefix is None:
            out = self.base.generate(input_ids=ids, attention_mask=mask, **options)[:, ids.shape[1] :]
            return self.tokenizer.batch_decode(out, skip_special_tokens=True), 0
        embeds, mask = insert_prefix(self.embedding(ids), mask, prefix)
        out = self.base.generate(inputs_embeds=embeds, attention_mask=mask, **options)
        return self.tokenizer.batch_decode(out, skip_special_tokens=True), prefix.shape[1]

    @torch.inference_mode()
    def logits(self, ids: Tensor, before: str = "") -> Tensor:
        """Next-token logits float32 [T, V] of ``ids`` [1, T], with the text ``before`` in front of them."""
        lead = self.ids(before) if before else []
        whole = torch.cat([torch.tensor([lead], dtype=ids.dtype, device=ids.device), ids], 1) if lead else ids
        kept = {"logits_to_keep": ids.shape[1]} if lead and self._trims_logits else {}
        logits: Tensor = self.base(input_ids=whole, use_cache=False, **kept).logits[0, -ids.shape[1] :]
        return logits.float()

    @cached_property
    def _trims_logits(self) -> bool:
        """Whether the base can compute the last logits alone: those of a long prompt cost as much as its body."""
        return "logits_to_keep" in signature(self.base.forward).parameters


def insert_prefix(embeds: Tensor, mask: Tensor, prefix: Tensor) -> tuple[Tensor, Tensor]:
    """Put prefix [B, P, D] between the left padding of embeds [B, T, D] and its first real token."""
    rows, masks = [], []
    for row, seen, lead in zip(embeds, mask, prefix.to(embeds.dtype), strict=True):
        pad = int((seen == 0).sum())
        rows.append(torch.cat([row[:pad], lead, row[pad:]]))
        masks.append(torch.cat([seen[:pad], seen.new_ones(len(lead)), seen[pad:]]))
    return torch.stack(rows), torch.stack(masks)
