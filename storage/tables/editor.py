"""Application of edits to rows. One editor works inside one transaction."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from graphmem.core.edits import AddEdge, AddNode, Edit, MergeNodes, PinEdge, Restore, Retire, SupersedeEdge, UpdateNode
from graphmem.core.errors import Conflict, InvalidValue, NotFound
from graphmem.core.names import check_name, normalise, normalise_relation
from graphmem.core.times import Interval, as_text, from_micros, to_micros
from graphmem.core.types import MENTIONS, PASSAGE, SYSTEM_KINDS, TITLED
from graphmem.storage.tables import intervals, journal, queries
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder, next_id
from graphmem.storage.tables.row_images import Row
from graphmem.storage.tables.validation import (
    as_id,
    check_number,
    check_text,
    epistemic,
    interval,
    merged_json,
    name_list,
    refuse_record,
    state_bytes,
    to_json,
)

NODE = {column: position for position, column in enumerate(rows.COLUMNS["nodes"])}
EDGE = {column: position for position, column in enumerate(rows.COLUMNS["edges"])}


class Editor:
    """Editor of one namespace: applies edits through a recorder."""

    def __init__(self, raw: sqlite3.Connection, recorder: Recorder) -> None:
        self.raw, self.recorder, self.ns, self.at = raw, recorder, recorder.ns, recorder.at

    def apply(self, edit: Edit) -> None:
        """Apply one edit.

        Raises:
            InvalidValue: a field cannot be used, or this is no edit.
            NotFound: the node or fact it names does not exist in the namespace.
            Conflict: it contradicts the state of the row.
        """
        match edit:
            case AddNode():
                self._add_node(edit)
            case AddEdge():
                self._add_edge(edit)
            case UpdateNode():
                self._update_node(edit)
            case SupersedeEdge():
                self._supersede(edit)
            case MergeNodes():
                self._merge(edit)
            case Retire(what="node"):
                self._retire_node(self.node(edit.id))
            case Retire(what="edge"):
                self._retire_edge(self.edge(edit.id))
            case Restore(what="node"):
                self._restore_node(self.node(edit.id))
            case Restore(what="edge"):
                self._restore_edge(self.edge(edit.id))
            case PinEdge():
                self._pin(edit)
            case _:
                raise InvalidValue(f"{edit!r} is no edit; use AddNode, AddEdge, UpdateNode, SupersedeEdge, ...")

    def node(self, node_id: int) -> Row:
        """Row of a node of this namespace."""
        row = rows.fetch(self.raw, "nodes", (as_id(node_id),))
        if row is None or row[1] != self.ns:
            raise NotFound(f"no node {node_id} in this namespace")
        return row

    def named(self, name: str) -> Row:
        """Row of the live node of a name."""
        row = self.find(normalise(check_name(name)))
        if row is None or row[NODE["retired_at"]] is not None:
            raise NotFound(f"no node named {name!r} in this namespace")
        return row

    def edge(self, edge_id: int) -> Row:
        """Row of a fact of this namespace."""
        row = rows.fetch(self.raw, "edges", (as_id(edge_id),))
        if row is None or row[1] != self.ns:
            raise NotFound(f"no fact {edge_id} in this namespace")
        return row

    def find(self, norm: str) -> Row | None:
        """The node of a normalised name, else by alias, else a retired one. Raises ``Conflict``: several by alias."""
        by_name: Row | None = self.raw.execute(queries.BY_NAME, (self.ns, norm)).fetchone()
        if by_name is not None and by_name[NODE["retired_at"]] is None:
            return by_name
        by_alias: list[Row] = self.raw.execute(queries.BY_ALIAS, (self.ns, norm)).fetchall()
        if len(by_alias) > 1:
            names = " and ".join(repr(row[NODE["name"]]) for row in by_alias)
            raise Conflict(f"{by_alias[0][-1]!r} is an alias of {names}; use the name of the one that is meant")
        return by_alias[0][:-1] if by_alias else by_name

    def _touch_node(self, row: Row) -> Row:
        self.recorder.node_ids[row[0]] = None
        return row

    def node_named(self, name: str) -> Row:
        """The node of that name, created when it is new and restored when it was retired."""
        name = check_name(name)
        norm = normalise(name)
        row = self.find(norm)
        if row is None:
            first = next_id(self.raw, "next_node"), self.ns, name, norm, "entity", "", None, 1.0, self.at
            row = rows.padded("nodes", first)
            self.recorder.put("nodes", None, row)
        elif row[NODE["retired_at"]] is not None:
            row = self.recorder.update("nodes", row, retired_at=None)
        return self._touch_node(row)

    def _end(self, edit: AddEdge, name: str) -> int:
        row = self.node_named(name)  # an entity, or the passage of an arc of passages
        if row[NODE["kind"]] != PASSAGE or edit.relation not in (TITLED, MENTIONS):
            refuse_record(name, row[NODE["kind"]])
        return int(row[0])

    def _add_node(self, edit: AddNode) -> None:
        text, attributes = check_text(edit.text), to_json(edit.attributes)
        kind = check_name(edit.kind, "kind")
        name = check_name(edit.name)
        known = self.find(normalise(name))
        kept = kind if known is None else known[NODE["kind"]]
        if kept != kind and {kind, kept} & {*SYSTEM_KINDS}:
            raise Conflict(f"{name!r:.80} is the name of a node of kind {kept}, not {kind}")
        row = self.node_named(name)
        if known is None:
            date = {"dated": to_micros(edit.date), "date_text": as_text(edit.date)}
            row = self.recorder.update("nodes", row, kind=kind, text=text, attributes=attributes, **date)
        else:
            row = self.recorder.update(
                "nodes", row, kind=kind if kept == "entity" else kept, text=row[NODE["text"]] or text,
                attributes=merged_json(row[NODE["attributes"]], attributes), strength=row[NODE["strength"]] + 1.0,
            )  # fmt: skip
        for alias in name_list(edit.aliases, "aliases"):
            self._add_alias(row, alias, edit.ambiguous)

    def _add_alias(self, row: Row, alias: str, ambiguous: bool = True) -> None:
        new = (self.ns, normalise(alias := check_name(alias, "alias")), row[0], alias)
        if new[1] == row[NODE["norm"]] or rows.fetch(self.raw, "aliases", new[:3]) is not None:
            return
        if not ambiguous:
            queries.refuse_alias(self.raw, alias, self.ns, new[1], row[0])
        self.recorder.put("aliases", None, new)

    def _update_node(self, edit: UpdateNode) -> None:
        row = self._touch_node(self.named(edit.node) if isinstance(edit.node, str) else self.node(edit.node))
        values: dict[str, Any] = {}
        if edit.kind is not None:
            values["kind"] = check_name(edit.kind, "kind")
        if edit.text is not None:
            values["text"] = check_text(edit.text)
        if edit.attributes is not None:
            values["attributes"] = merged_json(row[NODE["attributes"]], to_json(edit.attributes))
        if edit.state is not None:
            values["state"] = state_bytes(edit.state)
        if edit.strength is not None:
            values["strength"] = check_number(edit.strength, "strength", 0.0, math.inf)
        if edit.name is not None:
            values |= self._rename(row, edit.name, edit.ambiguous)
        new = self.recorder.update("nodes", row, **values)
        for alias in name_list(edit.add_aliases, "add_aliases"):
            self._add_alias(new, alias, edit.ambiguous)

    def _rename(self, row: Row, name: str, ambiguous: bool) -> dict[str, Any]:
        """New name columns; the old name stays as an alias, so that text which used it still finds the node."""
        name = check_name(name)
        norm = normalise(name)
        if norm != row[NODE["norm"]]:
            other = self.raw.execute(queries.BY_NAME, (self.ns, norm)).fetchone()
            if other is not None:
                raise Conflict(f"{name!r} is already the name of node {other[0]}; merge the two with MergeNodes")
            if not ambiguous:
                queries.refuse_alias(self.raw, name, self.ns, norm, row[0])
            old = (self.ns, row[NODE["norm"]], row[0], row[NODE["name"]])
            if rows.fetch(self.raw, "aliases", old[:3]) is None:
                self.recorder.put("aliases", None, old)
            same = rows.fetch(self.raw, "aliases", (self.ns, norm, row[0]))
            if same is not None:
                self.recorder.put("aliases", same, None)
        return {"name": name, "norm": norm}

    def _retire_node(self, row: Row) -> None:
        """Retire a node and, at the same instant, its facts: a fact about nothing is no fact."""
        self._touch_node(row)
        if row[NODE["retired_at"]] is not None:
            return
        self.recorder.update("nodes", row, retired_at=self.at)
        for edge in self._edges_of(row[0]):
            if edge[EDGE["retired_at"]] is None:
                self._retire_edge(edge)

    def _restore_node(self, row: Row) -> None:
        """Restore a node and the facts that were retired with it."""
        self._touch_node(row)
        at = row[NODE["retired_at"]]
        if at is None:
            return
        if self._was_merged(row):
            raise Conflict(f"node {row[0]} was merged into another node; undo that merge instead of restoring it")
        self.recorder.update("nodes", row, retired_at=None)
        for edge in self._edges_of(row[0]):
            if edge[EDGE["retired_at"]] == at and self._ends_live(edge):
                self._restore_edge(edge)

    def _was_merged(self, row: Row) -> bool:
        """Whether the entry that retired a node gave its name to another node."""
        at = (row[NODE["retired_at"]],)
        entry = self.raw.execute("SELECT id, compacted FROM journal WHERE at = ?", at).fetchone()
        if entry and entry[1]:  # what it changed is not kept: whoever has the name as an alias may have it from there
            return self.raw.execute(queries.BY_ALIAS, (self.ns, row[NODE["norm"]])).fetchone() is not None
        changes = journal.recorded(self.raw, entry[0]) if entry else ()
        if row[NODE["norm"]] != normalise(row[NODE["name"]]):
            return True  # a twin: it has a node of its name beside it
        return row[NODE["norm"]] in ((c.after or {}).get("norm") for c in changes if c.table == "aliases")

    def _edges_of(self, node: int) -> list[Row]:
        return self.raw.execute(queries.EDGES_OF, (node, node)).fetchall()

    def _ends_live(self, edge: Row) -> bool:
        ends = (self.node(edge[EDGE["src"]]), self.node(edge[EDGE["dst"]]))
        return all(end[NODE["retired_at"]] is None for end in ends)

    def _merge(self, edit: MergeNodes) -> None:
        keep, absorb = self.node(edit.keep), self.node(edit.absorb)
        if keep[0] == absorb[0]:
            raise InvalidValue(f"node {keep[0]} cannot be merged with itself")
        for row in (keep, absorb):
            if row[NODE["retired_at"]] is not None:
                raise Conflict(f"node {row[0]} is retired; restore it before it is merged")
        self._move_aliases(keep, absorb)
        for edge in self._edges_of(absorb[0]):
            self.move_edge(edge, **{end: keep[0] for end in ("src", "dst") if edge[EDGE[end]] == absorb[0]})
        self.recorder.update("nodes", absorb, retired_at=self.at)
        self.recorder.update(
            "nodes", keep, text=keep[NODE["text"]] or absorb[NODE["text"]],
            attributes=merged_json(absorb[NODE["attributes"]], keep[NODE["attributes"]]),
            strength=keep[NODE["strength"]] + absorb[NODE["strength"]],
            state=keep[NODE["state"]] or absorb[NODE["state"]],
        )  # fmt: skip
        self.recorder.node_ids |= dict.fromkeys((keep[0], absorb[0]))

    def _move_aliases(self, keep: Row, absorb: Row) -> None:
        old = self.raw.execute("SELECT ns, norm, node, alias FROM aliases WHERE node = ?", (absorb[0],)).fetchall()
        for alias in old:
            self.recorder.put("aliases", alias, None)
        for alias in (absorb[NODE["name"]], *(alias[3] for alias in old)):
            self._add_alias(keep, alias)

    def move_edge(self, edge: Row, **columns: int) -> None:
        """Move a fact to another node or relation; where the same fact is there already, the moved one is retired."""
        moved = self.recorder.update("edges", edge, **columns)
        src, relation, dst, *manner = (moved[EDGE[name]] for name in ("src", "rel", "dst", "factuality", "status"))
        same = self.same_fact(src, relation, dst, _interval(edge), manner, other_than=edge[0])
        self.recorder.edge_ids[edge[0]] = None
        if same is not None and edge[EDGE["retired_at"]] is None:
            self._retire_edge(moved)
            self.recorder.update("edges", same, strength=same[EDGE["strength"]] + edge[EDGE["strength"]])

    def relation(self, name: str) -> int:
        """Id of a relation, made when it is new."""
        name = check_name(name, "relation")
        norm = normalise_relation(name)
        row = self.raw.execute("SELECT id FROM relations WHERE ns = ? AND norm = ?", (self.ns, norm)).fetchone()
        insert = "INSERT INTO relations(ns, name, norm) VALUES (?, ?, ?)"
        made = None if row else self.raw.execute(insert, (self.ns, name, norm)).lastrowid
        return int(row[0]) if row else self.recorder.named("relations", made, self.ns, name)

    def source(self, name: str | None) -> int | None:
        """Id of a source, made when it is new; None for None."""
        if name is None:
            return None
        name = check_name(name, "source")
        row = self.raw.execute("SELECT id FROM sources WHERE name = ?", (name,)).fetchone()
        made = None if row else self.raw.execute("INSERT INTO sources(name) VALUES (?)", (name,)).lastrowid
        return int(row[0]) if row else self.recorder.named("sources", made, name)

    def _add_edge(self, edit: AddEdge) -> int:
        valid = interval(edit)
        confidence = check_number(edit.confidence, "confidence", 0.0, 1.0)
        text, attributes = check_text(edit.text), to_json(edit.attributes)
        relation, source = self.relation(edit.relation), self.source(edit.source)
        src, dst, manner = self._end(edit, edit.subject), self._end(edit, edit.object), epistemic(edit)
        if edit.place is not None:
            self.node(edit.place.passage)
        same = self.same_fact(src, relation, dst, valid, manner[:2])
        if same is not None:
            return self._strengthen(same, valid, confidence, source, text, attributes)
        row = (next_id(self.raw, "next_edge"), self.ns, src, relation, dst, *valid[:2], self.recorder.entry, None)
        more = confidence, 1.0, source, text, attributes, valid.text
        self.recorder.put("edges", None, rows.padded("edges", (*row, *more, *manner)))
        self.recorder.edge_ids[row[0]] = None
        return row[0]

    def same_fact(
        self, src: int, relation: int, dst: int, valid: Interval, manner: Sequence[str | None] = (None, None), *,
        other_than: int = 0,
    ) -> Row | None:  # fmt: skip
        """The live fact of the same ends, factuality, status and interval (``intervals.is_same``)."""
        found = self.raw.execute(queries.SAME_FACT, (src, relation, dst)).fetchall()
        alike = [row for row in found if (row[EDGE["factuality"]], row[EDGE["status"]]) == tuple(manner)]
        same = [row for row in alike if row[0] != other_than and intervals.is_same(_interval(row), valid, self.at)]
        return min(same, key=lambda row: (_interval(row)[:2] != valid[:2], row[0]), default=None)

    def _strengthen(
        self, row: Row, valid: Interval, confidence: float, source: int | None, text: str, attributes: str | None
    ) -> int:
        """Add new values to a known fact; values that it already has stay."""
        known = {name: row[EDGE[name]] for name in ("source", "text", "strength", "confidence", "attributes")}
        starts, ends, words = intervals.combined(_interval(row), valid)
        self.recorder.update(
            "edges", row, valid_from=starts, valid_to=ends, valid_time=words, strength=known["strength"] + 1.0,
            confidence=max(known["confidence"], confidence), text=known["text"] or text,
            source=source if known["source"] is None else known["source"],
            attributes=merged_json(known["attributes"], attributes),
        )  # fmt: skip
        self.add_source(row, source)
        self.recorder.edge_ids[row[0]] = None
        return int(row[0])

    def add_source(self, row: Row, source: int | None) -> None:
        """Record a further source of a fact that has another one already."""
        if source is not None and row[EDGE["source"]] not in (None, source):
            extra = (row[0], source, self.at)
            if rows.fetch(self.raw, "edge_sources", extra[:2]) is None:
                self.recorder.put("edge_sources", None, extra)

    def _supersede(self, edit: SupersedeEdge) -> None:
        """End a fact where the new one begins. An earlier one is history: it holds until the held fact begins.

        A value that holds already is only strengthened; inside a past interval, a new value takes the rest of it.
        """
        old, by, at = self.edge(edit.edge), edit.by, to_micros(edit.at)
        held, at = _interval(old), self.at if at is None else at
        if old[EDGE["retired_at"]] is not None:
            raise Conflict(f"fact {old[0]} is retired; restore it before it is superseded")
        known = self._known(by, at)
        if known is not None and known[0] == old[0]:
            self._add_edge(replace(by, valid_from=from_micros(held.start), valid_to=from_micros(held.end)))
            return
        if held.end is not None and held.end <= at:
            raise Conflict(f"fact {old[0]} ended at {from_micros(held.end)} already; add the new fact with AddEdge")
        late = held.start is not None and at < held.start
        if known is not None and by.valid_from is None:
            by = replace(by, valid_from=from_micros(_interval(known).start))
        elif by.valid_from is None:
            by = replace(by, valid_from=from_micros(at) if edit.at is None else edit.at)
        rest = held.start if late else held.end if held.end is not None and held.end <= self.at else None
        if by.valid_to is None and rest is not None:
            by = replace(by, valid_to=from_micros(rest))
        if not late:
            ended = intervals.until(held, at)
            self.recorder.update("edges", old, valid_to=ended.end, valid_time=ended.text)
        self._add_edge(by)
        self.recorder.edge_ids[old[0]] = None

    def _known(self, edit: AddEdge, at: int) -> Row | None:
        """The live fact that an edit states and that holds at a time, however its names are written."""
        src, dst = (self.find(normalise(check_name(name))) for name in (edit.subject, edit.object))
        wanted = (src[0], self.relation(edit.relation), dst[0]) if src and dst else (0, 0, 0)
        found = self.raw.execute(queries.SAME_FACT, wanted)
        manner = epistemic(edit)[:2]
        same = (row for row in found if (row[EDGE["factuality"]], row[EDGE["status"]]) == manner)
        return next((row for row in same if intervals.holds(_interval(row), at)), None)

    def _retire_edge(self, row: Row) -> None:
        self.recorder.edge_ids[row[0]] = None
        if row[EDGE["retired_at"]] is None:
            self.recorder.update("edges", row, retired_at=self.at)

    def _pin(self, edit: PinEdge) -> None:
        row = self.edge(edit.edge)
        if row[EDGE["retired_at"]] is not None:
            raise Conflict(f"fact {row[0]} is retired; restore it before it is pinned")
        self.recorder.edge_ids[row[0]] = None
        self.recorder.update("edges", row, pinned=1 if edit.pinned else None)

    def _restore_edge(self, row: Row) -> None:
        self.recorder.edge_ids[row[0]] = None
        if row[EDGE["retired_at"]] is None:
            return
        if not self._ends_live(row):
            raise Conflict(f"fact {row[0]} joins a retired node; restore the node first")
        self.recorder.update("edges", row, retired_at=None)


def _interval(edge: Row) -> Interval:
    return Interval(edge[EDGE["valid_from"]], edge[EDGE["valid_to"]], edge[EDGE["valid_time"]])
