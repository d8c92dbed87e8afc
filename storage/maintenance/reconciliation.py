"""Reconciliation of the journal with rows that no evidence brings back: they are recorded as they are.

Without it, one row that another program wrote or changed would leave a file unsound for ever, and what needs a sound
file, as an erasure does, would be refused.
"""

from __future__ import annotations

import sqlite3

from graphmem.storage import bulk_sums
from graphmem.storage.maintenance.evidence import Evidence
from graphmem.storage.maintenance.report import some
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder, reseal
from graphmem.storage.tables.row_images import Change, Row


def reconcile(raw: sqlite3.Connection, evidence: Evidence) -> list[str]:
    """Record rows that no entry knows, and seal loads over their rows as they stand; says which rows. Writes.

    Every namespace with such rows gets one entry ``repair`` that names them.
    """
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


def _record(recorder: Recorder, table: str, row: Row) -> None:
    """Note a row as added; a fact counts as recorded by this entry."""
    new = row if table == "nodes" else rows.changed(table, row, entry=recorder.entry)
    rows.put(recorder.raw, table, row, new)
    change = Change(table, None, new)
    recorder.changes.append(change)
    recorder.touched.update(change.nodes())
