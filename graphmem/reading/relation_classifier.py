"""Names the relation of a pair of mentions: a known one whose text vector lies near, else words of the text itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.reading.candidates import RelationAlternative
from graphmem.reading.mention_spans import MentionSpan
from graphmem.reading.network import ExtractionNetwork, PairScores
from graphmem.reading.relation_context import blanked, relation_words
from graphmem.text.relation_synonyms import has_literal_objects

_LIVE_BONUS = 1.0
_KEPT, _LEAST = 6, 0.02
_MISFIT = 3.0
"""Taken from the logit of a relation between things where the object is a number, and the other way round."""


@dataclass(frozen=True, slots=True)
class RelationVocabulary:
    """Relations to choose from; the first ``live`` of them are those of the graph."""

    names: list[str]
    live: int


@dataclass(frozen=True, slots=True)
class RelationDraft:
    """A pair of mentions, the earlier one first, with the relation that was chosen.

    Attributes:
        first, second: the mentions.
        relation: its name; "" where none can be named.
        known: whether it is one of the vocabulary; else the text's own words.
        backwards: whether the later mention is the subject.
        sure: probability of the best relation of the vocabulary.
        others: what else may be meant, turned as seen from this draft.
    """

    first: MentionSpan
    second: MentionSpan
    relation: str
    known: bool
    backwards: bool
    sure: float
    others: tuple[RelationAlternative, ...] = ()

    @property
    def ends(self) -> tuple[MentionSpan, MentionSpan]:
        """Subject and object."""
        return (self.second, self.first) if self.backwards else (self.first, self.second)


class RelationClassifier:
    """Chooses relations for pairs of mentions.

    Args:
        network: the trained reader.
        vectors: encodes relation names and the words around pairs.
        half: encode the words around pairs in bfloat16, about twice as fast on processors that have it.
    """

    def __init__(self, network: ExtractionNetwork, vectors: EmbeddingCache, *, half: bool = False) -> None:
        self.network, self._vectors, self._half = network, vectors, half

    def __call__(
        self, text: str, pairs: Sequence[tuple[MentionSpan, MentionSpan]], mentions: Sequence[MentionSpan], scores: PairScores,
        vocabulary: RelationVocabulary,
    ) -> list[RelationDraft]:  # fmt: skip
        """One draft a pair.

        Args:
            text: what both mentions stand in.
            pairs: P pairs, the earlier mention first.
            mentions: all of the text.
            scores: the network's view of the pairs.
            vocabulary: R relations to choose from.
        """
        if not pairs:
            return []
        places = [(m.start, m.end) for m in mentions]
        around = [[p for p in places if p not in ((a.start, a.end), (b.start, b.end))] for a, b in pairs]
        logits = self._logits(text, pairs, around, scores, vocabulary)
        if logits is None:
            return [self._by_words(text, *pair, near, ()) for pair, near in zip(pairs, around, strict=True)]
        chances = logits.softmax(-1)  # [P, 2R]
        return [
            self._draft(text, pair, near, row, vocabulary)
            for pair, near, row in zip(pairs, around, chances, strict=True)
        ]

    def _logits(
        self, text: str, pairs: Sequence[tuple[MentionSpan, MentionSpan]], around: Sequence[list[tuple[int, int]]],
        scores: PairScores, vocabulary: RelationVocabulary,
    ) -> Tensor | None:  # fmt: skip
        """Logits [P, 2R]; None where there is no relation to choose from."""
        names = vocabulary.names
        if not names:
            return None
        phrases = [
            blanked(text, (a.start, a.end), (b.start, b.end), others)
            for (a, b), others in zip(pairs, around, strict=True)
        ]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._half):
            encoded = torch.from_numpy(self._vectors.encoder.encode(phrases))  # too varied to be worth remembering
        relations = torch.from_numpy(np.asarray(self._vectors(names), dtype=np.float32))
        logits = self.network.relations(scores.features, encoded, relations)  # [P, 2R]
        known = torch.arange(len(names)) < vocabulary.live
        logits = logits + _LIVE_BONUS * torch.cat([known, known])  # a graph rather says what it said before
        told = [has_literal_objects(name) for name in names]
        for row, (a, b) in enumerate(pairs):  # a number or a date is never the subject
            logits[row, : len(names)] -= 50.0 * (a.kind == "literal") + _misfits(told, b.kind)
            logits[row, len(names) :] -= 50.0 * (b.kind == "literal") + _misfits(told, a.kind)
        return logits

    def _draft(
        self, text: str, pair: tuple[MentionSpan, MentionSpan], around: list[tuple[int, int]], chances: Tensor,
        vocabulary: RelationVocabulary,
    ) -> RelationDraft:  # fmt: skip
        names = vocabulary.names
        best = [
            RelationAlternative(names[number % len(names)], number >= len(names), chance)
            for chance, number in zip(*(v.tolist() for v in chances.topk(min(_KEPT, len(chances)))), strict=True)
            if chance >= _LEAST
        ]
        if not best or best[0].probability < self.network.config.relation_threshold:
            return self._by_words(text, *pair, around, best)
        return _chosen(*pair, best)

    @staticmethod
    def _by_words(
        text: str, a: MentionSpan, b: MentionSpan, around: list[tuple[int, int]], best: Sequence[RelationAlternative]
    ) -> RelationDraft:
        """No relation of the vocabulary is likely: the words between name one, else the nearest is taken."""
        if not _nameable(text, a, b):
            return RelationDraft(a, b, "", True, False, 0.0)
        own = relation_words(text, (a.start, a.end), (b.start, b.end), around)
        if own:
            return RelationDraft(a, b, own, False, False, best[0].probability if best else 0.0, tuple(best))
        return _chosen(a, b, best) if best else RelationDraft(a, b, "", True, False, 0.0)


def _misfits(told: Sequence[bool | None], kind: str) -> Tensor:
    """What relations lose, [R], whose objects are never of a kind: no place of birth is a year."""
    unlike = [literal is not None and literal != (kind == "literal") for literal in told]
    return _MISFIT * torch.tensor(unlike, dtype=torch.float32)


def _chosen(a: MentionSpan, b: MentionSpan, best: Sequence[RelationAlternative]) -> RelationDraft:
    first = best[0]
    others = tuple(replace(other, turned=other.turned != first.turned) for other in best[1:])
    return RelationDraft(a, b, first.relation, True, first.turned, first.probability, others)


def _nameable(text: str, a: MentionSpan, b: MentionSpan) -> bool:
    """Whether the words between two mentions may name a new relation: not for numbers, nor for "It rained all day"."""
    if "literal" in (a.kind, b.kind):
        return False
    return "pronoun" not in (a.kind, b.kind) or not all(text[m.start].islower() for m in (a, b) if m.kind == "entity")
