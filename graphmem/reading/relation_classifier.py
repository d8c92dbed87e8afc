"""Relation classifier: the vocabulary's relation with the nearest text vector, else words of the text itself."""

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
from graphmem.reading.relation_context import mask_pair, relation_phrase
from graphmem.text.relation_synonyms import has_literal_objects
from graphmem.text.sentences import Stretch

_GRAPH_BONUS = 1.0
"""Added to the logits of relations that the graph uses."""
_MAX_ALTERNATIVES, _MIN_PROBABILITY = 6, 0.02
_TYPE_PENALTY = 3.0
"""Subtracted from the logit of a relation between entities where the object is a literal, and vice versa."""
_IMPOSSIBLE = 50.0


@dataclass(frozen=True, slots=True)
class RelationVocabulary:
    """Relations to choose from; the first ``in_graph`` of them are those of the graph."""

    names: list[str]
    in_graph: int


@dataclass(frozen=True, slots=True)
class RelationDraft:
    """A pair of mentions, the earlier one first, with its relation.

    Attributes:
        first, second: the mentions.
        relation: its name; "" where there is none.
        is_known: whether it is one of the vocabulary; else words of the text.
        inverted: whether the later mention is the subject.
        probability: of the best relation of the vocabulary.
        alternatives: other relations, ``inverted`` relative to this draft.
    """

    first: MentionSpan
    second: MentionSpan
    relation: str
    is_known: bool
    inverted: bool
    probability: float
    alternatives: tuple[RelationAlternative, ...] = ()

    @property
    def ends(self) -> tuple[MentionSpan, MentionSpan]:
        """Subject and object."""
        return (self.second, self.first) if self.inverted else (self.first, self.second)


class RelationClassifier:
    """Chooses relations for pairs of mentions.

    Args:
        network: the trained extraction network.
        vectors: encodes relation names and the words around pairs.
        half: encode the words around pairs in bfloat16, about twice as fast on processors that have it.
    """

    def __init__(self, network: ExtractionNetwork, vectors: EmbeddingCache, *, half: bool = False) -> None:
        self.network, self._vectors, self._half = network, vectors, half

    def __call__(
        self, text: str, pairs: Sequence[tuple[MentionSpan, MentionSpan]], mentions: Sequence[MentionSpan],
        scores: PairScores, vocabulary: RelationVocabulary,
    ) -> list[RelationDraft]:  # fmt: skip
        """One draft a pair.

        Args:
            text: contains both mentions.
            pairs: P pairs, the earlier mention first.
            mentions: all of the text.
            scores: the network's scores of the pairs.
            vocabulary: R relations to choose from.
        """
        if not pairs:
            return []
        spans = [(m.start, m.end) for m in mentions]
        others = [[s for s in spans if s not in ((a.start, a.end), (b.start, b.end))] for a, b in pairs]
        if not vocabulary.names:
            return [_from_words(text, *pair, near, ()) for pair, near in zip(pairs, others, strict=True)]
        probabilities = self._logits(text, pairs, others, scores, vocabulary).softmax(-1)  # [P, 2R]
        return [
            self._draft(text, pair, near, row, vocabulary)
            for pair, near, row in zip(pairs, others, probabilities, strict=True)
        ]

    def _logits(
        self, text: str, pairs: Sequence[tuple[MentionSpan, MentionSpan]], others: Sequence[list[Stretch]],
        scores: PairScores, vocabulary: RelationVocabulary,
    ) -> Tensor:  # fmt: skip
        """Logits [P, 2R]."""
        names = vocabulary.names
        spans = (((a.start, a.end), (b.start, b.end)) for a, b in pairs)
        phrases = [mask_pair(text, *ends, near) for ends, near in zip(spans, others, strict=True)]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._half):
            encoded = torch.from_numpy(self._vectors.encoder.encode(phrases))  # too varied to be cached
        relations = torch.from_numpy(np.asarray(self._vectors(names), dtype=np.float32))
        logits = self.network.relations(scores.features, encoded, relations)  # [P, 2R]
        in_graph = torch.arange(len(names)) < vocabulary.in_graph
        logits = logits + _GRAPH_BONUS * torch.cat([in_graph, in_graph])
        literals = [has_literal_objects(name) for name in names]
        for row, (a, b) in enumerate(pairs):  # a literal is never the subject
            logits[row, : len(names)] -= _IMPOSSIBLE * (a.kind == "literal") + type_penalties(literals, b.kind)
            logits[row, len(names) :] -= _IMPOSSIBLE * (b.kind == "literal") + type_penalties(literals, a.kind)
        return logits

    def _draft(
        self, text: str, pair: tuple[MentionSpan, MentionSpan], others: list[Stretch], probabilities: Tensor,
        vocabulary: RelationVocabulary,
    ) -> RelationDraft:  # fmt: skip
        names = vocabulary.names
        top = probabilities.topk(min(_MAX_ALTERNATIVES, len(probabilities)))
        best = [
            RelationAlternative(names[number % len(names)], number >= len(names), probability)
            for probability, number in zip(*(column.tolist() for column in top), strict=True)
            if probability >= _MIN_PROBABILITY
        ]
        if not best or best[0].probability < self.network.config.relation_threshold:
            return _from_words(text, *pair, others, best)
        return _from_best(*pair, best)


def _from_words(
    text: str, a: MentionSpan, b: MentionSpan, others: list[Stretch], best: Sequence[RelationAlternative]
) -> RelationDraft:
    """No relation of the vocabulary is likely: the words between name one, else the best of the vocabulary is taken."""
    none = RelationDraft(a, b, "", True, False, 0.0)
    if not _may_be_named(text, a, b):
        return none
    phrase = relation_phrase(text, (a.start, a.end), (b.start, b.end), others)
    if phrase:
        return RelationDraft(a, b, phrase, False, False, best[0].probability if best else 0.0, tuple(best))
    return _from_best(a, b, best) if best else none


def type_penalties(literals: Sequence[bool | None], kind: str) -> Tensor:
    """Penalty of each relation, [R], for an object of a kind: no place of birth is a year.

    Args:
        literals: whether the relation's objects are literals; None where that is not known.
        kind: of the object's mention.
    """
    misfits = [literal is not None and literal != (kind == "literal") for literal in literals]
    return _TYPE_PENALTY * torch.tensor(misfits, dtype=torch.float32)


def _from_best(a: MentionSpan, b: MentionSpan, best: Sequence[RelationAlternative]) -> RelationDraft:
    first = best[0]
    others = tuple(replace(other, inverted=other.inverted != first.inverted) for other in best[1:])
    return RelationDraft(a, b, first.relation, True, first.inverted, first.probability, others)


def _may_be_named(text: str, a: MentionSpan, b: MentionSpan) -> bool:
    """Whether the words between two mentions may name a new relation: not for literals, nor for "It rained all day"."""
    if "literal" in (a.kind, b.kind):
        return False
    return "pronoun" not in (a.kind, b.kind) or not all(text[m.start].islower() for m in (a, b) if m.kind == "entity")
