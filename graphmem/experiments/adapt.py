"""Adaptation out of distribution: a new domain is read fact by fact, without a gradient step, beside LoRA.

    graphmem experiment adapt [--quick]

A memory knows about films. Then sentences of a domain that no shipped weight was trained on are read one after another
through the write gate; all questions about the domain are asked now and then, and questions about films before and
after. LoRA is trained on the same sentences for as many CPU seconds as the reading took, and asked the same.
"""

from __future__ import annotations

import gzip
import json
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from graphmem.evaluation_answers import contains
from graphmem.evaluation_reading import words_of
from graphmem.experiments.result import Result, Row, row_of
from graphmem.experiments.runs import Part, Parts, Run, parse, parser
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel
from graphmem.replay import ReplayConfig, consolidate_into_weights
from graphmem.wikimovies import held_out, neighbourhood
from graphmem.worlds import World, split_relations

DOMAINS = ("invented world", "WebNLG")
OLD = "films (old domain)"
_SHARES = (0.0, 0.25, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Lesson:
    """A sentence of the new domain, a question about its one fact, and the answers that are right."""

    sentence: str
    question: str
    answers: tuple[str, ...]


def invented(count: int, seed: int) -> list[Lesson]:
    """Facts between made-up names, by relations whose wordings the retriever was not trained on."""
    rng = random.Random(seed)
    known = split_relations("test")
    by_name = {relation.relation: relation for relation in known}
    world = World.sample(rng, entities=max(60, 3 * count), relations=known)
    answers: dict[tuple[str, str], list[str]] = {}
    for subject, relation, value in world.triples:
        answers.setdefault((subject, relation), []).append(value)
    single = [(s, r, values[0]) for (s, r), values in answers.items() if len(values) == 1 and r in by_name]
    chosen = rng.sample(single, min(count, len(single)))
    return [
        Lesson(_sentence(by_name[r].statements[0].format(s=s, o=o)), by_name[r].questions[0].format(s=s), (o,))
        for s, r, o in chosen
    ]


def webnlg(path: Path, count: int, seed: int) -> list[Lesson]:
    """Sentences of WebNLG that state one fact between names; no shipped weight was trained on any of it."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if len(row["triples"]) == 1]
    found: dict[tuple[str, str], Lesson] = {}
    for row in random.Random(seed).sample(rows, len(rows)):
        subject, relation, value = row["triples"][0]
        names = {m["entity"]: m["surface"] for m in row["mentions"] if m["type"] == "name"}
        if subject in names and value in names:
            question = f"What is the {words_of(relation)} of {names[subject]}?"
            found.setdefault((subject, relation), Lesson(row["text"], question, (value, names[value])))
    return list(found.values())[:count]


def _sentence(text: str) -> str:
    text = text[:1].upper() + text[1:]
    return text if text.endswith(".") else f"{text}."


# ---------------------------------------------------------------- asking


def asked(model: Any, questions: Sequence[tuple[str, Sequence[str]]]) -> tuple[list[float], list[str]]:
    """Which answers hold a right name, and what was said."""
    said = [model.ask(question, max_new_tokens=24).text for question, _ in questions]
    return [float(contains(s, answers)) for s, (_, answers) in zip(said, questions, strict=True)], said


@dataclass
class Course:
    """One domain's run: lessons, old questions, the model with its memory of films."""

    run: Run
    domain: str
    lessons: list[Lesson]
    old: list[Any]

    @property
    def new(self) -> list[tuple[str, Sequence[str]]]:
        """Questions about the new domain."""
        return [(lesson.question, lesson.answers) for lesson in self.lessons]

    @property
    def films(self) -> list[tuple[str, Sequence[str]]]:
        """Questions about the old domain."""
        return [(question.question, question.answers) for question in self.old]

    def go(self, base: Any, tokenizer: Any) -> Part:
        """Read, ask, and train and ask the rival."""
        with GraphMemory.open(":memory:") as memory:
            memory.add_many(neighbourhood((q.topic for q in self.old), at_least=1_000))
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
        right, _ = asked(model, self.films)
        return [row_of(f"{OLD}, beside {self.domain}", method, f"right {when}", right, seed=self.run.seed)]

    def _read(self, model: Any, rows: list[Row], details: list[dict[str, Any]]) -> float:
        """Read sentence by sentence; ask all at every share read. Returns CPU seconds of the reading."""
        seconds, read = 0.0, 0
        for share in _SHARES:
            begun = time.process_time()
            for lesson in self.lessons[read : round(share * len(self.lessons))]:
                model.read(lesson.sentence, apply=True, source=self.domain)
            seconds, read = seconds + time.process_time() - begun, round(share * len(self.lessons))
            right, said = asked(model, self.new)
            measure = f"right, {share:.0%} read"
            rows.append(row_of(self.domain, "graphmem", measure, right, seed=self.run.seed))
            rows.append(row_of(self.domain, "graphmem", f"{measure}, of those", right[:read], seed=self.run.seed))
            details += list(self._details("graphmem", share, said))
        return seconds

    def _lora(self, model: Any, seconds: float, details: list[dict[str, Any]]) -> Iterator[Row]:
        """LoRA on the same sentences for as long; it answers alone, and the films with the memory beside it."""
        texts = [("", lesson.sentence) for lesson in self.lessons]
        steps = self.run.steps or 10_000
        config = ReplayConfig(steps=steps, seconds=max(seconds, 1.0), seed=self.run.seed, rank=16)
        done = consolidate_into_weights(model, texts=texts, config=config)
        with model.memory_disabled():
            right, said = asked(model, self.new)
        details += list(self._details("LoRA", 1.0, said))
        note = f"{done.steps} steps of {config.batch} sentences"
        yield row_of(self.domain, "LoRA, as much compute", "right, 100% read", right, seed=self.run.seed, note=note)
        yield from self._old("LoRA, as much compute", "after", model)
        yield Row(self.domain, "LoRA, as much compute", "CPU s to learn", done.seconds, len(texts))
        done.adapter.unload()
        with model.memory_disabled():
            right, _ = asked(model, self.new)
        yield row_of(self.domain, "closed book", "right, 100% read", right, seed=self.run.seed)

    def _details(self, method: str, share: float, said: Sequence[str]) -> Iterator[dict[str, Any]]:
        for lesson, text in zip(self.lessons, said, strict=True):
            yield {
                "domain": self.domain, "method": method, "read": share, "sentence": lesson.sentence,
                "question": lesson.question, "answers": list(lesson.answers), "said": text,
            }  # fmt: skip


# ---------------------------------------------------------------- the command


def curve(result: Result, path: Path) -> Path:
    """Draw how many answers are right against how much was read."""
    from graphmem.plots import Point, line_chart

    points = [
        Point(f"{r.method}: {r.dataset}", float(r.measure.split()[1].strip("%,")), r.value, r.low, r.high)
        for r in result.rows
        if r.measure.endswith("% read") and r.value is not None
    ]
    return line_chart(points, path, title="adapt: right answers about a new domain", x_label="% read", y_label="right")


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    from graphmem.resolver import find_language_model

    run = parse(parser("adapt", __doc__), "adapt", arguments)
    count = run.n or (12 if run.quick else 60)
    courses = {"invented world": lambda: invented(count, run.seed)}
    path = run.data / "webnlg" / "dev.jsonl.gz" if run.data else None
    if path and path.exists():
        courses["WebNLG"] = lambda: webnlg(path, count, run.seed)
    base, tokenizer = find_language_model(run.model)
    old = random.Random(run.seed).sample(held_out(1), min(2 * count, 10 if run.quick else 40))
    parts = Parts(run)
    for domain, lessons in courses.items():
        if not run.datasets or domain in run.datasets:
            course = Course(run, domain, lessons(), old)
            parts.do(domain, partial(course.go, base, tokenizer), count=count)
    result = parts.result((
        "Right: the answer holds a right name. Reading takes no gradient step; LoRA trains on the same sentences for "
        "as many CPU seconds as reading them took, and answers without the memory (films: with it).",
        "Films: one-hop questions of the held-out topics, out of the memory that was there before.",
        "WebNLG is read with --data only; nothing that ships was trained on it, so every category is new.",
    ))  # fmt: skip
    result.print()
    for written in [*result.save(run.out, plots={"films": ["right before", "right after"]})]:
        print(written)
    print(curve(result, run.out / "adapt.png"))


if __name__ == "__main__":
    main()
