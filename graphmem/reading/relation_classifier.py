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
class RelationDraft:
    """A pair of mentions, the earlier one first, with its relation ("" where there is none).

    ``is_known``: the relation is one of the vocabulary, else words of the text. ``inverted``: the later mention is the
    subject. ``probability``: of the best relation of the vocabulary. The alternatives are relative to this direction.
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

    ``half`` encodes the words around pairs in bfloat16, about twice as fast on processors that have it.
    """

    def __init__(self, network: ExtractionNetwork, vectors: EmbeddingCache, *, half: bool = False) -> None:
        self.network, self._vectors, self._half = network, vectors, half

    def __call__(
        self, text: str, pairs: Sequence[tuple[MentionSpan, MentionSpan]], mentions: Sequence[MentionSpan],
        scores: PairScores, names: Sequence[str], in_graph: int,
    ) -> list[RelationDraft]:  # fmt: skip
        """One draft for each of P pairs of a text's mentions, the earlier mention first.

        ``names`` are the R relations to choose from; the first ``in_graph`` of them are those of the graph.
        """
        spans = [(m.start, m.end) for m in mentions]
        others = [[s for s in spans if s not in ((a.start, a.end), (b.start, b.end))] for a, b in pairs]
        best: list[list[RelationAlternative]] = [[] for _ in pairs]
        if names and pairs:
            shares = self._logits(text, pairs, others, scores, names, in_graph).softmax(-1)  # [P, 2R]
            top = (column.tolist() for column in shares.topk(min(_MAX_ALTERNATIVES, 2 * len(names))))
            for own, probabilities, numbers in zip(best, *top, strict=True):
                likely = ((n, p) for n, p in zip(numbers, probabilities, strict=True) if p >= _MIN_PROBABILITY)
                own += [RelationAlternative(names[n % len(names)], n >= len(names), p) for n, p in likely]
        return [self._draft(text, *pair, near, own) for pair, near, own in zip(pairs, others, best, strict=True)]

    def _logits(
        self, text: str, pairs: Sequence[tuple[MentionSpan, MentionSpan]], others: Sequence[list[Stretch]],
        scores: PairScores, names: Sequence[str], in_graph: int,
    ) -> Tensor:  # fmt: skip
        """Logits [P, 2R]."""
        spans = (((a.start, a.end), (b.start, b.end)) for a, b in pairs)
        phrases = [mask_pair(text, *ends, near) for ends, near in zip(spans, others, strict=True)]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self._half):
            encoded = torch.from_numpy(self._vectors.encoder.encode(phrases))  # too varied to be cached
        relations = torch.from_numpy(np.asarray(self._vectors(names), dtype=np.float32))
        logits = self.network.relations(scores.features, encoded, relations)  # [P, 2R]
        logits = logits + _GRAPH_BONUS * (torch.arange(len(names)) < in_graph).repeat(2)
        literals = [has_literal_objects(name) for name in names]
        for row, (a, b) in enumerate(pairs):  # a literal is never the subject
            logits[row, : len(names)] -= _IMPOSSIBLE * (a.kind == "literal") + type_penalties(literals, b.kind)
            logits[row, len(names) :] -= _IMPOSSIBLE * (b.kind == "literal") + type_penalties(literals, a.kind)
        return logits

    def _draft(
        self, text: str, a: MentionSpan, b: MentionSpan, others: list[Stretch], best: Sequence[RelationAlternative]
    ) -> RelationDraft:
        """The best relation; if it is improbable, one that the words between name, if they may name one."""
        if not best or best[0].probability < self.network.config.relation_threshold:
            if not _may_be_named(text, a, b):
                return RelationDraft(a, b, "", True, False, 0.0)
            phrase = relation_phrase(text, (a.start, a.end), (b.start, b.end), others)
            if phrase or not best:
                probability = best[0].probability if best else 0.0
                return RelationDraft(a, b, phrase, not phrase, False, probability, tuple(best))
        first = best[0]
        rest = tuple(replace(other, inverted=other.inverted != first.inverted) for other in best[1:])
        return RelationDraft(a, b, first.relation, True, first.inverted, first.probability, rest)


def type_penalties(literals: Sequence[bool | None], kind: str) -> Tensor:
    """Penalty [R] of each relation for an object of a kind: no place of birth is a year.

    ``literals``: whether the relation's objects are literals; None where that is not known.
    """
    misfits = [literal is not None and literal != (kind == "literal") for literal in literals]
    return _TYPE_PENALTY * torch.tensor(misfits, dtype=torch.float32)


def _may_be_named(text: str, a: MentionSpan, b: MentionSpan) -> bool:
    """Whether the words between two mentions may name a new relation: not for literals, nor for "It rained all day"."""
    if "literal" in (a.kind, b.kind):
        return False
    return "pronoun" not in (a.kind, b.kind) or not all(text[m.start].islower() for m in (a, b) if m.kind == "entity")
