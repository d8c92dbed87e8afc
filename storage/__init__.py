"""Stores: where a graph lives on disk."""

from __future__ import annotations

from graphmem.storage.sqlite import SQLiteStore

__all__ = ["SQLiteStore"]
