"""``graphmem explain``: how an answer was found, in lines, as JSON or as a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphmem.cli.main import base_model, emit, force, memory_command, plain, weights_folder
from graphmem.cli.model import load_model
from graphmem.core.files import check_target
from graphmem.core.types import Fact
from graphmem.encoding.evidence_text import interval_words
from graphmem.text.printing import confidence, lines_of, one_line, printable

if TYPE_CHECKING:
    from graphmem.generation.attribution import Answer, ExplainedItem
    from graphmem.memory import GraphMemory

OPERATIONS = {
    "lookup": "one answer, as facts or documents state it",
    "duration": "a length of time",
    "verify": "yes or no",
    "count": "how many there are",
    "list": "all there are",
    "superlative": "the first or last by a value",
    "intersect": "what several things share",
    "except": "what is so but for some",
    "sum": "values added up",
    "difference": "how far two values lie apart",
    "describe": "what is known about one thing",
    "search": "the best result of the search; no evidence was read",
}
"""What a question asks for, by operation."""

COMPARING = frozenset({"superlative", "sum", "difference"})
"""Operations over values: what is no member of the answer was compared with it."""

SHOWN = 20
"""Members of each kind that are shown unless all are asked for."""

MAX_LINE = 600
"""Characters of a chain or quote."""


@memory_command(reads=True)
@click.argument("question")
@base_model
@weights_folder
@click.option("--as-of", help="Answer from the facts valid at that time.")
@click.option("--at", help="Moment of asking, to which now and last year refer; now if left out.")
@click.option("--all", "everything", is_flag=True, help="Every member, not only the first twenty.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Also draw it as an HTML file.")
@force
def explain(
    memory: GraphMemory, question: str, base: str, weights: str | None, everything: bool, output: Path | None,
    force: bool, json_: bool, **times: Any,
) -> None:  # fmt: skip
    """Answer QUESTION and show how: the operation, the time, what was computed, and the facts of each member.

    In a pattern of facts, ? stands for the members and … for what lies between. Facts are shown as chains of names;
    the number of a fact, as `graphmem show` prints it, and when it holds stand in brackets behind it.
    """
    if output:
        check_target(output, sources=[memory.path], force=force)
    answer = load_model(memory, base, weights).ask(question, **times)
    if output:
        from graphmem.visualization.explanation_html import save_explanation

        click.echo(f"written: {save_explanation(question, answer, output)}", err=True)
    if json_:
        return emit(as_json_value(question, answer))
    for line in lines_of_answer(answer, None if everything else SHOWN):
        click.echo(line)


def as_json_value(question: str, answer: Answer) -> dict[str, Any]:
    """An answer with its explanation, for JSON."""
    head = {"question": question, "answer": answer.text, "answers": answer.answers, "status": answer.status}
    explained = {} if answer.explanation is None else plain(answer.explanation)
    return {**head, "confidence": answer.confidence, "explanation": explained or None}


def lines_of_answer(answer: Answer, most: int | None = SHOWN) -> Iterator[str]:
    """An answer and its explanation in lines, with at most ``most`` members of each kind; all if None."""
    explained = answer.explanation
    sure = confidence(answer.confidence) if answer.status == "answered" else answer.status.replace("_", " ")
    yield _line("answer", f"{' '.join(lines_of(answer.text).splitlines())}  ({sure})")
    if explained is None:
        return
    if explained.question:
        yield _line("read as", printable(explained.question))
    yield _line("asked", f"{OPERATIONS[explained.operation]} ({explained.operation})")
    yield _line("time", printable(explained.time))
    for at, step in enumerate(explained.steps):
        yield _line("" if at else "set", printable(step))
    yield from _items("because", explained.members, explained.count, most)
    known = answer.status == "answered"
    title = ("compared" if explained.operation in COMPARING else "less sure") if known else "nearest"
    yield from _items(title, explained.considered, len(explained.considered), most)
    if not explained.complete:
        yield _line("", "there may be more members: only a part of the facts was looked at")
    shown = [*explained.members[:most], *explained.considered[:most]]
    sources = dict.fromkeys(f.source for item in shown for f in item.evidence if isinstance(f, Fact) and f.source)
    if sources:
        yield _line("sources", one_line("; ".join(map(str, sources))))


def _line(title: str, text: str) -> str:
    return f"{title:<10} {text}".rstrip()


def _items(title: str, items: Sequence[ExplainedItem], count: int, most: int | None) -> Iterator[str]:
    """Items with their evidence, the title before the first."""
    lines = [line for item in items[:most] for line in item_lines(item)]
    left = max(count, len(items)) - len(items[:most])
    if left > 0:
        lines.append(f"and {left:,} more" + ("; all: --all" if len(items) > len(items[:most]) else ""))
    for at, line in enumerate(lines):
        yield _line("" if at else title, line)


def item_lines(item: ExplainedItem) -> Iterator[str]:
    """An item with its evidence: each chain of facts on a line, each quote on one; its name once."""
    facts = [piece for piece in item.evidence if isinstance(piece, Fact)]
    quotes = [piece for piece in item.evidence if not isinstance(piece, Fact)]
    found = chains(item.text, facts)
    if len(found) == 1 and item.text in (name for fact in facts for name in (fact.subject, fact.object)):
        lines = [found[0]]
    elif found and all(chain.startswith(item.text) for chain in found):
        lines = [found[0], *(f"  {chain.removeprefix(item.text).lstrip()}" for chain in found[1:])]
    else:
        lines = [item.text, *(f"  {chain}" for chain in found)]
    if item.value and not any(item.value in line for line in lines):
        lines[0] += f": {item.value}"
    for quote in quotes:
        lines.append(f"  {quote.title or 'untitled'}{f' ({quote.date})' if quote.date else ''}: {quote.text}")
    for line in lines:
        yield line[: len(line) - len(line.lstrip())] + one_line(line, MAX_LINE)


def chains(start: str, facts: Sequence[Fact]) -> list[str]:
    """Facts as chains that begin at a name where they can; a single one is turned to read from subject to object.

    A fact whose subject comes first is ``—relation→``, one whose object does ``←relation—``.
    """
    left, found = list(dict.fromkeys(facts)), []
    while left:
        ends = {name for fact in left for name in (fact.subject, fact.object)}
        here = start if start in ends else left[0].subject
        names, steps = [here], []
        while (fact := next((fact for fact in left if here in (fact.subject, fact.object)), None)) is not None:
            left.remove(fact)
            here = fact.object if fact.subject == here else fact.subject
            names.append(here)
            steps.append(fact)
            if here == start:
                break
        found.append((names, steps))
    if len(found) == 1:
        names, steps = found[0]
        forward = sum(fact.subject == name for fact, name in zip(steps, names, strict=False))
        found = [(names[::-1], steps[::-1])] if 2 * forward < len(steps) else found
    return [_chain(names, steps) for names, steps in found]


def _chain(names: Sequence[str], steps: Sequence[Fact]) -> str:
    """Names with the facts that join them, each with its number and when it holds."""
    text = names[0]
    for fact, (here, there) in zip(steps, pairwise(names), strict=True):
        text += f" —{fact.relation}→ {there}" if fact.subject == here else f" ←{fact.relation}— {there}"
        number = [str(fact.id)] if fact.id is not None and fact.id >= 0 else []
        if marks := [*number, *filter(None, [interval_words(fact.valid_from, fact.valid_to)])]:
            text += f" [{', '.join(marks)}]"
    return text
