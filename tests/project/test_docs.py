"""Documentation pages: links that lead somewhere, commands that exist, plain words."""

from __future__ import annotations

import re
from importlib import import_module
from itertools import product
from pathlib import Path

import click
import pytest

from graphmem.cli.main import main
from graphmem.cli.model import EXPERIMENTS, TRAINERS

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "examples" / "experiments" / "README.md",
    ROOT / "graphmem" / "data" / "SOURCES.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "graphmem" / "weights").rglob("*.md")),
]
PLAIN = [page for page in PAGES if page != ROOT / "README.md"]
BANNED = re.compile(r"\b(told|heard|hearing|hears|believed|louder|begun)\b", re.IGNORECASE)
COMMAND = re.compile(r"(?:`|^ {4,}|^\$ )graphmem ([a-z][a-z|-]*)(?: ([a-z][a-z|-]*)\b)?", re.MULTILINE)
CALL = re.compile(r"(?:`|^ {4,}|^\$ )graphmem (evaluate [a-z-]+|[a-z-]+)([^`\n]*)", re.MULTILINE)
TABLES = {"train": TRAINERS, "experiment": EXPERIMENTS}
"""Commands whose second word is looked up in a table of modules."""


def name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    return re.sub(r"```.*?```", "", text, flags=re.DOTALL)


def links(page: Path) -> list[str]:
    """Targets of the relative links and pictures of a page, without their anchors."""
    found = re.findall(r"\]\(([^()\s]+)\)", without_code(page.read_text(encoding="utf-8")))
    return [link.partition("#")[0] for link in found if not re.match(r"[a-z]+:|#", link)]


def commands(page: Path) -> set[tuple[str, str]]:
    """Command and second word of every call of graphmem that a page shows."""
    found = COMMAND.findall(page.read_text(encoding="utf-8"))
    return {pair for firsts, seconds in found for pair in product(firsts.split("|"), seconds.split("|"))}


def exists(command: str, second: str) -> bool:
    """Whether the command line has it; a second word counts where the command has commands of its own."""
    context = click.Context(main)
    found = main.get_command(context, command)
    if found is None or not second:
        return found is not None
    if isinstance(found, click.Group):
        return found.get_command(click.Context(found), second) is not None
    return second in TABLES.get(command, (second,))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    assert [link for link in links(page) if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_exists(page: Path) -> None:
    assert sorted(call for call in commands(page) if not exists(*call)) == []


def unknown_options(page: Path) -> list[str]:
    """Long options that a page shows for a command without them; commands that pass options on are left out."""
    wrong = []
    for words, rest in CALL.findall(page.read_text(encoding="utf-8")):
        command: click.Command | None = main
        for word in words.split():
            command = command.get_command(click.Context(command), word) if isinstance(command, click.Group) else command
        if command is None or command.context_settings.get("ignore_unknown_options"):
            continue
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        wrong += [
            f"{words} {option}" for option in re.findall(r" (--[a-z][a-z-]*)", rest) if option not in {*known, "--help"}
        ]
    return wrong


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_option_exists(page: Path) -> None:
    assert unknown_options(page) == []


@pytest.mark.parametrize("page", PLAIN, ids=name)
def test_the_words_are_plain(page: Path) -> None:
    assert BANNED.findall(without_code(page.read_text(encoding="utf-8"))) == []


def test_the_checks_find_what_they_look_for(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("[a](gone.md) [b](https://x.org/y) `graphmem nothing` and\n    graphmem train nothing --out x\n")
    assert links(page) == ["gone.md"]
    assert commands(page) == {("nothing", ""), ("train", "nothing")}
    assert not exists("nothing", "") and not exists("train", "nothing")
    page.write_text("`graphmem search FILE --nothing 3 --top-k 3`")
    assert unknown_options(page) == ["search --nothing"]
    assert exists("train", "retriever") and exists("search", "")
    assert BANNED.search("is Told now") and not BANNED.search("a toldo")


def test_the_pages_are_linked_with_each_other() -> None:
    pages = set((ROOT / "docs").glob("*.md"))
    linked = {(page.parent / link).resolve() for page in PAGES for link in links(page)}
    assert sorted(page.name for page in pages - linked) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_modules_that_a_page_names_exist(page: Path) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.rglob("*.py") if ".venv" not in path.parts}
    named = set(re.findall(r"`((?:[\w-]+/)*\w+\.py)\b", page.read_text(encoding="utf-8")))
    assert {one for one in named if not any(f"/{file}".endswith(f"/{one}") for file in files)} == set()
    text = page.read_text(encoding="utf-8")
    old = text.split("## Names that changed")[-1] if "## Names that changed" in text else ""
    dotted = set(re.findall(r"`(graphmem(?:\.\w+)+)", text.removesuffix(old)))
    assert {one for one in dotted if not _resolves(one)} == set()


def _resolves(dotted: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    found, _, rest = dotted.partition(".")
    thing: object = import_module(found)
    for part in rest.split("."):
        if hasattr(thing, part):
            thing = getattr(thing, part)
            continue
        try:
            thing = import_module(f"{getattr(thing, '__name__', '')}.{part}")
        except ImportError:
            return False
    return True
