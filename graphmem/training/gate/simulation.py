"""Event streams of synthetic worlds as the extractor reads them, and a graph in memory that simulates them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

from tqdm import tqdm

from graphmem.core.names import normalise, normalise_relation
from graphmem.core.types import Fact, Place, Triple
from graphmem.reading.alias_patterns import is_alias
from graphmem.reading.candidates import CandidateFact, RelationAlternative
from graphmem.reading.extractor import FactExtractor
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import synonyms
from graphmem.training.run_files import cached
from graphmem.writing.entity_linking import is_short_for, link_relation
from graphmem.writing.gate_features import Action, GraphContext, role_agreement
from graphmem.writing.gate_rules import blend_priors

_ENTITIES, _RELATIONS = 120, 40


@dataclass(frozen=True, slots=True)
class ExtractedStream:
    """One world's stream of events, and the candidates that the extractor found in each event's text."""

    world: World
    events: tuple[LabelledEvent, ...]
    found: tuple[tuple[CandidateFact, ...], ...]


Priors = Callable[[str], tuple[float, float]]
"""How functional and how changeable a relation is, by its text."""
Policy = Callable[[CandidateFact, GraphContext, LabelledEvent], Action]
"""The action for a candidate of an event, given its context."""


@dataclass(frozen=True, slots=True)
class Case:
    """A candidate with its graph context and the right action; ``gold`` False: the text states no such fact."""

    candidate: CandidateFact
    near: GraphContext
    event: LabelledEvent
    label: Action
    gold: bool = True


class SimulatedGraph:
    """A graph in memory that holds a world's facts, each with the trust of its source."""

    def __init__(self, world: World, priors: Priors) -> None:
        self.names = {bare(name): name for name in world.names} | {normalise(name): name for name in world.names}
        self.symmetric = {name for name, relation in world.relations.items() if relation.symmetric}
        self.past: set[Triple] = set()
        self._held: dict[str, dict[str, list[Fact]]] = defaultdict(dict)  # by subject, then by relation
        self._subjects: dict[str, dict[str, list[Fact]]] = defaultdict(dict)  # the same lists by relation, then subject
        self._priors, self._next = priors, 1
        for triple in world.known:
            self.add(triple, 1.0)

    def add(self, triple: Triple, trust: float) -> None:
        """Add a fact."""
        subject, relation, _ = triple
        facts = self._subjects[relation][subject] = self._held[subject].setdefault(relation, [])
        facts.append(Fact(*triple, confidence=trust, id=self._next))
        self._next += 1

    def remove(self, triple: Triple) -> None:
        """End a fact."""
        subject, relation, value = triple
        facts = self.held(subject, relation)
        facts[:] = [fact for fact in facts if fact.object != value]
        self.past.add(triple)
        if not facts:
            self._subjects[relation].pop(subject, None)
            self._held[subject].pop(relation, None)

    def act(self, action: Action, fact: Fact, near: GraphContext, trust: float) -> None:
        """Apply an action about a fact; ``near`` is its context."""
        over = {"update": near.rival(fact), "retire": near.same(fact)}.get(action)
        if over is not None:
            self.remove((over.subject, over.relation, over.object))
        if action in ("add", "update"):
            self.add((fact.subject, fact.relation, fact.object), trust)

    def held(self, subject: str, relation: str) -> list[Fact]:
        """Held facts of a subject and a relation."""
        return self._held[subject].get(relation, [])

    def triples(self) -> list[Triple]:
        """All held facts."""
        return [(f.subject, f.relation, f.object) for of in self._held.values() for facts in of.values() for f in facts]

    def answers(self, subject: str, relation: str) -> list[str]:
        """Objects of a subject and a relation; of a symmetric relation in both directions."""
        found = [fact.object for fact in self.held(subject, relation)]
        if relation in self.symmetric:
            found += [s for s, facts in self._subjects[relation].items() if any(f.object == subject for f in facts)]
        return found

    def _full_name(self, name: str, mentioned: Sequence[str]) -> str:
        """The full name that a name in a text stands for."""
        fuller = [other for other in dict.fromkeys(mentioned) if is_short_for(name, other)]
        if normalise(name) not in self.names and len(fuller) == 1:
            return fuller[0]
        return self.names.get(normalise(name), self.names.get(bare(name), name))

    def link(self, found: Iterable[CandidateFact], stated: Collection[Triple]) -> list[CandidateFact]:
        """Candidates of one text by the graph's names and relations, each fact once.

        ``stated`` are the facts that the text states; only used for the direction of symmetric relations.
        """
        found = list(found)
        mentioned = [name for c in found for name in (c.fact.subject, c.fact.object)]
        kept: dict[Triple, CandidateFact] = {}
        for c in found:
            subject, value = (self._full_name(name, mentioned) for name in (c.fact.subject, c.fact.object))
            c, _ = link_relation(replace(c, fact=replace(c.fact, subject=subject, object=value)), self.between)
            c = replace(c, fact=self._directed(c.fact, stated))
            kept.setdefault(triple_of(c), c)
        return list(kept.values())

    def _directed(self, fact: Fact, stated: Collection[Triple]) -> Fact:
        """A fact of a symmetric relation in the direction that the text or the graph has."""
        other = (fact.object, fact.relation, fact.subject)
        if fact.relation not in self.symmetric or (fact.subject, fact.relation, fact.object) in stated:
            return fact
        known = other in stated or fact.relation in self.between(fact.object, fact.subject)
        return replace(fact, subject=fact.object, object=fact.subject) if known else fact

    def near(self, fact: Fact, ended: Sequence[Fact]) -> GraphContext:
        """Graph context of a fact; ``ended`` are facts that the same text says are over."""
        held = tuple(self.held(fact.subject, fact.relation))
        over = next((f for f in held for e in ended if normalise(e.object) == normalise(f.object)), None)
        facts = self._subjects[fact.relation]
        functional, changeable = self._priors(fact.relation)
        return GraphContext(
            held, (fact.subject, fact.relation, fact.object) in self.past,
            blend_priors(functional, sum(len(own) == 1 for own in facts.values()), len(facts)), changeable,
            bool(self._held.get(fact.subject)), normalise(fact.object) in self.names, over,
            bool(self.between(fact.subject, fact.object) or self.between(fact.object, fact.subject)),
            role_agreement(fact, set(map(normalise, facts)), {normalise(f.object) for o in facts.values() for f in o}),
        )  # fmt: skip

    def between(self, subject: str, value: str) -> list[str]:
        """Relations that join two entities."""
        return [r for r, facts in self._held[subject].items() if any(f.object == value for f in facts)]


def bare(name: str) -> str:
    """A normalised name without its article."""
    return normalise(name).removeprefix("the ")


def triple_of(candidate: CandidateFact) -> Triple:
    """Subject, relation and object of a candidate."""
    return candidate.fact.subject, candidate.fact.relation, candidate.fact.object


def ended_in_text(candidate: CandidateFact, found: Sequence[CandidateFact]) -> list[Fact]:
    """Facts of the candidate's subject and relation that the same text says are over."""
    fact, ended = candidate.fact, [c.fact for c in found if c.factuality == "ended"]
    return [f for f in ended if f is not fact and f.subject == fact.subject and f.relation == fact.relation]


def labelled_cases(streams: Iterable[ExtractedStream], priors: Priors) -> tuple[list[Case], list[str]]:
    """Every candidate of every event with its label, in a graph that follows the labels, and labels of missed facts."""
    cases: list[Case] = []
    missed: list[str] = []
    for stream in streams:
        graph = SimulatedGraph(stream.world, priors)
        for event, read in zip(stream.events, stream.found, strict=True):
            gold: dict[Triple, Any] = dict(zip(event.passage.triples, event.labels, strict=True))
            found = graph.link(read, event.passage.triples)
            for candidate in found:
                triple = triple_of(candidate)
                if triple in event.removed and triple not in gold:
                    continue  # the end of an old value: decided after the new one, when nothing is left to do
                label = gold.pop(triple, None)
                near = graph.near(candidate.fact, ended_in_text(candidate, found))
                cases.append(Case(candidate, near, event, label or "skip", label is not None))
            missed += gold.values()
            apply_event(graph, event)
    return cases, missed


def apply_event(graph: SimulatedGraph, event: LabelledEvent) -> None:
    """Change a graph as an event changes the world."""
    for triple in event.removed:
        graph.remove(triple)
    for triple in event.added:
        graph.add(triple, event.trust)


def run_policy(stream: ExtractedStream, priors: Priors, policy: Policy) -> SimulatedGraph:
    """The graph after a stream in which every candidate's context is what the policy's own earlier actions made."""
    graph = SimulatedGraph(stream.world, priors)
    for event, found in zip(stream.events, stream.found, strict=True):
        linked = graph.link(found, event.passage.triples)
        for candidate in sorted(linked, key=lambda c: c.factuality == "ended"):  # a new value before the old one's end
            near = graph.near(candidate.fact, ended_in_text(candidate, linked))
            graph.act(policy(candidate, near, event), candidate.fact, near, event.trust)
    return graph


def extract_streams(
    seeds: Sequence[int], events: int, relations: Sequence[Relation], extractor: FactExtractor,
    cache: Path | None = None,
) -> list[ExtractedStream]:  # fmt: skip
    """One stream of ``events`` texts in the world of each seed, which draws 40 of the relations.

    The extractor gets the relations as those of the graph. ``cache`` is a folder of candidates, one file a world;
    a file serves only the same extractor, world and events.
    """
    mark = _fingerprint(extractor, relations) if cache is not None else ""
    streams = []
    for seed in tqdm(seeds, "streams", mininterval=10):
        drawn = Random(seed).sample(list(relations), min(_RELATIONS, len(relations)))
        world = World.sample(seed, entities=_ENTITIES, relations=_distinct(drawn))
        stream = world.stream(seed, events)
        extract = partial(_extract, extractor, stream, list(world.relations))
        file = cache / f"{seed}-{events}-{mark}.safetensors" if cache is not None else None
        found = extract() if file is None else cached(file, extract, CandidateFact, RelationAlternative, Fact, Place)
        streams.append(ExtractedStream(world, tuple(stream), tuple(found)))
    return streams


def _extract(
    extractor: FactExtractor, stream: Sequence[LabelledEvent], relations: Sequence[str]
) -> list[tuple[CandidateFact, ...]]:
    """Candidates of each text, without aliases and hidden states."""
    texts = (extractor.read(event.passage.text, relations=relations) for event in stream)
    return [tuple(replace(c, sentence=None) for c in found if not is_alias(c.fact)) for found in texts]


def _distinct(relations: Sequence[Relation]) -> list[Relation]:
    """One relation of each synonym group: with two names for one relation a question has no right answer."""
    kept: list[Relation] = []
    for relation in relations:
        if not any(normalise_relation(other.relation) in synonyms(relation.relation) for other in kept):
            kept.append(relation)
    return kept


def _fingerprint(extractor: FactExtractor, relations: Sequence[Relation]) -> str:
    """Digest of the extractor's weights and of the relations that worlds are made of."""
    digest = blake2b(digest_size=6)
    for tensor in extractor.network.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    digest.update("\n".join(relation.relation for relation in relations).encode())
    return digest.hexdigest()
