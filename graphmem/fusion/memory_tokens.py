"""Memory tokens: the names that a retrieval found, as slots that attention can copy from, token by token.

A node is read by the literal tokens of its name, so that a name or a number is never squeezed through a vector.
Slot t of a name stands *behind* token t-1 and *says* token t: continuing a name is then one induction step, and names
never seen in training are copied as well as any. The last slot says the end of the turn, so a full stop inside a
name is safe. A name that begins after a space often has another first token ("London", " London"); the slots where
the two readings differ are kept for both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmem.fusion.candidates import CONTINUATION_FEATURES, FEATURES, Candidates, log_odds

NONE = -1
"""Stands for "no token" in ``previous`` and ``before``."""

INSIDE, START, START_AFTER_SPACE, END = 0, 1, 2, 3
"""Kinds of slots: within a name, its first token at the start of a line or after a space, and its end."""


@dataclass(frozen=True, slots=True)
class Slot:
    """One token of one name: what stands before it (two tokens back), what it says, where in the name it is.

    ``behind`` holds all tokens before it, the nearest first, as the name is read in one or two ways: the end that both
    readings share is one slot with two beginnings.
    """

    before: int
    previous: int
    says: int
    position: int
    kind: int
    behind: tuple[tuple[int, ...], ...] = ((),)


_WORDS = 12
"""Most tokens by which a relation or a name is known to a plain text."""


@dataclass(frozen=True, slots=True)
class ContinuationTokens:
    """``Told`` of a batch: relations and names, int64 [B, N, A] token ids; features float32 [B, N, len(TOLD)];
    opens bool [B, N, N]; and own bool [B]."""

    relations: Tensor
    names: Tensor
    features: Tensor
    opens: Tensor
    own: Tensor

    def to(self, device: torch.device | str) -> ContinuationTokens:
        """The same on another device."""
        return ContinuationTokens(*(getattr(self, name).to(device) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class MemoryTokens:
    """Slots of a batch, padded to the longest sample; M slots, over the N candidates of each.

    Attributes:
        before, previous, says: int64 [B, M], token ids; ``NONE`` where there is none.
        position: int64 [B, M], place of the said token in its name.
        kind: int64 [B, M], ``INSIDE``, ``START``, ``START_AFTER_SPACE`` or ``END``.
        node: int64 [B, M], which candidate the slot belongs to.
        features: float32 [B, M, len(FEATURES)], of the slot's node.
        mask: bool [B, M], False for padding.
        answerable: float32 [B], log-odds / 4, cut to [-1, 1].
        behind: int64 [B, M, 2, K], the tokens before the slot in both readings of its name, the nearest first; K is
            the longest there is.
        told: how a plain text knows the candidates; None where somebody asked.
    """

    before: Tensor
    previous: Tensor
    says: Tensor
    position: Tensor
    kind: Tensor
    node: Tensor
    features: Tensor
    mask: Tensor
    answerable: Tensor
    behind: Tensor
    told: ContinuationTokens | None = None

    @property
    def batch(self) -> int:
        """B."""
        return self.mask.shape[0]

    @property
    def slots(self) -> int:
        """M."""
        return self.mask.shape[1]

    @property
    def starts(self) -> Tensor:
        """bool [B, M]: slots where a name starts."""
        return (self.kind == START) | (self.kind == START_AFTER_SPACE)

    def to(self, device: torch.device | str) -> MemoryTokens:
        """The same slots on another device."""
        moved = {name: value.to(device) for name in self.__slots__ if (value := getattr(self, name)) is not None}
        return MemoryTokens(**moved)

    def repeated(self, times: int) -> MemoryTokens:
        """Every sample ``times`` times, side by side."""
        if times == 1:
            return self
        rows = {name: getattr(self, name).repeat_interleave(times, 0) for name in self.__slots__ if name != "told"}
        told = self.told
        if told is not None:
            told = ContinuationTokens(*(getattr(told, name).repeat_interleave(times, 0) for name in told.__slots__))
        return MemoryTokens(**rows, told=told)


class NameTokenizer:
    """Cuts names into slots, for one tokenizer.

    Args:
        tokenizer: of the base model.
        stop: token that ends a turn.
        limit: most tokens of a name; a longer one is cut, and not ended.
    """

    def __init__(self, tokenizer: Any, stop: int, limit: int) -> None:
        self._tokenizer, self.stop, self.limit = tokenizer, stop, limit
        self.slots = lru_cache(maxsize=65_536)(self._slots)
        self.words = lru_cache(maxsize=65_536)(self._words)

    def tokens(self, name: str) -> tuple[int, ...]:
        """Token ids of a name at the start of a line, with the stop."""
        return self._ended(name)

    def _words(self, text: str) -> tuple[int, ...]:
        """Token ids of the first words of a text that stands after a space."""
        return tuple(self._tokenizer(" " + text, add_special_tokens=False)["input_ids"][:_WORDS])

    def _ended(self, text: str) -> tuple[int, ...]:
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return (*ids, self.stop) if len(ids) <= self.limit else tuple(ids[: self.limit])

    def _slots(self, name: str) -> tuple[Slot, ...]:
        plain, spaced = self._ended(name), self._ended(" " + name)
        shared = _shared_tail(plain, spaced)
        slots = [self._slot(plain, i, START, self._other(plain, spaced, shared, i)) for i in range(len(plain))]
        if plain != spaced:
            slots += [self._slot(spaced, i, START_AFTER_SPACE, None) for i in range(len(spaced) - shared + 1)]
        return tuple(slots)

    def readings(self, name: str, told: bool) -> tuple[Slot, ...]:
        """Slots of a name; in a text that goes on, of its other spelling as well (``respelt``)."""
        other = respelt(name) if told else None
        return self.slots(name) if other is None else self.slots(name) + self.slots(other)

    @staticmethod
    def _other(plain: tuple[int, ...], spaced: tuple[int, ...], shared: int, i: int) -> tuple[int, ...] | None:
        """What the other reading says before token i, where the slot serves both."""
        return spaced[: i + len(spaced) - len(plain)] if i > len(plain) - shared else None

    def _slot(self, tokens: tuple[int, ...], i: int, start: int, other: tuple[int, ...] | None) -> Slot:
        before, previous = (tokens[i - 2] if i > 1 else NONE), (tokens[i - 1] if i else NONE)
        kind = start if i == 0 else END if tokens[i] == self.stop else INSIDE
        behind = (tokens[:i][::-1], (tokens[:i] if other is None else other)[::-1])
        return Slot(before, previous, tokens[i], i, kind, behind)


def respelt(name: str) -> str | None:
    """How a name is spelt elsewhere in a sentence: "Contributing property" within, "frangipane" at the beginning.

    A name in which more than the first word has a capital, or that is one word with a capital, keeps it.
    """
    first, rest = name[:1], name[1:]
    if first.islower():
        return first.upper() + rest
    phrase = first.isupper() and " " in rest and rest.islower()
    return first.lower() + rest if phrase else None


def _shared_tail(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Length of the longest common end, 1 at least so that a whole reading is never dropped."""
    shared = 0
    while shared < min(len(a), len(b)) and a[-1 - shared] == b[-1 - shared]:
        shared += 1
    return max(shared, 1)


def collate(reader: NameTokenizer, batch: Sequence[Candidates], least: int = 0) -> MemoryTokens:
    """Slots of every sample, as many as its names have tokens, padded to the longest sample and to ``least``."""
    per_sample = [_slots_of(reader, c) for c in batch]
    width = max((len(slots) for slots in per_sample), default=0)
    width = max(width, least)
    table = np.full((len(batch), width, 6), NONE, np.int64)
    table[..., 2:] = 0
    features = np.zeros((len(batch), width, len(FEATURES)), np.float32)
    mask = np.zeros((len(batch), width), bool)
    for b, (slots, sample) in enumerate(zip(per_sample, batch, strict=True)):
        if slots:
            rows = [(s.before, s.previous, s.says, s.position, s.kind, n) for n, s in slots]
            table[b, : len(slots)] = rows
            features[b, : len(slots)] = sample.features[table[b, : len(slots), 5]]
            mask[b, : len(slots)] = True
    columns = (torch.from_numpy(np.ascontiguousarray(table[..., i])) for i in range(6))
    before, previous, says, position, kind, node = columns
    answerable = torch.from_numpy(np.array([log_odds(sample.answerable) for sample in batch], np.float32))
    return MemoryTokens(
        before, previous, says, position, kind, node, torch.from_numpy(features), torch.from_numpy(mask), answerable,
        _behind([[slot for _, slot in slots] for slots in per_sample], width), _told(reader, batch),
    )  # fmt: skip


def _slots_of(reader: NameTokenizer, sample: Candidates) -> list[tuple[int, Slot]]:
    """Number of the candidate and slot, for all slots of a sample."""
    told = sample.told is not None
    return [(n, slot) for n, name in enumerate(sample.names) for slot in reader.readings(name, told)]


def _told(reader: NameTokenizer, batch: Sequence[Candidates]) -> ContinuationTokens | None:
    """What a plain text is told of the candidates of every sample; None where somebody asked."""
    if not any(sample.told is not None for sample in batch):
        return None
    most = max(1, *(len(sample.names) for sample in batch))
    words = np.full((2, len(batch), most, _WORDS), NONE, np.int64)
    features = np.zeros((len(batch), most, len(CONTINUATION_FEATURES)), np.float32)
    opens = np.zeros((len(batch), most, most), bool)
    for b, sample in enumerate(batch):
        if sample.told is None:
            continue
        opens[b, : len(sample.names), : len(sample.names)] = sample.told.opens
        features[b, : len(sample.names)] = sample.told.features
        for way, texts in enumerate((sample.told.relations, sample.names)):
            for n, text in enumerate(texts):
                ids = reader.words(text)
                words[way, b, n, : len(ids)] = ids
    own = np.array([sample.told is not None and sample.told.own for sample in batch])
    return ContinuationTokens(*(torch.from_numpy(part) for part in (words[0], words[1], features, opens, own)))


def _behind(samples: Sequence[Sequence[Slot]], width: int) -> Tensor:
    """int64 [B, M, 2, K], see ``MemoryTokens.behind``."""
    depth = max((len(way) for slots in samples for slot in slots for way in slot.behind), default=0)
    table = np.full((len(samples), width, 2, depth), NONE, np.int64)
    for b, slots in enumerate(samples):
        for m, slot in enumerate(slots):
            for r, way in enumerate(slot.behind):
                table[b, m, r, : len(way)] = way
    return torch.from_numpy(table)
