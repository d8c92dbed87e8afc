"""Training examples of retrieval: a masked question, the relation paths around its topic, and the gold ones.

A relation path is up to four arc texts from the topic (``directed by``, then ``inverse of written by``). Sources:
WikiMovies questions (here), synthetic worlds, and questions over FB15k-237, WN18RR and UMLS (``synthetic_examples``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from random import Random
from typing import Self, TypeVar

import numpy as np
import torch

from graphmem.core.names import normalise
from graphmem.core.splits import Split
from graphmem.datasets.wikimovies import Question, load_facts, load_questions

HOPS = 4
MASK = "it"  # replaces the topic in a question

ArcPath = tuple[int, ...]


def mask_topic(question: str, topic: str) -> str:
    """The question with the first occurrence of its topic masked; case is ignored."""
    start = question.casefold().find(topic.casefold())
    return question if start < 0 else question[:start] + MASK + question[start + len(topic) :]


def step_rng(seed: int, step: int) -> Random:
    """Random generator of one training step; it seeds torch too, so that a resumed run equals an uninterrupted one."""
    rng = Random(f"{seed} {step}")
    torch.manual_seed(rng.randrange(2**32))
    return rng


@dataclass(frozen=True, slots=True)
class ArcVocabulary:
    """Numbers of arc texts: relation names, as graphs write them, in both directions."""

    names: list[str] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)

    def code(self, name: str, direction: int) -> int:
        """Number of an arc text: ``2 * relation + direction``."""
        if name not in self.known:
            self.known[name] = len(self.names)
            self.names.append(name)
        return 2 * self.known[name] + direction


@dataclass(frozen=True, slots=True)
class Example:
    """One question, its topic masked.

    Attributes:
        paths: int32 [P, HOPS], arc texts of the paths around the topic; -1 past a path's end.
        gold: bool [P], the paths that lead to the answers; none where the graph holds no answer.
    """

    question: str
    paths: np.ndarray
    gold: np.ndarray

    def at(self, rows: np.ndarray) -> Self:
        """The same question with some of its paths."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self) if f.name != "question"})


AnyExample = TypeVar("AnyExample", bound=Example)


class Adjacency:
    """A graph as ``node -> arc code -> ends``, in plain Python."""

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        self.relations: dict[str, int] = {}
        self.arcs: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for subject, relation, object_ in triples:
            code = 2 * self.relations.setdefault(relation, len(self.relations))
            s, o = normalise(subject), normalise(object_)
            self.arcs[s][code].add(o)
            self.arcs[o][code + 1].add(s)

    def walk(self, topic: str, path: Sequence[int]) -> set[str]:
        """All end nodes of a path of arc codes, without the topic itself."""
        frontier = {topic}
        for code in path:
            frontier = {end for node in frontier for end in self.arcs[node].get(code, ())}
        return frontier - {topic}

    def paths(
        self, topic: str, rng: Random, *, frontier: int = 48, max_paths: int = 150, gold: Iterable[ArcPath] = ()
    ) -> list[ArcPath]:
        """Paths of up to ``HOPS`` arcs from a topic, sampled to ``max_paths`` a hop and ``frontier`` nodes a path.

        Paths that differ from a gold path in their last step, or extend it by one step, are always included.
        """
        near = {path[:length] for path in gold for length in range(len(path) + 1)}
        found: list[ArcPath] = []
        layer: list[tuple[ArcPath, list[str]]] = [((), [topic])]
        for _ in range(HOPS):
            layer = [step for path, nodes in layer for step in self._steps(path, nodes, rng, frontier)]
            if len(layer) > max_paths:
                kept = [step for step in layer if step[0][:-1] in near]
                layer = kept[:max_paths] + rng.sample(layer, max(0, max_paths - len(kept)))
            found += [path for path, nodes in layer if nodes != [topic]]
        return found

    def _steps(
        self, path: ArcPath, nodes: list[str], rng: Random, frontier: int
    ) -> Iterator[tuple[ArcPath, list[str]]]:
        ends: dict[int, list[str]] = defaultdict(list)
        for node in nodes:
            for code, found in self.arcs[node].items():
                ends[code] += list(found)[:frontier]
        for code, targets in sorted(ends.items()):
            yield (*path, code), targets if len(targets) <= frontier else rng.sample(targets, frontier)


def f1(ends: set[str], answers: set[str]) -> float:
    """F1 of a path's end nodes with the answers."""
    return 2 * len(ends & answers) / max(1, len(ends) + len(answers))


def make_example(question: str, paths: Iterable[ArcPath], gold: set[ArcPath]) -> Example:
    """An example of paths of any length; gold paths and their prefixes are added."""
    candidates = sorted(set(paths) | {path[:length] for path in gold for length in range(1, len(path) + 1)})
    packed = np.full((len(candidates), HOPS), -1, np.int32)
    for row, path in enumerate(candidates):
        packed[row, : len(path)] = path
    return Example(question, packed, np.asarray([path in gold for path in candidates], bool))


def without_gold(example: AnyExample, rng: Random) -> AnyExample:
    """The question in a graph without the answer: paths with the first steps of a gold path are removed."""
    gold = example.paths[example.gold]
    if not len(gold):
        return example
    depth = rng.randint(1, int((gold[0] >= 0).sum()))
    starts = (example.paths[:, None, :depth] == gold[None, :, :depth]).all(-1).any(1)
    return example.at(~(starts | example.gold))


def wikimovies_examples(texts: ArcVocabulary, split: Split, rng: Random, *, each: int = 14) -> list[Example]:
    """``each`` questions of every phrasing, with the path that best explains the answers of the phrasing."""
    graph = Adjacency(load_facts())
    codes = [texts.code(name, direction) for name in graph.relations for direction in (0, 1)]
    phrasings: dict[tuple[str, int], list[Question]] = defaultdict(list)
    for question in load_questions(split):
        phrasings[question.question.replace(question.topic, MASK), question.hops].append(question)
    examples = []
    for (masked, hops), questions in sorted(phrasings.items()):
        chosen = rng.sample(questions, min(each, len(questions)))
        gold = _best_path(graph, chosen, hops)
        for question in chosen:
            found = set(graph.paths(normalise(question.topic), rng, gold=[gold]))
            if gold in found or graph.walk(normalise(question.topic), gold):
                mapped = [tuple(codes[step] for step in path) for path in found]
                examples.append(make_example(masked, mapped, {tuple(codes[step] for step in gold)}))
    return examples


def _best_path(graph: Adjacency, questions: Sequence[Question], hops: int) -> ArcPath:
    """The path of a length whose ends have the highest mean F1 with the answers."""
    scores: dict[ArcPath, float] = defaultdict(float)
    for question in questions:
        answers = {normalise(answer) for answer in question.answers}
        for path, ends in _reaching(graph, normalise(question.topic), answers, hops).items():
            scores[path] += f1(ends, answers)
    return max(scores, key=lambda path: (scores[path], path))


def _reaching(graph: Adjacency, topic: str, answers: set[str], hops: int) -> dict[ArcPath, set[str]]:
    """Paths of exactly ``hops`` arcs that end at an answer, with all their ends."""
    layer: dict[ArcPath, set[str]] = {(): {topic}}
    for _ in range(hops):
        after: dict[ArcPath, set[str]] = defaultdict(set)
        for path, nodes in layer.items():
            for node in list(nodes)[:2000]:
                for code, ends in graph.arcs[node].items():
                    after[(*path, code)] |= ends
        layer = {path: ends for path, ends in after.items() if len(ends) < 20_000}
    return {path: ends - {topic} for path, ends in layer.items() if ends & answers}
