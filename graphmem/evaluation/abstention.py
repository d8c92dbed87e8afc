"""Refusals of questions that the memory cannot answer, and lists of all answers, through ``GraphMemoryModel.ask``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from graphmem.core.splits import data_split
from graphmem.datasets.wikimovies import COVERED, Question, load_facts, load_questions
from graphmem.evaluation.report import Report
from graphmem.evaluation.statistics import mean, set_scores
from graphmem.synthetic.names import NameGenerator
from graphmem.text.answer_matching import is_right
from graphmem.text.lexicon import split_relations

KNOWN, NO_RELATION, NO_TOPIC = "answerable", "topic known, no such fact", "topic unknown"


@dataclass(frozen=True)
class RefusalReport(Report):
    """Rows with the share refused of each kind of question; precision, recall and F1 of the refusals.

    ``right`` is the share of the answerable questions whose first answer was right.
    """

    precision: float = 0.0
    recall: float = 0.0
    f1: float = 0.0
    right: float = 0.0
    min_confidence: float | None = None

    def table(self) -> str:
        """The rows, and a line of precision, recall and F1."""
        scores = f"precision {self.precision:.3f}, recall {self.recall:.3f}, F1 {self.f1:.3f}"
        least = "calibrated" if self.min_confidence is None else self.min_confidence
        known = f"answerable ones right {self.right:.3f} (min_confidence {least})"
        return f"{super().table()}\n\nrefusals: {scores}; {known}"


def unanswerable_questions(split: str, n: int, seed: int = 0) -> list[tuple[str, str]]:
    """Questions that WikiMovies does not answer, with their kind, ``n`` of each.

    Topics that it holds, asked for relations that it does not (of the lexicon's test half); and its own questions
    with an invented name in the topic's place.
    """
    rng = Random(seed)
    relations = [r for r in split_relations("test") if not COVERED.search(r.relation + r.inverse + r.noun)]
    forms = [q for relation in relations for q in relation.questions if "{s}" in q]
    topics = sorted({s for s, _, _ in load_facts() if data_split(s) == split})
    no_relation = [(rng.choice(forms).format(s=rng.choice(topics)), NO_RELATION) for _ in range(n)]
    drawn = rng.sample(list(load_questions(split)), n)
    names = NameGenerator(rng).names("person", n)
    return no_relation + [(q.question.replace(q.topic, name), NO_TOPIC) for q, name in zip(drawn, names, strict=True)]


def evaluate_refusal(
    model: Any, known: Sequence[Question], unknown: Sequence[tuple[str, str]], *,
    min_confidence: float | None = None,
) -> RefusalReport:  # fmt: skip
    """Ask questions that the memory answers, and (question, kind) that it does not, with ``when_unknown="refuse"``."""
    options: dict[str, Any] = {"when_unknown": "refuse", "min_confidence": min_confidence}
    answers = [model.ask(q.question, **options, max_new_tokens=24) for q in known]
    refused = {KNOWN: [answer.refused for answer in answers]}
    right = [not a.refused and is_right(a.text, q.answers) for q, a in zip(known, answers, strict=True)]
    for question, kind in unknown:
        refused.setdefault(kind, []).append(model.ask(question, **options, max_new_tokens=1).refused)
    hits, false = sum(sum(r) for kind, r in refused.items() if kind != KNOWN), sum(refused[KNOWN])
    precision, recall = hits / max(1, hits + false), hits / max(1, len(unknown))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    rows = [{"questions": kind, "n": len(r), "refused": mean(r)} for kind, r in refused.items()]
    scores = {"precision": precision, "recall": recall, "f1": f1}
    return RefusalReport(rows, **scores, right=mean(right), min_confidence=min_confidence)


@dataclass(frozen=True, slots=True)
class ListRow:
    """Answers as sets, over the questions of one number of hops: means over questions.

    Attributes:
        precision, recall, f1: of the names generated against the right ones.
        exact: share of questions whose set is exactly right.
        first_right: share whose first name is right.
        gold: right names a question.
    """

    hops: int
    n: int
    precision: float
    recall: float
    f1: float
    exact: float
    first_right: float
    gold: float


def evaluate_lists(model: Any, questions: Sequence[Question], n: int, seed: int = 0) -> Report:
    """Ask ``n`` questions of each number of hops for all their answers."""
    report = Report([], seed)
    for hops in sorted({q.hops for q in questions}):
        pool = [q for q in questions if q.hops == hops]
        scores = []
        for q in Random(seed).sample(pool, min(n, len(pool))):
            names = model.ask(q.question, all_answers=True, max_new_tokens=32).answers
            scores.append(set_scores(names, q.answers))
            row = {"question": q.question, "answers": list(q.answers), "generated": list(names), "hops": hops}
            report.answers.append(row)
        report.rows.append(ListRow(hops, len(scores), *(mean(column) for column in zip(*scores, strict=True))))
    return report
