"""Lines that commands print: facts, journal entries, write decisions, pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from graphmem.core.errors import InvalidValue
from graphmem.text.printing import interval, one_line, printable

if TYPE_CHECKING:
    from graphmem.core.edits import JournalEntry
    from graphmem.core.types import Fact
    from graphmem.memory import GraphMemory

MAX_CHANGES = 10
"""Changes of one journal entry that are printed unless all are asked for."""


def paged(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The options ``--limit``, ``--page`` and ``--all`` of a listing."""
    options = (
        click.option("--limit", type=click.IntRange(1), default=default, show_default=True, help="Lines of a page."),
        click.option("--page", type=click.IntRange(1), default=1, show_default=True, help="Which page to show."),
        click.option("--all", "everything", is_flag=True,
                     help="Everything on one page, with the bookkeeping of documents and conversations."),
    )  # fmt: skip

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def page_bounds(limit: int, page: int, everything: bool) -> tuple[int, int]:
    """Length (-1: no limit) and start of a page."""
    return (-1, 0) if everything else (limit, limit * (page - 1))


def page_line(shown: int, total: int, what: str, limit: int, page: int) -> str:
    """Which part of a listing is shown: ``312 facts``, or ``showing 1-100 of 312 facts (page 1 of 4) ...``.

    Raises:
        InvalidValue: there is no such page.
    """
    noun = what if total != 1 else {"entries": "entry"}.get(what, what.removesuffix("s"))
    if shown == total:
        return f"{total:,} {noun}"
    pages, first = -(-total // limit), limit * (page - 1) + 1
    if page > pages:
        raise InvalidValue(f"there is no page {page}: {total:,} {noun} make {pages} of {limit}")
    more = f"; next: --page {page + 1}, everything: --all" if page < pages else ""
    return f"showing {first:,}-{first + shown - 1:,} of {total:,} {noun} (page {page} of {pages}{more})"


def fact_line(fact: Fact) -> str:
    """Number, fact, valid interval, source, and what sets the fact apart; each only where there is any."""
    apart = [word for word in (fact.factuality, fact.status) if word not in ("asserted", "stated")]
    marks = [*apart, *(["pinned"] if fact.pinned else [])]
    origin = f"  ({one_line(fact.source)})" if fact.source else ""
    return f"{fact.id}\t{printable(fact)}{interval(fact)}{origin}" + (f"  {', '.join(marks)}" if marks else "")


def print_facts(facts: Iterable[Fact], *, grouped: bool = False) -> None:
    """Print one fact a line; ``grouped`` under the names of their subjects."""
    for name, group in groupby(facts, key=lambda fact: fact.subject if grouped else ""):
        if grouped:
            click.echo(printable(name))
        for fact in group:
            click.echo(fact_line(fact))


def print_entries(memory: GraphMemory, entries: Iterable[JournalEntry], *, everything: bool = False) -> None:
    """Print journal entries: number, time, action and text, then what each did to which facts."""
    for entry in entries:
        changes = memory.store.changes_of(entry, bookkeeping=everything)
        note = entry.note or next((change.sentence for change in changes if change.sentence), "")
        undone = "  (undone)" if entry.undone else ""
        click.echo(f"{entry.id}\t{entry.at[:19].replace('T', ' ')}\t{entry.action}\t{one_line(note)}{undone}".rstrip())
        for change in changes if everything else changes[:MAX_CHANGES]:
            origin = f"  ({one_line(change.source)})" if change.source else ""
            moved = f": {one_line(change.before)} → {one_line(change.after)}" if change.after else ""
            again = "" if change.sign != "=" else "  (said again)" if entry.action != "undo" else "  (once less)"
            click.echo(f"\t{change.sign} {printable(change.text)}{moved}{again}{origin}")
        if not everything and len(changes) > MAX_CHANGES:
            click.echo(f"\t… {len(changes) - MAX_CHANGES:,} more changes; all: --all")
