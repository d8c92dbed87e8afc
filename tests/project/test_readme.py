"""Documentation that runs: console blocks in order, in an empty folder (`...` matches anything), and Python blocks."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CONSOLE = ["README.md", "docs/usage.md"]
PYTHON = [*CONSOLE, "docs/attach_your_model.md"]
CHECK = doctest.OutputChecker()
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
MAX_WORDS = 1000


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text_of(page), re.S)


def sessions(page: str) -> list[tuple[str, str]]:
    """(command, expected output) of every `$` line in the page's console blocks."""
    return [
        (command.strip(), output)
        for block in blocks(page, "console")
        for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.M)
    ]


@pytest.mark.readme
@pytest.mark.parametrize("page", CONSOLE)
def test_the_console_blocks_print_what_they_show(page: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert sessions(page)
    for command, expected in sessions(page):
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"$ {command}\n{done.stderr}"
        assert CHECK.check_output(expected, done.stdout, LOOSE), f"$ {command}\n{done.stdout}"


@pytest.mark.readme
@pytest.mark.parametrize("page", PYTHON)
def test_the_python_blocks_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert blocks(page, "python")
    scope: dict[str, object] = {}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), scope)


def test_the_settings_of_the_guide_are_settings(tmp_path: Path) -> None:
    from graphmem.training.fusion.custom import load_config

    (block,) = blocks("docs/attach_your_model.md", "toml")
    (tmp_path / "train.toml").write_text(block, encoding="utf-8")
    assert load_config(tmp_path / "train.toml").stages[0].max_nodes == 8


def test_the_readme_is_short_and_shows_both_commands() -> None:
    readme = text_of("README.md")
    assert len(readme.split()) <= MAX_WORDS
    assert "make demo" in readme and "make test" in readme
    (table,) = re.findall(r"(?:^\|.*\n)+", readme, re.M)
    assert 3 <= len(table.splitlines()) - 2 <= 8


def test_the_usage_page_shows_every_command() -> None:
    from click import Context

    from graphmem.cli.main import main

    missing = [name for name in main.list_commands(Context(main)) if f"graphmem {name}" not in text_of("docs/usage.md")]
    assert missing == []
