"""The command ``read``: facts of a text or of files as checklists, applied or ticked by a person."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphmem.adapters.documents import is_readable
from graphmem.adapters.light_imports import light_imports
from graphmem.cli.main import base_model, emit, memory_command, weights_folder
from graphmem.cli.model import load_model
from graphmem.text.printing import printable
from graphmem.writing.checklist import checklist, decision_line

if TYPE_CHECKING:
    from graphmem.core.edits import JournalEntry
    from graphmem.memory import GraphMemory
    from graphmem.writing.files import FileRead
    from graphmem.writing.plan import WritePlan


@memory_command()
@click.argument("texts", metavar="TEXT|FILE...", nargs=-1)
@click.option("--file", "files", multiple=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="A file to read, whatever its name is; may be repeated.")  # fmt: skip
@click.option("--apply", "apply_", is_flag=True, help="Write what is ticked; else only show it.")
@click.option("--interactive", is_flag=True, help="Ask about each offer, then write what is ticked.")
@click.option("--source", help="Source of the text; the file's path if left out.")
@click.option("--at", help="Time of the text, to which yesterday and now refer; now if left out.")
@click.option("--keep/--no-keep", default=True, help="Keep the text as a document too, to answer from.")
@click.option("--again", is_flag=True, help="Also read what was read before.")
@click.option("--all", "everything", is_flag=True, help="Also show what is skipped, each with the reason.")
@base_model
@weights_folder
def read(
    memory: GraphMemory, texts: tuple[str, ...], files: tuple[Path, ...], apply_: bool, interactive: bool,
    everything: bool, again: bool, base: str, weights: str | None, json_: bool, **options: Any,
) -> None:  # fmt: skip
    """Extract facts from TEXT or FILEs and show, as a checklist, what would be written and what is only offered.

    Files are text, Markdown, JSON lines of documents, PDF, Word and HTML (.pdf, .docx and .html with the extra
    `documents`). Tables and lists of fields are read as what they are. What was read before is passed over, so that a
    run that was stopped is resumed by repeating it.

    A line holds the action, the fact, [when it holds], what it replaces, and the confidence in it: sure from 90 %,
    likely from 70 %, perhaps from 50 %, else unsure. A fact without an interval is undated.
    """
    if interactive and json_:
        raise click.UsageError("--interactive asks; leave out --json")
    paths, text = _given(texts, files)
    model = load_model(memory, base, weights)
    with light_imports():
        from graphmem.writing.files import FileRead, read_files

    options |= {"reread": again}
    if text is not None:
        parts: Iterable[FileRead] = [FileRead(Path(), plan=model.read(text, **options))]
    else:
        parts = read_files(model, paths, progress=len(paths) > 1 and not interactive, **options)
    shown, failed = [], False
    for part in parts:
        failed |= part.error is not None
        if text is None and not json_:
            _print_head(part)
        if json_:
            entry = memory.apply(part.plan) if apply_ and part.plan and part.plan.edits else None
            shown.append(_fields(part, entry, text is None))
        elif part.plan is not None:
            _print(memory, part.plan, apply_, interactive, everything)
    if json_:
        emit(shown[0] if text is not None else shown)
    if failed:
        raise SystemExit(1)


def _given(texts: tuple[str, ...], files: tuple[Path, ...]) -> tuple[list[Path], str | None]:
    """The files to read, or the text: the only argument that is no file."""
    if not texts and not files:
        raise click.UsageError("give TEXT, or FILEs")
    named = [Path(text) for text in texts if _is_file(text)]
    if len(named) == len(texts):
        return [*files, *named], None
    lost = next((text for text in texts if " " not in text and len(text) < 256 and is_readable(Path(text))), None)
    if lost is not None and not _is_file(lost):
        raise click.UsageError(f"there is no file {lost}")
    if len(texts) > 1 or files:
        raise click.UsageError("give either one TEXT, in quotes, or FILEs")
    return [], texts[0]


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # longer than a path may be, or NUL
        return False


def _print_head(part: FileRead) -> None:
    number = f", part {part.part} of {part.parts}" if part.parts > 1 else ""
    note = "" if part.error is None else f": {part.error}"
    read_before = ": read before" if part.plan is None and part.error is None else ""
    click.echo(printable(f"{part.path}{number}{read_before}{note}"), err=part.error is not None)


def _fields(part: FileRead, entry: JournalEntry | None, is_file: bool) -> dict[str, Any]:
    where = {"file": str(part.path), "part": part.part, "error": str(part.error or "") or None} if is_file else {}
    if part.plan is None:
        return where
    plan = part.plan
    found = {"facts": plan.facts, "proposed": plan.proposed, "not_understood": plan.not_understood}
    return {**where, **found, "decisions": plan.decisions, "entry": entry.id if entry else None}


def _print(memory: GraphMemory, plan: WritePlan, apply_: bool, interactive: bool, everything: bool) -> None:
    """Print a plan; apply it with the offers that were ticked."""
    for line in checklist(plan.decisions, plan.not_understood, kept=plan.keeps_text, everything=everything):
        click.echo(line)
    accepted = _ticked(plan) if interactive else []
    if not plan.edits and not accepted:
        return
    if apply_ or interactive:
        entry = memory.apply(plan, accept=accepted)
        click.echo(f"written as journal entry {entry.id}; undo it with: graphmem undo {memory.path} {entry.id}")
    else:
        click.echo("nothing is written yet; write it with --apply")


def _ticked(plan: WritePlan) -> list[int]:
    """Positions of the offers that a person ticks: y one, a all that are left, q none of them; Enter leaves one out."""
    ticked: list[int] = []
    offers = plan.offers
    for position, offer in enumerate(offers):
        click.echo(f"{position}: {decision_line(offer)}")
        answer = click.prompt("write it?", type=click.Choice(("y", "n", "a", "q")), default="n")
        if answer == "a":
            return [*ticked, *range(position, len(offers))]
        if answer == "q":
            break
        if answer == "y":
            ticked.append(position)
    return ticked
