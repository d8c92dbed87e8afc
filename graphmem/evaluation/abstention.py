"""Refusals and lists, through ``GraphMemoryModel.ask``: does it say that it does not know, does it say all that is so.

graphmem evaluate answers refusal
graphmem evaluate answers lists
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from graphmem.evaluation.answers import Asked
from graphmem.evaluation.metrics import set_scores
from graphmem.generation.answering import MIN_CONFIDENCE
from graphmem.text.answer_matching import is_right

KNOWN, NO_RELATION, NO_TOPIC = "answerable", "topic known, nothing of the sort", "topic unknown"


@dataclass(frozen=True)
class RefusalReport:
    """Who was refused.

    Attributes:
        precision, recall, f1: of refusing what the memory does not hold.
        refused: share refused of each kind of question.
        n: questions of each kind.
        right: share of the answerable whose first answer was right.
        least: probability of an answer below which was refused.
    """

    precision: float
    recall: float
    f1: float
    refused: dict[str, float]
    n: dict[str, int]
    right: float
    least: float

    def table(self) -> str:
        """For people."""
        lines = [f"{kind:<34} n {self.n[kind]:<4} refused {share:.3f}" for kind, share in self.refused.items()]
        last = f"refusing: precision {self.precision:.3f}, recall {self.recall:.3f}, F1 {self.f1:.3f}"
        return "\n".join([*lines, f"{last}; answerable ones right {self.right:.3f} (least {self.least})"])

    def save(self, path: str | Path) -> None:
        """Write it as JSON."""
        Path(path).write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")


def unanswerable(split: str, n: int, seed: int = 0) -> list[tuple[str, str]]:
    """Questions that WikiMovies does not answer, with their kind, ``n`` of each.

    Topics that it holds, asked for what it says nothing about (relations of the lexicon's test half); and its own
    questions with an invented name in the topic's place.
    """
    from graphmem.core.splits import data_split
    from graphmem.datasets.wikimovies import COVERED, load_facts, load_questions
    from graphmem.synthetic.names import NameGenerator
    from graphmem.text.lexicon import split_relations

    rng = Random(seed)
    relations = [r for r in split_relations("test") if not COVERED.search(r.relation + r.inverse + r.noun)]
    forms = [q for relation in relations for q in relation.questions if "{s}" in q]
    topics = sorted({s for s, _, _ in load_facts() if data_split(s) == split})
    made = [(rng.choice(forms).format(s=rng.choice(topics)), NO_RELATION) for _ in range(n)]
    asked = rng.sample(list(load_questions(split)), n)
    names = NameGenerator(rng).names("person", n)
    return made + [(q.question.replace(q.topic, name), NO_TOPIC) for q, name in zip(asked, names, strict=True)]


def evaluate_refusal(
    model: Any, known: Sequence[Asked], unknown: Sequence[tuple[str, str]], *, least: float = MIN_CONFIDENCE,
    report: Callable[[str], None] = print,
) -> RefusalReport:  # fmt: skip
    """Ask both sorts with ``when_unknown="refuse"``.

    Args:
        model: a ``GraphMemoryModel``.
        known: questions that its memory answers.
        unknown: (question, kind) that it does not.
        least: see ``GraphMemoryModel.ask``.
    """
    options: dict[str, Any] = {"when_unknown": "refuse", "min_confidence": least, "max_new_tokens": 24}
    right, said = [], {KNOWN: []}  # type: list[bool], dict[str, list[bool]]
    for q in known:
        answer = model.ask(q.question, **options)
        said[KNOWN].append(answer.refused)
        right.append(not answer.refused and is_right(answer.text, q.answers))
    for question, kind in unknown:
        said.setdefault(kind, []).append(model.ask(question, **{**options, "max_new_tokens": 1}).refused)
    hits, wrong = sum(sum(s) for kind, s in said.items() if kind != KNOWN), sum(said[KNOWN])
    precision, recall = hits / max(1, hits + wrong), hits / max(1, len(unknown))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    shares = {kind: sum(s) / max(1, len(s)) for kind, s in said.items()}
    made = RefusalReport(
        precision, recall, f1, shares, {k: len(s) for k, s in said.items()}, sum(right) / max(1, len(right)), least
    )
    report(made.table())
    return made


@dataclass(frozen=True, slots=True)
class ListRow:
    """Answers as sets, over the questions of one number of hops: means over questions.

    Attributes:
        precision, recall, f1: of the names said against the right ones.
        exact: share of questions whose set is exactly right.
        first: share whose first name is right.
        answers: right names a question.
    """

    hops: int
    n: int
    precision: float
    recall: float
    f1: float
    exact: float
    first: float
    answers: float


@dataclass(frozen=True)
class ListReport:
    """All rows, and what was said."""

    rows: list[ListRow]
    said: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def table(self) -> str:
        """For people."""
        lines = ["hops  n     answers  precision  recall  F1     exact  first right"]
        for r in self.rows:
            lines.append(
                f"{r.hops:<5} {r.n:<5} {r.answers:<8.1f} {r.precision:<10.3f} {r.recall:<7.3f} {r.f1:.3f}  "
                f"{r.exact:.3f}  {r.first:.3f}"
            )
        return "\n".join(lines)

    def save(self, path: str | Path) -> None:
        """Write rows and answers as JSON."""
        content = {"rows": [asdict(row) for row in self.rows], "answers": self.said}
        Path(path).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def evaluate_lists(
    model: Any, questions: Sequence[Asked], n: int, seed: int = 0, *, report: Callable[[str], None] = print
) -> ListReport:
    """Ask ``n`` questions of each number of hops for all their answers.

    Args:
        model: a ``GraphMemoryModel``.
        questions: to draw from.
        n: of each number of hops.
        seed: of the draw.
    """
    made = ListReport([])
    for hops in sorted({q.hops for q in questions}):
        pool = [q for q in questions if q.hops == hops]
        scores = []
        for q in Random(seed).sample(pool, min(n, len(pool))):
            said = model.ask(q.question, all_answers=True, max_new_tokens=32).answers
            scores.append(set_scores(said, q.answers))
            made.said.append({"question": q.question, "answers": list(q.answers), "said": list(said), "hops": hops})
        means = [sum(column) / max(1, len(scores)) for column in zip(*scores, strict=True)]
        made.rows.append(ListRow(hops, len(scores), *means))
    report(made.table())
    return made
