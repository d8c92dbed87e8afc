"""Synthetic training examples of retrieval: worlds of the lexicon, and questions over completion data sets."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

from graphmem.core.names import normalise
from graphmem.core.splits import Split
from graphmem.core.types import Triple
from graphmem.datasets.files import read_lines
from graphmem.synthetic.names import KINDS
from graphmem.synthetic.question_wordings import middles, question_of_names, question_of_relations
from graphmem.synthetic.relations import plain_relations
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import Relation, split_relations
from graphmem.training.retriever.examples import MASK, Adjacency, ArcVocabulary, Example, make_example, mask_topic

_LENGTHS = (1, 1, 1, 2, 2, 2, 3, 3, 4)
_UNANSWERABLE = 0.1


def world_examples(texts: ArcVocabulary, split: Split, rng: Random, *, worlds: int, questions: int) -> list[Example]:
    """Questions over random worlds of the split's relations; each world names its relations in its own way."""
    pool = split_relations(split)
    made = [r for r in plain_relations(rng, 120) if {r.subject, r.object} <= KINDS] if split == "train" else []
    examples: list[Example] = []
    for _ in range(worlds):
        relations = rng.sample(pool, min(rng.randint(6, 50), len(pool)))
        relations += rng.sample(made, min(rng.choice((0, 4, 12)), len(made)))
        distinct = {relation.relation: relation for relation in relations}
        world = World.sample(
            rng.randrange(2**31), relations=list(distinct.values()), entities=rng.choice((100, 200, 400)),
            facts_per_entity=rng.choice((1.0, 1.7, 2.5, 3.2)),
        )  # fmt: skip
        examples += _of_world(texts, world, rng, questions)
    return examples


def _of_world(texts: ArcVocabulary, world: World, rng: Random, questions: int) -> list[Example]:
    graph, examples = Adjacency(world.triples), []
    naming = {name: _name_in_graph(world.relations[name], rng) for name in graph.relations}
    codes = [texts.code(naming[name], direction) for name in graph.relations for direction in (0, 1)]
    for q in world.questions(rng, questions, _LENGTHS, _UNANSWERABLE):
        topic = normalise(q.topic)
        retraces = any(one[0] == other[0] and one[1] != other[1] for one, other in pairwise(q.path))
        if retraces and rng.random() < 0.7:  # random walks retrace more often than people's questions
            continue
        gold = tuple(2 * graph.relations[name] + direction for name, direction in q.path if name in graph.relations)
        golds = _equal_paths(graph, world, topic, gold) if q.answers else set()
        found = graph.paths(topic, rng, gold=[gold])
        mapped = [tuple(codes[step] for step in path) for path in found]
        steps = [(world.relations[name], direction) for name, direction in q.path]
        original = rng.random() < 0.3
        question = mask_topic(q.question, q.topic) if original else question_of_relations(steps, rng, MASK)
        examples.append(make_example(question, mapped, {tuple(codes[s] for s in path) for path in golds}))
    return examples


def _equal_paths(graph: Adjacency, world: World, topic: str, gold: tuple[int, ...]) -> set[tuple[int, ...]]:
    """The gold path, and those that differ only in the direction of a symmetric relation."""
    names = list(graph.relations)
    paths: set[tuple[int, ...]] = {()}
    for step in gold:
        both = {step, step ^ 1} if world.relations[names[step // 2]].symmetric else {step}
        paths = {(*path, choice) for path in paths for choice in both}
    return {path for path in paths if graph.walk(topic, path)}


def _name_in_graph(relation: Relation, rng: Random) -> str:
    """A name that the relation may have in a graph: its own, a noun, a paraphrase, one with underscores."""
    usual = (relation.relation, relation.relation, relation.noun, relation.noun, *relation.paraphrases)
    name = rng.choice((*usual, *middles(relation)[:2]))
    chance = rng.random()
    return name.replace(" ", "_") if chance < 0.15 else f"has {name}" if chance < 0.18 else name


@dataclass(frozen=True, slots=True)
class CompletionGraph:
    """Facts of a completion data set: names of each relation in graphs, and its noun in questions."""

    triples: list[Triple]
    names: dict[str, list[str]]
    nouns: dict[str, str]
    verbs: bool = False


def completion_graphs(folder: Path) -> list[CompletionGraph]:
    """FB15k-237, WN18RR and UMLS from a ``kgc`` folder."""
    with zipfile.ZipFile(folder / "fb15k237" / "FB15k-237.zip") as archive:
        lines = archive.read("FB15k-237/train.txt").decode().splitlines()
    return [
        _freebase(_triples(lines)),
        _underscored(_triples(read_lines(folder / "wn18rr" / "text_train.txt")), verbs=False),
        _underscored(_triples(read_lines(folder / "umls" / "train.txt")), verbs=True),
    ]


def _triples(lines: Iterable[str]) -> list[Triple]:
    return [(subject, relation, object_) for subject, relation, object_ in (line.split("\t")[:3] for line in lines)]


def _freebase(triples: list[Triple]) -> CompletionGraph:
    names, nouns = {}, {}
    for relation in {relation for _, relation, _ in triples}:
        parts = [part.replace("_", " ") for part in relation.replace(".", "").split("/") if part]
        nouns[relation] = parts[-1]
        names[relation] = [parts[-1], parts[-1], " ".join(parts[-2:]), " ".join(dict.fromkeys(parts)), relation]
    return CompletionGraph(triples, names, nouns)


def _underscored(triples: list[Triple], *, verbs: bool) -> CompletionGraph:
    relations = {relation for _, relation, _ in triples}
    nouns = {relation: relation.strip("_").replace("_", " ") for relation in relations}
    return CompletionGraph(triples, {relation: [nouns[relation], relation] for relation in relations}, nouns, verbs)


def completion_examples(texts: ArcVocabulary, graph: CompletionGraph, rng: Random, *, questions: int) -> list[Example]:
    """Questions from random walks: ``what is the R2 of the R1 of it``, in several phrasings."""
    adjacency = Adjacency(graph.triples)
    relations, topics = list(adjacency.relations), sorted(adjacency.arcs)
    examples: list[Example] = []
    while len(examples) < questions:
        topic = rng.choice(topics)
        path = _random_walk(adjacency, topic, rng)
        if not path or len(adjacency.walk(topic, path)) > 50:
            continue
        naming = [rng.choice(graph.names[relation]) for relation in relations]
        found = adjacency.paths(topic, rng, frontier=8, max_paths=60, gold=[path])
        codes = {step: texts.code(naming[step // 2], step % 2) for other in [*found, path] for step in other}
        nouns = {step: (graph.nouns[relations[step // 2]], step % 2) for step in codes}
        mapped = {other: tuple(codes[step] for step in other) for other in [*found, path]}
        wanted = [nouns[step] for step in path]
        same = {mapped[other] for other in mapped if [nouns[step] for step in other] == wanted}
        examples.append(make_example(question_of_names(wanted, graph.verbs, rng, MASK), mapped.values(), same))
    return examples


def _random_walk(graph: Adjacency, topic: str, rng: Random) -> tuple[int, ...]:
    path, here = list[int](), topic
    for _ in range(rng.choice(_LENGTHS)):
        steps = [
            (code, end) for code, ends in graph.arcs[here].items() if len(ends) <= 40 for end in list(ends)[:1]
            if end != topic and (not path or code != path[-1] ^ 1)
        ]  # fmt: skip
        if not steps:
            return ()
        code, here = rng.choice(steps)
        path.append(code)
    return tuple(path)
