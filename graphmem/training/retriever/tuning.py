"""Tunes a trained retriever to one graph, on questions that somebody has asked of it.

Which relation paths a question asks for need not be given: those that lead from its topic to its answers, and to least
else, are taken for right. Gates and aligner go on from where they are; the GNN stays.

graphmem train retriever --facts mine.tsv --questions asked.jsonl --out mine.safetensors
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.datasets.wikimovies import Question
from graphmem.training.retriever.aligner import AlignerTrainer, AlignerTraining, propose, with_similarity
from graphmem.training.retriever.examples import MASK, Adjacency, ArcPath, ArcVocabulary, Example, make_example
from graphmem.training.retriever.gates import ArcTable, GateTrainer, GateTraining, QuestionBank, with_more_hops

MIN_F1 = 0.5
"""F1 of a path's ends with the answers below which it is not taken for the one that was asked for."""
MAX_PATHS = 40


def tuning_examples(
    texts: ArcVocabulary, facts: Iterable[tuple[str, str, str]], questions: Sequence[Question], rng: Random
) -> list[Example]:
    """Questions with the paths around their topics; those that no path answers are left out.

    Args:
        texts: numbers the arc texts.
        facts: subject, relation, object.
        questions: topic and answers named as in the facts; the topic stands in the question's text.
        rng: draws paths where there are too many.
    """
    graph = Adjacency(facts)
    codes = [texts.code(name, direction) for name in graph.relations for direction in (0, 1)]
    mapped = lambda path: tuple(codes[step] for step in path)
    examples = []
    for question in questions:
        topic, answers = normalise(question.topic), {normalise(answer) for answer in question.answers}
        paths = set(graph.paths(topic, rng))
        gold = _right(graph, topic, answers, paths)
        if gold:
            asked = _blanked(question)
            examples.append(make_example(asked, map(mapped, paths), set(map(mapped, gold))))
    return examples


def _right(graph: Adjacency, topic: str, answers: set[str], paths: Iterable[ArcPath]) -> set[ArcPath]:
    """The shortest of the paths whose ends agree best with the answers."""
    scores: dict[ArcPath, float] = {}
    for path in paths:
        ends = graph.walk(topic, path)
        shared = len(ends & answers)
        if shared:
            scores[path] = 2 * shared / (len(ends) + len(answers))
    best = max(scores.values(), default=0.0)
    if best < MIN_F1:
        return set()
    equal = [path for path, score in scores.items() if score > best - 1e-9]
    shortest = min(len(path) for path in equal)
    return {path for path in equal if len(path) == shortest}


def _blanked(question: Question) -> str:
    start = question.question.casefold().find(question.topic.casefold())
    if start < 0:
        return question.question
    return question.question[:start] + MASK + question.question[start + len(question.topic) :]


def tune(
    modules: dict[str, Any], encoder: Any, facts: Sequence[tuple[str, str, str]], questions: Sequence[Question],
    checkpoint: Path | None, *, steps: int = 300, aligner_steps: int = 600, seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Tune gates and aligner of ``load_weights``; returns modules for ``save_weights``.

    Args:
        modules: ``gates``, ``aligner`` and, if there is one, ``gnn``; trained on in place.
        encoder: the text encoder they belong to.
        facts: of the graph.
        questions: asked of it.
        checkpoint: file in which the state of the gates is kept while they learn; None keeps none.
        steps: of the gates.
        aligner_steps: of the aligner.
        seed: of every draw.

    Raises:
        InvalidValue: no question is answered by the facts.
    """
    texts = ArcVocabulary()
    examples = tuning_examples(texts, facts, questions, Random(seed))
    if not examples:
        raise InvalidValue("none of the questions is answered by these facts; are topics and answers named alike?")
    bank, arcs = QuestionBank(encoder, [example.question for example in examples]), ArcTable(encoder, texts.names)
    gates, aligner = with_more_hops(modules["gates"]), modules["aligner"]
    GateTrainer(gates, bank, arcs, GateTraining(steps=steps, rate=4e-4, seed=seed)).run([examples], checkpoint)
    choices = with_similarity(propose(gates, examples, bank, arcs, MAX_PATHS), bank, encoder, texts.names)
    training = AlignerTraining(steps=aligner_steps, rate=5e-4, seed=seed)
    AlignerTrainer(aligner, bank, arcs, training).run([choices])
    return {**modules, "gates": gates.eval(), "aligner": aligner.eval()}


def tune_from_files(
    facts: Path, questions: Path, out: Path, *, start: Path | None, steps: int, aligner_steps: int, seed: int
) -> int:
    """Tune the shipped retriever, or that of ``start``, to files of facts and questions; returns how many were used."""
    from graphmem.datasets.user_questions import read_questions
    from graphmem.hub import load_encoder
    from graphmem.memory import GraphMemory
    from graphmem.retrieval.checkpoints import SHIPPED, load_weights, save_weights

    encoder = load_encoder()
    modules = load_weights(start or SHIPPED, encoder.fingerprint)
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.ingest(facts)
        triples = [(fact.subject, fact.relation, fact.object) for fact in memory.facts()]
    asked = read_questions(questions)
    tuned = tune(
        modules, encoder, triples, asked, out.with_suffix(".gates"), steps=steps, aligner_steps=aligner_steps, seed=seed
    )
    save_weights(out, tuned, encoder.fingerprint)
    return len(asked)
