"""Journal: entries, the history of a node, what can be undone, and recorded states of the past."""

from __future__ import annotations

import sqlite3
import zlib
from collections import Counter
from collections.abc import Callable, Container, Iterator
from typing import Any

from graphmem.core.edits import JournalEntry
from graphmem.core.errors import Conflict, Corrupt, NotFound, NotKept
from graphmem.core.times import from_micros
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.row_images import Cut, Delta, NamedRow, Row
from graphmem.storage.tables.schema import NAMES

SHOWN_IDS = 10_000  # ids of a bulk load that an entry lists at most; a larger load has ranges in ``changes`` instead
SHOWN_CHANGES = 10_000  # changes that an entry lists at most; of more it shows counts
LISTED_IDS = 100_000  # ids of changed rows that an entry lists at most

DRIFT = 86_400_000_000  # microseconds that entries may lie ahead of the clock; further ahead, another clock was wrong
CLOCK_LOST = 1_000_000_000_000_000  # a clock before September 2001 has lost its time

_ENTRY = "SELECT id, at, action, note, undone, target FROM journal"
_NEXT_ID = "SELECT value FROM meta WHERE key = ?"
_FIRST = "SELECT changes FROM journal WHERE id = ? AND ? = 0"
_PART = "SELECT changes FROM journal_parts WHERE entry = ? AND part = ?"

REVERTS = ("undo", "redo")
UPKEEP = ("compact", "erase", "repair")
"""Actions that rewrite the journal itself: they cannot be undone."""

State = dict[str, Any] | None
"""Known columns of a row; None where there is no row."""


def latest(raw: sqlite3.Connection, now: int) -> int:
    """Time of the latest entry in microseconds, 0 before the first; entries of a clock that ran ahead do not count."""
    if now < CLOCK_LOST:
        row = raw.execute("SELECT at FROM journal ORDER BY id DESC LIMIT 1").fetchone()
    else:
        row = raw.execute("SELECT max(at) FROM journal WHERE at <= ?", (now + DRIFT,)).fetchone()
    return (row and row[0]) or 0


def next_moment(raw: sqlite3.Connection, now: int) -> int:
    """Time of the next entry: the clock's, or just after the latest entry where the clock stopped or went back.

    After an entry of a clock that ran ahead, the file is marked: its entries are not in the order of their times.
    Writes; call it inside a transaction.
    """
    newest = raw.execute("SELECT max(at) FROM journal").fetchone()[0]
    if newest is None or newest < now:
        return now
    at = max(now, latest(raw, now) + 1)
    while raw.execute("SELECT 1 FROM journal WHERE at = ?", (at,)).fetchone():
        at += 1
    if at < newest:
        raw.execute("INSERT OR IGNORE INTO meta(key, value) VALUES ('unordered', 1)")
    return at


def unordered(raw: sqlite3.Connection) -> bool:
    """Whether a clock once ran ahead, so that an entry has an earlier time than one before it."""
    return raw.execute("SELECT 1 FROM meta WHERE key = 'unordered'").fetchone() is not None


def last_entry(raw: sqlite3.Connection, moment: int) -> int:
    """The newest journal entry recorded by a moment, 0 before the first."""
    newest = "SELECT max(id) FROM journal WHERE at <= ?"
    if not unordered(raw):
        newest = "SELECT id FROM journal WHERE at <= ? ORDER BY at DESC LIMIT 1"
    found = raw.execute(newest, (moment,)).fetchone()
    return (found and found[0]) or 0


def packed_blocks(raw: sqlite3.Connection, entry: int, *, backwards: bool = False) -> Iterator[list[Any]]:
    """Blocks of the changes of an entry, as they are packed, in order or from the last."""
    found = raw.execute("SELECT part FROM journal_parts WHERE entry = ? ORDER BY part", (entry,))
    parts = [0, *(row[0] for row in found)]
    for part in reversed(parts) if backwards else parts:
        row = raw.execute(_PART if part else _FIRST, (entry, part)).fetchone()
        if row is None:
            raise Corrupt(f"entry {entry} of the journal is missing; run `graphmem check`, then `graphmem repair`")
        yield rows.unpack_items(row[0])


def blocks(raw: sqlite3.Connection, entry: int, *, backwards: bool = False) -> Iterator[list[Delta]]:
    """Changes of an entry, a block at a time, in order or from the last to the first."""
    for items in packed_blocks(raw, entry, backwards=backwards):
        found = rows.as_deltas(items)
        yield found[::-1] if backwards else found


def recorded(raw: sqlite3.Connection, entry: int) -> Iterator[Delta]:
    """Changes of an entry, in order; those of its ranges are not among them."""
    for block in blocks(raw, entry):
        yield from block


def names(raw: sqlite3.Connection, entry: int) -> list[NamedRow]:
    """Copies of names that an entry holds."""
    row = raw.execute("SELECT changes FROM journal WHERE id = ?", (entry,)).fetchone()
    return rows.unpack_names(row[0]) if row else []


def all_names(raw: sqlite3.Connection) -> list[NamedRow]:
    """Every name of the dictionaries, as an entry holds copies of them."""
    return [(table, row) for table, columns in NAMES.items()
            for row in raw.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY id")]  # fmt: skip


def ranges(raw: sqlite3.Connection, entry: int) -> dict[str, tuple[int, int]]:
    """First and last id of the nodes and edges that a bulk load added, by table."""
    found = raw.execute("SELECT what, first, last FROM journal_ranges WHERE entry = ?", (entry,))
    known = {what: (first, last) for what, first, last in found}
    for what, (first, last) in known.items():
        upto = raw.execute(_NEXT_ID, (f"next_{what[:-1]}",)).fetchone()
        if not (upto and isinstance(upto[0], int) and 0 < first <= last < upto[0]):
            raise Corrupt(f"entry {entry} names {what} {first} to {last}, which were never given; run `graphmem check`")
    return known


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
    past = Past(raw)
    return [_as_entry(raw, row, past) for row in found]


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
    found = [raw.execute(f"{_ENTRY} WHERE id = ? AND ns = ?", (n, ns)).fetchone() for n in sorted(ids, reverse=True)]
    past = Past(raw)
    return [_as_entry(raw, row, past) for row in found if row is not None][::-1]


class Past:
    """Earlier and earlier states of rows, walked back from the present: ask for later entries first."""

    def __init__(self, raw: sqlite3.Connection) -> None:
        self.raw = raw
        self._known: dict[tuple[str, Row], tuple[int, State]] = {}

    def after(self, table: str, key: Row, entry: int) -> State:
        """Known columns of a row after an entry."""
        upto, state = self._known.get((table, key)) or (1 << 62, present(self.raw, table, key))
        node = key[0] if table == "nodes" else (state or {}).get("src", 0)
        sql = "SELECT entry FROM touched WHERE node = ? AND entry > ? AND entry <= ? ORDER BY entry DESC"
        for (number,) in self.raw.execute(sql, (node, entry, upto)).fetchall():
            for block in blocks(self.raw, number, backwards=True):
                for delta in block:
                    if (delta.table, delta.key) == (table, key):
                        state = delta.back(state)
        self._known[table, key] = entry, state
        return state


def present(raw: sqlite3.Connection, table: str, key: Row) -> State:
    """Columns of the present row of a key."""
    return rows.as_mapping(table, rows.fetch(raw, table, key))


def _as_entry(raw: sqlite3.Connection, row: Row, past: Past | None = None) -> JournalEntry:
    number, at, action, note, undone, _ = row
    ids: dict[str, dict[int, None]] = {"nodes": {}, "edges": {}}
    counts: Counter[tuple[str, str]] = Counter()
    for items in packed_blocks(raw, number):
        for table, first, second in items:
            counts[table, "add" if first is None else "remove" if second is None else "change"] += 1
            if table in ids and len(ids[table]) < LISTED_IDS:
                ids[table][(second if first is None else first)[0]] = None
    shown: list[dict[str, Any]] = [{"table": t, "action": kind, "count": n} for (t, kind), n in counts.items()]
    if counts.total() <= SHOWN_CHANGES:
        shown = list(map(show, _with_texts(number, list(recorded(raw, number)), past or Past(raw))))
    listed = {table: list(found) for table, found in ids.items()}
    for table, (start, last) in ranges(raw, number).items():
        shown.insert(0, {"table": table, "action": "bulk", "first": start, "last": last})
        if last - start < SHOWN_IDS:
            listed[table] = [*range(start, last + 1), *listed[table]]
    state = from_micros(at) or "", action, note, bool(undone)
    return JournalEntry(number, *state, tuple(shown), tuple(listed["nodes"]), tuple(listed["edges"]))


def whole(raw: sqlite3.Connection, entry: int, past: Past) -> list[Delta]:
    """Changes of an entry with whole texts in place of what differs; ask for later entries first."""
    return _with_texts(entry, list(recorded(raw, entry)), past)


def _with_texts(entry: int, deltas: list[Delta], past: Past) -> list[Delta]:
    """The changes of an entry with whole texts in place of what differs."""
    states: dict[tuple[str, Row], State] = {}
    for at in reversed(range(len(deltas))):
        delta, where = deltas[at], (deltas[at].table, deltas[at].key)
        cuts = [column for column, value in (delta.after or {}).items() if isinstance(value, Cut)]
        if not cuts and where not in states:
            continue
        state = states[where] if where in states else past.after(*where, entry)
        states[where] = before = delta.back(state)
        if cuts and delta.before is not None and delta.after is not None:
            texts = [{c: (known or {}).get(c) for c in cuts} for known in (before, state)]
            deltas[at] = Delta(*where, {**delta.before, **texts[0]}, {**delta.after, **texts[1]})
    return deltas


def show(delta: Delta) -> dict[str, Any]:
    """A change as in ``JournalEntry.changes``; of a changed row, the changed columns."""
    plain = [
        image and {c: f"…{v.old}… → …{v.new}…" if isinstance(v, Cut) else v for c, v in image.items()}
        for image in (delta.before, delta.after)
    ]
    return {
        "table": delta.table,
        "id": delta.key[0] if len(delta.key) == 1 else delta.key,
        "action": delta.kind,
        "before": plain[0],
        "after": plain[1],
    }


def to_undo(raw: sqlite3.Connection, ns: int, entry_id: int | None) -> int:
    """The entry to undo: the given one, or the newest that is not undone.

    Raises:
        NotFound: no such entry, or nothing left to undo.
        NotKept: an erasure or a compaction, or an entry before one.
        Conflict: it is undone already, or is itself an undo or redo.
    """
    if entry_id is None:
        never = "('undo', 'redo', 'compact', 'repair')"
        sql = f"SELECT max(id) FROM journal WHERE ns = ? AND undone = 0 AND action NOT IN {never}"
        entry_id = raw.execute(sql, (ns,)).fetchone()[0]
        if entry_id is None:
            raise NotFound("nothing to undo in this namespace")
    action, _, undone, target = _row(raw, ns, entry_id)[2:]
    if action in UPKEEP:
        what = {"erase": "an erasure", "repair": "a repair"}.get(action, "a compaction")
        raise NotKept(
            f"entry {entry_id} is {what}, which cannot be undone; undo({entry_id - 1}) names an earlier entry"
        )
    if action in REVERTS:
        raise Conflict(f"entry {entry_id} is an {action} of entry {target}; undo or redo entry {target} instead")
    if undone:
        raise Conflict(f"entry {entry_id} is undone already; redo({entry_id}) applies it again")
    require_kept(raw, entry_id)
    return int(entry_id)


def require_kept(raw: sqlite3.Connection, entry: int) -> None:
    """Raise ``NotKept`` where a compaction has removed the changes of an entry."""
    if raw.execute("SELECT compacted FROM journal WHERE id = ?", (entry,)).fetchone()[0]:
        raise NotKept(f"the journal was compacted: what entry {entry} changed is not kept, so it cannot be reverted")


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
    require_kept(raw, row[1])
    return row[0], row[1]


def held_at(raw: sqlite3.Connection, ns: int, moment: int) -> tuple[dict[int, Row | None], dict[int, Row | None]]:
    """Nodes and edges that have changed since a recorded time: their row images at that time by id, None if new since.

    The journal is read back to that time, from the rows of the present. Rows that a later load added and nothing
    changed are not among them.

    Raises:
        NotKept: the journal has been compacted up to a later time.
    """
    upto = last_entry(raw, moment)
    lost = raw.execute("SELECT at FROM journal WHERE id > ? AND compacted ORDER BY id DESC LIMIT 1", (upto,)).fetchone()
    if lost is not None:
        raise NotKept(f"the journal was compacted: what was known before {from_micros(lost[0])} is not kept")
    past: dict[str, dict[int, State]] = {"nodes": {}, "edges": {}}
    sql = "SELECT id FROM journal WHERE ns = ? AND id > ? ORDER BY id DESC"
    for (number,) in raw.execute(sql, (ns, upto)).fetchall():
        for block in blocks(raw, number, backwards=True):
            for delta in block:
                if delta.table in past:
                    states, key = past[delta.table], delta.key[0]
                    states[key] = delta.back(states[key] if key in states else present(raw, delta.table, delta.key))
        for table, (first, last) in ranges(raw, number).items():
            past[table].update({key: None for key in past[table] if first <= key <= last})

    def images(table: str) -> dict[int, Row | None]:
        return {key: None if state is None else rows.as_row(table, state) for key, state in past[table].items()}

    return images("nodes"), images("edges")


def replay(
    raw: sqlite3.Connection, failed: Callable[[int, Exception], None] | None = None
) -> dict[tuple[str, Row], State]:
    """Newest known columns of every row that the journal names, by table and key; None for a removed row.

    A long text of which only a change is known stays a ``Cut``: compare it by ``row_images.agrees``. An entry that
    cannot be read is left out, and passed to ``failed`` with its error.
    """
    newest: dict[tuple[str, Row], State] = {}
    for (number,) in raw.execute("SELECT id FROM journal ORDER BY id").fetchall():
        try:
            for delta in recorded(raw, number):
                where = delta.table, delta.key
                newest[where] = delta.forth(newest.get(where))
        except (ValueError, KeyError, TypeError, IndexError, zlib.error) as error:
            if failed is None:
                raise
            failed(number, error)
    return newest


def first_before(raw: sqlite3.Connection, table: str, ids: Container[int]) -> dict[int, dict[str, Any]]:
    """Columns of rows as they were before the journal's first change of each, by id: those of a bulk load as loaded."""
    found: dict[int, dict[str, Any]] = {}
    for (number,) in raw.execute("SELECT id FROM journal ORDER BY id").fetchall():
        for delta in recorded(raw, number):
            if delta.table == table and delta.key[0] in ids and delta.before is not None:
                known = found.setdefault(delta.key[0], {})
                known.update({c: v for c, v in delta.before.items() if c not in known})
    return found
