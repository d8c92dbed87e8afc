"""Commands for the memory file: ingest, add-passages, export, import, check, repair, backup, restore, vacuum, compact,
erase, merge, reencode, consolidate."""

from __future__ import annotations

from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphmem.cli.lines import print_entries
from graphmem.cli.main import as_json, emit, main, memory_command, memory_file
from graphmem.text.printing import lines_of

if TYPE_CHECKING:
    from graphmem.memory import GraphMemory
    from graphmem.storage.exchange.ingest import Ingested

existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
FORMATS = ("tsv", "csv", "jsonl", "graphml", "ntriples", "nquads", "turtle", "trig", "jsonld", "rdfxml")
EXPORTS = ("jsonl", "graphml", "csv", "cypher", "ntriples")
SHOWN_REJECTS = 20  # rejected lines that are printed; JSON has all


@memory_command(must_exist=False)
@click.argument("file", type=existing_file)
@click.option("--format", type=click.Choice(FORMATS), help="By the file's ending if left out.")
@click.option("--on-error", type=click.Choice(["skip", "rollback"]), default="rollback", show_default=True,
              help="A line that cannot be read: `skip` and report it, or roll everything back. With `skip`, a killed "
              "run is resumed when it is repeated; with `rollback` it has written nothing.")  # fmt: skip
@click.option("--source", help="Source of the facts; the file's name if left out.")
@click.option("--columns", help="What the columns of a table are, in order: subject,relation,object,... (- for none), "
              "or subject=NAME,relation=NAME,object=NAME by its head line.")  # fmt: skip
@click.option("--spreadsheet-safe", is_flag=True,
              help="Drop the apostrophes that `export --spreadsheet-safe` wrote.")  # fmt: skip
def ingest(memory: GraphMemory, file: Path, json_: bool, columns: str | None, **options: Any) -> None:
    """Write the facts of FILE: TSV, CSV, JSON lines, GraphML, N-Triples, N-Quads, and with the extra `rdf` Turtle,
    TriG, JSON-LD and RDF/XML. What the memory holds from this source already is left as it is."""
    done = memory.ingest(file, progress=not json_, columns=columns.split(",") if columns else (), **options)
    if json_:
        emit(asdict(done))
    else:
        click.echo(f"{done.facts:,} facts from {done.lines:,} lines: {done.new:,} new, {done.known:,} known")
        for note in _notes(done):
            click.echo(note, err=True)
        for line, reason in done.rejects[:SHOWN_REJECTS]:
            click.echo(f"line {line}: {reason}", err=True)
        if done.rejected > SHOWN_REJECTS:
            click.echo(f"{done.rejected:,} lines could not be read; --json lists them", err=True)
    if done.rejected and not done.facts + done.nodes:
        click.get_current_context().exit(1)


def _notes(done: Ingested) -> list[str]:
    notes = list(done.notes)
    if done.resumed_at:
        notes.append(f"resumed after line {done.resumed_at:,}")
    if done.restarted:
        notes.append("the file has been changed since the run that was interrupted, so it was read from its beginning; "
                     "what that run wrote is still there")  # fmt: skip
    return notes


@memory_command("add-passages", must_exist=False)
@click.argument("files", type=existing_file, nargs=-1, required=True)
@click.option("--source", help="Source of the documents.")
def add_passages(memory: GraphMemory, files: tuple[Path, ...], source: str | None, json_: bool) -> None:
    """Add the documents of FILES: JSON lines with title, text and date, or plain text files named by their titles.

    They become passages linked to the entities that they mention, and `graphmem search` finds them. No language model
    is needed. Passages that are there already are skipped, so that an interrupted run is resumed.
    """
    from graphmem.ingestion.documents import read_documents

    documents = chain.from_iterable(map(read_documents, files))
    done = memory.add_passages(documents, source=source, progress=not json_)
    if json_:
        return emit({"documents": done.documents, "passages": done.passages, "words": done.words})
    click.echo(f"{done.documents:,} documents, {done.passages:,} new passages of {done.words:,} words")


@memory_command(json=False, read_only=True)
@click.argument("file", type=click.Path(allow_dash=True))
@click.option("--format", "format_", type=click.Choice(EXPORTS), help="By the file's ending if left out.")
@click.option("--force", is_flag=True, help="Replace FILE if it exists; never the memory itself.")
@click.option("--spreadsheet-safe", is_flag=True,
              help="CSV: put an apostrophe before cells that a spreadsheet may run as a formula.")  # fmt: skip
def export(memory: GraphMemory, file: str, format_: str | None, **options: Any) -> None:
    """Write the memory to FILE (- for standard output).

    JSONL holds the whole file with every namespace and the journal, or with --namespace that one alone, and can be
    loaded with `graphmem import`. The other formats hold the current facts of the namespace, and what they cannot hold
    is said.
    """
    from graphmem.storage.exchange.export import export as export_file

    context = click.get_current_context()
    given = context.get_parameter_source("namespace") is not click.core.ParameterSource.DEFAULT
    done = export_file(memory.store, file, format=format_, whole=not given, **options)
    click.echo(f"{done:,} records of {', '.join(done.namespaces)}", err=True)
    if done.lost:
        lost = ", ".join(f"{what} ({count:,})" for what, count in done.lost.items())
        click.echo(f"not in this format: {lost}", err=True)


@main.command("import")
@memory_file
@click.argument("file", type=existing_file)
def import_(db: str, file: Path) -> None:
    """Create a NEW memory from a JSONL export, with its journal."""
    from graphmem.storage.exchange.load_dump import load_jsonl

    click.echo(f"{load_jsonl(file, db):,} records")


@main.command()
@memory_file
@as_json
@click.pass_context
def check(ctx: click.Context, db: str, json_: bool) -> None:
    """Check the file: SQLite's integrity check, dangling facts, search index, vectors, journal, snapshot.

    Exit code 0 where no problem was found, else 1.
    """
    from graphmem.storage.maintenance.check import check as check_file

    report = check_file(db)
    emit({"ok": report.ok, "problems": report.problems}) if json_ else click.echo(lines_of(report))
    ctx.exit(report.exit_code)


@main.command()
@memory_file
@click.pass_context
def repair(ctx: click.Context, db: str) -> None:
    """Repair the file after making a backup; prints the problems before and after."""
    from graphmem.storage.maintenance.repair import repair as repair_file

    before, after = repair_file(db)
    click.echo(f"before: {before}\nafter: {after}")
    ctx.exit(after.exit_code)


@main.command()
@memory_file
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Replace a file that exists.")
def backup(db: str, file: Path, force: bool) -> None:
    """Copy the memory to FILE while it may be in use."""
    from graphmem.storage.maintenance.backup import backup as backup_file

    click.echo(backup_file(db, file, overwrite=force))


@main.command()
@click.argument("file", type=existing_file)
@memory_file
@click.option("--force", "--overwrite", "overwrite", is_flag=True, help="Replace the memory at DB.")
def restore(file: Path, db: str, overwrite: bool) -> None:
    """Restore the backup FILE to DB."""
    from graphmem.storage.maintenance.backup import restore as restore_file

    click.echo(restore_file(file, db, overwrite=overwrite))


@main.command()
@memory_file
def vacuum(db: str) -> None:
    """Reclaim unused space."""
    from graphmem.storage.maintenance.backup import vacuum as vacuum_file

    before, after = vacuum_file(db)
    click.echo(f"{before:,} → {after:,} bytes")


@memory_command()
@click.option("--before", required=True, help="Time: what was recorded before it is compacted.")
def compact(memory: GraphMemory, before: str, json_: bool) -> None:
    """Make the file smaller: drop what journal entries recorded before a time changed.

    They keep their times, actions and notes, and can no more be undone.
    """
    sizes = memory.compact(before=before, progress=not json_)
    emit({"before": sizes[0], "after": sizes[1]}) if json_ else click.echo(f"{sizes[0]:,} → {sizes[1]:,} bytes")


@memory_command()
@click.argument("name")
@click.option("--id", "by_id", is_flag=True, help="NAME is the id of a node.")
@click.option("--passages", is_flag=True, help="Also remove passages that name it, and empty other texts that do.")
@click.option("--copies", is_flag=True, help="Also remove copies beside it: of repairs, migrations, backups.")
@click.option("--yes", is_flag=True, help="Erase; without it, only print what would be removed.")
def erase(memory: GraphMemory, name: str, by_id: bool, yes: bool, json_: bool, **options: bool) -> None:
    """Erase the person or thing NAME from the file, with its history. It cannot be undone."""
    if by_id and not name.isdecimal():
        raise click.UsageError(f"--id takes a whole number, not {name!r}")
    report = memory.erase(int(name) if by_id else name, dry_run=not yes, **options)
    if json_:
        return emit(report)
    click.echo(lines_of(report))
    if not yes:
        click.echo("Nothing was removed; add --yes to erase.", err=True)


@memory_command()
@click.argument("other", type=existing_file)
def merge(memory: GraphMemory, other: Path, json_: bool) -> None:
    """Merge the memory OTHER into DB: equal names become one node, equal facts one fact. One journal entry."""
    from graphmem.storage.exchange.merge import merge as merge_file

    entry = merge_file(memory.store, other)
    emit(entry) if json_ else print_entries(memory, [entry])


@memory_command(json=False, opened=("encoder",))
@click.option("--encoder", help="Path or name of the text encoder.")
def reencode(memory: GraphMemory) -> None:
    """Encode the nodes that have no vector by this encoder; a search does so where it is needed."""
    click.echo(f"{memory.encode():,} nodes encoded")


@memory_command()
@click.option("--half-life", type=float, help="Days without use after which a node's strength halves.")
@click.option("--capacity", type=click.IntRange(0), help="Archive the weakest nodes beyond this number.")
@click.option("--promote-after", type=click.IntRange(2), help="Mentions after which a claim becomes a fact.")
@click.option("--at", help="Time used for decay, instead of now.")
@click.option("--into-weights", "adapter", type=click.Path(path_type=Path),
              help="Also train a LoRA adapter on the facts and write it to this folder.")  # fmt: skip
@click.option("--model", "base", default="smollm2-135m", show_default=True, help="Base model of the LoRA.")
@click.option("--steps", type=click.IntRange(1), default=200, show_default=True, help="Training steps of the LoRA.")
def consolidate(
    memory: GraphMemory, at: str | None, adapter: Path | None, base: str, steps: int, json_: bool, **settings: Any
) -> None:
    """Merge duplicates, promote repeated claims, decay what is unused. One journal entry, which can be undone."""
    from graphmem.consolidation.graph import ConsolidationConfig

    config = ConsolidationConfig(**{key: value for key, value in settings.items() if value is not None})
    done = memory.consolidate(config, at=at)
    if adapter is not None:
        from types import SimpleNamespace

        from graphmem.consolidation.weights import ReplayConfig, consolidate_into_weights
        from graphmem.hub import load_language_model

        model, tokenizer = load_language_model(base)
        bare = SimpleNamespace(base=model, tokenizer=tokenizer, memory=memory)
        replayed = consolidate_into_weights(bare, adapter, config=ReplayConfig(steps=steps))
        nats = f"{replayed.first_loss:.2f} → {replayed.last_loss:.2f} nats a token"
        click.echo(f"{adapter}: {replayed.facts} facts in {replayed.steps} steps, {nats}", err=True)
    if json_:
        return emit(done)
    counts = ("merged", "promoted", "strengthened", "decayed", "archived")
    click.echo(", ".join(f"{getattr(done, count)} {count}" for count in counts))
