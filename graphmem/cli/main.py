"""The group ``graphmem``, its shared options, and the commands that read and write facts.

Modules are imported when a command needs them, so that ``--help`` is fast.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, is_dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphmem import __version__
from graphmem.core.errors import GraphMemError, NotFound

if TYPE_CHECKING:
    from graphmem.core.edits import JournalEntry
    from graphmem.core.types import Fact
    from graphmem.memory import GraphMemory

# Passive waiting: torch's default spins, which is ten times slower when other work shares the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
memory_file = click.argument("db", type=click.Path(dir_okay=True))
namespace = click.option("--namespace", default="default", show_default=True, help="Namespace within the file.")

_STORE = "ingest add-passages export import check repair backup restore vacuum compact erase merge reencode consolidate"
_MODEL = "ask chat read picture demo train experiment"
LAZY = dict.fromkeys(_STORE.split(), "store") | dict.fromkeys(_MODEL.split(), "model") | {"evaluate": "evaluate"}
"""Commands by the module that defines them, imported when named."""


class Commands(click.Group):
    """A click group that imports commands on demand and turns graphmem's errors into exit code 1."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *LAZY})

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in LAZY:
            import_module(f"graphmem.cli.{LAZY[name]}")
        return super().get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a ``GraphMemError`` is printed on one line and exits with 1."""
        try:
            return super().invoke(ctx)
        except GraphMemError as error:
            click.echo(f"Error: {error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("Interrupted; finished transactions are kept.", err=True)
            ctx.exit(130)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="graphmem")
def main() -> None:
    """A graph memory for transformers.

    Exit codes: 0 success, 1 an error that the message explains, 2 wrong usage, 130 interrupted.
    """


def open_memory(db: str, *, namespace: str = "default", must_exist: bool = True, **kwargs: Any) -> GraphMemory:
    """The memory at ``db``.

    Raises:
        NotFound: there is no file and ``must_exist`` is True.
    """
    from graphmem.memory import GraphMemory

    if must_exist and not Path(db).exists():
        raise NotFound(f"there is no memory at {db}; create one with: graphmem init {db}")
    return GraphMemory.open(db, namespace=namespace, **kwargs)


def memory_command(
    name: str | None = None, *, json: bool = True, opened: tuple[str, ...] = (), **settings: Any
) -> Callable[[Callable[..., None]], click.Command]:
    """A command on the memory at DB, which is its function's first argument; ``--namespace`` chooses within it.

    With ``json`` it takes ``--json``, passed as ``json_``. The options ``opened``, and ``settings``, go to
    ``open_memory``.
    """

    def decorate(function: Callable[..., None]) -> click.Command:
        @main.command(name)
        @memory_file
        @namespace
        @wraps(as_json(function) if json else function)
        def command(*, db: str, namespace: str, **options: Any) -> None:
            given = {key: options.pop(key) for key in opened}
            with open_memory(db, namespace=namespace, **settings, **given) as memory:
                function(memory, **options)

        return command

    return decorate


base_model = click.option(
    "--model", "--base", "base", default="smollm2-135m", show_default=True,
    help="Base model: a folder, a hub name, or the name of a packaged model.",
)  # fmt: skip
weights_folder = click.option(
    "--weights", type=click.Path(exists=True), help="Folder of fusion weights; the shipped ones if left out."
)
retriever_weights = click.option(
    "--retriever", type=click.Path(exists=True, dir_okay=False), help="Weights made by `graphmem train retriever`."
)


def emit(value: Any) -> None:
    """Print a value as JSON."""
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {key: item for key, item in asdict(value).items() if item is not None}
    return value.tolist() if hasattr(value, "tolist") else str(value)


def print_facts(facts: Iterable[Fact]) -> None:
    """Print one fact a line, with its validity interval and source where it has them."""
    for fact in facts:
        span = f"  [{fact.valid_from or '…'} → {fact.valid_to or 'now'}]" if fact.valid_from or fact.valid_to else ""
        origin = f"  ({fact.source})" if fact.source else ""
        click.echo(f"{fact.id}\t{fact}{span}{origin}")


def print_entries(entries: Iterable[JournalEntry]) -> None:
    """Print one journal entry a line."""
    for entry in entries:
        undone = "  (undone)" if entry.undone else ""
        click.echo(f"{entry.id}\t{entry.at}\t{entry.action}\t{entry.note}{undone}".rstrip())


@memory_command(json=False, must_exist=False)
def init(memory: GraphMemory) -> None:
    """Create an empty memory file."""
    click.echo(f"{memory.path}: {memory.stats()['facts']} facts")


def _without_end(ctx: click.Context, _: click.Parameter, replace: bool) -> bool:
    if replace and ctx.params.get("valid_to"):
        raise click.UsageError("--replace writes a value that is valid from now on; leave out --valid-to")
    return replace


@memory_command(must_exist=False)
@click.argument("subject")
@click.argument("relation")
@click.argument("object")
@click.option("--source", help="Source of the fact.")
@click.option("--valid-from", help="ISO time at which it becomes valid.")
@click.option("--valid-to", is_eager=True, help="ISO time at which it becomes invalid.")
@click.option("--confidence", type=float, default=1.0, show_default=True)
@click.option(
    "--replace", is_flag=True, callback=_without_end, help="Supersede the current value of this subject and relation."
)
def add(memory: GraphMemory, json_: bool, replace: bool, **fields: Any) -> None:
    """Write one fact."""
    if replace:
        del fields["valid_to"]
        entry = memory.supersede(at=fields.pop("valid_from"), **fields)
    else:
        entry = memory.add(**fields)
    emit(entry) if json_ else print_facts(memory.store.facts_by_id(entry.edge_ids))


@memory_command(opened=("retriever",))
@click.argument("query")
@click.option("-k", "--top-k", type=click.IntRange(1), default=10, show_default=True)
@click.option("--ranker", type=click.Choice(["gnn", "activation", "ppr", "dense", "bm25"]), default="gnn")
@click.option("--as-of", help="Search the facts valid at that time.")
@retriever_weights
def search(memory: GraphMemory, query: str, json_: bool, **options: Any) -> None:
    """Retrieve the nodes and passages relevant to QUERY."""
    found = memory.retrieve(query, **options)
    paths = {node.name: found.path_to(node.name) for node in found.nodes}
    if json_:
        nodes = [{**_plain(node), "path": [str(fact) for fact in paths[node.name]]} for node in found.nodes]
        return emit({"query": query, "answerable": found.answerable, "nodes": nodes, "passages": found.passages})
    for node in found.nodes:
        chain = "; ".join(map(str, paths[node.name]))
        click.echo(f"{node.score:8.3f}  {node.name}" + (f"   ⟵ {chain}" if chain else ""))
    for passage in found.passages:
        click.echo(f"{passage.score:8.3f}  [{passage.title or 'untitled'}] {' '.join(passage.text.split())[:160]}")
    if not found.nodes and not found.passages:
        click.echo("nothing found")


@memory_command()
@click.argument("name", required=False)
@click.option("--relation", help="Only facts of this relation.")
@click.option("--as-of", help="Facts valid at that time.")
@click.option("--known-at", help="Facts recorded by that time.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
def show(memory: GraphMemory, name: str | None, json_: bool, limit: int, **filters: Any) -> None:
    """Show the facts about NAME, or the first facts of the memory."""
    if name is None:
        facts = memory.facts(limit=limit, **filters)
    else:
        memory.store.find(name)
        facts = memory.facts(subject=name, limit=limit, **filters)
        facts += [f for f in memory.facts(object=name, limit=limit, **filters) if f not in facts]
    emit(facts) if json_ else print_facts(facts[:limit])


@memory_command()
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
def history(memory: GraphMemory, name: str | None, limit: int, json_: bool) -> None:
    """Show the journal: of NAME, or the latest entries."""
    entries = memory.history(name)[-limit:] if name else memory.journal(limit)
    emit(entries) if json_ else print_entries(entries)


@memory_command()
@click.argument("entry", type=int, required=False)
def undo(memory: GraphMemory, entry: int | None, json_: bool) -> None:
    """Undo journal entry ENTRY, or the latest one."""
    done = memory.undo(entry)
    emit(done) if json_ else print_entries([done])


@memory_command()
@click.argument("entry", type=int, required=False)
def redo(memory: GraphMemory, entry: int | None, json_: bool) -> None:
    """Redo journal entry ENTRY, or the latest one undone."""
    done = memory.redo(entry)
    emit(done) if json_ else print_entries([done])


@memory_command()
def stats(memory: GraphMemory, json_: bool) -> None:
    """Show the counts and the size of the memory."""
    counts = memory.stats()
    if json_:
        return emit(counts)
    for key, value in counts.items():
        click.echo(f"{key:<16} {value:,}" if isinstance(value, int) else f"{key:<16} {value}")
