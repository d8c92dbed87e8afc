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
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from graphmem.core.types import Subgraph
from graphmem.retrieval.answerability import least_sure

NONE = -1
"""Stands for "no token" in ``previous`` and ``before``."""

INSIDE, START, START_AFTER_SPACE, END = 0, 1, 2, 3
"""Kinds of slots: within a name, its first token at the start of a line or after a space, and its end."""

LIKELY, SURE = 0.4, 0.99
FEATURES = ("top", "gap", "rank", "activation", "share", "answerable", "refusal", "refusal_answerable")
"""What the attention bias of a node is made of, in the order of ``MemoryTokens.features``."""


class Named(Protocol):
    """A node of a retrieval, as far as the model reads it."""

    @property
    def id(self) -> int: ...
    @property
    def name(self) -> str: ...


class Found(Protocol):
    """What a memory returns for a query, as far as the model reads it."""

    @property
    def nodes(self) -> Sequence[Named]: ...
    @property
    def subgraph(self) -> Subgraph: ...
    @property
    def answerable(self) -> float: ...


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


TOLD = ("topic", "one", "two", "inverse", "rank", "shared")
"""What a plain text is told of a name besides its words: whether the text named it itself, whether it stands one fact
away from what the text named or further, whether the fact is walked from its object, its rank, and how many names share
its relation."""

_WORDS = 12
"""Most tokens by which a relation or a name is known to a plain text."""


@dataclass(frozen=True, slots=True)
class Told:
    """How plain text knows N candidates.

    Attributes:
        relations: words of the relation that leads to each.
        features: float32 [N, len(TOLD)].
        opens: bool [N, N], whether name i may be said once name j has been.
        own: whether no name may be said before that, since the memory was asked with more than a name.
    """

    relations: tuple[str, ...]
    features: np.ndarray
    opens: np.ndarray
    own: bool = False


@dataclass(frozen=True, slots=True)
class Candidates:
    """Nodes handed to the model for one text, most relevant first.

    Attributes:
        names: N names.
        features: float32 [N, len(FEATURES)].
        answerable: probability that some node answers, 0..1.
        ids: N node ids; -1 for the refusal, which is no node.
        told: how plain text knows them; None where somebody asked.
    """

    names: tuple[str, ...]
    features: np.ndarray
    answerable: float
    ids: tuple[int, ...]
    told: Told | None = None


@dataclass(frozen=True, slots=True)
class ToldTokens:
    """``Told`` of a batch: relations and names, int64 [B, N, A] token ids; features float32 [B, N, len(TOLD)];
    opens bool [B, N, N]; and own bool [B]."""

    relations: Tensor
    names: Tensor
    features: Tensor
    opens: Tensor
    own: Tensor

    def to(self, device: torch.device | str) -> ToldTokens:
        """The same on another device."""
        return ToldTokens(*(getattr(self, name).to(device) for name in self.__slots__))


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
    told: ToldTokens | None = None

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
            told = ToldTokens(*(getattr(told, name).repeat_interleave(times, 0) for name in told.__slots__))
        return MemoryTokens(**rows, told=told)


def candidates(
    found: Found, limit: int, refusal: str | None = None, trust: float = LIKELY, silent: float = 0.0
) -> Candidates:
    """Rank features of at most ``limit`` nodes of a retrieval, and of the refusal if there is one; ``trust`` as in
    ``settled``.

    There are none where the memory's probability of holding the answer is below ``silent``, so that the base says
    exactly what it would say alone, or what a question that does not name what the memory knows asks for
    (``hearing.least_sure``); but where a refusal is offered, or the memory is believed always, there are.

    The features are scale-free (ranks, clipped differences to the best), so that rankers with other scales of
    relevance can be read by the same weights.
    """
    least = least_sure(found, silent) if silent else silent
    heard = refusal is not None or trust <= 0 or float(found.answerable) >= least
    nodes = list(found.nodes)[:limit] if heard else []
    answerable = settled(float(found.answerable), trust) if nodes else 0.0
    relevance, activation = _aligned(nodes, found.subgraph)
    order = np.argsort(-relevance, kind="stable")
    features = rank_features(relevance[order], activation[order], answerable)
    names, ids = tuple(nodes[i].name for i in order), tuple(nodes[i].id for i in order)
    seen = Candidates(names, features, answerable, ids)
    return with_refusal(seen, refusal) if refusal else seen


def settled(answerable: float, trust: float = LIKELY) -> float:
    """The memory's probability of holding the answer, as the readings take it: likely is as good as sure.

    A memory is less sure of relations it was not trained on, though as often right; readings trained on what it is sure
    of would keep silent there. So from ``trust`` on it is read as ``SURE``; with 0 it is believed whatever it says.
    """
    return max(answerable, SURE) if answerable >= trust else answerable


def with_refusal(seen: Candidates, refusal: str) -> Candidates:
    """The same candidates and, where there are any, the words that say that none is the answer."""
    if not seen.names:
        return seen
    features = np.vstack([seen.features, refusal_features(seen.answerable)])
    return Candidates((*seen.names, refusal), features, seen.answerable, (*seen.ids, -1))


def _aligned(nodes: Sequence[Named], graph: Subgraph) -> tuple[np.ndarray, np.ndarray]:
    """Relevance and activation, float32 [N] each, of the nodes; a node outside the subgraph gets the least."""
    place = {node: i for i, node in enumerate(np.asarray(graph.node_ids).tolist())}
    where = [place.get(node.id, -1) for node in nodes]
    least = float(np.min(graph.relevance)) if len(graph.relevance) else 0.0
    relevance = [float(graph.relevance[i]) if i >= 0 else least for i in where]
    activation = [float(graph.activation[i]) if i >= 0 else 0.0 for i in where]
    return np.asarray(relevance, np.float32), np.asarray(activation, np.float32)


def rank_features(relevance: np.ndarray, activation: np.ndarray, answerable: float) -> np.ndarray:
    """float32 [N, len(FEATURES)] of nodes sorted by falling relevance."""
    count = len(relevance)
    features = np.zeros((count, len(FEATURES)), np.float32)
    if not count:
        return features
    gap = np.nan_to_num(relevance - relevance[0], nan=-8.0, neginf=-8.0)
    features[0, 0] = 1.0
    features[:, 1] = np.clip(gap, -8.0, 0.0) / 4
    features[:, 2] = np.log1p(np.arange(count)) / 2
    activation = np.clip(np.nan_to_num(activation), 0.0, 1e6)
    features[:, 3] = np.clip(np.log((activation + 1e-6) / (activation[0] + 1e-6)), -8.0, 8.0) / 4
    share = np.exp(np.clip(gap, -60.0, 0.0))
    features[:, 4] = share / share.sum()
    features[:, 5] = log_odds(answerable)
    return features


def refusal_features(answerable: float) -> np.ndarray:
    """float32 [1, len(FEATURES)] of the refusal, which competes with the nodes like a name of its own."""
    features = np.zeros((1, len(FEATURES)), np.float32)
    features[0, 5:] = log_odds(answerable), 1.0, log_odds(answerable)
    return features


def log_odds(probability: float) -> float:
    """Log-odds over 4, cut to [-1, 1]."""
    p = min(max(float(probability), 1e-6), 1 - 1e-6)
    return float(np.clip(np.log(p / (1 - p)) / 4, -1.0, 1.0))


class NameReader:
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


def pack(reader: NameReader, batch: Sequence[Candidates], least: int = 0) -> MemoryTokens:
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


def _slots_of(reader: NameReader, sample: Candidates) -> list[tuple[int, Slot]]:
    """Number of the candidate and slot, for all slots of a sample."""
    told = sample.told is not None
    return [(n, slot) for n, name in enumerate(sample.names) for slot in reader.readings(name, told)]


def _told(reader: NameReader, batch: Sequence[Candidates]) -> ToldTokens | None:
    """What a plain text is told of the candidates of every sample; None where somebody asked."""
    if not any(sample.told is not None for sample in batch):
        return None
    most = max(1, *(len(sample.names) for sample in batch))
    words = np.full((2, len(batch), most, _WORDS), NONE, np.int64)
    features = np.zeros((len(batch), most, len(TOLD)), np.float32)
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
    return ToldTokens(*(torch.from_numpy(part) for part in (words[0], words[1], features, opens, own)))


def _behind(samples: Sequence[Sequence[Slot]], width: int) -> Tensor:
    """int64 [B, M, 2, K], see ``MemoryTokens.behind``."""
    depth = max((len(way) for slots in samples for slot in slots for way in slot.behind), default=0)
    table = np.full((len(samples), width, 2, depth), NONE, np.int64)
    for b, slots in enumerate(samples):
        for m, slot in enumerate(slots):
            for r, way in enumerate(slot.behind):
                table[b, m, r, : len(way)] = way
    return torch.from_numpy(table)
