"""The README's console blocks are run as they stand, in order, in an empty folder; `...` matches anything."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = ["README.md", "docs/attach_your_model.md"]
CHECK = doctest.OutputChecker()
LOOSE = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def sessions() -> list[tuple[str, str]]:
    """(command, expected output) of every `$` line in the README's console blocks."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.S)
    return [(c.strip(), out) for b in blocks for c, out in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", b, re.M)]


@pytest.mark.readme
def test_the_console_sessions_print_what_the_readme_says(tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    assert sessions()
    for command, expected in sessions():
        done = subprocess.run(command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, f"$ {command}\n{done.stderr}"
        assert CHECK.check_output(expected, done.stdout, LOOSE), f"$ {command}\n{done.stdout}"


@pytest.mark.readme
@pytest.mark.parametrize("guide", GUIDES)
def test_the_python_blocks_run(guide: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / guide).read_text(encoding="utf-8"), re.S)
    assert blocks
    scope: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, guide, "exec"), scope)


def test_the_settings_of_the_guide_are_settings(tmp_path: Path) -> None:
    from graphmem.training.fusion.custom import load_config

    (block,) = re.findall(r"```toml\n(.*?)```", (ROOT / GUIDES[1]).read_text(encoding="utf-8"), re.S)
    (tmp_path / "train.toml").write_text(block, encoding="utf-8")
    assert load_config(tmp_path / "train.toml").stages[0].nodes == 8


def test_the_readme_shows_both_commands_and_every_subcommand() -> None:
    from click import Context

    from graphmem.cli.main import main

    assert "make demo" in README and "make test" in README
    missing = [name for name in main.list_commands(Context(main)) if f"graphmem {name}" not in README]
    assert missing == [], "document these commands in the README"
