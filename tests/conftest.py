"""What many tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def encoder() -> Any:
    """The default text encoder, loaded once a run."""
    from graphmem.resolver import find_encoder

    return find_encoder()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    """An empty SQLite store in a file."""
    from graphmem.storage.sqlite import SQLiteStore

    opened = SQLiteStore.open(str(tmp_path / "memory.db"))
    yield opened
    opened.close()
