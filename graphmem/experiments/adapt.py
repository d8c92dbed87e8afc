"""Adaptation to a new domain: sentences are read fact by fact without a gradient step, with LoRA as a baseline.

A memory holds films. Sentences of a domain held out of all training are read through the write gate; all questions
about the domain are asked at intervals, and questions about films before and after. LoRA is trained on the same
sentences for as many CPU seconds as reading took, then for ten times as many (``--lora 1,10``).

Domains: invented facts (these ship), WebNLG's held-out categories, and ICEWS14's new actors by date (with ``--data``).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from graphmem.consolidation.weights import ReplayConfig, consolidate_into_weights
from graphmem.core.types import Fact
from graphmem.datasets.wikimovies import Question, held_out, neighbourhood
from graphmem.experiments.harness.report import Row, row_of
from graphmem.experiments.harness.runs import Part, Parts, Run, parse
from graphmem.experiments.tasks.benchmark_facts import FILES, folder_with
from graphmem.experiments.tasks.domain_lessons import Lesson, icews, icews_before, invented, webnlg
from graphmem.hub import load_language_model
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel
from graphmem.text.answer_matching import contains
from graphmem.visualization.charts import Point, line_chart

OLD = "films (old domain)"
_SHARES, _QUICK_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.5, 1.0)
_PAST = 2_000


def answer(model: Any, questions: Sequence[Question | Lesson]) -> tuple[list[float], list[str]]:
    """Whether each generated answer holds a right name, and the answers."""
    texts = [model.ask(q.question, max_new_tokens=24).text for q in questions]
    return [float(contains(text, q.answers)) for text, q in zip(texts, questions, strict=True)], texts


@dataclass
class DomainRun:
    """One domain: its lessons, questions about films, and earlier facts of the domain that the memory holds."""

    run: Run
    domain: str
    lessons: list[Lesson]
    old: list[Question]
    known: list[Fact]
    times: tuple[int, ...]
    rows: list[Row] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)

    def run_all(self, base: Any, tokenizer: Any) -> Part:
        """Read the domain, then train the baseline; answer the questions after each."""
        with GraphMemory.open(":memory:") as memory:
            memory.add_many([*neighbourhood((q.topic for q in self.old), at_least=1_000), *self.known])
            model = GraphMemoryModel.from_pretrained(base, self.run.weights, memory=memory, tokenizer=tokenizer)
            try:
                self._ask_old("graphmem", "before", model)
                seconds = self._read(model)
                self._ask_old("graphmem", "after", model)
                self._add("graphmem", "CPU s to learn", seconds)
                for times in self.times:
                    name = "LoRA, as much compute" if times == 1 else f"LoRA, {times} times as much"
                    self._train_lora(model, seconds * times, name)
                with model.memory_disabled():
                    self._add("closed book", "right, 100% read", answer(model, self.lessons)[0])
            finally:
                model.detach()
        return Part(self.rows, self.details)

    def _add(self, method: str, measure: str, value: float | list[float], dataset: str = "", note: str = "") -> None:
        """A row of a list of figures with its interval, or of one figure."""
        dataset = dataset or self.domain
        if isinstance(value, list):
            self.rows.append(row_of(dataset, method, measure, value, seed=self.run.seed, note=note))
        else:
            self.rows.append(Row(dataset, method, measure, value, len(self.lessons)))

    def _ask_old(self, method: str, when: str, model: Any) -> None:
        self._add(method, f"right {when}", answer(model, self.old)[0], f"{OLD}, with {self.domain}")

    def _ask_new(self, method: str, share: float, model: Any) -> list[float]:
        right, texts = answer(model, self.lessons)
        for lesson, text in zip(self.lessons, texts, strict=True):
            self.details.append({
                "domain": self.domain, "method": method, "read": share, "sentence": lesson.sentence,
                "question": lesson.question, "answers": list(lesson.answers), "text": text,
            })  # fmt: skip
        return right

    def _read(self, model: Any) -> float:
        """Read sentence by sentence; ask all questions at every share read. Returns the CPU seconds of reading."""
        seconds, read = 0.0, 0
        for share in _QUICK_SHARES if self.run.quick else _SHARES:
            started = time.process_time()
            for lesson in self.lessons[read : round(share * len(self.lessons))]:
                when, extractor = (lesson.fact.valid_from, lesson) if lesson.fact else (None, None)
                model.read(lesson.sentence, apply=True, source=self.domain, at=when, extractor=extractor, keep=False)
            seconds, read = seconds + time.process_time() - started, round(share * len(self.lessons))
            right = self._ask_new("graphmem", share, model)
            last = self.lessons[read - 1].fact if read else None
            note = f"read up to {last.valid_from}" if last else ""
            self._add("graphmem", f"right, {share:.0%} read", right, note=note)
            self._add("graphmem", f"right, {share:.0%} read, of those", right[:read])
        return seconds

    def _train_lora(self, model: Any, seconds: float, method: str) -> None:
        """LoRA on the same sentences; asked without the memory, except for questions about films."""
        pairs = [("", lesson.sentence) for lesson in self.lessons]
        steps = self.run.steps or 10_000
        config = ReplayConfig(steps=steps, seconds=max(seconds, 1.0), seed=self.run.seed, rank=16)
        done = consolidate_into_weights(model, texts=pairs, config=config)
        with model.memory_disabled():
            right = self._ask_new(method, 1.0, model)
        self._add(method, "right, 100% read", right, note=f"{done.steps} steps of {config.batch_size} sentences")
        self._ask_old(method, "after", model)
        self._add(method, "CPU s to learn", done.seconds)
        done.adapter.unload()


def curve(rows: Sequence[Row], path: Path) -> Path:
    """Draw the share of right answers against the share read."""
    points = [
        Point(f"{r.method}: {r.dataset}", float(r.measure.split()[1].strip("%,")), r.value, r.low, r.high)
        for r in rows
        if r.measure.endswith("% read") and r.value is not None
    ]
    return line_chart(points, path, title="adapt: right answers about a new domain", x_label="% read", y_label="right")


def domains(run: Run, count: int) -> Iterator[tuple[str, list[Lesson], list[Fact]]]:
    """Each domain of the run: its name, its lessons, and the earlier facts of it."""
    if run.wants("invented world"):
        yield "invented world", invented(count, run.seed), []
    if folder := folder_with(run, "WebNLG", quick=True):
        yield "WebNLG", webnlg(folder / FILES["WebNLG"], count, run.seed), []
    if folder := folder_with(run, "ICEWS14", quick=True):
        home = folder / FILES["ICEWS14"]
        yield "ICEWS14", icews(home, count, run.seed), icews_before(home, _PAST, run.seed)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    multiples = {"default": "1,10", "help": "multiples of the CPU time of reading for LoRA (1,10)"}
    run = parse("adapt", __doc__, arguments, lora=multiples)
    times = tuple(map(int, run.options["lora"].split(",")))
    count = run.n or (12 if run.quick else 60)
    base, tokenizer = load_language_model(run.model)
    old = random.Random(run.seed).sample(held_out(1), min(2 * count, 10 if run.quick else 20))
    parts = Parts(run)
    for domain, lessons, known in domains(run, count):
        task = DomainRun(run, domain, lessons, old, known, times)
        parts.do(domain, partial(task.run_all, base, tokenizer), count=len(lessons), lora=times, steps=run.steps)
    notes = (
        "right: the answer holds a right name. Reading takes no gradient step; LoRA trains on the same sentences for "
        f"{' and '.join(map(str, times))} times as many CPU seconds as reading them took, and answers without the "
        "memory (films: with it).",
        "Films: one-hop questions of the held-out topics, from the facts that the memory held before.",
        "WebNLG and ICEWS14 need --data; no shipped weights were trained on them. Of WebNLG three categories, drawn by "
        "seed 0; of ICEWS14 actors without an event before November 2014, with "
        f"{_PAST:,} earlier events. Its events go to the write gate as records, by date; WebNLG's and the invented "
        "facts are extracted from sentences.",
    )
    parts.finish(notes, {"films": ["right before", "right after"]})
    print(curve(parts.rows, run.out / "adapt.png"))
