"""Compaction of the journal: what entries before a date changed is dropped, and the space is returned to the disk."""

from __future__ import annotations

import sqlite3

from tqdm import tqdm

from graphmem.core.errors import Corrupt
from graphmem.core.times import from_micros
from graphmem.storage import bulk_sums
from graphmem.storage.maintenance.backup import reclaim
from graphmem.storage.maintenance.check import inspect
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder, reseal
from graphmem.storage.tables.connection import Connection


def compact(connection: Connection, ns: int, before: int, *, progress: bool = False) -> tuple[int, int]:
    """Drop what the entries recorded before a time changed; bytes of the file before and after. Writes.

    The entries keep their times, actions and notes. They can no more be undone, and what was known before ``before``
    cannot be asked for. The compaction is an entry itself, in the namespace ``ns``. The journal is rewritten in one
    transaction; a process that is killed after it leaves only space that is not yet returned.

    Raises:
        Corrupt: a check of the file finds a problem; repair it first.
    """
    with tqdm(total=3, desc="compact", unit="step", disable=not progress) as bar:
        with connection.writing() as raw:
            _drop(raw, connection.path, ns, before)
            bar.update()
        with connection.lock, connection.translating():
            return reclaim(connection.raw, connection.path, bar.update)


def _drop(raw: sqlite3.Connection, path: str, ns: int, before: int) -> None:
    last = raw.execute("SELECT max(id) FROM journal WHERE at < ?", (before,)).fetchone()[0] or 0
    first = raw.execute("SELECT min(id) FROM journal WHERE id <= ? AND compacted = 0", (last,)).fetchone()[0]
    if first is None:
        return
    require_sound(raw, path)
    (value,) = raw.execute("SELECT chain FROM journal ORDER BY id DESC LIMIT 1").fetchone()
    raw.execute("UPDATE journal SET changes = ?, compacted = 1 WHERE id <= ?", (rows.pack([]), last))
    raw.execute("DELETE FROM journal_parts WHERE entry <= ?", (last,))
    bulk_sums.seal(raw)
    reseal(raw, set())
    what = f"entries {first} to {last}, recorded before {from_micros(before)}"
    Recorder(raw, ns).finish("compact", f"what {what}, changed is not kept; check value before: {value.hex()}")


def require_sound(raw: sqlite3.Connection, path: str) -> None:
    """Raise ``Corrupt`` where a check finds a problem: the journal and its sums are evidence that a repair needs."""
    report = inspect(raw, path)
    if not report.ok:
        raise Corrupt(f"{path} has {len(report.problems)} problems ({report.problems[0]}); run `graphmem repair` first")
