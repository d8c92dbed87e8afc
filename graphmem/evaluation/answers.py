"""Spoken answers, scored: the model alone, the same retrieved facts in its prompt, the memory read inside its layers,
and the retriever's best node said as it stands (what the language model itself adds must show against that)."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.names import normalise
from graphmem.generation.batching import generate_texts
from graphmem.text.answer_matching import contains, is_right

METHODS = ("model alone", "facts in the prompt", "graphmem", "best node as it stands")


class Asked(Protocol):
    """A question with its right answers, as ``graphmem.datasets.wikimovies.Question``."""

    @property
    def question(self) -> str: ...
    @property
    def answers(self) -> Sequence[str]: ...
    @property
    def hops(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Spoken:
    """What one method said to one question."""

    text: str
    right: bool
    contains: bool
    prompt_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Score:
    """One row of the report.

    Attributes:
        method: one of ``METHODS``.
        hops: of the questions.
        n: how many.
        right: share whose first answer equals a right one.
        contains: share that holds a right answer anywhere.
        n_new, right_new: the same for questions none of whose answers was an answer in training.
        prompt_tokens: mean length of the prompt.
        seconds: mean per answer, in batches; retrieval included where there is one.
    """

    method: str
    hops: int
    n: int
    right: float
    contains: float
    n_new: int
    right_new: float | None
    prompt_tokens: float
    seconds: float


@dataclass(frozen=True)
class AnswerReport:
    """All rows, and the questions behind them."""

    rows: list[Score]
    seed: int
    answers: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def table(self) -> str:
        """The rows as a table for people."""
        lines = ["hops  n     method                  right  contains  new (n)       prompt tokens  s/answer"]
        for r in self.rows:
            new = f"{r.right_new:.3f} ({r.n_new})" if r.right_new is not None else "-"
            lines.append(
                f"{r.hops:<5} {r.n:<5} {r.method:<23} {r.right:.3f}  {r.contains:.3f}     {new:<13} "
                f"{r.prompt_tokens:<14.0f} {r.seconds:.3f}"
            )
        return "\n".join(lines)

    def save(self, path: str | Path) -> None:
        """Write rows and answers as JSON."""
        content = {"seed": self.seed, "rows": [asdict(row) for row in self.rows], "answers": self.answers}
        Path(path).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def facts_prompt(tokenizer: Any, question: str, facts: Sequence[Any], limit: int = 50) -> str:
    """The rival's prompt: at most ``limit`` retrieved facts as sentences, then the question."""
    lines = "\n".join(f"{fact.subject} {fact.relation} {fact.object}." for fact in list(facts)[:limit])
    text = f"Facts:\n{lines}\n\nUse the facts. Answer with a name only."
    return chat_prompt(tokenizer, f"Question: {question}", text)


def evaluate_answers(
    model: Any, memory: Any = None, questions: Sequence[Asked] | None = None, n: int = 300, seed: int = 0, *,
    methods: Sequence[str] = METHODS, facts: int = 50, batch: int = 16, max_new_tokens: int = 32,
    known: Iterable[str] | None = None, report: Callable[[str], None] = print,
) -> AnswerReport:  # fmt: skip
    """Ask ``n`` questions of each number of hops in every way, greedily, and score what is said first.

    Args:
        model: a ``GraphMemoryModel``.
        memory: asked instead of the model's own, if given.
        questions: to draw from; None takes WikiMovies questions whose topics were never trained on.
        n: questions per number of hops.
        seed: of the draw.
        methods: which of ``METHODS``.
        facts: most facts in the rival's prompt.
        batch: questions decoded at once.
        max_new_tokens: most tokens of an answer.
        known: names that were answers in training; None takes WikiMovies' training answers.
        report: gets each line as soon as it is known.
    """
    from graphmem.datasets.wikimovies import load_questions, trained_answers

    pool = list(questions) if questions is not None else list(load_questions("test"))
    trained = {normalise(name) for name in (known if known is not None else trained_answers())}
    made = AnswerReport([], seed)
    report(made.table())
    for hops in sorted({question.hops for question in pool}):
        asked = [question for question in pool if question.hops == hops]
        asked = Random(seed).sample(asked, min(n, len(asked)))
        found = _retrieve(model, memory, asked)
        for method in methods:
            spoken = _speak(model, method, asked, found, facts, batch, max_new_tokens)
            made.rows.append(_score(method, hops, asked, spoken, trained))
            made.answers.extend(
                {"method": method, "question": q.question, "answers": list(q.answers), "hops": hops, **asdict(s)}
                for q, s in zip(asked, spoken, strict=True)
            )
            report(made.table().splitlines()[-1])
    return made


def _retrieve(model: Any, memory: Any, asked: Sequence[Asked]) -> list[tuple[Any, float]]:
    found, source = [], memory if memory is not None else model.memory
    for question in asked:
        started = time.perf_counter()
        found.append((source.retrieve(question.question, top_k=model.config.max_nodes), time.perf_counter() - started))
    return found


def speak(
    model: Any, memory: Any, asked: Sequence[Any], methods: Sequence[str], facts: int, batch: int, limit: int
) -> Iterator[tuple[str, list[Spoken]]]:  # fmt: skip
    """Each method with what it says to every question; the memory is searched once for all."""
    found = _retrieve(model, memory, asked)
    for method in methods:
        yield method, _speak(model, method, asked, found, facts, batch, limit)


def _speak(
    model: Any,
    method: str,
    asked: Sequence[Asked],
    found: Sequence[tuple[Any, float]],
    facts: int,
    batch: int,
    limit: int,
) -> list[Spoken]:
    if method == METHODS[3]:
        said = [retrieval.nodes[0].name if len(retrieval.nodes) else "" for retrieval, _ in found]
        return [_judge(text, q, 0, s) for text, q, (_, s) in zip(said, asked, found, strict=True)]
    prompts = [
        facts_prompt(model.tokenizer, q.question, retrieval.facts, facts)
        if method == METHODS[1]
        else chat_prompt(model.tokenizer, q.question)
        for q, (retrieval, _) in zip(asked, found, strict=True)
    ]
    retrievals = [retrieval for retrieval, _ in found] if method == METHODS[2] else None
    texts = generate_texts(model, prompts, retrievals, batch=batch, max_new_tokens=limit)
    extra = [0.0 if method == METHODS[0] else seconds for _, seconds in found]
    return [_judge(t, q, tokens, s + e) for (t, tokens, s), q, e in zip(texts, asked, extra, strict=True)]


def _judge(text: str, question: Asked, tokens: int, seconds: float) -> Spoken:
    return Spoken(text, is_right(text, question.answers), contains(text, question.answers), tokens, seconds)


def _score(method: str, hops: int, asked: Sequence[Asked], spoken: Sequence[Spoken], trained: set[str]) -> Score:
    new = [s.right for q, s in zip(asked, spoken, strict=True) if not trained & {normalise(a) for a in q.answers}]
    mean: Callable[[list[float]], float] = lambda values: sum(values) / max(1, len(values))
    return Score(
        method, hops, len(asked), mean([s.right for s in spoken]), mean([s.contains for s in spoken]), len(new),
        mean([float(r) for r in new]) if new else None, mean([s.prompt_tokens for s in spoken]),
        mean([s.seconds for s in spoken]),
    )  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> None:
    """Ask questions of a set in several ways and print who says the right thing first.

    WikiMovies (held-out topics) comes with the package, and so do "refusal" and "lists", which ask it what it does not
    hold, and for all answers; the other sets are read from a folder.
    """
    import argparse

    from graphmem.datasets.fact_sets import SETS
    from graphmem.memory import GraphMemory
    from graphmem.model import GraphMemoryModel

    parser = argparse.ArgumentParser("graphmem evaluate answers", description=main.__doc__)
    parser.add_argument("dataset", nargs="?", default="wikimovies", choices=("wikimovies", "refusal", "lists", *SETS))
    parser.add_argument("--data", help="folder that holds the other sets; GRAPHMEM_DATA if left out")
    parser.add_argument("--memory", help="memory file that holds WikiMovies; one is made in RAM if left out")
    parser.add_argument("--model", default="smollm2-135m", help="name or path of the base model")
    parser.add_argument("--weights", help="folder of fusion weights; the shipped ones if left out")
    parser.add_argument("--split", default="test", choices=("dev", "test"), help="of WikiMovies")
    parser.add_argument("--n", type=int, default=300, help="questions of each number of hops, or cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--trust", type=float, help="believe the memory from this probability on; 0: always")
    parser.add_argument("--methods", help=f"comma-separated, of: {', '.join(METHODS)}; all if left out")
    parser.add_argument("--json", help="file for all rows and answers")
    chosen = parser.parse_args(arguments)
    methods = tuple(m.strip() for m in chosen.methods.split(",")) if chosen.methods else METHODS
    if unknown := [m for m in methods if m not in METHODS]:
        parser.error(f"no method {unknown[0]!r}; choose of: {', '.join(METHODS)}")
    with GraphMemory.open(chosen.memory or ":memory:") as memory:
        model = GraphMemoryModel.from_pretrained(chosen.model, chosen.weights, memory=memory)
        if chosen.trust is not None:
            model.config = model.config.replaced(trust=chosen.trust)
        made = _chosen_set(model, memory, chosen, methods)
    if chosen.json:
        made.save(chosen.json)


def _chosen_set(model: Any, memory: Any, chosen: Any, methods: Sequence[str]) -> Any:
    from graphmem.datasets.fact_sets import load_facts_and_questions
    from graphmem.datasets.wikimovies import load_facts, load_questions
    from graphmem.evaluation.abstention import evaluate_lists, evaluate_refusal, unanswerable
    from graphmem.evaluation.fact_questions import evaluate_facts

    if chosen.dataset not in ("wikimovies", "lists", "refusal"):
        stores = load_facts_and_questions(chosen.dataset, chosen.data, chosen.n, chosen.seed)
        return evaluate_facts(model, chosen.dataset, stores, methods=methods, seed=chosen.seed)
    if not chosen.memory:
        memory.add_many(load_facts(), source="WikiMovies")
    if chosen.dataset == "lists":
        return evaluate_lists(model, load_questions(chosen.split), chosen.n, chosen.seed)
    if chosen.dataset == "refusal":
        known = Random(chosen.seed).sample(list(load_questions(chosen.split)), chosen.n)
        return evaluate_refusal(model, known, unanswerable(chosen.split, chosen.n // 2, chosen.seed))
    return evaluate_answers(model, None, load_questions(chosen.split), chosen.n, chosen.seed, methods=methods)
