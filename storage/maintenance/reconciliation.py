"""Reconciliation of the journal with rows that no evidence brings back: they are recorded as they are.

Without it, one row that another program wrote or changed would leave a file unsound for ever, and what needs a sound
file, as an erasure does, would be refused.
"""

from __future__ import annotations

import sqlite3

from graphmem.storage import bulk_sums
from graphmem.storage.maintenance.evidence import UNREADABLE, Evidence
from graphmem.storage.maintenance.report import some
from graphmem.storage.maintenance.values import EARLIEST
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder, reseal
from graphmem.storage.tables.row_images import Change, Row
from graphmem.storage.tables.validation import now_micros

MOST_MISSING = 10_000
"""Longest run of missing entries that are stood in for; a damaged number may leave any gap."""

_ENTRIES = ("edges", "touched", "journal_ranges")


def reconcile(raw: sqlite3.Connection, evidence: Evidence) -> list[str]:
    """Record rows that no entry knows, and seal loads over their rows as they stand; says which rows. Writes.

    Every namespace with such rows gets one entry ``repair`` that names them. Nothing is written where the rows or the
    journal hold values of other types than theirs.
    """
    raw.execute("SAVEPOINT reconcile")
    notes: list[str] = []
    try:
        notes = _reconciled(raw, evidence)
    except (*UNREADABLE, AttributeError):
        raw.execute("ROLLBACK TO reconcile")
    raw.execute("RELEASE reconcile")
    return notes


def _reconciled(raw: sqlite3.Connection, evidence: Evidence) -> list[str]:
    notes: dict[int, list[str]] = {}
    for block in evidence.blocks(raw):
        bulk_sums.reseal_block(raw, block)
        odd = block.missing() or block.altered()
        which = some(odd) if odd else f"{block.first} to {block.last}, at least one"
        notes.setdefault(int(block.constant["ns"]), []).append(
            f"{block.table} {which}: not as entry {block.entry} loaded them, and from now on taken as they are"
        )
    if notes:
        reseal(raw, set())
    unknown: dict[int, dict[str, list[Row]]] = {}
    for table, keys in evidence.unknown(raw):
        for key in keys:
            row = rows.fetch(raw, table, key)
            if row is not None:
                unknown.setdefault(row[1], {}).setdefault(table, []).append(row)
    for ns in sorted({*notes, *unknown}):
        recorder = Recorder(raw, ns)
        for table, found in unknown.get(ns, {}).items():
            for row in found:
                _record(recorder, table, row)
            notes.setdefault(ns, []).append(f"{table} {some([row[:1] for row in found])}: known to no entry until now")
        recorder.finish("repair", "; ".join(notes[ns]))
    return [note for found in notes.values() for note in found]


def stand_in(raw: sqlite3.Connection) -> list[str]:
    """Put an empty entry ``lost`` in the place of each that is missing; says which. Writes.

    It cannot be reverted, as after a compaction. The caller settles the chain.
    """
    raw.execute("DELETE FROM journal WHERE id < 1")
    sql = "SELECT coalesce(max(entry), 0) FROM {} WHERE typeof(entry) = 'integer'"
    held = raw.execute("SELECT id, at FROM journal WHERE typeof(at) = 'integer' ORDER BY id").fetchall()
    last = max(raw.execute(sql.format(table)).fetchone()[0] for table in _ENTRIES)
    counter = raw.execute("SELECT value FROM meta WHERE key = 'next_entry'").fetchone()
    if not held or (held[-1][0] < last and counter == (last + 1,)):  # its end is gone: the rows say how far it went
        held.append((last + 1, now_micros()))
    insert = "INSERT INTO journal(id, ns, at, action, changes, chain, compacted) VALUES (?, ?, ?, 'lost', ?, x'', 1)"
    known = {row[0] for row in raw.execute("SELECT id FROM journal")}
    times, ns = {at for _, at in held}, raw.execute("SELECT min(id) FROM namespaces").fetchone()[0] or 1
    lost, above, before = [], 0, EARLIEST
    for number, at in held:
        near = number - above <= MOST_MISSING
        gap = [missing for missing in range(above + 1, number if near else 0) if missing not in known]
        above = number
        moment = at
        for missing in reversed(gap):
            moment = next(one for one in range(moment - 1, moment - len(times) - 2, -1) if one not in times)
            times.add(moment)
            raw.execute(insert, (missing, ns, moment, rows.pack([])))
        if gap:
            lost.append(f"entries {gap[0]} to {gap[-1]}: they are missing, and what they recorded with them")
            if moment <= before:
                raw.execute("INSERT OR IGNORE INTO meta(key, value) VALUES ('unordered', 1)")
        before = at
    return lost


def _record(recorder: Recorder, table: str, row: Row) -> None:
    """Note a row as added; a fact counts as recorded by this entry."""
    new = row if table == "nodes" else rows.changed(table, row, entry=recorder.entry)
    rows.put(recorder.raw, table, row, new)
    change = Change(table, None, new)
    recorder.changes.append(change)
    recorder.touched.update(change.nodes())
