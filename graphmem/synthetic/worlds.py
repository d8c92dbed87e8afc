"""Random worlds: graphs of invented names in the lexicon's relations, with questions, texts and streams of events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from graphmem.core.errors import InvalidValue
from graphmem.core.types import Triple
from graphmem.synthetic.event_streams import EventStream, LabelledEvent
from graphmem.synthetic.names import NameGenerator
from graphmem.synthetic.templates import PERSONS, capitalise, fill
from graphmem.synthetic.verbalizer import SyntheticText, Verbalizer
from graphmem.text.lexicon import Relation, split_relations

MAX_ANSWERS = 12
_TRIES = 60

Seed = Random | int
"""A source of choices: a ``random.Random`` or a seed."""


@dataclass(frozen=True, slots=True)
class WorldQuestion:
    """A question about a world; ``hops`` is the length of its path.

    Attributes:
        topic: the one name in it.
        answers: every end of the path but the topic; empty where the world has no such fact.
        path: (relation, direction) from the topic on; 1 leads from object to subject.
    """

    question: str
    topic: str
    answers: tuple[str, ...]
    path: tuple[tuple[str, int], ...]
    hops: int


class World:
    """Distinct names, their types (``kinds``) and the facts between them.

    Make one with ``sample``, or from triples of your own and the relations in them.
    """

    def __init__(
        self, names: Sequence[str], kinds: Sequence[str], triples: Sequence[Triple], relations: Sequence[Relation]
    ) -> None:
        self.names, self.kinds, self.triples = tuple(names), tuple(kinds), tuple(triples)
        self.relations = {relation.relation: relation for relation in relations}
        self.kind_of = dict(zip(self.names, self.kinds, strict=True))
        self.known = self.triples[: len(self.triples) // 2]
        self._ends: dict[tuple[str, str, int], list[str]] = defaultdict(list)
        self._arcs: dict[str, list[tuple[str, int]]] = defaultdict(list)
        for subject, relation, object in self.triples:
            if relation not in self.relations:
                raise InvalidValue(f"no relation {relation!r} among the {len(self.relations)} given; add it to them")
            ways = [(subject, 0, object), (object, 1, subject)]
            ways += [(subject, 1, object), (object, 0, subject)] if self.relations[relation].symmetric else []
            for start, direction, end in ways:
                if (start, relation, direction) not in self._ends:
                    self._arcs[start].append((relation, direction))
                if end not in self._ends[start, relation, direction]:
                    self._ends[start, relation, direction].append(end)

    @classmethod
    def sample(
        cls, seed: Seed, *, entities: int = 300, relations: Sequence[Relation] | None = None,
        facts_per_entity: float = 2.5,
    ) -> World:  # fmt: skip
        """Return a world of about ``entities`` names; equal seeds make equal worlds.

        Args:
            seed: a seed, or the source of all choices.
            entities: how many names; types of few real members (colours, sports) may fall short.
            relations: which relations it has; 40 of the training split at random when None.
            facts_per_entity: facts per name, on average, as far as functional relations leave room.

        Raises:
            InvalidValue: no relations, fewer than two entities, or a type that cannot be invented.
        """
        rng = as_random(seed)
        if relations is None:
            pool = split_relations("train")
            relations = rng.sample(pool, min(40, len(pool)))
        if not relations or entities < 2:
            raise InvalidValue(f"a world needs relations and two entities, got {len(relations)} and {entities}")
        by_kind = _names_by_type(rng, relations, entities)
        triples = _facts(rng, relations, by_kind, round(entities * facts_per_entity))
        kinds = {name: kind for kind, members in by_kind.items() for name in members}
        return cls(list(kinds), list(kinds.values()), triples, relations)

    def ends(self, start: str, relation: str, direction: int = 0) -> tuple[str, ...]:
        """Return the names that one relation leads to from ``start``."""
        return tuple(self._ends.get((start, relation, direction), ()))

    def walk(self, topic: str, path: Sequence[tuple[str, int]]) -> tuple[str, ...]:
        """Return all ends of a path from ``topic``, the topic itself left out."""
        frontier: dict[str, None] = {topic: None}
        for relation, direction in path:
            frontier = {end: None for start in frontier for end in self._ends.get((start, relation, direction), ())}
        return tuple(name for name in frontier if name != topic)

    def questions(
        self, rng: Seed, n: int, hops: Sequence[int] = (1, 2, 3), unanswerable: float = 0.0
    ) -> list[WorldQuestion]:
        """Return ``n`` questions of the given numbers of hops, a share of them without an answer in this world."""
        rng = as_random(rng)
        topics = list(self._arcs)
        drawn: list[WorldQuestion] = []
        while len(drawn) < n and topics:
            empty = rng.random() < unanswerable
            tries = (self._question(rng, topics, rng.choice(hops), empty) for _ in range(_TRIES))
            found = next(filter(None, tries), None)
            if found is None:
                break
            drawn.append(found)
        return drawn

    def _question(self, rng: Random, topics: list[str], hops: int, empty: bool) -> WorldQuestion | None:
        topic = rng.choice(topics)
        path: list[tuple[str, int]] = []
        frontier: tuple[str, ...] = (topic,)
        for hop in range(hops):
            if empty and hop == hops - 1:
                step = self._missing(rng, frontier)
            else:
                steps = [arc for arc in self._arcs[rng.choice(frontier)] if arc not in path]
                step = rng.choice(steps) if steps else None
            if step is None:
                return None
            path.append(step)
            frontier = self.walk(topic, path)
            last = hop == hops - 1
            if len(frontier) > MAX_ANSWERS or (not frontier and not (empty and last)):
                return None
            if not last and self.kind_of[frontier[0]] == "number":  # equal numbers may measure different things
                return None
        return WorldQuestion(self._worded(rng, topic, path), topic, frontier, tuple(path), hops)

    def _missing(self, rng: Random, frontier: Sequence[str]) -> tuple[str, int] | None:
        """Return a step that fits the type of ``frontier`` and that none of it has."""
        kind = self.kind_of[frontier[0]]
        steps = [(r.relation, 0) for r in self.relations.values() if r.subject == kind]
        steps += [(r.relation, 1) for r in self.relations.values() if r.object == kind]
        steps = [step for step in steps if not any((start, *step) in self._ends for start in frontier)]
        return rng.choice(steps) if steps else None

    def _worded(self, rng: Random, topic: str, path: Sequence[tuple[str, int]]) -> str:
        argument = topic
        for name, direction in path[:-1]:
            argument = self._described(rng, argument, self.relations[name], direction)
        last, direction = self.relations[path[-1][0]], path[-1][1]
        if rng.random() < (0.15 if len(path) == 1 else 0.3):
            described = self._described(rng, argument, last, direction)
            who = "Who" if (last.subject if direction else last.object) in PERSONS else "What"
            question = rng.choice((f"{who} is {described}?", f"{who} is {described}?", f"Name {described}.", described))
        else:
            slot = "o" if direction else "s"
            question = fill(rng.choice(last.inverse_questions if direction else last.questions), {slot: argument})
        question = capitalise(question)
        chance = rng.random()
        if chance < 0.1:
            return question.lower().rstrip("?.")
        return question.rstrip("?") if chance < 0.15 else question

    def _described(self, rng: Random, argument: str, relation: Relation, direction: int) -> str:
        simple = not direction and len(argument.split()) < 8 and relation.phrase("", 0).endswith(" of ")
        if simple and rng.random() < 0.35:
            return f"{argument}'s {relation.noun}"
        return relation.phrase(argument, direction)

    def statements(self, rng: Seed, n: int, facts: tuple[int, int] = (1, 4)) -> list[SyntheticText]:
        """Return ``n`` texts that each state between ``facts[0]`` and ``facts[1]`` facts of one subject."""
        verbalizer, found = self._verbalizer(rng), []
        rng = verbalizer.rng
        for _ in range(n if self.triples else 0):
            own = verbalizer.about[rng.choice(self.triples)[0]]
            found.append(verbalizer.state(rng.sample(own, min(len(own), rng.randint(*facts)))))
        return found

    def stream(self, rng: Seed, n: int) -> list[LabelledEvent]:
        """Return ``n`` texts as a memory that holds ``known`` receives them, with what it should do about each."""
        stream = EventStream(self._verbalizer(rng), self.known)
        return [stream.event() for _ in range(n)] if self.triples else []

    def _verbalizer(self, rng: Seed) -> Verbalizer:
        return Verbalizer(self.kind_of, self.triples, self.relations, as_random(rng))


def as_random(seed: Seed) -> Random:
    """Return a ``random.Random`` of a seed, or itself."""
    return seed if isinstance(seed, Random) else Random(seed)


def _names_by_type(rng: Random, relations: Sequence[Relation], entities: int) -> dict[str, list[str]]:
    """Return names by type, more of the types that more relations use."""
    weight: dict[str, float] = defaultdict(float)
    for relation in relations:
        weight[relation.subject] += 1.0
        weight[relation.object] += 0.6
    generator, total = NameGenerator(rng), sum(weight.values())
    found = {kind: generator.names(kind, max(3, round(entities * share / total))) for kind, share in weight.items()}
    return {kind: members for kind, members in found.items() if members}


def _facts(rng: Random, relations: Sequence[Relation], by_kind: Mapping[str, list[str]], count: int) -> list[Triple]:
    usable = [r for r in relations if r.subject in by_kind and r.object in by_kind]
    found: dict[Triple, None] = {}
    taken: set[tuple[str, str]] = set()
    for _ in range(3 * count if usable else 0):
        if len(found) >= count:
            break
        relation = rng.choice(usable)
        subject, objects = rng.choice(by_kind[relation.subject]), by_kind[relation.object]
        object = objects[int(len(objects) * rng.random() ** 1.5)]  # some names occur more often than others
        keys = [(subject, relation.relation)] + ([(object, relation.relation)] if relation.symmetric else [])
        mirrored = relation.symmetric and (object, relation.relation, subject) in found
        if subject == object or mirrored or (relation.functional and any(key in taken for key in keys)):
            continue
        found[subject, relation.relation, object] = None
        taken.update(keys)
    return list(found)
