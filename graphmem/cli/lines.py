"""Lines that commands print: facts, journal entries, write decisions, pages."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

import click

from graphmem.core.errors import InvalidValue

if TYPE_CHECKING:
    from graphmem.core.edits import JournalEntry, WriteDecision
    from graphmem.core.types import Fact
    from graphmem.memory import GraphMemory

MAX_CHANGES = 10
"""Changes of one journal entry that are printed unless all are asked for."""

CONFIDENCE = ((0.9, "sure"), (0.7, "likely"), (0.5, "perhaps"), (0.0, "unsure"))
"""Words for a probability, by the least probability of each."""

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u2028\u2029\ud800-\udfff]")


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


def printable(value: object) -> str:
    """A text with its control characters and marks of direction escaped: names may be hostile to a terminal."""
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), str(value))


def interval(fact: Fact) -> str:
    """The valid interval of a fact in brackets; empty for an undated one."""
    return f"  [{fact.valid_from or '…'} → {fact.valid_to or 'now'}]" if fact.valid_from or fact.valid_to else ""


def lines_of(value: object) -> str:
    """A text of several lines, each ``printable``."""
    return "\n".join(map(printable, str(value).splitlines()))


def one_line(text: str, length: int = 160) -> str:
    """A text on one line, cut at ``length`` characters."""
    text = printable(" ".join(text[: 4 * length].split()))
    return text if len(text) <= length else f"{text[: length - 1]}…"


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


def decision_line(decision: WriteDecision) -> str:
    """One line: the action, the fact with its valid interval, what it replaces, and how sure the gate is."""
    against = decision.evidence.get("against")
    instead = f"  (instead of: {printable(against)})" if decision.action == "update" and against else ""
    why = f"  ({printable(skip_reason(decision))})" if decision.action == "skip" else ""
    undated = {"update": "  [from now on]", "retire": "  [until now]"}.get(decision.action, "")
    fact = f"{printable(decision.fact)}{interval(decision.fact) or undated}"
    return f"{decision.action:<6} {fact}{instead}{why}  {confidence(decision.gate)}"


def confidence(probability: float) -> str:
    """A probability in a word and in percent: ``sure 97 %``."""
    word = next(word for least, word in CONFIDENCE if probability >= least or not least)
    return f"{word} {100 * probability:.0f} %"


def skip_reason(decision: WriteDecision) -> str:
    """Why a candidate is not written."""
    evidence = decision.evidence
    if "repeats" in evidence:
        return "known already"
    if "read_before" in evidence:
        return "read before"
    if "held_back" in evidence:
        return str(evidence["held_back"])
    if evidence.get("factuality") == "alias":
        return "the name is taken, or the source is not trusted enough"
    if evidence.get("factuality", "asserted") != "asserted":
        return f"the text does not assert it: {evidence['factuality']}"
    return "the gate would not write it"


def print_decisions(decisions: Sequence[WriteDecision], *, everything: bool) -> None:
    """Print decisions that write, then the skipped ones or, unless ``everything``, their number and reasons."""
    skipped = [decision for decision in decisions if decision.action == "skip"]
    written = [decision for decision in decisions if decision.action != "skip"]
    if decisions:
        click.echo("action, fact [when it holds], and how probable the gate finds the action shown")
    for decision in [*written, *(skipped if everything else ())]:
        click.echo(decision_line(decision))
    if skipped and not everything:
        reasons = Counter(map(skip_reason, skipped))
        summary = "; ".join(f"{count} {one_line(why, 80)}" for why, count in reasons.most_common())
        click.echo(f"{len(skipped)} skipped: {summary} (shown with --all)")
