"""The group ``graphmem``, its shared options, and the commands that read and write facts.

Modules are imported when a command needs them, so that ``--help`` is fast.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, is_dataclass
from functools import wraps
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from graphmem import __version__
from graphmem.adapters import light_imports
from graphmem.cli.lines import print_entries, print_facts
from graphmem.core.errors import GraphMemError, NotFound, ReadOnly

if TYPE_CHECKING:
    from graphmem.memory import GraphMemory

# Passive waiting: torch's default spins, which is ten times slower when other work shares the cores.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

as_json = click.option("--json", "json_", is_flag=True, help="Print JSON.")
memory_file = click.argument("db", type=click.Path(dir_okay=True))
force = click.option("--force", is_flag=True, help="Replace a file that exists.")
namespace = click.option("-n", "--namespace", default="default", show_default=True, help="Namespace within the file.")

_VIEW = "show search history"
_STORE = "ingest add-passages export import check repair backup restore vacuum compact erase merge reencode consolidate"
_MODEL = "ask picture demo train experiment"
LAZY = (
    dict.fromkeys(_VIEW.split(), "view")
    | dict.fromkeys(_STORE.split(), "store")
    | dict.fromkeys(_MODEL.split(), "model")
    | {"chat": "chat", "evaluate": "evaluate", "explain": "explain", "read": "read"}
)
"""Commands by the module that defines them, imported when named."""

WHOLE = ("evaluate", "experiment", "train")
"""Commands that use what light imports leave out."""

_WORDS = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"\b(undo|redo)\((\d+)\)", r"`graphmem \1 FILE \2`"),
        (r"\(force=True\)|; open it with read_only=True(?=$|, or)", ""),
        (r"\b(pass )?overwrite=True\b", "give --force"),
    )
)
"""What messages call by its name in Python, and its name on the command line."""


class Command(click.Command):
    """A command whose arguments may look like negative numbers: ``-5`` is a name, not an option."""

    def make_parser(self, ctx: click.Context) -> Any:
        """A parser that takes a dash before anything but a letter or a dash as part of an argument."""
        parser: Any = super().make_parser(ctx)
        process = parser._process_opts

        def process_or_keep(argument: str, state: Any) -> None:
            if argument[1].isalpha() or argument[1] == "-":
                process(argument, state)
            else:
                state.largs.append(argument)

        parser._process_opts = process_or_keep
        return parser

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse; the error of an unknown option says how a name with a dash in front is given."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if not error.possibilities:
                raise click.UsageError(
                    f"{error.format_message()} A name that begins with a dash goes after `--`.", ctx
                ) from None
            raise


class Commands(click.Group):
    """A click group that imports commands on demand and turns graphmem's errors into exit code 1."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *LAZY})

    def main(self, args: Sequence[str] | None = None, *rest: Any, **options: Any) -> Any:
        """Run the command line; without ``args`` the process is its own, and imports are kept light."""
        light_imports.enable(args is None)
        try:
            return super().main(args, *rest, **options)
        finally:
            if args is None:
                gc.freeze()  # the interpreter's last collection would walk every object that the imports made

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in WHOLE:
            light_imports.enable(False)
        if name in LAZY:
            import_module(f"graphmem.cli.{LAZY[name]}")
        return super().get_command(ctx, name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; a ``GraphMemError`` is printed on one line and exits with 1."""
        try:
            return super().invoke(ctx)
        except GraphMemError as error:
            click.echo(f"Error: {in_words_of_options(str(error), ctx)}", err=True)
            ctx.exit(1)
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            click.echo(f"Error: {error.filename or 'input or output'}: {error.strerror or error}", err=True)
            ctx.exit(1)
        except KeyboardInterrupt:
            click.echo("Interrupted; finished transactions are kept.", err=True)
            ctx.exit(130)


def in_words_of_options(message: str, ctx: click.Context) -> str:
    """An error's message in words of the command line: options in place of parameters, commands in place of calls."""
    for pattern, words in _WORDS:
        message = pattern.sub(words, message)
    name, _, rest = message.partition(" ")
    group, command = ctx.command, ctx.invoked_subcommand or ""
    called = group.get_command(ctx, command) if isinstance(group, click.Group) else None
    for option in called.params if called else ():
        if isinstance(option, click.Option) and option.name == name:
            return f"{max(option.opts, key=len)} {rest}"
    return message


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="graphmem")
def main() -> None:
    """A graph memory for transformers.

    Exit codes: 0 success, 1 an error that the message explains, 2 wrong usage, 130 interrupted.
    """


def open_memory(
    db: str, *, namespace: str = "default", must_exist: bool = True, reads: bool = False, **kwargs: Any
) -> GraphMemory:
    """The memory at ``db``; a command that only ``reads`` opens a write-protected one too.

    Raises:
        NotFound: there is no file and ``must_exist`` is True.
        ReadOnly: it is write-protected and the command does not only read.
    """
    from graphmem.memory import GraphMemory

    if must_exist and not Path(db).exists():
        raise NotFound(f"there is no memory at {db}; create one with: graphmem init {db}")
    try:
        return GraphMemory.open(db, namespace=namespace, **kwargs)
    except ReadOnly:
        if not reads:
            raise
        return GraphMemory.open(db, namespace=namespace, **kwargs | {"read_only": True})


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
    click.echo(json.dumps(value, ensure_ascii=False, indent=2, default=plain))


def plain(value: Any) -> Any:
    """A value for JSON: fields of a dataclass that are set, lists of arrays, else text."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: item for key, item in asdict(value).items() if item is not None}
    return value.tolist() if hasattr(value, "tolist") else str(value)


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


@memory_command()
@click.argument("entry", type=int, required=False)
def undo(memory: GraphMemory, entry: int | None, json_: bool) -> None:
    """Undo journal entry ENTRY, or the latest one."""
    done = memory.undo(entry)
    emit(done) if json_ else print_entries(memory, [done])


@memory_command()
@click.argument("entry", type=int, required=False)
def redo(memory: GraphMemory, entry: int | None, json_: bool) -> None:
    """Redo journal entry ENTRY, or the latest one undone."""
    done = memory.redo(entry)
    emit(done) if json_ else print_entries(memory, [done])


def _fact_command(name: str, text: str) -> None:
    """A command that calls the method ``name`` of the memory for the fact NUMBER and prints the fact."""

    @memory_command(name)
    @click.argument("number", type=click.IntRange(1))
    def command(memory: GraphMemory, number: int, json_: bool) -> None:
        entry = getattr(memory, name)(number)
        emit(entry) if json_ else print_facts(memory.store.facts_by_id([number]))

    command.help = text


_fact_command("pin", "Pin the fact NUMBER, as `show` prints it: reading and consolidation leave it as it is.")
_fact_command("unpin", "Let the pinned fact NUMBER go: reading and consolidation may change it.")


@memory_command(reads=True)
def stats(memory: GraphMemory, json_: bool) -> None:
    """Show the counts and the size of the memory."""
    counts = memory.stats()
    if json_:
        return emit(counts)
    if titles := memory.store.document_titles():  # their passages are joined by facts, which `show` does not count
        counts |= {
            "facts": memory.store.facts_page(limit=0)[0],
            "documents": len(titles),
            "passages": sum(titles.values()),
        }
    for key, value in counts.items():
        click.echo(f"{key:<16} {value:,}" if isinstance(value, int) else f"{key:<16} {value}")
