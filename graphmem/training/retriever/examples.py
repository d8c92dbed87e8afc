"""Examples to train retrieval on: a question with its topic blanked, the relation paths there are, the right ones.

A relation path is up to four arc texts walked from the topic (``directed by``, then ``inverse of written by``). Which
paths exist is the graph's business; which of them a question asks for is what is learnt. Three sources: the WikiMovies
questions (here), worlds made from the lexicon, and questions made over FB15k-237, WN18RR and UMLS (``retrieval_made``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from random import Random

import numpy as np

from graphmem.core.names import normalise
from graphmem.core.splits import Split
from graphmem.datasets.wikimovies import Question, load_facts, load_questions

HOPS = 4
MASK = "it"
"""What stands in a question where its topic was."""

ArcPath = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ArcVocabulary:
    """Arc texts by number: the relation's name as a graph may hold it, and the direction it is walked in."""

    names: list[str] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)

    def code(self, name: str, direction: int) -> int:
        """Number of an arc text; ``2 * relation + direction``."""
        if name not in self.known:
            self.known[name] = len(self.names)
            self.names.append(name)
        return 2 * self.known[name] + direction


@dataclass(frozen=True, slots=True)
class Example:
    """One question.

    Attributes:
        asked: the question, topic blanked.
        paths: int32 [P, HOPS], arc texts of every path there is; -1 past its end.
        gold: bool [P], the paths asked for; none where the graph holds no answer.
    """

    question: str
    paths: np.ndarray
    gold: np.ndarray


class Adjacency:
    """A graph as ``node -> arc code -> ends``, for walking in plain Python."""

    def __init__(self, triples: Iterable[tuple[str, str, str]]) -> None:
        self.relations: dict[str, int] = {}
        self.arcs: dict[str, dict[int, set[str]]] = defaultdict(lambda: defaultdict(set))
        for subject, relation, object_ in triples:
            code = 2 * self.relations.setdefault(relation, len(self.relations))
            s, o = normalise(subject), normalise(object_)
            self.arcs[s][code].add(o)
            self.arcs[o][code + 1].add(s)

    def walk(self, topic: str, path: Sequence[int]) -> set[str]:
        """All ends of a path of arc codes but the topic itself."""
        frontier = {topic}
        for code in path:
            frontier = {end for node in frontier for end in self.arcs[node].get(code, ())}
        return frontier - {topic}

    def paths(
        self, topic: str, rng: Random, *, frontier: int = 48, most: int = 150, beside: Iterable[ArcPath] = ()
    ) -> list[ArcPath]:
        """Paths of up to ``HOPS`` arcs from a topic; of many nodes or paths a sample.

        Those that leave a path of ``beside`` at its last step, or go on from it by one, are always among them.
        """
        near = {path[:length] for path in beside for length in range(len(path) + 1)}
        found: list[ArcPath] = []
        layer: list[tuple[ArcPath, list[str]]] = [((), [topic])]
        for _ in range(HOPS):
            layer = [step for path, nodes in layer for step in self._steps(path, nodes, rng, frontier)]
            if len(layer) > most:
                kept = [step for step in layer if step[0][:-1] in near]
                layer = kept[:most] + rng.sample(layer, max(0, most - len(kept)))
            found += [path for path, nodes in layer if nodes != [topic]]
        return found

    def _steps(
        self, path: ArcPath, nodes: list[str], rng: Random, frontier: int
    ) -> Iterator[tuple[ArcPath, list[str]]]:
        ends: dict[int, list[str]] = defaultdict(list)
        for node in nodes:
            for code, reached in self.arcs[node].items():
                ends[code] += list(reached)[:frontier]
        for code, targets in sorted(ends.items()):
            yield (*path, code), targets if len(targets) <= frontier else rng.sample(targets, frontier)


def make_example(asked: str, paths: Iterable[ArcPath], gold: set[ArcPath]) -> Example:
    """Pack paths of any length into arrays; gold paths and their beginnings are always among them."""
    every = sorted(set(paths) | {path[:length] for path in gold for length in range(1, len(path) + 1)})
    packed = np.full((len(every), HOPS), -1, np.int32)
    for row, path in enumerate(every):
        packed[row, : len(path)] = path
    return Example(asked, packed, np.asarray([path in gold for path in every], bool))


def without_gold(example: Example, rng: Random) -> Example:
    """The same question where the graph lacks the answer: every path that begins with the gold ones' steps is gone."""
    gold = example.paths[example.gold]
    if not len(gold):
        return example
    depth = rng.randint(1, int((gold[0] >= 0).sum()))
    starts = (example.paths[:, None, :depth] == gold[None, :, :depth]).all(-1).any(1)
    keep = ~(starts | example.gold)
    return Example(example.question, example.paths[keep], example.gold[keep])


# ---------------------------------------------------------------- WikiMovies


def wikimovies_examples(texts: ArcVocabulary, split: Split, rng: Random, *, each: int = 14) -> list[Example]:
    """``each`` questions of every wording, with the path that best explains the wording's answers."""
    graph = Adjacency(load_facts())
    codes = [texts.code(name, direction) for name in graph.relations for direction in (0, 1)]
    wordings: dict[tuple[str, int], list[Question]] = defaultdict(list)
    for question in load_questions(split):
        wordings[question.question.replace(question.topic, MASK), question.hops].append(question)
    examples = []
    for (asked, hops), questions in sorted(wordings.items()):
        chosen = rng.sample(questions, min(each, len(questions)))
        gold = _best_path(graph, chosen, hops)
        for question in chosen:
            found = set(graph.paths(normalise(question.topic), rng, beside=[gold]))
            if gold in found or graph.walk(normalise(question.topic), gold):
                mapped = [tuple(codes[step] for step in path) for path in found]
                examples.append(make_example(asked, mapped, {tuple(codes[step] for step in gold)}))
    return examples


def _best_path(graph: Adjacency, questions: Sequence[Question], hops: int) -> ArcPath:
    """The path of that length whose ends agree best with the answers, by mean F1 over the questions."""
    scores: dict[ArcPath, float] = defaultdict(float)
    for question in questions:
        answers = {normalise(answer) for answer in question.answers}
        for path, ends in _reaching(graph, normalise(question.topic), answers, hops).items():
            scores[path] += 2 * len(ends & answers) / (len(ends) + len(answers))
    return max(scores, key=lambda path: (scores[path], path))


def _reaching(graph: Adjacency, topic: str, answers: set[str], hops: int) -> dict[ArcPath, set[str]]:
    """Paths of exactly ``hops`` arcs that end at some answer, with all their ends."""
    layer: dict[ArcPath, set[str]] = {(): {topic}}
    for _ in range(hops):
        after: dict[ArcPath, set[str]] = defaultdict(set)
        for path, nodes in layer.items():
            for node in list(nodes)[:2000]:
                for code, ends in graph.arcs[node].items():
                    after[(*path, code)] |= ends
        layer = {path: ends for path, ends in after.items() if len(ends) < 20_000}
    return {path: ends - {topic} for path, ends in layer.items() if ends & answers}
