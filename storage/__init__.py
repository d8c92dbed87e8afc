"""Storage of graphs on disk: one SQLite file, its indexes, exchange formats and maintenance."""

from __future__ import annotations

from graphmem.storage.sqlite import SQLiteStore

__all__ = ["SQLiteStore"]
