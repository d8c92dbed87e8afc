"""Command lines that are run in a folder of their own, with the base model loaded once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from graphmem.cli.main import main
from graphmem.hub import load_language_model


@pytest.fixture(scope="session")
def parts() -> Any:
    """The default base model and its tokenizer."""
    return load_language_model()


@pytest.fixture
def run_with_base(parts: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command line in an empty folder, and returns its result."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("graphmem.hub.load_language_model", lambda name=None: parts)

    def call(*args: str, code: int = 0) -> Result:
        result = CliRunner().invoke(main, args)
        assert result.exit_code == code, result.output
        return result

    return call
