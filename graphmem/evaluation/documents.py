"""Questions answered from documents in memory: SQuAD, 2WikiMultiHopQA and BoolQ, on rows held out of training.

SQuAD and 2WikiMultiHopQA are scored by the words of the answer (exact match, token F1), BoolQ by whether the answer
begins with yes or no as it should. "Not known" counts as an empty answer. The baseline is the base with what the memory
retrieves in its prompt.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from tqdm import tqdm

from graphmem.core.errors import InvalidValue
from graphmem.datasets.document_questions import SETS, Document, DocumentQuestion, load
from graphmem.datasets.files import read_rows
from graphmem.evaluation.answers import PromptedBase, is_refused
from graphmem.evaluation.report import Report
from graphmem.evaluation.statistics import bootstrap_interval, mean
from graphmem.memory import GraphMemory
from graphmem.text.answer_matching import exact_match, token_f1
from graphmem.text.phrases import plain

GRAPHMEM, PROMPTED, MAJORITY = "graphmem", "evidence in the prompt", "the more frequent answer"


@dataclass(frozen=True, slots=True)
class DocumentRow:
    """Means of one method over the questions of one set.

    Attributes:
        exact, f1: match of the answer's words with a gold answer; None for BoolQ.
        right: share that begin with the right one of yes and no; None for the others.
        interval: of ``f1``, or of ``right``; 95 %.
        not_known: share of answers that say that the memory does not know.
        cpu_seconds: processor time of an answer, the median.
    """

    dataset: str
    method: str
    n: int
    exact: float | None
    f1: float | None
    right: float | None
    interval: tuple[float, float]
    not_known: float | None = None
    cpu_seconds: float | None = None


def evaluate_documents(
    attach: Callable[[GraphMemory], Any], sets: Sequence[str] = SETS, *, folder: str | Path | None = None,
    n: int | None = None, seed: int = 0, memory: str | Path | None = None, baseline: bool = False,
    kept: Path | None = None, progress: bool | None = None, log: Callable[[str], None] | None = None,
) -> Report:  # fmt: skip
    """Ask the questions of each set with its documents in memory.

    Args:
        attach: makes a ``GraphMemoryModel`` of a memory; called once a set, then other memories take its place.
        sets: of ``graphmem.datasets.document_questions.SETS``.
        folder: of the data; None for the environment variable GRAPHMEM_DATA.
        n, seed: questions drawn of each set (None: all), and seed of the draw.
        memory: file that keeps the documents of a set whose questions share them; None for a memory in RAM.
        baseline: ask the base with the retrieved evidence in its prompt too.
        kept: file of JSON lines that gets each answer; what it holds, from a stopped run with the same weights, is not
            asked again.
        progress: a progress bar; None shows it on a terminal.
        log: gets each row as soon as it is known.

    Raises:
        InvalidValue: no such set, its file is missing or of another form, or ``kept`` holds something else.
    """
    if unknown := [name for name in sets if name not in SETS]:
        raise InvalidValue(f"no set {unknown[0]!r}; choose of {', '.join(SETS)}")
    report, known = Report([], seed), _known(kept)
    methods = (GRAPHMEM, PROMPTED) if baseline else (GRAPHMEM,)
    for name in sets:
        documents, questions = load(name, folder)
        places: Sequence[int] = range(len(questions))
        if n is not None and n < len(questions):  # in the order of the file, where questions share their documents
            places = sorted(Random(seed).sample(places, n))
        due = [at for at in places if any((name, method, at) not in known for method in methods)]
        if due:
            with _attached(attach, documents, memory, progress) as model, _bar(name, len(due), progress) as bar:
                for at, question in zip(due, _each(model, [questions[at] for at in due]), strict=True):
                    for method in (method for method in methods if (name, method, at) not in known):
                        asked = model if method == GRAPHMEM else PromptedBase(model)
                        row = {"dataset": name, "method": method, "number": at, **_ask(asked, question, name)}
                        known[name, method, at] = row
                        _keep(kept, row)
                    bar.update()
        answers = {method: [known[name, method, at] for at in places] for method in methods}
        means = [_row(name, method, rows) for method, rows in answers.items() if rows]
        means += [_majority(name, [questions[at] for at in places])] if name == "boolq" and places else []
        for mean_row in means:
            report.rows.append(mean_row)
            if log:
                log(report.table().splitlines()[-1])
        report.answers.extend(answer for rows in answers.values() for answer in rows)
    return report


def _known(path: Path | None) -> dict[tuple[str, str, int], dict[str, Any]]:
    """Answers of an earlier run by set, method and place of the question in the set."""
    if path is None or not path.exists():
        return {}
    try:
        return {(row["dataset"], row["method"], row["number"]): row for row in read_rows(path)}
    except (KeyError, TypeError) as error:
        raise InvalidValue(f"{path} holds no answers of this command; give another file") from error


def _keep(path: Path | None, row: dict[str, Any]) -> None:
    if path is not None:
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _bar(name: str, total: int, progress: bool | None) -> Any:
    return tqdm(total=total, desc=name, unit="question", disable=None if progress is None else not progress)


@contextmanager
def _attached(
    attach: Callable[[GraphMemory], Any], documents: Sequence[Document], path: str | Path | None, progress: bool | None
) -> Iterator[Any]:
    """A model on a memory that holds the documents; those that the file holds already are skipped."""
    with GraphMemory.open(path if path and documents else ":memory:") as opened:
        if documents:
            opened.add_passages(documents, progress=progress is not False)
        model = attach(opened)
        try:
            yield model
        finally:
            model.detach()


def _each(model: Any, questions: Sequence[DocumentQuestion]) -> Iterator[DocumentQuestion]:
    """The questions one after the other, each as soon as the model's memory holds its documents, and those alone."""
    shared = model.memory
    for documents, group in groupby(questions, key=lambda question: question.documents):
        if not documents:
            yield from group
            continue
        with GraphMemory.open(":memory:", encoder=shared.encoder) as own:
            own.add_passages(list(documents))
            model.memory = own
            yield from group
    model.memory = shared


def _ask(model: Any, question: DocumentQuestion, name: str) -> dict[str, Any]:
    started = time.process_time()
    answer = model.ask(question.text)
    seconds = time.process_time() - started
    refused = is_refused(answer)
    text = "" if refused else str(answer.text)
    scores: dict[str, Any] = {"right": float(plain(text).split()[:1] == list(question.answers))}
    if name != "boolq":
        scores = {"exact": float(exact_match(text, question.answers)), "f1": token_f1(text, question.answers)}
    return {
        "question": question.text, "answers": list(question.answers), "text": str(answer.text), "refused": refused,
        "confidence": getattr(answer, "confidence", None), "cpu_seconds": seconds, **scores,
    }  # fmt: skip


def _row(name: str, method: str, answers: Sequence[dict[str, Any]]) -> DocumentRow:
    columns = {key: [one[key] for one in answers] for key in ("exact", "f1", "right") if key in answers[0]}
    means = {key: mean(columns[key]) if key in columns else None for key in ("exact", "f1", "right")}
    interval = bootstrap_interval(columns.get("f1") or columns["right"])
    refused, seconds = mean([one["refused"] for one in answers]), median(one["cpu_seconds"] for one in answers)
    return DocumentRow(name, method, len(answers), **means, interval=interval, not_known=refused, cpu_seconds=seconds)


def _majority(name: str, questions: Sequence[DocumentQuestion]) -> DocumentRow:
    gold = [question.answers for question in questions]
    most = max(sorted(set(gold)), key=gold.count)
    right = [float(answers == most) for answers in gold]
    return DocumentRow(name, MAJORITY, len(gold), None, None, mean(right), bootstrap_interval(right))
