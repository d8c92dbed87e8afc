"""Memory tokens: candidate names as slots that attention copies from, token by token.

A node is copied by the literal tokens of its name, so that no name or number passes through a single vector. The slot
of token t is keyed by token t-1 and its value is token t: continuing a name is one induction step, also for names never
seen in training. The last slot holds the end of the turn, so a full stop inside a name is safe. A name after a space
often starts with another token ("London", " London"); slots in which the two tokenizations differ are kept for both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphmem.fusion.candidates import CONTINUATION_FEATURES, FEATURES, Candidates, log_odds

NO_TOKEN = -1
"""Marks an absent token in ``MemoryTokens.prefixes``."""

INSIDE, START, START_AFTER_SPACE, END = 0, 1, 2, 3
"""Kinds of slots: within a name, its first token at the start of a line or after a space, and its end."""

_MAX_WORDS = 12
"""Most tokens of a relation or a name that encode a fact."""


class Slot(NamedTuple):
    """One token of a name; ``kind`` is ``INSIDE``, ``START``, ``START_AFTER_SPACE`` or ``END``.

    ``prefixes`` holds all tokens before it, the nearest first, in its own tokenization of the name and in the other
    one; it differs for slots of a shared ending.
    """

    token: int
    kind: int
    prefixes: tuple[tuple[int, ...], tuple[int, ...]]


class ContinuationTokens(NamedTuple):
    """``ContinuationCandidates`` of a batch.

    Attributes:
        relations, names: int64 [B, N, A] token ids.
        features: float32 [B, N, len(CONTINUATION_FEATURES)].
        unlocks: bool [B, N, N].
        strict: bool [B].
    """

    relations: Tensor
    names: Tensor
    features: Tensor
    unlocks: Tensor
    strict: Tensor


class MemoryTokens(NamedTuple):
    """Slots of a batch, padded to the longest sample; M slots, over the N candidates of each.

    Attributes:
        token, kind, node: int64 [B, M], see ``Slot``; ``node`` indexes the candidates.
        features: float32 [B, M, len(FEATURES)], of the candidate.
        mask: bool [B, M], False for padding.
        answerable: float32 [B], log-odds / 4, clipped to [-1, 1].
        prefixes: int64 [B, M, 2, K], K >= 2, the tokens before the slot in both tokenizations, the nearest first.
        continuation: features for plain text; None for a question.
    """

    token: Tensor
    kind: Tensor
    node: Tensor
    features: Tensor
    mask: Tensor
    answerable: Tensor
    prefixes: Tensor
    continuation: ContinuationTokens | None = None

    @property
    def slots(self) -> int:
        """M."""
        return self.mask.shape[1]

    @property
    def starts(self) -> Tensor:
        """bool [B, M]: slots at the start of a name."""
        return (self.kind == START) | (self.kind == START_AFTER_SPACE)

    def to(self, device: torch.device | str) -> MemoryTokens:
        """The same slots on another device."""
        return _map(self, lambda part: part.to(device))

    def repeated(self, times: int) -> MemoryTokens:
        """Every sample ``times`` times, side by side."""
        return _map(self, lambda part: part.repeat_interleave(times, 0)) if times > 1 else self


def _map(parts: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """A tuple of tensors, tuples and None with every tensor changed."""
    if parts is None or isinstance(parts, Tensor):
        return None if parts is None else change(parts)
    return type(parts)(*(_map(part, change) for part in parts))


class NameTokenizer:
    """Cuts names into slots, for one tokenizer and the token ``stop`` that ends a turn.

    A name of more than ``max_tokens`` tokens is cut and gets no end.
    """

    def __init__(self, tokenizer: Any, stop: int, max_tokens: int) -> None:
        self._tokenizer, self.stop, self.max_tokens = tokenizer, stop, max_tokens
        self.slots = lru_cache(maxsize=65_536)(self._slots)
        self.words = lru_cache(maxsize=65_536)(self._words)

    def tokens(self, text: str) -> tuple[int, ...]:
        """Token ids of a name as it is written, with the stop."""
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return (*ids, self.stop) if len(ids) <= self.max_tokens else tuple(ids[: self.max_tokens])

    def all_slots(self, name: str, variants: bool) -> tuple[Slot, ...]:
        """Slots of a name and, with ``variants``, of its other capitalisation (``case_variant``)."""
        other = case_variant(name) if variants else None
        return self.slots(name) if other is None else self.slots(name) + self.slots(other)

    def _words(self, text: str) -> tuple[int, ...]:
        """Token ids of the first words of a text after a space."""
        return tuple(self._tokenizer(" " + text, add_special_tokens=False)["input_ids"][:_MAX_WORDS])

    def _slots(self, name: str) -> tuple[Slot, ...]:
        plain, spaced = self.tokens(name), self.tokens(" " + name)
        ends = zip(reversed(plain), reversed(spaced), strict=False)
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], ends))
        shared, longer = max(common, 1), len(spaced) - len(plain)  # 1: a whole tokenization is never dropped
        slots = [
            self._slot(plain, i, START, spaced[: i + longer] if i > len(plain) - shared else plain[:i])
            for i in range(len(plain))
        ]
        if plain != spaced:
            slots += [self._slot(spaced, i, START_AFTER_SPACE, spaced[:i]) for i in range(len(spaced) - shared + 1)]
        return tuple(slots)

    def _slot(self, tokens: tuple[int, ...], i: int, start: int, other: tuple[int, ...]) -> Slot:
        """Slot of token i; ``other`` is its prefix in the other tokenization, where the slot serves both."""
        kind = start if i == 0 else END if tokens[i] == self.stop else INSIDE
        return Slot(tokens[i], kind, (tokens[:i][::-1], other[::-1]))


def case_variant(name: str) -> str | None:
    """A name as it is written elsewhere in a sentence: "contributing property" within, "Frangipane" at the beginning.

    None where more than the first word has a capital, or a single word has one.
    """
    first, rest = name[:1], name[1:]
    if first.islower():
        return first.upper() + rest
    phrase = first.isupper() and " " in rest and rest.islower()
    return first.lower() + rest if phrase else None


def collate(names: NameTokenizer, batch: Sequence[Candidates], min_slots: int = 0) -> MemoryTokens:
    """Slots of every sample, padded to the longest sample and to ``min_slots``."""
    per_sample = [  # index of the candidate, and slot
        [(n, slot) for n, name in enumerate(one.names) for slot in names.all_slots(name, one.continuation is not None)]
        for one in batch
    ]
    width = max([min_slots, *map(len, per_sample)])
    depth = max((len(ids) for slots in per_sample for _, slot in slots for ids in slot.prefixes), default=0)
    token, kind, node = np.zeros((3, len(batch), width), np.int64)
    features = np.zeros((len(batch), width, len(FEATURES)), np.float32)
    mask = np.zeros((len(batch), width), bool)
    prefixes = np.full((len(batch), width, 2, max(depth, 2)), NO_TOKEN, np.int64)
    for b, (slots, sample) in enumerate(zip(per_sample, batch, strict=True)):
        for m, (n, slot) in enumerate(slots):
            token[b, m], kind[b, m], node[b, m] = slot.token, slot.kind, n
            for r, ids in enumerate(slot.prefixes):
                prefixes[b, m, r, : len(ids)] = ids
        mask[b, : len(slots)] = True
        features[b, : len(slots)] = sample.features[node[b, : len(slots)]]
    answerable = np.array([log_odds(sample.answerable) for sample in batch], np.float32)
    parts = map(torch.from_numpy, (token, kind, node, features, mask, answerable, prefixes))
    return MemoryTokens._make((*parts, _collate_continuation(names, batch)))


def _collate_continuation(names: NameTokenizer, batch: Sequence[Candidates]) -> ContinuationTokens | None:
    if not any(sample.continuation is not None for sample in batch):
        return None
    width = max(1, *(len(sample.names) for sample in batch))
    words = np.full((2, len(batch), width, _MAX_WORDS), NO_TOKEN, np.int64)
    features = np.zeros((len(batch), width, len(CONTINUATION_FEATURES)), np.float32)
    unlocks = np.zeros((len(batch), width, width), bool)
    for b, sample in enumerate(batch):
        if (facts := sample.continuation) is None:
            continue
        count = len(sample.names)
        unlocks[b, :count, :count], features[b, :count] = facts.unlocks, facts.features
        for kind, texts in enumerate((facts.relations, sample.names)):
            for n, text in enumerate(texts):
                ids = names.words(text)
                words[kind, b, n, : len(ids)] = ids
    strict = np.array([sample.continuation is not None and sample.continuation.strict for sample in batch])
    return ContinuationTokens(*(torch.from_numpy(part) for part in (words[0], words[1], features, unlocks, strict)))


class TokenTable:
    """Unit-scale, centred embeddings of a base model's tokens: inputs [V, D] for keys, outputs [V, D'] for values."""

    def __init__(self, inputs: Tensor, outputs: Tensor) -> None:
        self.weight, self._outputs = inputs, outputs
        self._mean_in = _mean_unit(inputs)
        self._mean_out = self._mean_in if outputs is inputs else _mean_unit(outputs)

    def inputs(self, ids: Tensor) -> Tensor:
        """Centred input embeddings, [n, D]."""
        return self.centre(F.embedding(ids, self.weight.detach()))

    def outputs(self, ids: Tensor) -> Tensor:
        """Centred output embeddings, [n, D']."""
        return unit(unit(F.embedding(ids, self._outputs.detach()).float()) - self._mean_out.to(ids.device))

    def centre(self, embedded: Tensor) -> Tensor:
        """Embeddings as the model made them (scaled or not) -> the same scale and centre as ``inputs``."""
        return unit(unit(embedded.float()) - self._mean_in.to(embedded.device))


def unit(x: Tensor) -> Tensor:
    """Scale the last axis to a root mean square of 1."""
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def _mean_unit(table: Tensor, chunk: int = 8192) -> Tensor:
    with torch.no_grad():
        total = torch.zeros(table.shape[1], device=table.device)
        for start in range(0, len(table), chunk):
            total += unit(table[start : start + chunk].float()).sum(0)
    return total / len(table)
