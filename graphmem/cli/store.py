"""Commands for the memory file: ingest, export, import, check, repair, backup, restore, vacuum, merge, reencode,
consolidate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from graphmem.cli.main import as_json, emit, main, memory_file, namespace, open_memory

FORMATS = ("tsv", "csv", "jsonl", "graphml", "ntriples")
EXPORTS = ("jsonl", "graphml", "csv", "cypher", "ntriples")
existing_file = click.Path(exists=True, dir_okay=False, path_type=Path)
new_file = click.Path(dir_okay=False, path_type=Path)


@main.command()
@memory_file
@click.argument("file", type=existing_file)
@click.option("--format", "format_", type=click.Choice(FORMATS), help="By the file's ending if left out.")
@click.option(
    "--on-error", type=click.Choice(["skip", "rollback"]), default="rollback", show_default=True,
    help="A line that cannot be read: skip and report it, or roll everything back.",
)  # fmt: skip
@click.option("--source", help="Source of the facts; the file's name if left out.")
@namespace
@as_json
def ingest(
    db: str, file: Path, format_: str | None, on_error: Any, source: str | None, namespace: str, json_: bool
) -> None:
    """Write the facts of FILE (TSV, CSV, JSONL, GraphML or N-Triples). An interrupted run is resumed."""
    with open_memory(db, namespace=namespace, must_exist=False) as memory:
        done = memory.ingest(file, format=format_, on_error=on_error, source=source, progress=not json_)
    if json_:
        return emit({"lines": done.lines, "facts": done.facts, "rejects": done.rejects})
    click.echo(f"{done.facts:,} facts from {done.lines:,} lines")
    for line, reason in done.rejects:
        click.echo(f"line {line}: {reason}", err=True)


@main.command()
@memory_file
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--format", "format_", type=click.Choice(EXPORTS), help="By the file's ending if left out.")
@namespace
def export(db: str, file: str, format_: str | None, namespace: str) -> None:
    """Write the memory to FILE (- for standard output).

    JSONL holds the whole file with every namespace and the journal, and can be loaded with `graphmem import`; the
    other formats hold the current facts of the namespace.
    """
    from graphmem.storage.exchange.export import export as export_file

    with open_memory(db, namespace=namespace, read_only=True) as memory:
        count = export_file(memory.store, file, format=format_)
    click.echo(f"{count:,} records", err=True)


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
    emit({"ok": report.ok, "problems": report.problems}) if json_ else click.echo(str(report))
    ctx.exit(report.exit_code)


@main.command()
@memory_file
@click.pass_context
def repair(ctx: click.Context, db: str) -> None:
    """Repair what can be repaired (a copy is made first) and report what cannot."""
    from graphmem.storage.maintenance.repair import repair as repair_file

    before, after = repair_file(db)
    click.echo(f"before: {before}\nafter: {after}")
    ctx.exit(after.exit_code)


@main.command()
@memory_file
@click.argument("file", type=new_file)
def backup(db: str, file: Path) -> None:
    """Copy the memory to FILE while it may be in use."""
    from graphmem.storage.maintenance.backup import backup as backup_file

    click.echo(backup_file(db, file))


@main.command()
@click.argument("file", type=existing_file)
@memory_file
@click.option("--overwrite", is_flag=True, help="Replace the memory at DB.")
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


@main.command()
@memory_file
@click.argument("other", type=existing_file)
@namespace
@as_json
def merge(db: str, other: Path, namespace: str, json_: bool) -> None:
    """Merge the memory OTHER into DB: equal names become one node, equal facts one fact. One journal entry."""
    from graphmem.cli.main import print_entries
    from graphmem.storage.exchange.merge import merge as merge_file

    with open_memory(db, namespace=namespace) as memory:
        entry = merge_file(memory.store, other)
    emit(entry) if json_ else print_entries([entry])


@main.command()
@memory_file
@click.option("--encoder", help="Path or name of the text encoder.")
@namespace
def reencode(db: str, encoder: str | None, namespace: str) -> None:
    """Encode the nodes that have no vector by this encoder; a search does so where it is needed."""
    with open_memory(db, namespace=namespace, encoder=encoder) as memory:
        click.echo(f"{memory.encode():,} nodes encoded")


@main.command()
@memory_file
@click.option("--half-life", type=float, help="Days without use after which a node's strength halves.")
@click.option("--capacity", type=click.IntRange(0), help="Archive the weakest nodes beyond this number.")
@click.option("--promote-after", type=click.IntRange(2), help="Mentions after which a claim becomes a fact.")
@click.option("--at", help="Time used for decay, instead of now.")
@click.option(
    "--into-weights",
    "adapter",
    type=click.Path(path_type=Path),
    help="Also train a LoRA adapter on the facts and write it to this folder.",
)
@click.option("--model", "base", default="smollm2-135m", show_default=True, help="Base model of the LoRA.")
@click.option("--steps", type=click.IntRange(1), default=200, show_default=True, help="Training steps of the LoRA.")
@namespace
@as_json
def consolidate(
    db: str, at: str | None, adapter: Path | None, base: str, steps: int, namespace: str, json_: bool, **settings: Any
) -> None:
    """Merge duplicates, promote repeated claims, decay what is unused. One journal entry, which can be undone."""
    from graphmem.consolidation.graph import ConsolidationConfig

    config = ConsolidationConfig(**{key: value for key, value in settings.items() if value is not None})
    with open_memory(db, namespace=namespace) as memory:
        done = memory.consolidate(config, at=at)
        if adapter is not None:
            into_weights(memory, adapter, base, steps)
    if json_:
        return emit(done)
    counts = ("merged", "promoted", "strengthened", "decayed", "archived")
    click.echo(", ".join(f"{getattr(done, count)} {count}" for count in counts))


def into_weights(memory: Any, folder: Path, base: str, steps: int) -> None:
    """Train a LoRA adapter on the facts and print its losses to standard error."""
    from types import SimpleNamespace

    from graphmem.consolidation.weights import ReplayConfig, consolidate_into_weights
    from graphmem.hub import load_language_model

    model, tokenizer = load_language_model(base)
    bare = SimpleNamespace(base=model, tokenizer=tokenizer, memory=memory)
    done = consolidate_into_weights(bare, folder, config=ReplayConfig(steps=steps))
    nats = f"{done.first_loss:.2f} → {done.last_loss:.2f} nats a token"
    click.echo(f"{folder}: {done.facts} facts in {done.steps} steps, {nats}", err=True)
