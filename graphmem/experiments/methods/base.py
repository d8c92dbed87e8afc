"""The base class ``Method``, and the base model with greedy decoding in batches and logits of a text."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, fields, replace
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmem.adapters.chat_templates import chat_prompt, stop_token
from graphmem.experiments.tasks.fact_set import Pair, Query
from graphmem.generation.batching import left_padded, length_batches

Encode = Callable[[Sequence[str]], np.ndarray]
"""Texts to unit vectors [n, K]."""


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
        return Cost(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


class Method:
    """One way of giving facts to a model. Most methods read the facts and are not trained on new ones."""

    name: str
    reads_retrieval = True

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Train on texts of new facts; methods that read the facts elsewhere do nothing."""
        return Cost()

    def generate(self, queries: Sequence[Query], max_new_tokens: int = 24) -> list[Generation]:
        """Greedy answers."""
        raise NotImplementedError

    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """Next-token logits float32 [T, V] of the plain text ``ids`` [1, T]; None where there is no model."""
        raise NotImplementedError


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

    def ids(self, text: str) -> list[int]:
        """Token ids, no special ones added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt(self, question: str) -> str:
        """The question as a chat turn."""
        return chat_prompt(self.tokenizer, question)

    @torch.inference_mode()
    def decode(
        self, prompts: Sequence[str], *, max_new_tokens: int = 24, batch: int = 16,
        context: Callable[[list[int]], AbstractContextManager[Any]] | None = None,
        prefix: Callable[[list[int]], Tensor] | None = None,
    ) -> list[Generation]:  # fmt: skip
        """Greedy continuations, in batches of similar length.

        From the positions of a batch, ``context`` makes the context manager around it, and ``prefix`` the embeddings
        [B, P, D] before its prompts.
        """
        rows = [self.ids(prompt) for prompt in prompts]
        out = [Generation("", 0, 0.0)] * len(rows)
        for chosen in length_batches(rows, batch):
            began, own = time.perf_counter(), [rows[i] for i in chosen]
            with context(chosen) if context else nullcontext():
                texts, extra = self._continue(own, max_new_tokens, prefix(chosen) if prefix else None)
            seconds = (time.perf_counter() - began) / len(chosen)
            for i, text in zip(chosen, texts, strict=True):
                out[i] = Generation(text.strip(), len(rows[i]) + extra, seconds)
        return out

    def _continue(self, rows: list[list[int]], max_new_tokens: int, prefix: Tensor | None) -> tuple[list[str], int]:
        ids, mask = left_padded(rows, self.stop, self.base.device)
        options = {"max_new_tokens": max_new_tokens, "eos_token_id": self.stop, "pad_token_id": self.stop}
        if prefix is None:
            inputs, start, extra = {"input_ids": ids}, ids.shape[1], 0
        else:
            embeds, mask = insert_prefix(self.embedding(ids), mask, prefix)
            inputs, start, extra = {"inputs_embeds": embeds}, 0, prefix.shape[1]
        out = self.base.generate(**inputs, attention_mask=mask, do_sample=False, **options)
        return self.tokenizer.batch_decode(out[:, start:], skip_special_tokens=True), extra

    @torch.inference_mode()
    def logits(self, ids: Tensor, before: str = "") -> Tensor:
        """Next-token logits float32 [T, V] of ``ids`` [1, T], with the text ``before`` in front of them."""
        lead = self.ids(before) if before else []
        whole = torch.cat([torch.tensor([lead], dtype=ids.dtype, device=ids.device), ids], 1) if lead else ids
        trims = (
            lead and "logits_to_keep" in signature(self.base.forward).parameters
        )  # all logits cost as much as a body
        kept = {"logits_to_keep": ids.shape[1]} if trims else {}  # those of a long prompt cost as much as the body
        logits: Tensor = self.base(input_ids=whole, use_cache=False, **kept).logits[0, -ids.shape[1] :]
        return logits.float()


class LanguageMethod(Method):
    """A method on a language model: greedy answers to one prompt a query, decoded with the method's options."""

    def __init__(self, language: Language) -> None:
        self.language = language

    def prompt(self, query: Query) -> str:
        """The prompt of a query."""
        return self.language.prompt(query.question)

    def options(self, queries: Sequence[Query]) -> dict[str, Any]:
        """Options of ``Language.decode``."""
        return {}

    def generate(self, queries: Sequence[Query], max_new_tokens: int = 24) -> list[Generation]:
        """Greedy answers, the seconds of their retrievals added where they are read."""
        options = self.options(queries)
        decoded = self.language.decode(list(map(self.prompt, queries)), max_new_tokens=max_new_tokens, **options)
        searched = [query.seconds if self.reads_retrieval else 0.0 for query in queries]
        return [replace(d, seconds=d.seconds + s) for d, s in zip(decoded, searched, strict=True)]


def insert_prefix(embeds: Tensor, mask: Tensor, prefix: Tensor) -> tuple[Tensor, Tensor]:
    """Put prefix [B, P, D] between the left padding of embeds [B, T, D] and its first real token."""
    rows, masks = [], []
    for row, seen, lead in zip(embeds, mask, prefix.to(embeds.dtype), strict=True):
        pad = int((seen == 0).sum())
        rows.append(torch.cat([row[:pad], lead, row[pad:]]))
        masks.append(torch.cat([seen[:pad], seen.new_ones(len(lead)), seen[pad:]]))
    return torch.stack(rows), torch.stack(masks)
