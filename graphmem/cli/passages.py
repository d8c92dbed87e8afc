"""The command ``add-passages``: plain documents."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from graphmem.cli.main import as_json, emit, main, memory_file, namespace, open_memory


@main.command("add-passages")
@memory_file
@click.argument("files", type=click.Path(exists=True, dir_okay=False, path_type=Path), nargs=-1, required=True)
@click.option("--source", help="Source of the documents.")
@namespace
@as_json
def add_passages(db: str, files: tuple[Path, ...], source: str | None, namespace: str, json_: bool) -> None:
    """Add the documents of FILES: JSON lines with title and text, or plain text files named by their titles.

    They become passages linked to the entities that they mention, and `graphmem search` finds them. No language model
    is needed. Passages that are there already are skipped, so that an interrupted run is resumed.
    """
    from graphmem.ingestion.documents import read_documents

    with open_memory(db, namespace=namespace, must_exist=False) as memory:
        documents = chain.from_iterable(map(read_documents, files))
        done = memory.add_passages(documents, source=source, progress=not json_)
    if json_:
        return emit({"documents": done.documents, "passages": done.passages, "words": done.words})
    click.echo(f"{done.documents:,} documents, {done.passages:,} new passages of {done.words:,} words")
