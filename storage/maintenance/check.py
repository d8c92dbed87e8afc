"""Checking and repairing a memory file."""

from __future__ import annotations

import os
from contextlib import closing

from graphmem.core.errors import NotAMemory, ReadOnly
from graphmem.storage.maintenance.integrity import Problem, Report, inspect
from graphmem.storage.maintenance.repair import mend
from graphmem.storage.tables.connection import Connection

__all__ = ["Problem", "Report", "check", "repair"]


def check(path: str | os.PathLike[str]) -> Report:
    """Look at everything that a memory file promises. Changes nothing.

    Raises:
        NotAMemory: it is no memory at all, so there is nothing to check.
    """
    with closing(_open(os.fspath(path))) as opened, opened.translating():
        return inspect(opened.raw, opened.path)


def _open(path: str) -> Connection:
    if not os.path.exists(path):
        raise NotAMemory(f"{path} does not exist")
    try:
        return Connection(path)
    except ReadOnly:
        return Connection(path, read_only=True)


def repair(path: str | os.PathLike[str]) -> tuple[Report, Report]:
    """Mend a memory and return what was wrong before and what still is after. Writes.

    The file as it was is kept beside it as ``PATH.before-repair``. Search indexes, SQL indexes, counters, normalised
    names and snapshots are made again; a lost node is brought back from the journal; vectors that cannot be right are
    removed, to be encoded again; facts whose nodes are nowhere to be found are removed. When pages of the file are
    damaged, every row that can still be read is copied to a new file.
    """
    before = check(path)
    if before.ok:
        return before, before
    mend(os.fspath(path), before)
    return before, check(path)
