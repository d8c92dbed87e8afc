"""Journal: entries, the history of a node, undo and redo, and recorded states of the past."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from graphmem.core.edits import JournalEntry
from graphmem.core.errors import Conflict, NotFound
from graphmem.core.times import from_micros
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder
from graphmem.storage.tables.row_images import Change, Row

SHOWN_IDS = 10_000  # ids of a bulk load that an entry lists at most; a larger load has ranges in ``changes`` instead

_ENTRY = "SELECT id, at, action, note, undone, target FROM journal"
_REVERTS = ("undo", "redo")
_SELECT_RANGE = {
    table: f"SELECT {', '.join(rows.COLUMNS[table])} FROM {table} WHERE id BETWEEN ? AND ? ORDER BY id DESC"
    for table in ("nodes", "edges")
}


def recorded(raw: sqlite3.Connection, entry: int) -> Iterator[Change]:
    """Changes of an entry, in order; those of its ranges are not among them."""
    first = raw.execute("SELECT changes FROM journal WHERE id = ?", (entry,)).fetchone()
    yield from rows.unpack(first[0])
    for (part,) in raw.execute("SELECT changes FROM journal_parts WHERE entry = ? ORDER BY part", (entry,)):
        yield from rows.unpack(part)


def ranges(raw: sqlite3.Connection, entry: int) -> dict[str, tuple[int, int]]:
    """First and last id of the nodes and edges that a bulk load added, by table."""
    found = raw.execute("SELECT what, first, last FROM journal_ranges WHERE entry = ?", (entry,))
    return {what: (first, last) for what, first, last in found}


def entry(raw: sqlite3.Connection, ns: int, entry_id: int) -> JournalEntry:
    """One entry of this namespace. Raises ``NotFound``: there is none of that id."""
    return _as_entry(raw, _row(raw, ns, entry_id))


def _row(raw: sqlite3.Connection, ns: int, entry_id: int) -> Row:
    row: Row | None = raw.execute(f"{_ENTRY} WHERE id = ? AND ns = ?", (entry_id, ns)).fetchone()
    if row is None:
        raise NotFound(f"no journal entry {entry_id} in this namespace")
    return row


def newest(raw: sqlite3.Connection, ns: int, limit: int) -> list[JournalEntry]:
    """The last ``limit`` entries, newest first."""
    found = raw.execute(f"{_ENTRY} WHERE ns = ? ORDER BY id DESC LIMIT ?", (ns, limit)).fetchall()
    return [_as_entry(raw, row) for row in found]


def history(raw: sqlite3.Connection, ns: int, node: int) -> list[JournalEntry]:
    """Every entry that changed a node, its aliases or its facts, oldest first."""
    sql = "SELECT j.id, j.target FROM touched t JOIN journal j ON j.id = t.entry WHERE t.node = ?"
    ids = {number for row in raw.execute(sql, (node,)) for number in row if number is not None}
    loads = (
        "SELECT entry FROM journal_ranges WHERE what = 'nodes' AND ?1 BETWEEN first AND last OR what = 'edges' AND ("
        "EXISTS(SELECT 1 FROM edges WHERE src = ?1 AND id BETWEEN first AND last) "
        "OR EXISTS(SELECT 1 FROM edges WHERE dst = ?1 AND id BETWEEN first AND last))"
    )
    ids.update(row[0] for row in raw.execute(loads, (node,)))
    found = [raw.execute(f"{_ENTRY} WHERE id = ? AND ns = ?", (number, ns)).fetchone() for number in sorted(ids)]
    return [_as_entry(raw, row) for row in found if row is not None]


def _as_entry(raw: sqlite3.Connection, row: Row) -> JournalEntry:
    changes = list(recorded(raw, row[0]))
    shown: list[dict[str, Any]] = [show(change) for change in changes]
    ids = {
        table: list(dict.fromkeys(change.key[0] for change in changes if change.table == table))
        for table in ("nodes", "edges")
    }
    for table, (first, last) in ranges(raw, row[0]).items():
        shown.insert(0, {"table": table, "action": "bulk", "first": first, "last": last})
        if last - first < SHOWN_IDS:
            ids[table] = [*range(first, last + 1), *ids[table]]
    number, at, action, note, undone, _ = row
    state = from_micros(at) or "", action, note, bool(undone)
    return JournalEntry(number, *state, tuple(shown), tuple(ids["nodes"]), tuple(ids["edges"]))


def show(change: Change) -> dict[str, Any]:
    """A change as in ``JournalEntry.changes``."""
    return {
        "table": change.table,
        "id": change.key[0] if len(change.key) == 1 else change.key,
        "action": change.kind,
        "before": rows.as_mapping(change.table, change.before),
        "after": rows.as_mapping(change.table, change.after),
    }


def to_undo(raw: sqlite3.Connection, ns: int, entry_id: int | None) -> int:
    """The entry to undo: the given one, or the newest that is not undone.

    Raises:
        NotFound: no such entry, or nothing left to undo.
        Conflict: it is undone already, or is itself an undo or redo.
    """
    if entry_id is None:
        sql = "SELECT max(id) FROM journal WHERE ns = ? AND undone = 0 AND action NOT IN ('undo', 'redo')"
        found = raw.execute(sql, (ns,)).fetchone()[0]
        if found is None:
            raise NotFound("nothing to undo in this namespace")
        return int(found)
    action, _, undone, target = _row(raw, ns, entry_id)[2:]
    if action in _REVERTS:
        raise Conflict(f"entry {entry_id} is an {action} of entry {target}; undo or redo entry {target} instead")
    if undone:
        raise Conflict(f"entry {entry_id} is undone already; redo({entry_id}) applies it again")
    return entry_id


def to_redo(raw: sqlite3.Connection, ns: int, entry_id: int | None) -> tuple[int, int]:
    """The entry to redo and its undo: of the given entry, or of the last undone one.

    Raises:
        NotFound: no such entry, or nothing undone.
        Conflict: the entry is not undone.
    """
    if entry_id is not None and not _row(raw, ns, entry_id)[4]:
        raise Conflict(f"entry {entry_id} is not undone; there is nothing to redo")
    sql = (
        "SELECT u.target, max(u.id) FROM journal u JOIN journal e ON e.id = u.target "
        "WHERE u.ns = ? AND u.action = 'undo' AND e.undone = 1"
    )
    row = raw.execute(sql + (" AND e.id = ?" if entry_id else ""), (ns, *([entry_id] if entry_id else []))).fetchone()
    if row[0] is None:
        raise NotFound("nothing to redo in this namespace")
    return row[0], row[1]


def revert(raw: sqlite3.Connection, recorder: Recorder, entry_id: int) -> None:
    """Restore every row of an entry to its state before. Writes; the caller finishes the recorder.

    Raises:
        Conflict: later entries changed these rows or refer to them; the message lists those entries.
    """
    raw.execute("PRAGMA defer_foreign_keys = ON")
    wanted = ranges(raw, entry_id)
    changes = list(recorded(raw, entry_id))
    final = {(change.table, change.key): change.after for change in changes}
    moved = {key for key, after in final.items() if rows.fetch(raw, *key) != after}  # changed since
    blockers = _blockers(raw, entry_id, changes, moved, wanted)
    if blockers:
        named = ", ".join(str(number) for number in sorted(blockers))
        raise Conflict(f"entry {entry_id} cannot be reverted: entries {named} build on it; undo those first")
    if moved:
        raise Conflict(f"entry {entry_id} cannot be reverted: rows it changed have been reverted already")
    recorder.put_all(Change(change.table, change.after, change.before) for change in reversed(changes))
    for table in ("edges", "nodes"):  # edges first: they refer to nodes
        if table in wanted:
            found = raw.execute(_SELECT_RANGE[table], wanted[table]).fetchall()
            recorder.put_all(Change(table, row, None) for row in found)


def _blockers(
    raw: sqlite3.Connection, entry_id: int, changes: Sequence[Change], moved: set[tuple[str, Row]],
    wanted: dict[str, tuple[int, int]],
) -> set[int]:  # fmt: skip
    removed = {change.key[0] for change in changes if change.table == "nodes" and change.before is None}
    own = {change.key[0] for change in changes if change.table == "edges"}
    blockers = _referring(raw, removed, own, wanted)
    sql = "SELECT id FROM journal WHERE id > ? AND undone = 0 AND action NOT IN ('undo', 'redo')"
    for (number,) in raw.execute(sql, (entry_id,)) if moved or wanted else ():
        touched = {(change.table, change.key) for change in recorded(raw, number)}
        if touched & moved or any(_inside(table, key, wanted) for table, key in touched):
            blockers.add(number)
    return blockers - {entry_id}


def _inside(table: str, key: Row, wanted: dict[str, tuple[int, int]]) -> bool:
    table, column = {"aliases": ("nodes", 2), "edge_sources": ("edges", 0)}.get(table, (table, 0))
    return table in wanted and wanted[table][0] <= key[column] <= wanted[table][1]


def _referring(
    raw: sqlite3.Connection, removed: set[int], own: set[int], wanted: dict[str, tuple[int, int]]
) -> set[int]:
    """Entries whose facts refer to nodes that would be removed."""
    entries: set[int] = set()
    for node in removed:
        found = raw.execute("SELECT id, entry FROM edges WHERE src = ?1 OR dst = ?1", (node,))
        entries.update(entry for edge, entry in found if edge not in own)
    if "nodes" in wanted:
        edges = wanted.get("edges", (0, -1))
        for end in ("src", "dst"):
            sql = f"SELECT DISTINCT entry FROM edges WHERE {end} BETWEEN ? AND ? AND id NOT BETWEEN ? AND ?"
            entries.update(row[0] for row in raw.execute(sql, (*wanted["nodes"], *edges)))
    return entries


def held_at(raw: sqlite3.Connection, ns: int, moment: int) -> tuple[dict[int, Row | None], dict[int, Row | None]]:
    """Nodes and edges that have changed since a recorded time: their row images at that time by id, None if new since.

    The journal is read from that time on; the first image of each row is the one of that time.
    """
    past: dict[str, dict[int, Row | None]] = {"nodes": {}, "edges": {}}
    sql = "SELECT id FROM journal WHERE ns = ? AND at > ? ORDER BY id"
    for (number,) in raw.execute(sql, (ns, moment)).fetchall():
        for change in recorded(raw, number):
            if change.table in past:
                past[change.table].setdefault(change.key[0], change.before)
        for table, (first, last) in ranges(raw, number).items():
            for identifier in range(first, last + 1):
                past[table].setdefault(identifier, None)
    return past["nodes"], past["edges"]
