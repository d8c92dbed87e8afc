"""Repair of the problems that a check finds: on a copy, which takes the file's place only when it is better."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from graphmem.core.errors import Busy, GraphMemError, NewerSchema, NotAMemory
from graphmem.core.names import normalise_relation
from graphmem.storage import bulk_sums, schema_guard
from graphmem.storage.files import replacing
from graphmem.storage.maintenance import mend, salvage, single_bit
from graphmem.storage.maintenance.check import Problem, Report, check_as, sqlite_problems, wrong_marks
from graphmem.storage.maintenance.evidence import UNREADABLE, USED, Evidence, gather
from graphmem.storage.maintenance.reconciliation import reconcile, stand_in
from graphmem.storage.maintenance.report import some
from graphmem.storage.maintenance.restoration import Restoration
from graphmem.storage.maintenance.values import COUNTERS, bad_vectors
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder, reseal
from graphmem.storage.tables.connection import open_here
from graphmem.storage.tables.folds import rebuild_folds
from graphmem.storage.tables.row_images import Change
from graphmem.storage.tables.schema import SEARCH_TABLES
from graphmem.storage.tables.vector_rows import checksum, mark

KEYS = {
    "edges": ("id", "src", "rel", "dst", "ns"), "nodes": ("id", "ns"), "relations": ("id", "ns"),
    "aliases": ("node", "ns"), "edge_sources": ("edge", "source"), "touched": ("node", "entry"),
}  # fmt: skip
"""Columns without which a row cannot be used."""

ROUNDS = 4
DEFAULT = "default"  # name of the namespace of those who name none
NOTHING = "everything: no table of the file can be read"


class _Kept(Exception):
    """The file stays as it is: the copy is not better."""

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report


def repair(path: str | os.PathLike[str]) -> tuple[Report, Report]:
    """Repair a memory; return the reports before and after. Writes.

    Everything is done on a copy. The copy takes the file's place when it has fewer problems; the file as it was is
    then kept as ``PATH.before-repair-1``, ``-2`` and so on. Search and SQL indexes, counters and snapshots are made
    again. Rows that are missing or were changed come back from the journal's entries whose check values hold, and from
    the copies of their values in indexes, confirmed by the checksums of loads. Names are settled by the majority of
    their copies. Vectors that cannot be right are removed, to be encoded again. The second report says what was
    restored and what is lost.

    Raises:
        NotAMemory: it is no memory at all.
        NewerSchema: a later graphmem wrote it.
        Busy: it is open elsewhere.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise NotAMemory(f"{name} does not exist, or is no file")
    if open_here(name):
        raise Busy(f"{name} is open in this process; close it before it is repaired")
    original: Path | None = None
    try:
        with replacing(Path(name)) as copy:
            stamp = mend.copy_bytes(name, copy)
            before = _state(copy, name)
            if before.ok:
                raise _Kept(before)
            mend.copy_bytes(name, copy)  # as it was: the check opened the copy
            after = None
            with suppress(sqlite3.DatabaseError, UnicodeDecodeError):
                after = _repaired(copy, name)
            if after is None:  # damage that only shows in use: all rows are copied
                mend.copy_bytes(name, copy)
                after = _repaired(copy, name, rebuild=True)
            if not _better(before, after):
                raise _Kept(replace(after, problems=before.problems, restored=()))
            original = _keep(name)
            if mend.stamp(name) != stamp:
                raise Busy(f"{name} was written while it was repaired; close it everywhere, then repair it again")
    except _Kept as kept:
        return kept.report if kept.report.ok else before, kept.report
    except Busy:
        if original is not None:
            for suffix in ("", "-wal"):
                Path(f"{original}{suffix}").unlink(missing_ok=True)
        raise
    return before, replace(after, original=str(original))


def _state(copy: Path, name: str) -> Report:
    try:
        return check_as(str(copy), name)
    except (NotAMemory, NewerSchema) as error:
        if not mend.looks_like_memory(name):
            raise type(error)(str(error).replace(str(copy), name)) from None
        return Report(name, (Problem("sqlite", str(error).replace(str(copy), name), False),))
    except (GraphMemError, sqlite3.Error) as error:
        return Report(name, (Problem("sqlite", str(error).replace(str(copy), name), False),))


def _better(before: Report, after: Report) -> bool:
    """Whether a repair is worth its place: fewer problems, or as many and rows restored."""
    if NOTHING in after.lost:
        return False
    if after.ok:
        return True
    kinds = [{problem.kind for problem in report.problems} for report in (before, after)]
    unreadable = {"sqlite", "schema"}
    if kinds[0] & unreadable != kinds[1] & unreadable:
        return not kinds[1] & unreadable
    new, old = set(after.problems) - set(before.problems), set(before.problems) - set(after.problems)
    return len(after.problems) < len(before.problems) or (bool(old) and len(new) <= len(old) and bool(after.restored))


def _keep(name: str) -> Path:
    """Keep the file as it is, with its log, under the next free number."""
    number = 1
    while os.path.lexists(f"{name}.before-repair-{number}"):
        number += 1
    kept = Path(f"{name}.before-repair-{number}")
    for suffix in ("-wal", ""):  # the log first: a copy of the file alone is never taken for all of it
        if os.path.exists(name + suffix):
            shutil.copy2(name + suffix, f"{kept}{suffix}")
            with open(f"{kept}{suffix}", "rb") as file:
                os.fsync(file.fileno())
    return kept


def _repaired(copy: Path, name: str, *, rebuild: bool = False) -> Report:
    """Repair a copy, and check it."""
    notes = mend.prepare(copy)
    held = salvage.copies(copy)
    lost: list[str] = []
    if rebuild or _unreadable(copy):
        with replacing(copy) as fresh:
            lost += salvage.rebuild(copy, fresh)
        notes.append("every row that could be read was copied to a new file")
    with closing(sqlite3.connect(copy, isolation_level=None)) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("BEGIN IMMEDIATE")
        if raw.execute("SELECT NOT EXISTS(SELECT 1 FROM namespaces) AND NOT EXISTS(SELECT 1 FROM nodes)").fetchone()[0]:
            lost.append(NOTHING)
        lost += stand_in(raw)
        for _ in range(ROUNDS):  # what comes back may be evidence for more
            evidence = gather(raw)
            _entries(raw, evidence, notes)
            work = Restoration(raw, held, evidence)
            for step in (work.unnumbered, work.dictionaries, work.loads, work.strays, work.journal, work.names):
                step()
            _untyped(raw, lost)
            _dictionaries(raw, held, notes, lost)
            for each in (_nodes, _orphans, _indexes, _retired, _vectors, _counters, _search):
                each(raw, notes, lost)
            if raw.executemany("INSERT OR IGNORE INTO touched VALUES (?, ?)", evidence.touched).rowcount > 0:
                notes.append("entries that the history of nodes lacked")
            notes += work.restored
            if not work.restored and not evidence.mended:
                break
        work.account()
        _settle(raw, evidence, work.kept())
        notes += reconcile(raw, evidence)
        raw.execute("COMMIT")
        raw.execute("PRAGMA journal_mode = DELETE")
    after = check_as(str(copy), ":memory:")  # without snapshots: they go with the file
    for suffix in ("-wal", "-shm"):
        Path(f"{copy}{suffix}").unlink(missing_ok=True)
    return Report(name, after.problems, tuple(dict.fromkeys(notes)), tuple(dict.fromkeys((*lost, *work.lost))))


def _unreadable(copy: Path) -> bool:
    """Whether pages of a file are damaged, so that its rows go to a new file."""
    try:
        with closing(sqlite3.connect(copy)) as raw:
            foreign, missing = schema_guard.differences(raw)
            damaged = any(problem.kind == "sqlite" for problem in sqlite_problems(raw))
            return damaged or bool(foreign) or bool(missing) or not _writable(raw)
    except (sqlite3.Error, UnicodeDecodeError):
        return True


def _writable(raw: sqlite3.Connection) -> bool:
    """Whether the search tables can be opened: FTS5 refuses a table whose own settings are damaged."""
    for table in SEARCH_TABLES:
        raw.execute(f"SELECT count(*) FROM (SELECT rowid FROM {table} LIMIT 1)").fetchone()
    return True


def _entries(raw: sqlite3.Connection, evidence: Evidence, notes: list[str]) -> None:
    """Check values, marks and blobs of the journal: a blob that cannot be read is emptied, so that others can be."""
    raw.executemany("UPDATE journal SET chain = ? WHERE id = ?", [(v, e) for e, v in evidence.mended.items()])
    notes += [f"the check value of entry {entry}" for entry in evidence.mended]
    for entry in evidence.altered:
        for table, column in (("journal", "id"), ("journal_parts", "entry")):
            sql = f"SELECT rowid, changes FROM {table} WHERE {column} = ?"
            for rowid, blob in raw.execute(sql, (entry,)).fetchall():
                try:
                    rows.unpack(blob)
                except (*UNREADABLE, AttributeError):
                    raw.execute(f"UPDATE {table} SET changes = ? WHERE rowid = ?", (rows.pack([]), rowid))
                    notes.append(f"entry {entry} can be listed again, without what it changed")
    if marks := wrong_marks(raw):
        raw.executemany("UPDATE journal SET undone = ? WHERE id = ?", [(right, e) for e, right in marks.items()])
        notes.append(f"marks of entries {some(list(marks))} as undone or not")


def _settle(raw: sqlite3.Connection, evidence: Evidence, kept: list[Change]) -> None:
    """Empty the entries that cannot be trusted, and seal the chain over what is left, so that each costs itself alone.

    They keep their times and notes, and cannot be reverted, as after a compaction. Loads among them are sealed over
    their rows as they stand. An entry of its own records the rows that they may have changed, as they are.
    """
    if not evidence.altered:
        return
    raw.execute("SAVEPOINT settle")
    try:
        numbers = [(number,) for number in sorted(evidence.altered)]
        empty = [(rows.pack([]), *number) for number in numbers]
        raw.executemany("UPDATE journal SET changes = ?, compacted = 1 WHERE id = ?", empty)
        raw.executemany("DELETE FROM journal_parts WHERE entry = ?", numbers)
        bulk_sums.seal(raw, evidence.altered)
        reseal(raw, set())
        if kept:
            (ns,) = raw.execute("SELECT ns FROM journal WHERE id = ?", numbers[0]).fetchone()
            recorder = Recorder(raw, ns)
            recorder.changes += kept
            recorder.touched.update(node for change in kept for node in change.nodes())
            recorder.finish("repair", f"rows as they are after entries {some(numbers)}, which cannot be trusted")
    except UNREADABLE:  # values of another type in the journal itself
        raw.execute("ROLLBACK TO settle")
    raw.execute("RELEASE settle")


def _untyped(raw: sqlite3.Connection, lost: list[str]) -> None:
    """Rows whose keys are of another type than their columns', so that nothing can be looked up by them."""
    for table, columns in KEYS.items():
        wrong = " OR ".join(f"typeof({column}) <> 'integer'" for column in columns)
        if found := raw.execute(f"SELECT {columns[0]} FROM {table} WHERE {wrong}").fetchall():
            raw.execute(f"DELETE FROM {table} WHERE {wrong}")
            lost.append(f"{table} {some(found)}: they held no ids where ids must be, and were removed")


def _dictionaries(raw: sqlite3.Connection, held: salvage.Copies, notes: list[str], lost: list[str]) -> None:
    """Rows of relations, sources and namespaces that others refer to; a lost name is replaced by its number."""
    lacking = "SELECT rel, min(ns) FROM edges WHERE rel NOT IN (SELECT id FROM relations) GROUP BY rel"
    for number, user in raw.execute(lacking).fetchall():
        found, norm = held.relations.get(number), held.relation_norms.get(number)
        name = found[1] if found else norm[1] if norm else f"lost relation {number}"
        values = (number, (found or norm or (user,))[0], name, norm[1] if norm else normalise_relation(name))
        raw.execute("INSERT OR IGNORE INTO relations VALUES (?, ?, ?, ?)", values)
        (notes if found or norm else lost).append(f"relation {number}: {name!r:.80}")
    for table in ("namespaces", "sources"):
        sql = f"SELECT id FROM ({USED[table]}) WHERE typeof(id) = 'integer' AND id NOT IN (SELECT id FROM {table})"
        for (number,) in raw.execute(sql).fetchall():
            name = f"lost {table[:-1]} {number}"
            if table == "namespaces" and (DEFAULT,) not in raw.execute("SELECT name FROM namespaces").fetchall():
                name = DEFAULT  # one that is opened without its name
            raw.execute(f"INSERT OR IGNORE INTO {table}(id, name) VALUES (?, ?)", (number, name))
            lost.append(f"the name of {table[:-1]} {number}, which is now {name!r}")


def _nodes(raw: sqlite3.Connection, notes: list[str], lost: list[str]) -> None:
    """A node in the place of each that facts join and nothing else knows: the facts stay."""
    for end in ("src", "dst", "passage"):
        sql = f"SELECT {end}, ns FROM edges WHERE {end} NOT IN (SELECT id FROM nodes) GROUP BY {end}"
        for number, ns in raw.execute(sql).fetchall():
            name = f"lost node {number}"
            raw.execute(
                "INSERT INTO nodes(id, ns, name, norm, created_at) VALUES (?, ?, ?, ?, 0)", (number, ns, name, name)
            )
            lost.append(f"node {number}: facts join it, and nothing else of it is known; it is named {name!r}")


def _orphans(raw: sqlite3.Connection, notes: list[str], lost: list[str]) -> None:
    """Rows that refer to nothing even then."""
    nodes, gone = "(SELECT id FROM nodes)", 0
    gone += raw.execute(
        "DELETE FROM edge_sources WHERE edge NOT IN (SELECT id FROM edges) OR source NOT IN (SELECT id FROM sources)"
    ).rowcount
    for table in ("aliases", "vectors", "access", "folds"):
        gone += raw.execute(f"DELETE FROM {table} WHERE node NOT IN {nodes}").rowcount
    gone += raw.execute(f"DELETE FROM sentences WHERE passage NOT IN {nodes}").rowcount
    for table in ("journal_parts", "journal_ranges", "journal_sums", "touched"):
        gone += raw.execute(f"DELETE FROM {table} WHERE entry NOT IN (SELECT id FROM journal)").rowcount
    raw.execute("UPDATE nodes SET state_space = NULL WHERE state_space NOT IN (SELECT id FROM encoders)")
    if gone:
        notes.append(f"{gone} rows that referred to nothing were removed")


def _indexes(raw: sqlite3.Connection, notes: list[str], lost: list[str]) -> None:
    """Make every index again; of two rows whose names are now the same, the second gets its number."""
    for table in ("nodes", "relations"):
        groups = f"SELECT ns, norm FROM {table} GROUP BY ns, norm HAVING count(*) > 1"
        for ns, norm in raw.execute(groups).fetchall():
            sql = f"SELECT id, name FROM {table} WHERE ns = ? AND norm = ? ORDER BY id"
            for number, name in raw.execute(sql, (ns, norm)).fetchall()[1:]:
                values = (f"{name} ({number})", f"{norm} ({number})", number)
                raw.execute(f"UPDATE {table} SET name = ?, norm = ? WHERE id = ?", values)
                lost.append(f"{table} {number}: its name was that of another; it is named {values[0]!r:.80}")
    for name, statement in schema_guard.index_statements().items():
        raw.execute(f"DROP INDEX IF EXISTS {name}")
        with suppress(sqlite3.IntegrityError):
            raw.execute(statement)
    raw.execute("REINDEX")


def _retired(raw: sqlite3.Connection, notes: list[str], lost: list[str]) -> None:
    count = raw.execute(
        "UPDATE edges SET retired_at = (SELECT max(n.retired_at) FROM nodes n WHERE n.id IN (edges.src, edges.dst)) "
        "WHERE retired_at IS NULL AND EXISTS "
        "(SELECT 1 FROM nodes n WHERE n.id IN (edges.src, edges.dst) AND n.retired_at IS NOT NULL)"
    ).rowcount
    if count:
        notes.append(f"{count} facts of retired nodes were retired")


def _vectors(raw: sqlite3.Connection, notes: list[str], lost: list[str]) -> None:
    for (node,) in bad_vectors(raw):
        encoder, data, total = raw.execute("SELECT encoder, data, sum FROM vectors WHERE node = ?", (node,)).fetchone()
        if isinstance(data, bytes) and isinstance(total, int):
            right = single_bit.corrected(data, checksum(node, encoder, data) ^ (total & 0xFFFFFFFF))
            if right is not None:
                raw.execute("UPDATE vectors SET data = ? WHERE node = ?", (right, node))
    if bad := bad_vectors(raw):
        raw.executemany("DELETE FROM vectors WHERE node = ?", bad)
        lost.append(f"vectors of nodes {some(bad)}, which are encoded again at the next search")
    mark(raw, restart=True)


def _counters(raw: sqlite3.Connection, notes: list[str], lost: list[str]) -> None:
    if raw.execute("DELETE FROM meta WHERE typeof(key) <> 'text'").rowcount:
        lost.append("values in meta whose keys were damaged")
    for counter, table in COUNTERS:
        highest = raw.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}").fetchone()[0]
        if table != "journal":
            sql = 'SELECT max("last") + 1 FROM journal_ranges WHERE what = ? AND "last" < 1 << 31'
            highest = max(highest, raw.execute(sql, (table,)).fetchone()[0] or 0)
        found = raw.execute("SELECT value FROM meta WHERE key = ?", (counter,)).fetchone()
        if found is None or not isinstance(found[0], int) or not highest <= found[0] < 1 << 31:
            raw.execute("INSERT OR REPLACE INTO meta(key, value) VALUES (?, ?)", (counter, highest))
            notes.append(f"the counter {counter}, {highest}")


def _search(raw: sqlite3.Connection, notes: list[str], lost: list[str]) -> None:
    rebuild_folds(raw)
    for table in SEARCH_TABLES:
        raw.execute(f"INSERT INTO {table}({table}) VALUES ('rebuild')")
