"""Fact sets of the shipped WikiMovies graph: questions of one to three hops, and facts that change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from random import Random

import networkx

from graphmem.core.splits import data_split
from graphmem.core.types import Triple
from graphmem.datasets.wikimovies import load_facts, load_questions, neighbourhood
from graphmem.experiments.tasks.fact_set import FactSet, Item, never_trained, plain_pairs

NAME = "WikiMovies"
PHRASINGS = {
    "directed by": ("who directed {s}?", "who is the director of the film {s}?"),
    "written by": ("who wrote {s}?", "who is the screenwriter of the film {s}?"),
    "release year": ("what year was {s} released?", "in which year did the film {s} come out?"),
    "in language": ("what language is {s} in?", "which language is spoken in the film {s}?"),
}
TRAINING_FACTS = 400
"""Facts that LoRA is trained on: all of the graph would take hours."""


def film_questions(count: int, *, whole: bool, seed: int = 0, hops: Sequence[int] = (1, 2, 3)) -> FactSet:
    """``count`` test questions of each number of hops over the graph: the whole of it, or the part around them."""
    rng, chosen = Random(seed), []
    for number in hops:
        pool = [q for q in load_questions("test") if q.hops == number]
        chosen += rng.sample(pool, min(count, len(pool)))
    facts = list(load_facts()) if whole else neighbourhood(q.topic for q in chosen)
    graph, items = links(facts), []
    for q in chosen:
        gold = shortest(graph, q.topic, set(q.answers), q.hops)
        kind = "1 hop" if q.hops == 1 else f"{q.hops} hops"
        items.append(Item(q.question, q.answers, (), (), gold, kind, 0, never_trained(q.answers)))
    training_facts = among(rng, [fact for item in items for fact in item.gold], facts)
    return FactSet(NAME, (tuple(facts), ()), tuple(items), plain_pairs, training_facts)


def film_edits(count: int, *, seed: int = 0) -> FactSet:
    """Facts of held-out films that change to another film's value, and others of such films that stay."""
    rng = Random(seed)
    values: dict[str, list[str]] = defaultdict(list)
    objects: dict[tuple[str, str], list[str]] = defaultdict(list)
    for subject, relation, object in load_facts():
        if relation in PHRASINGS and data_split(subject) == "test":
            values[relation].append(object)
            objects[subject, relation].append(object)
    single = [(s, r, found[0]) for (s, r), found in objects.items() if len(found) == 1]
    drawn = rng.sample(single, min(count + count // 2, len(single)))
    changes = []
    for subject, relation, object in drawn[:count]:
        new = rng.choice([value for value in values[relation] if value != object])
        changes.append(((subject, relation, object), (subject, relation, new)))
    facts = neighbourhood(subject for subject, _, _ in drawn)
    held = set(facts)
    changes = [change for change in changes if change[0] in held]
    items = [_item(new, (before[2],), "edited fact") for before, new in changes]
    items += [_item(fact, (), "unedited fact") for fact in drawn[count:] if fact in held]
    training_facts = among(rng, [fact for item in items for fact in item.gold], facts)
    gone = {before for before, _ in changes}
    training_facts = tuple(fact for fact in training_facts if fact not in gone)
    return FactSet(NAME, (tuple(facts), ()), tuple(items), plain_pairs, training_facts, tuple(changes))


def _item(fact: Triple, old: tuple[str, ...], kind: str) -> Item:
    first, second = (template.format(s=fact[0]) for template in PHRASINGS[fact[1]])
    return Item(first, (fact[2],), (second,), old, (fact,), kind, 0, never_trained([fact[2]]))


def links(facts: Iterable[Triple]) -> networkx.Graph:
    """The graph of the names, each edge with its (first) fact."""
    graph = networkx.Graph()
    for fact in facts:
        if not graph.has_edge(fact[0], fact[2]):
            graph.add_edge(fact[0], fact[2], fact=fact)
    return graph


def shortest(graph: networkx.Graph, topic: str, answers: set[str], hops: int) -> tuple[Triple, ...]:
    """A shortest chain of facts from the topic to an answer, of at most ``hops``; empty where there is none.

    The data set gives no paths: the intended chain may be another.
    """
    chains: dict[str, tuple[Triple, ...]] = {topic: ()}
    for here, there in networkx.bfs_edges(graph, topic, depth_limit=hops) if topic in graph else ():
        chains[there] = (*chains[here], graph.edges[here, there]["fact"])
        if there in answers:
            return chains[there]
    return ()


def among(rng: Random, gold: Sequence[Triple], facts: Sequence[Triple]) -> tuple[Triple, ...]:
    """The given facts with random others, up to ``TRAINING_FACTS`` in all."""
    wanted = list(dict.fromkeys(gold))
    others = rng.sample(list(facts), min(len(facts), max(0, TRAINING_FACTS - len(wanted))))
    return tuple(dict.fromkeys([*wanted, *others]))
