"""Hypotheses of the set that a question asks for: one pattern of each topic, topics kept apart, intersected exactly.

Each hypothesis gives every topic a pattern or leaves it out at a cost; a beam keeps the best ones whose intersection
is not empty. Named alternatives ("A or B, which …") are a union instead.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

from graphmem.reasoning.member_sets import MemberSet
from graphmem.reasoning.patterns import Pattern
from graphmem.reasoning.topics import Topic

BEAM, OPTIONS = 24, 12
"""Hypotheses that are kept, and patterns of a topic that are tried."""

LEFT_OUT = {"name": 4.0, "word": 1.5, "part": 1.5}
"""Logits that it costs to leave a topic out, by its kind."""

BESIDE, SPREAD = {"word": -6.0, "part": -3.0, "name": -3.0}, 1.5
"""Logit of relevance of a topic's best pattern, by its kind, from which it may be a condition, and at which leaving out
a word costs half; logits by which the odds of that change e-fold. A word none of whose facts the encoder finds relevant
names nothing in the memory."""

LOWER_CASE = 0.6
"""Share of the cost for a name that is written without a capital."""

WEAK = 0.5
"""Logits that it costs to leave out a name that was found by its likeness only."""

SAME = 2.0
"""Logits that two topics of one kind with one and the same pattern gain: what they share."""

CHAINED = 1.0
"""Logits that a pattern of two steps costs beside other topics: members are next to each of them, as a rule."""

_WORD = re.compile(r"\w+")

ALTERNATIVES = 0.5
"""Logits that it costs to take topics as alternatives."""


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """A set that the question may ask for.

    Attributes:
        members: None for any node.
        patterns: of the topics that it uses.
        removed: patterns whose members were taken away.
        alternatives: topics whose nodes are the set.
        conditions: comparisons with constants that its members meet, in words.
        before: number of members before some were taken away.
        score: logits; 0 where every topic has its best pattern.
    """

    members: MemberSet | None
    patterns: tuple[Pattern, ...] = ()
    removed: tuple[Pattern, ...] = ()
    alternatives: tuple[int, ...] = ()
    conditions: tuple[str, ...] = ()
    before: int = 0
    score: float = field(default=0.0)

    @property
    def relevance(self) -> float:
        """Mean logit of the readings of its patterns; 0 without one."""
        read = [pattern.relevance for pattern in (*self.patterns, *self.removed) if pattern.codes]
        return sum(read) / len(read) if read else 0.0


def cost_of(topic: Topic, patterns: Sequence[Pattern]) -> float:
    """Logits that leaving out a topic costs; for a word, the less, the less relevant its best pattern is."""
    if topic.kind == "name":
        return WEAK if topic.weak else LEFT_OUT["name"] * (1.0 if topic.text[:1].isupper() else LOWER_CASE)
    best = max((pattern.relevance for pattern in patterns if pattern.codes), default=-math.inf)
    named = 1 / (1 + math.exp(min(30.0, (BESIDE[topic.kind] - best) / SPREAD)))
    return named * (WEAK if topic.weak else LEFT_OUT[topic.kind])


def intersections(
    topics: Sequence[Topic], patterns: Sequence[Sequence[Pattern]], used: Sequence[int], start: Hypothesis | None = None
) -> list[Hypothesis]:
    """The best intersections of one pattern of each used topic, best first; one of them leaves out every topic."""
    beam = [Hypothesis(None) if start is None else start]
    named = {node for at in used if topics[at].kind == "name" for node in topics[at].nodes}
    for at in used:
        cost = cost_of(topics[at], patterns[at])
        grown = [replace(one, score=one.score - cost) for one in beam]
        for one in beam:
            for pattern in patterns[at][:OPTIONS]:
                members = pattern.members if one.members is None else one.members & pattern.members
                if not pattern.near and start is None:
                    members = members.without(sorted(named - set(topics[at].nodes)))
                if len(members):
                    same = any(
                        other.codes == pattern.codes and pattern.codes and topics[other.topic].kind == topics[at].kind
                        for other in one.patterns
                    )
                    chained = len(pattern.codes) > 1 and len(topics) > 1
                    score = one.score + pattern.score + SAME * same - CHAINED * chained
                    grown.append(replace(one, members=members, patterns=(*one.patterns, pattern), score=score))
        grown.sort(key=lambda one: -one.score)
        beam = grown[:BEAM]
    return beam


def alternatives(
    topics: Sequence[Topic], patterns: Sequence[Sequence[Pattern]], used: Sequence[int]
) -> list[Hypothesis]:
    """Topics as alternatives: their nodes themselves, and what one and the same pattern of several leads to."""
    chosen = [at for at in used if topics[at].kind == "name"]
    if len(chosen) < 2:
        return []
    nodes = MemberSet.without_facts([node for at in chosen for node in topics[at].nodes])
    made = [Hypothesis(nodes, alternatives=tuple(chosen), score=-ALTERNATIVES)]
    for first in patterns[chosen[0]][:OPTIONS]:
        same = [p for at in chosen[1:] for p in patterns[at] if p.codes == first.codes and not p.near]
        if same and not first.near:
            members = first.members
            for pattern in same:
                members = members | pattern.members
            score = min(pattern.score for pattern in (first, *same)) - 2 * ALTERNATIVES
            made.append(Hypothesis(members, (first, *same), alternatives=tuple(chosen), score=score))
    return made


def listed_alternatives(one: Hypothesis, topics: Sequence[Topic], question: str) -> dict[int, int]:
    """The alternative that leads to each member, by their nodes, where the question lists the alternatives themselves.

    "Which film has the older director, A or B?" asks for a film; "Who is older, the father of A or that of B?" does not
    list them side by side, and asks for a father: nothing is returned.
    """
    chosen = sorted((topics[at] for at in one.alternatives), key=lambda topic: topic.start)
    between = [question[first.end : second.start] for first, second in pairwise(chosen)]
    if not between or any(len(_WORD.findall(text)) > 1 for text in between):
        return {}
    return {
        node: topics[pattern.topic].nodes[0] for pattern in one.patterns[::-1]
        if pattern.codes and pattern.topic in one.alternatives for node in pattern.members.nodes.tolist()
    }  # fmt: skip
