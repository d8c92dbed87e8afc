"""Measures: relations whose objects are typed values, read for a set of nodes or for all that have one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from graphmem.encoding.evidence_text import relation_words
from graphmem.reasoning.member_sets import MAX_MEMBERS, MemberSet, expand
from graphmem.reasoning.patterns import INSTANCES, Instance, Pattern, PatternSearch
from graphmem.reasoning.values import Value, comparable, on_one_scale, typed

SAMPLE, TYPED = 8, 0.7
"""Objects of a relation that are looked at, and the share of them that must be values."""

MAX_RELATIONS, MAX_MEASURES = 400, 8
"""Relations, by the cosine of their names to the question, that may be measures; measures that are read."""

CONTRADICTING = 0.25
"""Share of members with several values up to which these contradict each other, since the others have one."""

SAMPLED_MEMBERS = 200
"""Members of a set whose relations are looked at."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Members of a set with their values of one relation, on one scale.

    Attributes:
        members: those with a value; the last column of ``edges`` is the fact of the value.
        values: of each member.
        unlike: number of members whose values do not compare with these.
        contradicting: number of members that were set aside because their facts give several values.
    """

    members: MemberSet
    values: tuple[Value, ...]
    unlike: int = 0
    contradicting: int = 0


@dataclass(frozen=True, slots=True)
class Measure:
    """A relation with values, and how well it fits the question, in logits relative to the best one."""

    relation: int
    name: str
    score: float = field(default=0.0)


class MeasureSearch:
    """Measures for one question."""

    def __init__(self, patterns: PatternSearch) -> None:
        self.patterns, self.store, self.index = patterns, patterns.store, patterns.index
        self._scores: dict[tuple[int, int], float] = {}
        self._typed: dict[int, bool] = {}

    def measures(self, members: MemberSet | None) -> list[Measure]:
        """Measures of the members of a set, or of any node, best first; scores are not yet relative."""
        relations = self._relations_of(members) if members is not None else self._nearest_relations()
        found = [relation for relation in relations if self._is_typed(relation)]
        instances = []
        for relation in found:
            facts = self._facts(relation, members, INSTANCES)[0]
            instances += self.patterns.instances(Pattern(-1, (2 * relation,), True, facts)) if len(facts) else []
        instances = self._nearest(instances)
        fresh = [i for i in instances if (i.pattern.codes[0] >> 1, hash(i.text)) not in self._scores]
        for instance, score in zip(fresh, self.patterns.read(fresh), strict=True):
            self._scores[instance.pattern.codes[0] >> 1, hash(instance.text)] = score
        best: dict[int, float] = {}
        for instance in instances:
            relation = instance.pattern.codes[0] >> 1
            score = self._scores[relation, hash(instance.text)]
            best[relation] = max(score, best.get(relation, score))
        made = [Measure(relation, self._name(relation), score) for relation, score in best.items()]
        return sorted(made, key=lambda measure: -measure.score)

    def _nearest(self, instances: Sequence[Instance]) -> list[Instance]:
        """The instances of the measures that are nearest to the question by cosine."""
        nearest: dict[int, float] = {}
        for instance, cosine in zip(instances, self.patterns.cosines(instances), strict=True):
            code = instance.pattern.codes[0]
            nearest[code] = max(cosine, nearest.get(code, -1.0))
        kept = sorted(nearest, key=lambda code: -nearest[code])[:MAX_MEASURES]
        return [instance for instance in instances if instance.pattern.codes[0] in kept]

    def measured(self, measure: Measure, members: MemberSet | None, like: Value | None = None) -> Measured:
        """Members with their values, on the scale of a given value, or the one that most of them share.

        Without a given value, members whose facts contradict each other are set aside, where few do.
        """
        facts, ends = self._facts(measure.relation, members, MAX_MEMBERS)
        several = self._several(measure.relation, facts) if like is None else np.zeros(len(facts), bool)
        contradicting = int(several.sum()) if several.sum() <= CONTRADICTING * len(facts) else 0
        facts, ends = (facts.only(~several), ends[~several]) if contradicting else (facts, ends)
        unique, at_unique = np.unique(ends, return_inverse=True)
        of_unique = [typed(name) for name in self.store.names(unique.tolist())]
        read = [of_unique[at] for at in at_unique.tolist()]
        known = np.asarray([value is not None for value in read], bool)
        facts, given = facts.only(known), [value for value in read if value is not None]
        scale = on_one_scale(given) if like is None else [at for at, v in enumerate(given) if comparable(v, like)]
        kept = np.isin(np.arange(len(given)), scale)
        values = tuple(given[at] for at in sorted(scale))
        return Measured(facts.only(kept), values, len(given) - len(scale), contradicting)

    def _several(self, relation: int, facts: MemberSet) -> np.ndarray:
        """Whether each member has facts of a relation with several objects, bool [n]."""
        arcs = expand(self.index, facts.nodes)[0]
        here = arcs.relation == 2 * relation
        pairs = np.unique(np.stack([arcs.origin[here], arcs.target[here]], axis=1), axis=0)
        return np.asarray(np.bincount(pairs[:, 0], minlength=len(facts)) > 1)

    def _facts(self, relation: int, members: MemberSet | None, limit: int) -> tuple[MemberSet, np.ndarray]:
        """Nodes with a fact of a relation, among the members of a set or all, and the objects, int64 [n]."""
        if members is None:
            edges = self.store.edges(self.index.facts_of(relation, limit))
            rows = np.asarray([(edge.src, edge.id, edge.dst) for edge in edges], np.int64).reshape(-1, 3)
            nodes, ids, ends = rows.T
            complete = len(edges) < MAX_MEMBERS
        else:
            arcs, complete = expand(self.index, members.nodes)
            here = np.flatnonzero(arcs.relation == 2 * relation)
            nodes, ids, ends = members.nodes[arcs.origin[here]], arcs.edge[here], arcs.target[here]
        if not len(nodes):
            return _NOTHING, np.zeros(0, np.int64)
        first = np.unique(nodes, return_index=True)[1]
        found = MemberSet.of(nodes, ids[:, None], complete)
        return found if members is None else members & found, ends[first]

    def _relations_of(self, members: MemberSet) -> list[int]:
        """Relations of which members are subjects, those of most members first."""
        arcs = expand(self.index, members.nodes[:SAMPLED_MEMBERS])[0]
        forward = arcs.relation % 2 == 0
        pairs = np.unique(np.stack([arcs.relation[forward] >> 1, arcs.origin[forward]], axis=1), axis=0)
        relations, counts = np.unique(pairs[:, 0], return_counts=True)
        return [int(relations[at]) for at in np.argsort(-counts, kind="stable")[: 4 * MAX_MEASURES]]

    def _nearest_relations(self) -> list[int]:
        names = [self._name(at) for at in range(len(self.index.relations))]
        if len(names) <= 4 * MAX_MEASURES:
            return list(range(len(names)))
        cosines = self.patterns.reader.search.vectors(names[:MAX_RELATIONS]) @ self.patterns.vector
        return [int(at) for at in np.argsort(-cosines, kind="stable")[: 4 * MAX_MEASURES]]

    def _is_typed(self, relation: int) -> bool:
        if relation not in self._typed:
            edges: Sequence[Any] = self.store.edges(self.index.facts_of(relation, SAMPLE))
            values = [typed(name) for name in self.store.names([edge.dst for edge in edges])]
            known = sum(value is not None for value in values)
            self._typed[relation] = known > 0 and known >= TYPED * len(values)
        return self._typed[relation]

    def _name(self, relation: int) -> str:
        return relation_words(self.index.relations[relation])


_NOTHING = MemberSet(np.zeros(0, np.int64), np.zeros((0, 1), np.int64))
