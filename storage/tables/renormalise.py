"""New normal forms of the names in a file: what has become one name becomes one node, one alias, one relation.

A node or relation that was merged stays as a row, beside the one that has the name, under a form that no name has
(``twin_form``). An undo of the journal entry restores the nodes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from graphmem.core.edits import MergeNodes
from graphmem.core.names import normalise, normalise_relation
from graphmem.storage.tables import folds
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder
from graphmem.storage.tables.editor import NODE, Editor
from graphmem.storage.tables.row_images import Row

Stale = dict[int, dict[str, list[Any]]]
"""Keys of rows whose normal form has changed, by namespace and new normal form."""


def twin_form(norm: str, number: int) -> str:
    """Normal form under which the row of a merged or retired name stays beside another row of the same name."""
    return f"{norm}\x1f{number}"


def renormalise(raw: sqlite3.Connection) -> None:
    """Write every normal and folded form anew, inside the caller's transaction.

    Nodes that have one name are merged, and facts of relations that have one name are moved to one of them, with a
    journal entry ``migrate`` in each namespace where rows change.
    """
    nodes = _stale(raw, "SELECT ns, name, norm, id FROM nodes ORDER BY id", normalise)
    aliases = _stale(raw, "SELECT ns, alias, norm, node FROM aliases", normalise, lambda row: (row[0], row[2], row[3]))
    relations = _stale(raw, "SELECT ns, name, norm, id FROM relations ORDER BY id", normalise_relation)
    for ns in sorted({*nodes, *aliases, *relations}):
        recorder = Recorder(raw, ns)
        editor = Editor(raw, recorder)
        merged = sum(_nodes(editor, norm, ids) for norm, ids in nodes.get(ns, {}).items())
        for norm, keys in aliases.get(ns, {}).items():
            _aliases(recorder, norm, keys)
        moved = sum(_relations(editor, norm, ids) for norm, ids in relations.get(ns, {}).items())
        if recorder.changes:
            recorder.finish("migrate", f"names compared anew: {merged} nodes merged, {moved} facts of merged relations")
    folds.rebuild_folds(raw)


def _stale(
    raw: sqlite3.Connection, sql: str, form: Callable[[str], str], key: Callable[[Row], Any] = lambda row: row[3]
) -> Stale:
    found: Stale = {}
    for row in raw.cursor().execute(sql):
        norm = form(row[1])
        if norm and norm != row[2]:
            found.setdefault(row[0], {}).setdefault(norm, []).append(key(row))
    return found


def _nodes(editor: Editor, norm: str, ids: list[int]) -> int:
    """Give the normal form to one of the nodes of a name and merge the other live ones into it; return how many."""
    raw, recorder = editor.raw, editor.recorder
    holder = raw.execute("SELECT id FROM nodes WHERE ns = ? AND norm = ?", (editor.ns, norm)).fetchone()
    found = [rows.fetch(raw, "nodes", (node,)) or () for node in [*(holder or ()), *ids]]
    live = [row for row in found if row[NODE["retired_at"]] is None]
    keep = max(live or found, key=lambda row: (row[NODE["norm"]] == norm, row[NODE["strength"]], -row[0]))
    for row in found:
        if row[0] != keep[0]:
            recorder.update("nodes", row, norm=twin_form(norm, row[0]))
    recorder.update("nodes", keep, norm=norm)
    for row in live:
        if row[0] != keep[0]:
            editor.apply(MergeNodes(keep[0], row[0]))
    return max(len(live) - 1, 0)


def _aliases(recorder: Recorder, norm: str, keys: list[Row]) -> None:
    """Write aliases under their normal form; one that its node has already, by name or alias, goes."""
    for key in keys:
        old = rows.fetch(recorder.raw, "aliases", key)
        if old is None:
            continue  # moved with a merged node
        new = (old[0], norm, *old[2:])
        node = rows.fetch(recorder.raw, "nodes", (old[2],))
        recorder.put("aliases", old, None)
        if node is not None and node[NODE["norm"]] != norm and rows.fetch(recorder.raw, "aliases", new[:3]) is None:
            recorder.put("aliases", None, new)


def _relations(editor: Editor, norm: str, ids: list[int]) -> int:
    """Give the normal form to one of the relations of a name and move the facts of the others to it; count them."""
    raw = editor.raw
    holder = raw.execute("SELECT id FROM relations WHERE ns = ? AND norm = ?", (editor.ns, norm)).fetchone()
    keep, *others = ids if holder is None else [holder[0], *ids]
    moved = 0
    for other in others:
        raw.execute("UPDATE relations SET norm = ? WHERE id = ?", (twin_form(norm, other), other))
        columns = ", ".join(rows.COLUMNS["edges"])
        for edge in raw.execute(f"SELECT {columns} FROM edges WHERE rel = ? ORDER BY id", (other,)).fetchall():
            editor.move_edge(edge, rel=keep)
            moved += 1
    raw.execute("UPDATE relations SET norm = ? WHERE id = ?", (norm, keep))
    return moved
