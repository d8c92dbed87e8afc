"""``graphmem demo``: a language model with a memory of the WikiMovies graph."""

from __future__ import annotations

import textwrap
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import torch
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from graphmem.core.edits import JournalEntry
from graphmem.core.files import SIDE_FILES, check_target
from graphmem.datasets.wikimovies import Question, held_out, load_facts, neighbourhood
from graphmem.evaluation.answers import CLOSED_BOOK, GRAPHMEM, IN_CONTEXT, evaluate_answers
from graphmem.hub import load_language_model
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel
from graphmem.text.printing import confidence
from graphmem.visualization.subgraph_html import save_subgraph

METHODS = (CLOSED_BOOK, IN_CONTEXT, GRAPHMEM)
SHOWN, SCORED = 2, 20
"""Questions per number of hops that are shown one by one, and that are scored."""

MAX_TOKENS = 24
"""Of an answer."""

STORY = (
    ("Mira Solberg lives in Oslo.", "Where does Mira Solberg live?"),
    ("Mira Solberg now lives in Bergen.", "Where does Mira Solberg live?"),
)
"""Sentences to read, and the question after each. None of these names was in any training."""


def run_demo(
    folder: Path, *, full: bool = False, quick: bool = False, force: bool = False, base: str = "smollm2-135m"
) -> None:
    """Run every part of the demonstration; writes ``demo.db`` and ``demo.html`` into ``folder``.

    ``full`` loads all 129,233 facts instead of a connected part of at least 10,000; ``quick`` scores a quarter of the
    questions; ``force`` replaces the files of an earlier run.

    Raises:
        InvalidValue: one of the files exists.
    """
    console = Console(soft_wrap=True)
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("demo.db", "demo.html"):
        check_target(folder / name, force=force)
    shown = [q for hops in (1, 2, 3) for q in held_out(hops, never_answered=True)[:SHOWN]]
    scored = [q for hops in (1, 2, 3) for q in held_out(hops)[SHOWN : SHOWN + (SCORED // 4 if quick else SCORED)]]
    memory = build(console, folder / "demo.db", [*shown, *scored], full=full)
    with memory:
        with step(console, f"2. {base}, frozen, with the memory attached"):
            model = GraphMemoryModel.from_pretrained(base, memory=memory)
            trained, total = model.trainable_parameters()
            console.print(f"{total - trained:,} parameters frozen, {trained:,} of the memory layers loaded")
        show_questions(console, model, shown)
        score(console, model, scored)
        read_sentences(console, model)
        with step(console, "6. The subgraph behind one answer"):
            found = memory.retrieve(shown[-1].question, top_k=40)
            console.print(f"{shown[-1].question}? → {save_subgraph(found, folder / 'demo.html')}")
        detach(console, model)


@contextmanager
def step(console: Console, title: str) -> Iterator[None]:
    """A titled part of the demonstration, with its seconds at the end."""
    console.print(f"\n[bold]{title}[/bold]")
    began = time.perf_counter()
    yield
    console.print(f"[dim]{time.perf_counter() - began:.1f} s[/dim]")


def build(console: Console, path: Path, questions: Sequence[Question], *, full: bool) -> GraphMemory:
    """Create the memory file from the facts that ship with the package."""
    for stale in [path, *(Path(f"{path}{end}") for end in SIDE_FILES), *path.parent.glob(f"{path.name}-snapshot*")]:
        stale.unlink(missing_ok=True)
    with step(console, f"1. A memory of the WikiMovies graph (CC BY 3.0): {path}"):
        facts = load_facts() if full else neighbourhood(question.topic for question in questions)
        memory = GraphMemory.open(path)
        memory.add_many(facts, source="WikiMovies")
        counts = memory.stats()
        console.print(f"{counts['nodes']:,} nodes, {counts['facts']:,} facts, {counts['bytes'] / 1e6:.1f} MB")
    return memory


def show_questions(console: Console, model: GraphMemoryModel, questions: Sequence[Question]) -> None:
    """Answer each question by every method, and show the facts behind the memory's answer."""
    with step(console, "3. Questions whose topics and answers were held out of training"):
        report = evaluate_answers(model, questions=questions, methods=METHODS, batch=1, max_new_tokens=MAX_TOKENS)
        for question in questions:
            console.print(f"\n[bold]{question.question}?[/bold]  [dim]{question.hops} hop(s)[/dim]", highlight=False)
            table = Table("", "answer", "right", "prompt tokens", "seconds", box=None, pad_edge=False)
            for answer in (row for row in report.answers if row["question"] == question.question):
                right = answer["right"] if answer["method"] == GRAPHMEM else answer["contains"]
                mark = "[green]yes[/green]" if right else "[red]no[/red]"
                tokens, seconds = str(answer["prompt_tokens"]), f"{answer['seconds']:.2f}"
                table.add_row(
                    answer["method"],
                    escape(textwrap.shorten(answer["text"], 72, placeholder="…")),
                    mark,
                    tokens,
                    seconds,
                )
            console.print(table)
            for fact in model.ask(question.question).path:
                console.print(f"  [cyan]because[/cyan] {escape(str(fact))}", highlight=False)


def score(console: Console, model: GraphMemoryModel, questions: Sequence[Question]) -> None:
    """Score held-out questions by the same methods, in one table."""
    with step(console, f"4. {len(questions)} held-out questions"):
        rows = evaluate_answers(model, questions=questions, methods=METHODS, max_new_tokens=MAX_TOKENS).rows
        table = Table("hops", "n", *METHODS, box=None)
        for hops in sorted({row.hops for row in rows}):
            by_method = {row.method: row for row in rows if row.hops == hops}
            closed, in_context, ours = (by_method[method] for method in METHODS)
            shares = (closed.contains, in_context.contains, ours.right)
            table.add_row(str(hops), str(ours.n), *(f"{share:.2f}" for share in shares))
        console.print(table)
        console.print("[dim]baselines: a right answer occurs anywhere; graphmem: the first answer is right[/dim]")


def read_sentences(console: Console, model: GraphMemoryModel) -> None:
    """Read a statement and then its change; ask now and as of the first; undo the change."""
    memory = cast(GraphMemory, model.memory)
    with step(console, "5. Facts read from plain English"):
        entries: list[JournalEntry] = []
        for sentence, question in STORY:
            console.print(f"\nread: [bold]{sentence}[/bold]")
            plan = model.read(sentence, source="the demo")
            for made in plan.decisions:
                console.print(f"  {made.action} [cyan]{made.fact}[/cyan]  {confidence(made.gate)}", highlight=False)
            entries.append(memory.apply(plan))
            console.print(f"asked: {question} → [bold]{model.ask(question).text}[/bold]")
        then = entries[0].at
        console.print(f"asked as of {then}: {question} → [bold]{model.ask(question, as_of=then).text}[/bold]")
        memory.undo(entries[-1])
        console.print(f"the change undone, asked: {question} → [bold]{model.ask(question).text}[/bold]")


def detach(console: Console, model: GraphMemoryModel) -> None:
    """Detach the memory and compare the logits with those of a fresh copy of the base, bit for bit."""
    with step(console, "7. The memory detached"):
        name, tokenizer = model.base.config.name_or_path, model.tokenizer
        base = model.detach()
        fresh, _ = load_language_model(name, dtype=str(base.dtype).removeprefix("torch."))
        ids = tokenizer("Paris is the capital of", return_tensors="pt")
        with torch.no_grad():
            same = torch.equal(base(**ids).logits, fresh(**ids).logits)
        console.print(f"logits of the detached model equal those of a fresh base bit for bit: {same}")
        if not same:
            raise SystemExit("the detached model differs from its base: this is a bug, please report it")
