"""Calibration of answers from evidence: memories made of held-out tables, articles and graphs are asked.

Half of the questions of each memory cannot be answered from it: the row, the attribute or the passage asked for is
not in it. Confidence is a logistic regression on what was weighed (Platt, 1999); the confidence from which an answer
is given is ``LEAST``; that of verdicts loses few of the right ones, see ``LOST``.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from graphmem.core.splits import held, use_of
from graphmem.datasets.files import data_folder, read_rows
from graphmem.evaluation.statistics import mean
from graphmem.memory import GraphMemory
from graphmem.reasoning.calibration import FILE, probability, verdict_features
from graphmem.reasoning.evidence_reader import excluded
from graphmem.reasoning.weighing import Weighed, answer_set
from graphmem.synthetic.templates import load
from graphmem.synthetic.worlds import World
from graphmem.text.answer_matching import contains
from graphmem.text.lexicon import split_relations
from graphmem.training.evidence.examples import reworded, with_part_of_name
from graphmem.training.evidence.fact_examples import Graph, simple_questions
from graphmem.training.evidence.table_examples import table_rows
from graphmem.training.loop import started

LEAST = 0.08
"""Confidence from which an answer is given; chosen with the people's sets, which are for development, in view."""

LOST = 0.01
"""Share of right verdicts whose confidence may be below the one from which a verdict is given; chosen likewise."""


class Asked(NamedTuple):
    """A question to one memory; no answers where the memory does not hold any."""

    question: str
    answers: tuple[str, ...]
    verdict: bool = False


class Case(NamedTuple):
    """A memory's content and its questions."""

    facts: list[tuple[str, str, str]]
    passages: list[tuple[str, str]]
    asked: list[Asked]


def tables(folder: Path, rng: Random, count: int) -> Iterator[Case]:
    """Held-out tables as memories; unanswerable: a row or a column of another table."""
    forms, kept = load("questions"), [rows for name, rows in table_rows(folder) if use_of(name) == "calibration"]
    kept = [(head, key, body) for head, key, body in kept if 4 <= len(body) <= 60]
    for head, key, body in rng.sample(kept, min(count, len(kept))):
        body = rng.sample(body, min(12, len(body)))
        columns = [c for c in range(len(head)) if c != key and 2 < len(head[c].strip()) < 30]
        facts = [
            (row[key], head[c].lower(), row[c]) for row in body for c in columns if row[c].strip() and row[key].strip()
        ]
        if len(facts) < 4:
            continue
        other = rng.choice(kept)
        strange = [h.lower() for k, h in enumerate(other[0]) if k != other[1] and 2 < len(h) < 30] or ["owner"]
        asked = []
        for kind in ("known", "known", "row", "column"):
            subject, relation, object = rng.choice(facts)
            subject = rng.choice(other[2])[other[1]] if kind == "row" else subject
            relation = rng.choice(strange) if kind == "column" else relation
            answers = tuple(o for s, r, o in facts if s == subject and r == relation)
            phrase = rng.choice(forms["noun_phrases"][0]).format(a=subject, r=relation)
            question = rng.choice(forms["questions"]).format(phrase)
            if subject.strip():
                asked.append(Asked(reworded(with_part_of_name(question, subject, rng) + "?", rng), answers))
        yield Case(facts, [], asked)


def graphs(folder: Path, rng: Random, count: int) -> Iterator[Case]:
    """Held-out wordings of SimpleQuestions over facts of FB15k-237; unanswerable: the asked facts are left out."""
    graph = Graph(folder)
    rows = [one for one in simple_questions(folder, "calibration") if one.key in graph.by_relation]
    for _ in range(count):
        facts: dict[tuple[str, str, str], None] = {}
        asked, gone, drawn = [], set(), set()
        for one in rng.sample(rows, min(8, len(rows))):
            subject, object = rng.choice(graph.by_relation[one.key])
            if (subject, object) in drawn or max(len(subject), len(object)) >= 80:  # may be lost for another question
                continue
            drawn.add((subject, object))
            topic = object if one.backward else subject
            question = reworded(with_part_of_name(one.question.replace(one.topic, topic), topic, rng), rng)
            relation = rng.choice(one.names)
            around = [(subject, r.rsplit("/", 1)[-1], o) for r, o in graph.others(subject, one.key, 5, rng)]
            facts.update(dict.fromkeys(around))
            if rng.random() < 0.5:
                gone.add((subject, object))
                asked.append(Asked(question, ()))
            else:
                facts[subject, relation, object] = None
                asked.append(Asked(question, (subject if one.backward else object,)))
        yield Case([f for f in facts if (f[0], f[2]) not in gone and len(f[0]) < 80 and len(f[2]) < 80], [], asked)


def articles(folder: Path, rng: Random, count: int) -> Iterator[Case]:
    """Passages of held-out SQuAD articles; unanswerable: questions on passages that are left out."""
    by_title: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in read_rows(folder / "squad" / "squad_train_15k.jsonl.gz"):
        if row.get("title") and use_of(row["title"]) == "calibration":
            by_title[row["title"]].append(row)
    titles = sorted(by_title)
    for _ in range(count):
        title = rng.choice(titles)
        rows = by_title[title]
        texts = list(dict.fromkeys(row["context"] for row in rows))
        kept = set(rng.sample(texts, max(1, min(15, len(texts) // 2))))
        known = [row for row in rows if row["context"] in kept]
        unknown = [row for row in rows if row["context"] not in kept]
        asked = [Asked(row["question"], tuple(row["answers"])) for row in rng.sample(known, min(3, len(known)))]
        asked += [Asked(row["question"], ()) for row in rng.sample(unknown, min(3, len(unknown)))]
        yield Case([], [(title.replace("_", " "), text) for text in sorted(kept)], asked)


def verdicts(folder: Path, rng: Random, count: int) -> Iterator[Case]:
    """Held-out BoolQ questions with their passage among others; unanswerable: with others alone."""
    rows = [row for row in read_rows(folder / "boolq" / "train.jsonl.gz") if held(row["question"])]
    for _ in range(count):
        drawn = rng.sample(rows, 12)
        asked = [Asked(row["question"] + "?", ("yes" if row["answer"] else "no",), True) for row in drawn[:3]]
        asked += [Asked(row["question"] + "?", (), True) for row in drawn[3:6]]
        yield Case([], [(row["title"], row["passage"]) for row in (*drawn[:3], *drawn[6:])], asked)


def worlds(rng: Random, count: int) -> Iterator[Case]:
    """Made worlds with questions of one to three hops, a third of them without an answer."""
    for _ in range(count):
        world = World.sample(rng.randrange(1 << 30), entities=70, relations=rng.sample(split_relations("dev"), 14))
        drawn = world.questions(rng, 6, hops=(1, 1, 2, 3), unanswerable=0.34)
        asked = [Asked(reworded(q.question, rng), q.answers) for q in drawn]
        yield Case(list(world.triples), [], asked + list(_claims(world, rng)))


def _claims(world: World, rng: Random, count: int = 4) -> Iterator[Asked]:
    """Questions for yes or no about the facts of a world: true ones, false ones, and ones that no fact answers."""
    forms = load("requests")["verdict"]
    for _ in range(count):
        subject, relation, object = rng.choice(world.triples)
        lexical, chance = world.relations[relation], rng.random()
        if chance < 0.35 and lexical.functional:
            object = rng.choice([name for name in world.names if world.kind_of[name] == world.kind_of[object]])
        elif chance > 0.7:
            subject = rng.choice([name for name in world.names if world.kind_of[name] == world.kind_of[subject]])
        held_objects = world.ends(subject, relation)
        says = "yes" if object in held_objects else "no" if held_objects and lexical.functional else ""
        question = rng.choice(forms).format(s=subject, o=object, r=lexical.noun)
        yield Asked(reworded(question, rng), (says,) if says else (), True)


def mixed(cases: Sequence[Case], rng: Random) -> list[Case]:
    """The same cases, half of them with the facts of another one, or its passages, beside their own."""
    made = []
    for case in cases:
        other = rng.choice(cases) if rng.random() < 0.5 else case
        facts = list(dict.fromkeys([*case.facts, *(other.facts if not case.facts else ())]))
        passages = list(dict.fromkeys([*case.passages, *(other.passages if not case.passages else ())]))
        made.append(Case(facts, passages, case.asked))
    return made


class Point(NamedTuple):
    """Features of a reading, whether its answer is right, whether there is one, and whether it is a verdict."""

    features: tuple[float, ...]
    right: bool
    answerable: bool
    verdict: bool


def read_cases(cases: Sequence[Case], evidence: Any, encoder: Any) -> Iterator[tuple[Asked, Weighed]]:
    """What the evidence says to every question of every case."""
    for case in tqdm(cases, "memories", disable=None):
        with GraphMemory.open(":memory:", evidence=evidence, encoder=encoder) as memory:
            if case.facts:
                memory.add_many(case.facts)
            if case.passages:
                memory.add_passages(case.passages, tagger=lambda texts: [[] for _ in texts])
            reader = memory.evidence_reader
            assert reader is not None
            for one in case.asked:
                found = memory.retrieve(one.question)
                units = reader.search.find(found)
                readings = reader.read_units(found, units)
                yield one, reader.weighed(found, units, readings, float(one.verdict), excluded(found))


def point(weighed: Weighed, one: Asked) -> Point:
    """Features of what was weighed, by the question's own kind, and whether the answer is right."""
    if one.verdict:
        right = bool(one.answers) and weighed.verdict[0] == one.answers[0] and weighed.verdict_unit is not None
        return Point(verdict_features(weighed), right, bool(one.answers), True)
    texts = [answer.text for answer in answer_set(weighed)]
    right = any(contains(text, one.answers) or contains(answer, [text]) for text in texts[:1] for answer in one.answers)
    return Point(weighed.features(), right, bool(one.answers), False)


def fit(rows: Sequence[Point]) -> list[float]:
    """Weights of a logistic regression, bias first, with a small ridge; Newton's method.

    No feature has a negative weight: one that would is left out, so that the probability grows with each of them.
    """
    x = np.array([(1.0, *row.features) for row in rows])
    y = np.array([row.right for row in rows], float)
    kept = list(range(x.shape[1]))
    while True:
        w = _newton(x[:, kept], y)
        negative = [column for column, value in zip(kept, w, strict=True) if column and value < 0]
        if not negative:
            break
        kept = [column for column in kept if column not in negative]
    found = dict(zip(kept, w.tolist(), strict=True))
    return [float(found.get(column, 0.0)) for column in range(x.shape[1])]


def _newton(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    w = np.zeros(x.shape[1])
    for _ in range(50):
        p = 1 / (1 + np.exp(-np.clip(x @ w, -30, 30)))
        gradient = x.T @ (p - y) + 1e-2 * w
        w -= np.linalg.solve((x.T * (p * (1 - p))) @ x + 1e-2 * np.eye(len(w)), gradient)
    return w


def least_confidence(rows: Sequence[Point], weights: Sequence[float]) -> float:
    """Confidence that ``LOST`` of the right answers do not reach."""
    return float(np.quantile([probability(weights, row.features) for row in rows if row.right], LOST))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the calibration."""
    parser = argparse.ArgumentParser(prog="graphmem train calibration", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the data sets; GRAPHMEM_DATA if left out")
    parser.add_argument("--evidence", type=Path, help="weights of the evidence encoder; the shipped ones if left out")
    parser.add_argument("--out", type=Path, default=FILE)
    parser.add_argument("--cases", type=int, default=25, help="memories of each kind")
    given = started(parser, arguments)
    from graphmem.hub import load_encoder

    torch.manual_seed(given.seed)
    folder, rng = data_folder(given.data), Random(given.seed)
    cases = [case for make in (tables, graphs, articles, verdicts) for case in make(folder, rng, given.cases)]
    cases = mixed([*cases, *worlds(rng, given.cases)], rng)
    read = read_cases(cases, True if given.evidence is None else str(given.evidence), load_encoder())
    rows = [point(weighed, one) for one, weighed in read]
    found: dict[str, Any] = {"least": []}
    for name, verdict in (("answer", False), ("verdict", True)):
        own = [row for row in rows if row.verdict == verdict]
        weights = fit(own)
        least = least_confidence(own, weights) if verdict else LEAST
        found[name] = [round(value, 4) for value in weights]
        found["least"].append(round(least, 4))
        sure = lambda row, weights=weights, least=least: probability(weights, row.features) >= least
        print(json.dumps({
            "kind": name, "n": len(own), "least": least, "right": mean([row.right for row in own if row.answerable]),
            "unanswerable refused": mean([not sure(row) for row in own if not row.answerable]),
            "answerable refused": mean([not sure(row) for row in own if row.answerable]),
        }))  # fmt: skip
    given.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"written: {given.out}")
