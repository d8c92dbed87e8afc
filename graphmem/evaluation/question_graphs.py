"""Graphs with questions, for the evaluation of retrieval."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Final

from graphmem.core.splits import Split
from graphmem.datasets import path_question
from graphmem.datasets.fact_sets import load_single_facts
from graphmem.datasets.files import data_folder
from graphmem.datasets.mquake import cloze_graph
from graphmem.datasets.wikimovies import Question, load_facts, load_questions
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import split_relations

Facts = Sequence[tuple[str, str, str]]
Graph = tuple[Facts, list[Question]]

DATASETS: Final = ("wikimovies", "worlds", "pathquestion", "mquake", "popqa", "zsre")
"""``wikimovies``: all 129,233 facts. ``worlds``: synthetic worlds whose relations belong to the split, so that with
``test`` graph and relations are new. The others lie in the folder GRAPHMEM_DATA and were never trained on:
``pathquestion`` two hops; ``mquake`` two to four hops in three phrasings over all single hops of the AKEW copy of
MQuAKE-CF; ``popqa`` and ``zsre`` one fact among hundreds."""


def load_graphs(dataset: str, split: Split, n: int, seed: int) -> list[Graph]:
    """Graphs with at most ``n`` questions of each number of hops, over all graphs.

    Raises:
        InvalidValue: the data set's folder is not there.
    """
    rng = Random(seed)
    if dataset == "worlds":
        return _worlds(split, n, rng)
    if dataset == "wikimovies":
        return [(load_facts(), _of_each_length(load_questions(split), n, rng))]
    facts, questions = _READERS[dataset](data_folder() / dataset)
    return [(facts, _of_each_length(questions, n, rng))]


def _of_each_length(questions: Sequence[Question], n: int, rng: Random) -> list[Question]:
    lengths = sorted({question.hops for question in questions})
    groups = ([question for question in questions if question.hops == hops] for hops in lengths)
    return [question for same in groups for question in (same if len(same) <= n else rng.sample(same, n))]


def _worlds(split: Split, n: int, rng: Random, each: int = 60) -> list[Graph]:
    pool = split_relations(split)
    graphs: list[Graph] = []
    left = {1: n, 2: n, 3: n}
    while any(left.values()):
        relations = rng.sample(pool, min(len(pool), 30))
        world = World.sample(rng.randrange(2**31), relations=relations, entities=300)
        questions: list[Question] = []
        for q in world.questions(rng, each):
            if left[q.hops]:
                left[q.hops] -= 1
                questions.append(Question(q.question, q.topic, q.answers, q.hops))
        if questions:
            graphs.append((world.triples, questions))
    return graphs


def _pathquestion(folder: Path) -> tuple[Facts, list[Question]]:
    rows = path_question.load_questions(folder, spelling=str)
    questions = [Question(row.question, row.path[0], row.answers, 2) for row in rows]
    return path_question.load_graph(folder, spelling=str), questions


def _single_facts(folder: Path) -> tuple[Facts, list[Question]]:
    rows = load_single_facts(folder.parent, folder.name)
    questions = [Question(row.questions[0], row.fact[0], (row.fact[2], *row.answers), 1) for row in rows]
    return [row.fact for row in rows], questions


_READERS: Final[dict[str, Callable[[Path], tuple[Facts, list[Question]]]]] = {
    "pathquestion": _pathquestion, "mquake": cloze_graph, "popqa": _single_facts, "zsre": _single_facts,
}  # fmt: skip
