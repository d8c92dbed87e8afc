"""Operations on sets: count, list, intersect, except and superlatives, exact over the facts of the store.

Which set a question asks for is chosen by the readings of the evidence encoder (``patterns``, ``hypotheses``); what
the set holds, how many it holds and which of them has the largest value is computed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from graphmem.core.names import normalise
from graphmem.encoding.evidence_text import relation_words
from graphmem.questions.ordinals import rank_of
from graphmem.reasoning.hypotheses import (
    BESIDE,
    CHAINED,
    Hypothesis,
    alternatives,
    cost_of,
    intersections,
    listed_alternatives,
)
from graphmem.reasoning.measures import Measured, MeasureSearch
from graphmem.reasoning.member_sets import MemberSet
from graphmem.reasoning.patterns import Pattern, PatternSearch
from graphmem.reasoning.sets.constants import cardinals_of, constants_of, is_constant
from graphmem.reasoning.sets.moments import index_of
from graphmem.reasoning.sets.results import Member, Result
from graphmem.reasoning.topics import Topic, subjects_of, topics_of
from graphmem.reasoning.values import Value, comparable, compare, magnitude, typed
from graphmem.retrieval.facts_only import facts_only

MAX_READ_TOPICS = 6
"""Topics whose patterns are read; further ones are alternatives of a comparison, and no conditions of a set."""

MAX_NAMED = 1_000
"""Members whose names and facts a result holds."""

SEVERAL, LONE, CARDINAL = 2.5, 5.0, 2.0
"""Logits that a list or a count of several members gains, that a superlative over one member loses, and that a set of
as many members as the question says gains ("which of the two")."""

VALUES = 2.0
"""Logits that a count of values loses: what is counted are things."""

COVERED, MEASURED, LARGE = 2.0, 0.5, 20
"""Logits for the share of a set that has a value, and for each e-fold of members where the set is not given, up to so
many members."""


class SetOperations:
    """Operations for one question.

    Args:
        reader: the ``EvidenceReader`` of the memory.
        retrieval: of the question.
        question: with full names.
        moments: valid times in microseconds; facts that hold at one of them count, those of the present for none.
    """

    def __init__(self, reader: Any, retrieval: Any, question: str, moments: Sequence[int] = ()) -> None:
        self.reader, self.question = reader, str(retrieval.query)
        self.store, self.index = facts_only(reader.search.store, index_of(reader.search.store, moments))
        found = topics_of(retrieval, self.store, self.index)
        self.topics: list[Topic] = [topic for topic in found if not self._is_value(topic)]
        self.cardinals = cardinals_of(retrieval.query)
        taken = [(topic.start, topic.end) for topic in self.topics]
        self.constants = constants_of(retrieval.query, taken, reader.search.vectors)
        self.search = PatternSearch(self.store, self.index, reader, question)
        self.measures = MeasureSearch(self.search)

    @cached_property
    def patterns(self) -> list[list[Pattern]]:
        """Patterns of each topic, best first; none of topics beyond ``MAX_READ_TOPICS``."""
        read = self.topics[:MAX_READ_TOPICS]
        found = [self._without_constants(own) for own in self.search.patterns(read)]
        return [*found, *([] for _ in self.topics[MAX_READ_TOPICS:])]

    def _without_constants(self, patterns: list[Pattern]) -> list[Pattern]:
        """Patterns less those that lead to a value which the question names itself: it is a condition, no answer."""
        given = [constant.value for constant in self.constants]
        if not given:
            return patterns
        ends = [
            pattern.members.nodes[:1].tolist() if pattern.codes and not pattern.near else [] for pattern in patterns
        ]
        values = [typed(self.store.names(end)[0]) if end else None for end in ends]
        kept = [
            pattern for pattern, value in zip(patterns, values, strict=True)
            if value is None or not any(comparable(value, other) for other in given)
        ]  # fmt: skip
        best = max((pattern.score for pattern in kept if pattern.codes), default=0.0)
        return [replace(pattern, score=pattern.score - best) if pattern.codes else pattern for pattern in kept]

    @property
    def conditions(self) -> range:
        """Positions of the topics that are conditions of a set."""
        return range(min(len(self.topics), MAX_READ_TOPICS))

    def _is_value(self, topic: Topic) -> bool:
        """Whether a topic is a value by which things are compared, and no thing with facts of its own."""
        if len(topic.nodes) > 1 or not is_constant(topic.text):
            return False
        alike = normalise(self.store.names(topic.nodes)[0]) == normalise(topic.text)
        return alike and (topic.text.isdigit() or not subjects_of(topic.nodes, self.index))

    def run(self, form: Any) -> Result | None:
        """The result of the operation that a question wants, or None where nothing fits."""
        if form.operation == "superlative":
            return self.superlative(form)
        if form.operation == "except":
            return self.difference()
        if form.operation in ("count", "list", "intersect"):
            return self.members_of(form.operation)
        return self.narrowed() if form.operation == "lookup" else None

    def narrowed(self) -> Result | None:
        """What a lookup asks for that names several things: the members of a set that meets several conditions."""
        if len(self.topics) + len(self.constants) < 2:
            return None
        found = self._conditioned(intersections(self.topics, self.patterns, self.conditions))
        best = max(found, key=lambda one: one.score)
        read = [(pattern.relevance, self.topics[pattern.topic].kind) for pattern in best.patterns if pattern.codes]
        if len(best.patterns) + len(best.conditions) < 2 or best.score < NARROWED or not read:
            return None
        if max(read)[0] < (BARELY if best.conditions else 0) or any(
            relevance < BESIDE[kind] for relevance, kind in read
        ):
            return None
        return self._result("intersect", best)

    def members_of(self, operation: str) -> Result | None:
        """Count, list or intersection: the best set."""
        found = self._conditioned(intersections(self.topics, self.patterns, self.conditions))
        found = [one for one in found if one.members is not None]
        if not found:
            return None
        used = lambda one: len(one.patterns) + len(one.conditions)
        most = used(max(found, key=lambda one: one.score))  # what the question names is not left out to hold several
        best = max(found, key=lambda one: one.score + self._size_bonus(operation, one) * (used(one) >= most))
        if operation == "list" and len(best.patterns) == 1 and best.members is not None and len(best.members) == 1:
            best = self._with_past(best)
        result = self._result(operation, best)
        alone = len(result.members) == 1 and len(best.patterns) == 1 and not best.conditions and not result.stated
        return None if alone and (operation != "count" or best.relevance < 0) else result  # then it is a lookup

    def _size_bonus(self, operation: str, one: Hypothesis) -> float:
        """Logits for several members where a list or a count is asked for, and for as many as the question says."""
        count = 0 if one.members is None else len(one.members)
        several = SEVERAL if operation in ("list", "count") and count > 1 else 0.0
        if operation == "count" and count > 1 and one.members is not None:
            first = self.store.names(one.members.nodes[:1].tolist())[0]
            several -= VALUES * (typed(first) is not None)
        return several + (CARDINAL if count in self.cardinals else 0.0)

    def _with_past(self, one: Hypothesis) -> Hypothesis:
        """A set of one member with those of the past: who ever wore the ring, not who wears it."""
        pattern = one.patterns[0]
        if len(pattern.codes) != 1 or pattern.near or one.conditions:
            return one
        relation, topic = self.index.relations[pattern.codes[0] >> 1], self.topics[pattern.topic]
        edges = self.store.edges(self.store.fact_ids_around(topic.nodes, limit=MAX_NAMED))
        back = bool(pattern.codes[0] % 2)
        found = [
            (edge.src if back else edge.dst, edge.id) for edge in edges
            if edge.relation == relation and (edge.dst if back else edge.src) in topic.nodes
        ]  # fmt: skip
        nodes, ids = (np.asarray([pair[at] for pair in found], np.int64) for at in (0, 1))
        return replace(one, members=MemberSet.of(nodes, ids[:, None])) if len(nodes) else one

    def _conditioned(self, starts: Sequence[Hypothesis]) -> list[Hypothesis]:
        """Hypotheses with the constants of the question as conditions; a constant is left out at a cost."""
        found = list(starts)
        for constant in self.constants[:MAX_CONSTANTS]:
            grown: list[tuple[Hypothesis, int]] = []
            scores: dict[int, float] = {}
            for start in found[:STARTS]:
                for measure in self.measures.measures(start.members):
                    scores[measure.relation] = max(measure.score, scores.get(measure.relation, measure.score))
                    measured = self.measures.measured(measure, start.members, constant.value)
                    kept = np.asarray([compare(v, constant.sign, constant.value) for v in measured.values], bool)
                    if not kept.any():
                        continue
                    members = measured.members.only(kept)
                    members = members if start.members is None else start.members & members
                    condition = f"{measure.name} {constant.sign} {constant.value.text}"
                    conditions = (*start.conditions, condition)
                    grown.append((replace(start, members=members, conditions=conditions), measure.relation))
            best = max((scores[relation] for _, relation in grown), default=0.0)
            kept_out = [replace(one, score=one.score - CONSTANT) for one in found]
            met = [replace(one, score=one.score + scores[relation] - best) for one, relation in grown]
            found = [*met, *kept_out]
            found.sort(key=lambda one: -one.score)
        return found

    def difference(self) -> Result | None:
        """Members of one set less those of another."""
        found: list[Hypothesis] = []
        for away in self._taken_away():
            kept = [at for at in self.conditions if at not in away]
            starts = [*alternatives(self.topics, self.patterns, kept), *intersections(self.topics, self.patterns, kept)]
            for start in sorted(starts, key=lambda one: -one.score)[:OPTIONS_TAKEN]:
                found += self._less(start, away)
        found = [one for one in found if one.members is not None and len(one.members)]
        if not found:
            return None
        sizes = {id(one): CARDINAL * (one.before in self.cardinals) for one in found}
        return self._result("except", max(found, key=lambda one: one.score + sizes[id(one)]))

    def _taken_away(self) -> list[list[int]]:
        """Topics that the question takes away: that before which it begins to except, alone or with all later ones.

        The classifier of operations decides it, on the beginnings of the question.
        """
        meant = [at for at in self.conditions if cost_of(self.topics[at], self.patterns[at]) >= MEANT]
        if len(meant) < 2:
            return []
        heads = [self.question[: self.topics[at].start] for at in meant]
        chances = [0.0, *map(self.reader.excepting, heads), self.reader.excepting(self.question)]
        gains = [after - before for before, after in pairwise(chances)]
        gains = [*gains[:-2], max(gains[-2:])]  # what takes the last topic away may follow it
        first = max(range(len(meant)), key=lambda at: (gains[at], at))
        rest = meant[first:]
        return [rest[:1], rest] if 0 < first < len(meant) - 1 else [rest[:1]]

    def _less(self, start: Hypothesis, away: Sequence[int]) -> list[Hypothesis]:
        """A hypothesis less the members of the best pattern of each topic that is taken away."""
        if start.members is None:
            return []
        beam = [replace(start, before=len(start.members))]
        for at in away:
            grown = []
            for one in beam:
                for pattern in self.patterns[at][:OPTIONS_TAKEN]:
                    if one.members is None or not len(one.members & pattern.members):
                        continue
                    members = one.members - pattern.members
                    removed = (*one.removed, pattern)
                    score = one.score + pattern.score - CHAINED * (len(pattern.codes) > 1)
                    grown.append(replace(one, members=members, removed=removed, score=score))
            beam = sorted(grown, key=lambda one: -one.score)[:OPTIONS_TAKEN]
        return beam

    def superlative(self, form: Any) -> Result | None:
        """The member with the largest or smallest value of the best measure, or the second or a further one."""
        found = self.measured_sets()
        return self._extreme(form, *max(found, key=lambda one: one[0].score)) if found else None

    def measured_sets(self) -> list[tuple[Hypothesis, str, Measured]]:
        """Sets whose members have values of one relation, its name, and the values; the score is that of both."""
        every = range(len(self.topics))
        sets = intersections(self.topics, self.patterns, self.conditions)
        starts = [*alternatives(self.topics, self.patterns, every), *sets]
        starts = self._conditioned(sorted(starts, key=lambda one: -one.score))
        starts = sorted(starts, key=lambda one: -one.score)[:STARTS]
        measures = [(start, measure) for start in starts for measure in self.measures.measures(start.members)]
        fit: dict[int, float] = {}  # a relation fits the question as well as its best instance does, of whatever set
        for _, measure in measures:
            fit[measure.relation] = max(measure.score, fit.get(measure.relation, measure.score))
        found: list[tuple[Hypothesis, str, Measured]] = []
        for start, measure in measures:
            measured = self.measures.measured(measure, start.members)
            if count := len(measured.values):
                score = start.score + fit[measure.relation] - LONE * (count < 2)
                if start.members is None:
                    score += MEASURED * math.log(min(count, LARGE))
                else:
                    score += COVERED * count / len(start.members) - COVERED
                    score += CARDINAL * (len(start.members) in self.cardinals)
                found.append((replace(start, score=score), measure.name, measured))
        return found

    def _extreme(self, form: Any, start: Hypothesis, name: str, measured: Measured) -> Result:
        values = measured.values
        dates = all(value.kind == "date" for value in values)
        largest = (form.later_date if dates else form.larger_number) > 0.5
        sizes = [magnitude(value, values) for value in values]
        rank = rank_of(self.question, [(topic.start, topic.end) for topic in self.topics])
        best = sorted(sizes, reverse=largest)[rank - 1] if rank <= len(sizes) else math.nan
        members = self.members(measured.members, values)
        at_best = np.asarray([size == best for size in sizes], bool)
        best_values = [values[at] for at in np.flatnonzero(at_best).tolist()]
        chosen = self.members(measured.members.only(at_best), best_values)
        if options := listed_alternatives(start, self.topics, self.question):
            members, chosen = self._options(members, options), self._options(chosen, options)
        end = ("latest" if largest else "earliest") if dates else ("largest" if largest else "smallest")
        end = end if rank < 2 else f"{end}, {rank} in order,"
        aside = f" ({measured.unlike} with values that do not compare)" if measured.unlike else ""
        aside += f" ({measured.contradicting} with several values, set aside)" if measured.contradicting else ""
        steps = (*self.steps(start), f"{end} {name} of {len(values)}{aside}")
        complete = measured.members.complete
        count = int(at_best.sum())
        return Result("superlative", chosen, members, count, False, complete, start.score, start.relevance, steps)

    def _result(self, operation: str, best: Hypothesis) -> Result:
        assert best.members is not None
        members = self.members(best.members)
        count, stated = float(len(best.members)), False
        if operation == "count" and len(members) == 1 and (value := typed(members[0].text)) is not None:
            if value.kind == "number" and not value.unit:
                count, stated = value.number, True
        steps, complete = self.steps(best), best.members.complete
        if aside := len(self.topics) - len(self.conditions):
            steps = (*steps, f"{aside} of {len(self.topics)} things that are named were set aside")
        return Result(operation, members, (), count, stated, complete and not aside, best.score, best.relevance, steps)

    def steps(self, one: Hypothesis) -> tuple[str, ...]:
        """What makes the set of a hypothesis, in words."""
        either = " or ".join(self.topics[at].text for at in one.alternatives)
        sets = [*map(self.words, one.patterns)] or ([f"? is {either}"] if either else [])
        kept = [" or ".join(sets)] if one.alternatives else sets
        kept += one.conditions
        return (*kept, *(f"without {self.words(pattern)}" for pattern in one.removed))

    def words(self, pattern: Pattern) -> str:
        """A pattern as facts with ``?`` for the members and ``…`` for what lies between."""
        topic = self.topics[pattern.topic].text
        if not pattern.codes:
            return f"? is one of {topic}"
        if pattern.near:
            relation = relation_words(self.index.relations[pattern.codes[0] >> 1])
            return f"? is one of {topic}: " + (f"… | {relation} | ?" if pattern.codes[0] % 2 else f"? | {relation} | …")
        made, here = [], topic
        for at, code in enumerate(pattern.codes):
            there = "?" if at == len(pattern.codes) - 1 else "…"
            subject, object_ = (there, here) if code % 2 else (here, there)
            made.append(f"{subject} | {relation_words(self.index.relations[code >> 1])} | {object_}")
            here = there
        return ", ".join(made)

    def _options(self, members: Sequence[Member], options: dict[int, int]) -> tuple[Member, ...]:
        """The alternatives of a question in the place of the members that they lead to."""
        names = dict(zip(nodes := list(set(options.values())), self.store.names(nodes), strict=True))
        own = {member.node: options.get(member.node, member.node) for member in members}
        return tuple(replace(one, text=names.get(own[one.node], one.text), node=own[one.node]) for one in members)

    def members(self, members: MemberSet, values: Sequence[Value] = ()) -> tuple[Member, ...]:
        """The members of a set with their facts, and their values where these are given; ``MAX_NAMED`` at most."""
        nodes = members.nodes[:MAX_NAMED].tolist()
        ids = [members.facts_of(node) for node in nodes]
        flat = list(dict.fromkeys(edge for own in ids for edge in own))
        facts = dict(zip(flat, self.store.facts_by_id(flat), strict=True))
        names = self.store.names(nodes)
        return tuple(
            Member(name, node, tuple(facts[edge] for edge in own), values[at] if values else None)
            for at, (name, node, own) in enumerate(zip(names, nodes, ids, strict=True))
        )


MEANT = 0.5
"""Logits of leaving it out from which a topic may be what is taken away."""

NARROWED, BARELY = -2.0, -2.0
"""Logits of a set from which it answers a lookup, and logit of relevance of one that meets a condition on a value."""

MAX_CONSTANTS, CONSTANT = 3, 4.0
"""Constants that are conditions, and logits that leaving one out costs."""

STARTS = 8
"""Hypotheses of a set whose members are compared."""

OPTIONS_TAKEN = 8
"""Hypotheses, and patterns of a topic that is taken away, that differences are tried of."""
