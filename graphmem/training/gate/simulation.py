"""Plays streams of events: sets every candidate that was read beside what a made-up graph holds near it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace

from graphmem.core.names import normalise
from graphmem.core.types import Fact, Triple
from graphmem.reading.candidates import CandidateFact
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.synthetic.worlds import World
from graphmem.training.gate.baselines import Case, Played
from graphmem.training.gate.streams import ExtractedStream
from graphmem.writing.entity_linking import is_short_for
from graphmem.writing.gate_features import Action, GraphContext, role_agreement
from graphmem.writing.gate_rules import blend_priors
from graphmem.writing.relation_linking import link_relation

Priors = Callable[[str], tuple[float, float]]
"""How functional and how changeable a relation sounds."""


class SimulatedGraph:
    """A made-up graph that events change: keeps what is held, with the trust it was told with."""

    def __init__(self, world: World, priors: Priors) -> None:
        self.names = {bare(name): name for name in world.names} | {normalise(name): name for name in world.names}
        self.symmetric = {name for name, relation in world.relations.items() if relation.symmetric}
        self.past: set[Triple] = set()
        self._held: dict[str, dict[str, list[Fact]]] = defaultdict(dict)  # by subject, then by relation
        self._subjects: dict[str, dict[str, int]] = defaultdict(dict)  # of each relation, with their counts of objects
        self._priors, self._next = priors, 1
        for triple in world.known:
            self.add(triple, 1.0)

    def add(self, triple: Triple, trust: float) -> None:
        """Hold a fact from now on."""
        subject, relation, _ = triple
        self._held[subject].setdefault(relation, []).append(Fact(*triple, confidence=trust, id=self._next))
        self._next += 1
        self._count(subject, relation)

    def remove(self, triple: Triple) -> None:
        """Hold a fact no more."""
        subject, relation, value = triple
        facts = self.held(subject, relation)
        facts[:] = [fact for fact in facts if fact.object != value]
        self.past.add(triple)
        self._count(subject, relation)

    def act(self, action: Action, fact: Fact, near: GraphContext, trust: float) -> None:
        """Do to the graph what the gate decides about a fact; ``near`` is what it saw."""
        over = {"update": near.rival(fact), "retire": near.same(fact)}.get(action)
        if over is not None:
            self.remove((over.subject, over.relation, over.object))
        if action in ("add", "update"):
            self.add((fact.subject, fact.relation, fact.object), trust)

    def held(self, subject: str, relation: str) -> list[Fact]:
        """Facts of a subject and a relation that are held now."""
        return self._held[subject].get(relation, [])

    def triples(self) -> list[Triple]:
        """All that is held."""
        return [(f.subject, f.relation, f.object) for of in self._held.values() for facts in of.values() for f in facts]

    def answers(self, subject: str, relation: str) -> list[str]:
        """Objects that the graph gives for a subject and a relation; either way round where that says the same."""
        found = [fact.object for fact in self.held(subject, relation)]
        if relation in self.symmetric:
            found += [s for s in self._subjects[relation] if any(f.object == subject for f in self.held(s, relation))]
        return found

    def _count(self, subject: str, relation: str) -> None:
        facts = self.held(subject, relation)
        if facts:
            self._subjects[relation][subject] = len(facts)
        else:
            self._subjects[relation].pop(subject, None)
            self._held[subject].pop(relation, None)

    def meaning(self, name: str, mentioned: Sequence[str]) -> str:
        """The full name that a name in a text stands for."""
        fuller = [other for other in dict.fromkeys(mentioned) if is_short_for(name, other)]
        if normalise(name) not in self.names and len(fuller) == 1:
            return fuller[0]
        return self.names.get(normalise(name), self.names.get(bare(name), name))

    def meant(self, found: Iterable[CandidateFact], stated: Collection[Triple]) -> list[CandidateFact]:
        """Candidates by the graph's names and relations, each fact once.

        Args:
            found: as they were read from one text.
            stated: the text's own list of facts; it only says which way round a symmetric relation is written.
        """
        found = list(found)
        mentioned = [name for c in found for name in (c.fact.subject, c.fact.object)]
        kept: dict[Triple, CandidateFact] = {}
        for c in found:
            subject, value = (self.meaning(name, mentioned) for name in (c.fact.subject, c.fact.object))
            c, _ = link_relation(replace(c, fact=replace(c.fact, subject=subject, object=value)), self.between)
            c = replace(c, fact=self._turned(c.fact, stated))
            kept.setdefault((c.fact.subject, c.fact.relation, c.fact.object), c)
        return list(kept.values())

    def _turned(self, fact: Fact, stated: Collection[Triple]) -> Fact:
        """The fact the other way round, where that says the same and is how the text's list or the graph has it."""
        other = (fact.object, fact.relation, fact.subject)
        if fact.relation not in self.symmetric or (fact.subject, fact.relation, fact.object) in stated:
            return fact
        known = other in stated or fact.relation in self.between(fact.object, fact.subject)
        return replace(fact, subject=fact.object, object=fact.subject) if known else fact

    def near(self, fact: Fact, ended: Sequence[Fact]) -> GraphContext:
        """What is held near a fact; ``ended`` are facts that the same text says are over."""
        held = tuple(self.held(fact.subject, fact.relation))
        over = next((f for f in held for e in ended if normalise(e.object) == normalise(f.object)), None)
        counts = self._subjects[fact.relation].values()
        functional, changeable = self._priors(fact.relation)
        return GraphContext(
            held, (fact.subject, fact.relation, fact.object) in self.past,
            blend_priors(functional, sum(count == 1 for count in counts), len(counts)), changeable,
            bool(self._held.get(fact.subject)), normalise(fact.object) in self.names, over,
            bool(self.between(fact.subject, fact.object) or self.between(fact.object, fact.subject)),
            role_agreement(fact, set(map(normalise, self._subjects[fact.relation])), self._objects(fact.relation)),
        )  # fmt: skip

    def _objects(self, relation: str) -> set[str]:
        return {normalise(f.object) for subject in self._subjects[relation] for f in self.held(subject, relation)}

    def between(self, subject: str, value: str) -> list[str]:
        """Relations that join the two now."""
        return [r for r, facts in self._held[subject].items() if any(f.object == value for f in facts)]


def bare(name: str) -> str:
    """A name as it is compared where an article makes no difference."""
    return normalise(name).removeprefix("the ")


def ended_beside(candidate: CandidateFact, found: Sequence[CandidateFact]) -> list[Fact]:
    """Facts of the candidate's subject and relation that the same text says are over."""
    fact, ended = candidate.fact, [c.fact for c in found if c.mood == "ended"]
    return [f for f in ended if f is not fact and f.subject == fact.subject and f.relation == fact.relation]


def simulate(heard: Iterable[ExtractedStream], priors: Priors) -> Played:
    """Set the candidates of every event beside the labels, in a graph that does what the labels say."""
    played = Played()
    for stream in heard:
        stage = SimulatedGraph(stream.world, priors)
        for event, found in zip(stream.events, stream.found, strict=True):
            _play(stage, event, stage.meant(found, event.passage.triples), played)
    return played


def _play(stage: SimulatedGraph, event: LabelledEvent, found: Sequence[CandidateFact], played: Played) -> None:
    gold = dict(zip(event.passage.triples, event.labels, strict=True))
    for candidate in found:
        fact = candidate.fact
        triple = (fact.subject, fact.relation, fact.object)
        if triple in event.removed and triple not in gold:
            continue  # the end of an old value: weighed after the new one, when there is nothing left to do
        label = gold.pop(triple, None)
        near = stage.near(fact, ended_beside(candidate, found))
        played.cases.append(Case(candidate, near, event.trust, label or "skip", event.reason, label is not None))
    played.missed += gold.values()
    for triple in event.removed:
        stage.remove(triple)
    for triple in event.added:
        stage.add(triple, event.trust)
