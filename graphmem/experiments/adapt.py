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
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from graphmem.consolidation.weights import ReplayConfig, consolidate_into_weights
from graphmem.core.types import Fact
from graphmem.datasets.wikimovies import held_out, neighbourhood
from graphmem.experiments.harness.report import Result, Row, row_of
from graphmem.experiments.harness.runs import Part, Parts, Run, parse, parser
from graphmem.experiments.tasks.domain_lessons import Lesson, icews, icews_before, invented, webnlg
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel
from graphmem.text.answer_matching import contains

DOMAINS = ("invented world", "WebNLG", "ICEWS14")
OLD = "films (old domain)"
_SHARES, _QUICK_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0), (0.0, 0.5, 1.0)
_PAST = 2_000


def answer(model: Any, questions: Sequence[tuple[str, Sequence[str]]]) -> tuple[list[float], list[str]]:
    """Whether each generated answer holds a right name, and the answers."""
    texts = [model.ask(question, max_new_tokens=24).text for question, _ in questions]
    return [float(contains(text, answers)) for text, (_, answers) in zip(texts, questions, strict=True)], texts


@dataclass
class DomainRun:
    """One domain: its lessons, questions about films, and earlier facts of the domain that the memory holds."""

    run: Run
    domain: str
    lessons: list[Lesson]
    old: list[Any]
    known: list[Fact] = field(default_factory=list)
    times: tuple[int, ...] = (1, 10)

    @property
    def new(self) -> list[tuple[str, Sequence[str]]]:
        """Questions about the new domain."""
        return [(lesson.question, lesson.answers) for lesson in self.lessons]

    @property
    def films(self) -> list[tuple[str, Sequence[str]]]:
        """Questions about the old domain."""
        return [(question.question, question.answers) for question in self.old]

    def run_all(self, base: Any, tokenizer: Any) -> Part:
        """Read the domain, then train the baseline; answer the questions after each."""
        with GraphMemory.open(":memory:") as memory:
            memory.add_many([*neighbourhood((q.topic for q in self.old), at_least=1_000), *self.known])
            model = GraphMemoryModel.from_pretrained(base, self.run.weights, memory=memory, tokenizer=tokenizer)
            try:
                rows, details = list[Row](), list[dict[str, Any]]()
                rows += self._old("graphmem", "before", model)
                seconds = self._read(model, rows, details)
                rows += self._old("graphmem", "after", model)
                rows.append(Row(self.domain, "graphmem", "CPU s to learn", seconds, len(self.lessons)))
                rows += self._lora(model, seconds, details)
            finally:
                model.detach()
        return Part(rows, details)

    def _old(self, method: str, when: str, model: Any) -> list[Row]:
        right, _ = answer(model, self.films)
        return [row_of(f"{OLD}, with {self.domain}", method, f"right {when}", right, seed=self.run.seed)]

    def _read(self, model: Any, rows: list[Row], details: list[dict[str, Any]]) -> float:
        """Read sentence by sentence; ask all questions at every share read. Returns the CPU seconds of reading."""
        seconds, read = 0.0, 0
        for share in _QUICK_SHARES if self.run.quick else _SHARES:
            started = time.process_time()
            for lesson in self.lessons[read : round(share * len(self.lessons))]:
                when, extractor = (lesson.fact.valid_from, lesson) if lesson.fact else (None, None)
                model.read(lesson.sentence, apply=True, source=self.domain, at=when, extractor=extractor)
            seconds, read = seconds + time.process_time() - started, round(share * len(self.lessons))
            right, texts = answer(model, self.new)
            measure, last = f"right, {share:.0%} read", self.lessons[read - 1].fact if read else None
            note = f"read up to {last.valid_from}" if last else ""
            rows.append(row_of(self.domain, "graphmem", measure, right, seed=self.run.seed, note=note))
            rows.append(row_of(self.domain, "graphmem", f"{measure}, of those", right[:read], seed=self.run.seed))
            details += list(self._details("graphmem", share, texts))
        return seconds

    def _lora(self, model: Any, seconds: float, details: list[dict[str, Any]]) -> Iterator[Row]:
        """LoRA on the same sentences for as long, and longer; without the memory, except for questions about films."""
        for times in self.times:
            yield from self._trained(model, seconds * times, _lora_name(times), details)
        with model.memory_disabled():
            right, _ = answer(model, self.new)
        yield row_of(self.domain, "closed book", "right, 100% read", right, seed=self.run.seed)

    def _trained(self, model: Any, seconds: float, method: str, details: list[dict[str, Any]]) -> Iterator[Row]:
        pairs = [("", lesson.sentence) for lesson in self.lessons]
        steps = self.run.steps or 10_000
        config = ReplayConfig(steps=steps, seconds=max(seconds, 1.0), seed=self.run.seed, rank=16)
        done = consolidate_into_weights(model, texts=pairs, config=config)
        with model.memory_disabled():
            right, texts = answer(model, self.new)
        details += list(self._details(method, 1.0, texts))
        note = f"{done.steps} steps of {config.batch_size} sentences"
        yield row_of(self.domain, method, "right, 100% read", right, seed=self.run.seed, note=note)
        yield from self._old(method, "after", model)
        yield Row(self.domain, method, "CPU s to learn", done.seconds, len(pairs))
        done.adapter.unload()

    def _details(self, method: str, share: float, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
        for lesson, text in zip(self.lessons, texts, strict=True):
            yield {
                "domain": self.domain, "method": method, "read": share, "sentence": lesson.sentence,
                "question": lesson.question, "answers": list(lesson.answers), "text": text,
            }  # fmt: skip


def _lora_name(times: int) -> str:
    return "LoRA, as much compute" if times == 1 else f"LoRA, {times} times as much"


def curve(result: Result, path: Path) -> Path:
    """Draw the share of right answers against the share read."""
    from graphmem.visualization.charts import Point, line_chart

    points = [
        Point(f"{r.method}: {r.dataset}", float(r.measure.split()[1].strip("%,")), r.value, r.low, r.high)
        for r in result.rows
        if r.measure.endswith("% read") and r.value is not None
    ]
    return line_chart(points, path, title="adapt: right answers about a new domain", x_label="% read", y_label="right")


def domains(run: Run, count: int) -> Iterator[tuple[str, list[Lesson], list[Fact]]]:
    """Each domain of the run: its name, its lessons, and the earlier facts of it."""
    wanted = [domain for domain in DOMAINS if not run.datasets or domain in run.datasets]
    if "invented world" in wanted:
        yield "invented world", invented(count, run.seed), []
    text = run.data / "webnlg" / "dev.jsonl.gz" if run.data else None
    if "WebNLG" in wanted and text and text.exists():
        yield "WebNLG", webnlg(text, count, run.seed), []
    folder = run.data / "icews14" if run.data else None
    if "ICEWS14" in wanted and folder and folder.exists():
        yield "ICEWS14", icews(folder, count, run.seed), icews_before(folder, _PAST, run.seed)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    from graphmem.hub import load_language_model

    made = parser("adapt", __doc__)
    made.add_argument("--lora", default="1,10", help="multiples of the CPU time of reading for LoRA (1,10)")
    given = made.parse_args(arguments)
    run = replace(parse(made, "adapt", arguments), options=("--lora", given.lora))
    times = tuple(map(int, given.lora.split(",")))
    count = run.n or (12 if run.quick else 60)
    base, tokenizer = load_language_model(run.model)
    old = random.Random(run.seed).sample(held_out(1), min(2 * count, 10 if run.quick else 20))
    parts = Parts(run)
    for domain, lessons, known in domains(run, count):
        task = DomainRun(run, domain, lessons, old, known, times)
        parts.do(domain, partial(task.run_all, base, tokenizer), count=len(lessons), lora=times, steps=run.steps)
    result = parts.result((
        "right: the answer holds a right name. Reading takes no gradient step; LoRA trains on the same sentences for "
        f"{' and '.join(map(str, times))} times as many CPU seconds as reading them took, and answers without the "
        "memory (films: with it).",
        "Films: one-hop questions of the held-out topics, from the facts that the memory held before.",
        "WebNLG and ICEWS14 need --data; no shipped weights were trained on them. Of WebNLG three "
        "categories, always the same; of ICEWS14 actors without an event before November 2014, with "
        f"{_PAST:,} earlier events. Its events go to the write gate as records, by date; WebNLG's and the invented "
        "facts are extracted from sentences.",
    ))  # fmt: skip
    print(result.markdown())
    for written in [*result.save(run.out, plots={"films": ["right before", "right after"]})]:
        print(written)
    print(curve(result, run.out / "adapt.png"))
