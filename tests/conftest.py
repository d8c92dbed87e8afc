"""What many tests share."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # nothing may try the network
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GRAPHMEM_CACHE", os.path.join(sys.prefix, "graphmem-cache"))  # never the user's own


@pytest.fixture(scope="session")
def encoder() -> Any:
    """The default text encoder, loaded once a run."""
    from graphmem.hub import load_encoder

    return load_encoder()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    """An empty SQLite store in a file."""
    from graphmem.storage.sqlite import SQLiteStore

    opened = SQLiteStore.open(str(tmp_path / "memory.db"))
    yield opened
    opened.close()
