"""Fact sets of an invented world, with relations held out of training."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from graphmem.core.types import Triple
from graphmem.datasets.webnlg import FactText
from graphmem.experiments.tasks.fact_set import FactSet, Item, Pair
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import split_relations

NAME = "invented world"
_MANY = 60
"""Questions drawn for each that is wanted, where only some of them qualify."""


def integrate_world(count: int, entities: int, seed: int = 0) -> FactSet:
    """New single facts: ``count`` questions, half about facts of the first stage and half about the second's."""
    world, rng = _world(entities, seed)
    single = [t for t in world.triples if len(world.ends(t[0], t[1])) == 1 and world.relations[t[1]].functional]
    chosen = rng.sample(single, min(count, len(single)))
    late = {*chosen[1::2], *[t for t in world.triples if t not in set(chosen)][1::2]}
    first, second = (tuple(t for t in world.triples if (t in late) is wanted) for wanted in (False, True))
    items = [_item(world, t, stage=int(t in late)) for t in chosen]
    passages = [p for p in world.statements(rng, 8 * count, (2, 4)) if p.kind == "statement" and len(p.triples) > 1]
    texts = tuple(
        FactText(p.text, tuple((a, b) for a, b, _ in p.mentions), tuple(p.triples), p.triples[0][0])
        for p in passages[: max(4, count // 3)]
    )
    return FactSet(
        NAME, (first, second), tuple(items), lambda t: pairs(world, t), tuple(chosen), names=world.names,
        passages=texts,
    )  # fmt: skip


def edit_world(count: int, entities: int, seed: int = 0) -> FactSet:
    """Facts that change, asked about in two phrasings and through a second fact; and facts that stay."""
    world, rng = _world(entities, seed)
    changes = _changes(world, rng, count)
    after = dict(changes)
    edited = World(world.names, world.kinds, [after.get(t, t) for t in world.triples], list(world.relations.values()))
    items = [_item(edited, new, old=(before[2],), kind="edited fact") for before, new in changes]
    items += _through(world, edited, {new for _, new in changes}, rng, count)
    kept = [t for t in world.triples if t not in after and world.relations[t[1]].functional]
    kept = [t for t in kept if len(world.ends(t[0], t[1])) == 1]
    items += [_item(edited, t, kind="unedited fact") for t in rng.sample(kept, min(count // 2, len(kept)))]
    training_facts = tuple(dict.fromkeys(fact for item in items for fact in item.gold))
    return FactSet(NAME, (world.triples, ()), tuple(items), lambda t: pairs(edited, t), training_facts, tuple(changes))


def pairs(world: World, triple: Triple) -> list[Pair]:
    """Training texts of a fact: two statements and the two phrasings of a question that are never asked."""
    relation, values = world.relations[triple[1]], {"s": triple[0], "o": triple[2]}
    statements: list[Pair] = [(None, text.format(**values)) for text in relation.statements[:2]]
    return statements + [(text.format(**values), triple[2]) for text in relation.questions[2:4]]


def chain(world: World, topic: str, path: Sequence[tuple[str, int]]) -> tuple[Triple, ...]:
    """The facts along a path from ``topic``."""
    frontier, facts = [topic], []
    for relation, direction in path:
        ends = [(start, end) for start in frontier for end in world.ends(start, relation, direction)]
        facts += [(b, relation, a) if direction else (a, relation, b) for a, b in ends]
        frontier = list(dict.fromkeys(end for _, end in ends))
    return tuple(dict.fromkeys(facts))


def _world(entities: int, seed: int) -> tuple[World, Random]:
    rng = Random(seed)
    return World.sample(rng, entities=entities, relations=split_relations("test")), rng


def _item(world: World, triple: Triple, *, old: tuple[str, ...] = (), kind: str = "one fact", stage: int = 0) -> Item:
    questions = [q.format(s=triple[0]) for q in world.relations[triple[1]].questions[:2]]
    return Item(questions[0], (triple[2],), tuple(questions[1:]), old, (triple,), kind=kind, stage=stage)


def _changes(world: World, rng: Random, count: int) -> list[tuple[Triple, Triple]]:
    facts = [t for t in world.triples if world.relations[t[1]].functional and not world.relations[t[1]].symmetric]
    rng.shuffle(facts)
    found: list[tuple[Triple, Triple]] = []
    for subject, relation, object in facts:
        others = [n for n in world.names if world.kind_of[n] == world.kind_of[object] and n not in (object, subject)]
        if others and len(found) < count:
            found.append(((subject, relation, object), (subject, relation, rng.choice(others))))
    return found


def _through(before: World, after: World, new: set[Triple], rng: Random, count: int) -> list[Item]:
    """Two-hop questions of the edited world that run over an edited fact, and whose answer it changed."""
    items: dict[str, Item] = {}
    for q in after.questions(rng, _MANY * count, hops=(2,)):
        facts = chain(after, q.topic, q.path)
        old = tuple(name for name in before.walk(q.topic, q.path) if name not in q.answers)
        moved = set(q.answers) != set(before.walk(q.topic, q.path))
        if len(items) < count and moved and new & set(facts) and len(q.answers) <= 3:
            items[q.question] = Item(q.question, q.answers, (), old, facts, "two hops over an edit")
    return list(items.values())
