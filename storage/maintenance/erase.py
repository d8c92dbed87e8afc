"""Erasure of a node: its rows, its images in the journal, and every index, copy and cache that holds a name of it."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from graphmem.core.errors import Busy, InvalidValue
from graphmem.core.upkeep import Erasure
from graphmem.storage import bulk_sums
from graphmem.storage.files import SIDE_FILES, side_files
from graphmem.storage.index import snapshot
from graphmem.storage.maintenance.backup import reclaim
from graphmem.storage.maintenance.compact import require_sound
from graphmem.storage.maintenance.erasure_plan import SCRUBBED, SHOWN, Plan, make
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder, reseal
from graphmem.storage.tables.connection import MEMORY, Connection
from graphmem.storage.tables.schema import APPLICATION_ID, COLUMNS, SEARCH_TABLES
from graphmem.storage.tables.vector_rows import mark

_UNFINISHED = "erasing"
"""Key of ``meta`` while an erasure is committed, but bytes of it may still lie in free pages or the log."""

_OF_NODES = (("sentences", "passage"), ("vectors", "node"), ("access", "node"), ("folds", "node"), ("touched", "node"),
             ("aliases", "node"))  # fmt: skip


def erase(
    connection: Connection, ns: int, node: str | int, *, dry_run: bool = True, passages: bool = False,
    copies: bool = False,
) -> Erasure:  # fmt: skip
    """Erase a node of a namespace from the file, or report what that would remove. Writes, unless ``dry_run``.

    The rows go in one transaction, in which the check values of the journal are made again and the erasure is
    recorded without names. Then the file is written anew, so that no free page and no log holds them; where a process
    is killed before, the next one that opens the file to write does that.

    Args:
        node: id, name or alias; also of a node that is retired or undone.
        passages: remove passages that name it, and empty other texts that do.
        copies: remove copies of the file that lie beside it.

    Raises:
        NotFound: nothing has that id or name. Conflict: several nodes have that alias.
        Corrupt: a check of the file finds a problem; repair it first.
        Busy: another process reads the file, so that old pages are left; close it there, and open the memory again.
    """
    if isinstance(node, bool) or not isinstance(node, (str, int)):
        raise InvalidValue(f"erase takes a name or the id of a node, not {node!r}")
    path, size = connection.path, _size(connection)
    beside, branches = copies_of(connection.raw, path) if path != MEMORY else ([], [])
    files = [str(file) for file in beside], [str(file) for file in branches]
    if dry_run:
        with connection.reading() as raw:
            return _report(raw, make(raw, ns, node, passages), files, (size, size), done=False)
    raw = connection.raw
    raw.execute("PRAGMA secure_delete = ON")
    with connection.writing():
        require_sound(raw, path)
        plan = make(raw, ns, node, passages)
        report = _report(raw, plan, files, (size, size), done=True)
        _rewrite_journal(raw, ns, plan, passages)
        _remove(raw, plan, passages)
        bulk_sums.seal(raw)
        reseal(raw, set())
        what = f"{report.nodes} nodes, {report.facts} facts, {report.entries} entries rewritten"
        Recorder(raw, ns).finish("erase", what)
        raw.execute("INSERT OR REPLACE INTO meta(key, value) VALUES (?, 1)", (_UNFINISHED,))
    for copy in beside if copies else ():
        for file in (copy, *side_files(copy)):
            file.unlink(missing_ok=True)
    finish(connection)
    return replace(report, after=_size(connection), copies=() if copies else report.copies)


def finish(connection: Connection, *, wait: bool = True) -> None:
    """Write the file anew after an erasure that did not come to its end. Writes. Without ``wait``, readers end it.

    Raises:
        Busy: another process reads the file.
    """
    if connection.one("SELECT 1 FROM meta WHERE key = ?", (_UNFINISHED,)) is None:
        return
    raw, path = connection.raw, connection.path
    timeout = raw.execute("PRAGMA busy_timeout").fetchone()[0]
    with connection.lock, connection.translating():
        raw.execute("PRAGMA secure_delete = ON")
        raw.execute(f"PRAGMA busy_timeout = {timeout if wait else 0}")
        if path != MEMORY:
            for (namespace,) in raw.execute("SELECT id FROM namespaces").fetchall():
                snapshot.drop(path, namespace)
        reclaim(raw, path)
        busy = raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        raw.execute(f"PRAGMA busy_timeout = {timeout}")
        if busy:
            raise Busy(
                f"{path} is read by another process, so that pages from before the erasure are left in it; "
                "close it there, then open it again to write"
            )
        raw.execute("DELETE FROM meta WHERE key = ?", (_UNFINISHED,))
        raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _size(connection: Connection) -> int:
    pages, page = (connection.one(f"PRAGMA {name}")[0] for name in ("page_count", "page_size"))
    return int(pages * page)


def _report(
    raw: sqlite3.Connection, plan: Plan, files: tuple[list[str], list[str]], sizes: tuple[int, int], *, done: bool
) -> Erasure:
    passages = [_name(raw, node) for node in sorted(plan.passages)[:SHOWN]]
    mentions = [
        f"{column} of {table.removesuffix('s')} {key[0]}"
        for table, key, column in sorted(plan.left)
        if table != "nodes" or key[0] not in plan.passages
    ]
    mentions += [
        f"{what} {number}"
        for what, numbers in (("name of source", plan.named_sources), ("name of relation", plan.named_relations),
                              ("alias of node", {key[2] for key in plan.named_aliases}))
        for number in sorted(numbers)
    ]  # fmt: skip
    named = [plan.named_nodes[node] for node in sorted(plan.named_nodes.keys() - plan.gone)]
    mentions += [f"node {name!r}, erase it too" for name in named]
    mentions += [f"namespace {name!r}, erase it there too" for name in sorted(plan.elsewhere)]
    mentions += [f"file {name}, a copy that was written to since, erase it there too" for name in files[1]]
    counts = len(plan.gone), len(plan.edges), len(plan.entries), len(plan.sources)
    places = tuple(passages), tuple(mentions[:SHOWN]), tuple(files[0])
    return Erasure(done, tuple(sorted(plan.names)), *counts, *places, *sizes)


def _name(raw: sqlite3.Connection, node: int) -> str:
    return str(raw.execute("SELECT name FROM nodes WHERE id = ?", (node,)).fetchone()[0])


def _rewrite_journal(raw: sqlite3.Connection, ns: int, plan: Plan, scrub: bool) -> None:
    """Take the images of removed rows, and texts that are emptied, out of the journal."""
    texts: dict[tuple[str, Any], set[str]] = {}
    for table, key, column in plan.left if scrub else ():
        texts.setdefault((table, key), set()).add(column)
    raw.executemany("UPDATE journal SET note = '' WHERE id = ?", [(entry,) for entry in plan.notes])
    blocks = {"journal": "id", "journal_parts": "rowid"}
    named = "SELECT id, changes FROM journal"  # sources are of all namespaces; the erasure's own entry names them anew
    for number, data in raw.execute(named).fetchall():
        if rows.unpack_names(data):
            raw.execute(
                "UPDATE journal SET changes = ? WHERE id = ?", (rows.pack_items(rows.unpack_items(data)), number)
            )
    for table, rowid in blocks.items():
        where = "ns = ?" if table == "journal" else "entry IN (SELECT id FROM journal WHERE ns = ?)"
        for (number,) in raw.execute(f"SELECT {rowid} FROM {table} WHERE {where}", (ns,)).fetchall():
            data = raw.execute(f"SELECT changes FROM {table} WHERE {rowid} = ?", (number,)).fetchone()[0]
            items = rows.unpack_items(data)
            kept = [new for item in items if (new := _without(item, plan, texts)) is not None]
            if kept != items:
                raw.execute(f"UPDATE {table} SET changes = ? WHERE {rowid} = ?", (rows.pack_items(kept), number))


def _without(item: list[Any], plan: Plan, texts: dict[tuple[str, Any], set[str]]) -> list[Any] | None:
    """A packed change without what is erased; None where nothing is left."""
    delta = rows.as_delta(item)
    if plan.removes(delta):
        return None
    table, first, second = item
    columns = texts.get((table, delta.key), set())
    if table == "edges" and {image.get("passage") for image in (delta.before or {}, delta.after or {})} & plan.gone:
        columns = columns | {"passage", "span_start", "span_end"}
    if not columns:
        return item
    if isinstance(second, dict):
        left = {column: values for column, values in second.items() if column not in columns}
        return [table, first, left] if left else None
    places = {COLUMNS[table].index(column): SCRUBBED.get(column) for column in columns}
    images = [image and [places.get(place, value) for place, value in enumerate(image)] for image in (first, second)]
    return [table, *images]


def _remove(raw: sqlite3.Connection, plan: Plan, scrub: bool) -> None:
    """Remove the rows; empty the texts that name the node; build the search indexes again."""
    raw.execute("PRAGMA defer_foreign_keys = ON")
    for table, key, column in plan.left if scrub else ():
        raw.execute(f"UPDATE {table} SET {column} = ? WHERE id = ?", (SCRUBBED[column], key[0]))
        if table == "nodes":
            for other, owner in _OF_NODES[:2]:  # sentences and vectors are of the text
                raw.execute(f"DELETE FROM {other} WHERE {owner} = ?", key)
    if scrub:
        for table, columns, numbers in (
            ("sources", "name = :name", plan.named_sources),
            ("relations", "name = :name, norm = :name", plan.named_relations),
        ):
            names = [{"name": f"[erased {number}]", "id": number} for number in sorted(numbers)]
            raw.executemany(f"UPDATE {table} SET {columns} WHERE id = :id", names)
        raw.executemany("DELETE FROM aliases WHERE ns = ? AND norm = ? AND node = ?", sorted(plan.named_aliases))
        raw.executemany("DELETE FROM folds WHERE node = ?", [(key[2],) for key in plan.named_aliases])
    nodes, edges = _ids(plan.gone), _ids(plan.edges)
    of = "IN (SELECT value FROM json_each(?))"
    raw.execute(f"UPDATE edges SET passage = NULL, span_start = NULL, span_end = NULL WHERE passage {of}", (nodes,))
    raw.execute(f"DELETE FROM edge_sources WHERE edge {of}", (edges,))
    raw.execute(f"DELETE FROM edges WHERE id {of}", (edges,))
    for table, column in _OF_NODES:
        raw.execute(f"DELETE FROM {table} WHERE {column} {of}", (nodes,))
    raw.execute(f"DELETE FROM nodes WHERE id {of}", (nodes,))
    raw.execute(f"DELETE FROM sources WHERE id {of}", (_ids(plan.sources),))
    raw.execute(f"DELETE FROM relations WHERE id {of}", (_ids(plan.relations),))
    for table in SEARCH_TABLES:
        raw.execute(f"INSERT INTO {table}({table}) VALUES ('rebuild')")
    mark(raw, restart=True)


def _ids(ids: Iterable[int]) -> str:
    return json.dumps(sorted(ids))


def copies_of(raw: sqlite3.Connection, path: str) -> tuple[list[Path], list[Path]]:
    """Files beside a memory that hold a state of it (copies of migrations and repairs, backups), and its branches.

    A branch is a copy that was written to since: what it holds of its own stands nowhere else.
    """
    file = Path(path).absolute()
    identity = raw.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()
    names = (f"{file.name}.schema", f"{file.name}.before-repair")
    copies: list[Path] = []
    branches: list[Path] = []
    for other in sorted(file.parent.iterdir()):
        if not other.is_file() or other.name.endswith(SIDE_FILES) or other.samefile(file):
            continue
        if other.name.startswith(names):
            copies.append(other)
        elif identity and (head := _head(other)) and head[0] == identity[0]:
            ours = raw.execute("SELECT 1 FROM journal WHERE id = ? AND at = ?", head[1:]).fetchone()
            (copies if ours or head[1] is None else branches).append(other)
    return copies, branches


def _head(file: Path) -> tuple[Any, ...] | None:
    """Identity of a memory file, id and time of its last journal entry; None for another file."""
    try:
        with file.open("rb") as opened:
            head = opened.read(72)
        if head[68:72] != APPLICATION_ID.to_bytes(4, "big"):
            return None
        log = Path(f"{file}-wal")
        uri = f"file:{quote(os.fspath(file))}?mode=ro" + "&immutable=1" * (not log.exists() or not log.stat().st_size)
        with closing(sqlite3.connect(uri, uri=True)) as raw:
            sql = (
                "SELECT value, (SELECT max(id) FROM journal), (SELECT at FROM journal ORDER BY id DESC LIMIT 1) "
                "FROM meta WHERE key = 'identity'"
            )
            found: tuple[Any, ...] | None = raw.execute(sql).fetchone()
            return found
    except (OSError, sqlite3.Error):
        return None
