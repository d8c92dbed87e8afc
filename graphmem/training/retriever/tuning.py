"""Tuning of a trained retriever to one graph, on questions with answers.

Gold relation paths are found from the answers: the shortest of those whose end nodes have the highest F1 with them. The
gates and the aligner are trained further.

graphmem train retriever --facts mine.tsv --questions questions.jsonl --out mine.safetensors
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.datasets.user_questions import read_questions
from graphmem.datasets.wikimovies import Question
from graphmem.hub import load_encoder
from graphmem.memory import GraphMemory
from graphmem.retrieval.checkpoints import SHIPPED, load_weights, save_weights
from graphmem.training.retriever.aligner import propose, train_aligner, with_similarity
from graphmem.training.retriever.examples import Adjacency, ArcVocabulary, Example, f1, make_example, mask_topic
from graphmem.training.retriever.gates import ArcTable, QuestionBank, TrainingConfig, train_gates, with_more_hops

MIN_F1 = 0.5  # F1 of a path's ends with the answers below which it is not a gold path
MAX_PATHS = 40


def tuning_examples(
    texts: ArcVocabulary, facts: Iterable[tuple[str, str, str]], questions: Sequence[Question], rng: Random
) -> list[Example]:
    """Examples of the questions; those without a gold path are left out.

    ``texts`` is extended. Questions name topic and answers as the facts do, and the topic is in the question's text.
    """
    graph = Adjacency(facts)
    codes = [texts.code(name, direction) for name in graph.relations for direction in (0, 1)]
    mapped = lambda path: tuple(codes[step] for step in path)
    examples = []
    for question in questions:
        topic, answers = normalise(question.topic), {normalise(answer) for answer in question.answers}
        paths = set(graph.paths(topic, rng))
        gold = _gold_paths(graph, topic, answers, paths)
        if gold:
            masked = mask_topic(question.question, question.topic)
            examples.append(make_example(masked, map(mapped, paths), set(map(mapped, gold))))
    return examples


def _gold_paths(graph: Adjacency, topic: str, answers: set[str], paths: set[tuple[int, ...]]) -> set[tuple[int, ...]]:
    """The shortest of the paths whose ends have the highest F1 with the answers."""
    scores = {path: f1(graph.walk(topic, path), answers) for path in paths}
    best = max(scores.values(), default=0.0)
    equal = [path for path, score in scores.items() if score > best - 1e-9] if best >= MIN_F1 else []
    return {path for path in equal if len(path) == min(map(len, equal))}


def tune(
    modules: dict[str, Any], encoder: Any, facts: Sequence[tuple[str, str, str]], questions: Sequence[Question],
    folder: Path, *, steps: int = 300, aligner_steps: int = 600, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Tune the gates and the aligner of ``load_weights``; returns modules for ``save_weights``.

    The modules are trained in place, by ``steps`` of the gates and ``aligner_steps`` of the aligner. The folder holds
    logs and checkpoints, which are resumed.

    Raises:
        InvalidValue: no question has an answer in the facts.
    """
    texts = ArcVocabulary()
    examples = tuning_examples(texts, facts, questions, Random(seed))
    if not examples:
        raise InvalidValue("none of the questions is answered by these facts; name topics and answers as the facts do")
    bank, arcs = QuestionBank(encoder, [example.question for example in examples]), ArcTable(encoder, texts.names)
    gates, aligner = with_more_hops(modules["gates"]), modules["aligner"]
    train_gates(gates, [examples], bank, arcs, TrainingConfig(steps, rate=4e-4, seed=seed), folder / "gates")
    candidates = with_similarity(propose(gates, examples, bank, arcs, MAX_PATHS), bank, encoder, texts.names)
    config = TrainingConfig(aligner_steps, rate=5e-4, seed=seed)
    train_aligner(aligner, [candidates], bank, arcs, config, folder / "aligner")
    return {"gates": gates, "aligner": aligner}


def tune_from_files(given: argparse.Namespace) -> None:
    """Tune the shipped retriever, or that of ``start``, to files of facts and questions, by options of the trainer."""
    if not (given.facts and given.questions):
        raise InvalidValue("--facts and --questions belong together: a graph, and questions about it")
    encoder, read = load_encoder(), read_questions(given.questions)
    modules = load_weights(given.start or SHIPPED, encoder.fingerprint)
    with GraphMemory.open(":memory:", encoder=encoder) as memory, TemporaryDirectory() as home:
        memory.ingest(given.facts)
        facts = [(fact.subject, fact.relation, fact.object) for fact in memory.facts()]
        steps, aligner_steps = min(given.steps, 300), min(given.aligner_steps, 600)
        tuned = tune(
            modules, encoder, facts, read, Path(home), steps=steps, aligner_steps=aligner_steps, seed=given.seed
        )  # fmt: skip
    save_weights(given.out, tuned, encoder.fingerprint)
    print(json.dumps({"out": str(given.out), "questions": len(read)}))
