"""Listings for people: pages of facts, titles of documents, and journal entries in words, each with its total."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from graphmem.core.edits import JournalEntry
from graphmem.core.errors import NotFound
from graphmem.core.names import check_name, normalise_relation
from graphmem.core.times import Time, shown, to_micros
from graphmem.core.types import MENTIONS, PASSAGE, SYSTEM_KINDS, TITLED, Fact, Node
from graphmem.storage.passage_store import PassageStore
from graphmem.storage.tables import journal, queries
from graphmem.storage.tables.schema import COLUMNS

_SYSTEM = f"SELECT id FROM nodes WHERE kind IN {SYSTEM_KINDS}"
_OTHER_END = "id IN (SELECT e.{} FROM edges e WHERE e.{} = ? AND e.rel = ? AND e.retired_at IS NULL)"
_HASH = re.compile(r" ¶ [0-9a-f]+$")  # at the end of a passage's name
MAX_SORTED = 10_000
"""Facts of a subject of which the newest are found."""

_SAMPLE = 3
"""Facts of a bulk load that are described."""

_SIGNS, _NOUNS = {"add": "+", "remove": "-"}, {"edges": "facts", "nodes": "names"}
_SEARCHED = 200
"""Entries in which the names of what is gone are looked for."""

Image = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """What a journal entry did to one fact or name.

    Attributes:
        sign: ``+`` written, ``-`` taken away, ``~`` changed, ``=`` said again, ``…`` more of the same kind.
        text: the fact or name as it is after the entry; as it was before where it was taken away.
        before: what changed, as it was before.
        after: what changed, as it is after.
        source: of a fact.
        sentence: text that a fact was read from.
    """

    sign: str
    text: str
    before: str = ""
    after: str = ""
    source: str = ""
    sentence: str = ""


class ListingStore(PassageStore):
    """Store that lists what it holds a page at a time, and says in words what its journal entries did."""

    def facts_page(
        self, node: Node | None = None, relation: str | None = None, *, as_of: Time | None = None, limit: int = -1,
        offset: int = 0, bookkeeping: bool = False,
    ) -> tuple[int, list[Fact]]:  # fmt: skip
        """Number of the facts that hold now, or at a time, and a page of them, in the order of subject and relation.

        Args:
            node: subject or object; None for any. Facts of which it is the subject come first.
            limit: facts of the page; -1 for all.
            bookkeeping: include facts of passages and other nodes of ``SYSTEM_KINDS``.
        """
        with self.connection.reading() as raw:
            condition, values = queries.visible(raw, to_micros(as_of))
            terms = ["e.ns = :ns", condition]
            if relation is not None:
                values["rel"] = self._relation(normalise_relation(check_name(relation, "relation")))
                terms.append("e.rel = :rel")
            if node is not None:
                values["node"] = node.id
                terms.append("(e.src = :node OR e.dst = :node)")
            if not bookkeeping:
                terms.append(f"e.src NOT IN ({_SYSTEM}) AND e.dst NOT IN ({_SYSTEM})")
            values |= {"ns": self._ns, "limit": limit, "offset": offset}
            where = f"FROM edges e WHERE {' AND '.join(terms)}"
            order = f"{'e.src <> :node, ' if node else ''}e.src, e.rel, e.id"
            total = raw.execute(f"SELECT count(*) {where}", values).fetchone()[0]
            page = raw.execute(f"SELECT e.id {where} ORDER BY {order} LIMIT :limit OFFSET :offset", values).fetchall()
            return int(total), queries.facts_by_id(raw, self._ns, [row[0] for row in page])

    def fact_ids_around(
        self, nodes: Iterable[int], *, limit: int, as_of: int | None = None, relation: str | None = None
    ) -> list[int]:
        """Ids of facts with one of the nodes at an end, at most ``limit`` newest of each end; passages' links left out.

        Facts of any valid time, or those that held at ``as_of`` (microseconds); retired facts are not among them. Of a
        subject with more than ``MAX_SORTED`` facts, the newest of those about its oldest objects: hubs cost little.
        With a ``relation``, those of it among ``MAX_SORTED`` facts of each end.
        """
        with self.connection.reading() as raw:
            condition, values = f"e.retired_at IS NULL AND {queries.HELD}", dict[str, Any]()
            if as_of is not None:
                condition, values = queries.visible(raw, as_of)
            links = ", ".join(str(int(row)) for name in (TITLED, MENTIONS) for row in (self._relation(name) or 0,))
            found: dict[int, None] = {}
            ids = [int(node) for node in nodes]
            if relation is not None:
                values["rel"] = self._relation(normalise_relation(relation)) or 0
            for end in ("src", "dst"):
                sql = f"SELECT e.id FROM edges e WHERE e.{end} = :node AND +e.ns = :ns AND {condition} "
                sql += f"AND e.rel NOT IN ({links})"
                if end == "src" or relation is not None:  # the index of subjects is not in the order of ids
                    sql = f"SELECT id, rel FROM ({sql.replace('e.id', 'e.id, e.rel', 1)} LIMIT {MAX_SORTED}) e"
                    sql += " WHERE e.rel = :rel" if relation is not None else ""
                sql += " ORDER BY e.id DESC LIMIT :limit"
                for node in ids:
                    rows = raw.execute(sql, {**values, "node": node, "ns": self._ns, "limit": limit})
                    found.update(dict.fromkeys(row[0] for row in rows))
        return list(found)

    def pinned(self) -> list[int]:
        """Ids of the pinned facts."""
        sql = "SELECT id FROM edges WHERE +ns = ? AND pinned = 1 AND retired_at IS NULL ORDER BY id"
        return [row[0] for row in self.connection.rows(sql, (self._ns,))]

    def document_titles(self, about: Node | None = None) -> dict[str, int]:
        """Number of passages of each document by title: of all, or of those that a node's name is the title of."""
        if not self._has_passages():
            return {}
        if about is None:
            return self._titles("ns = ?", (self._ns,))
        return self._titles(_OTHER_END.format("dst", "src"), (about.id, self._relation(TITLED)))

    def documents_about(self, node: Node) -> dict[str, int]:
        """Number of passages that mention a node, by the title of their document."""
        return self._titles(_OTHER_END.format("src", "dst"), (node.id, self._relation(MENTIONS)))

    def _titles(self, condition: str, values: tuple[int, ...]) -> dict[str, int]:
        title = "CASE WHEN json_valid(attributes) THEN json_extract(attributes, '$.title') END"
        sql = (
            f"SELECT coalesce(nullif({title}, ''), name) AS title, count(*) FROM nodes WHERE {condition} "
            f"AND kind = '{PASSAGE}' AND retired_at IS NULL GROUP BY title ORDER BY min(id)"
        )
        return {_HASH.sub("", str(title)): count for title, count in self.connection.rows(sql, values)}

    def journal_page(self, limit: int, offset: int = 0, *, bookkeeping: bool = False) -> tuple[int, list[JournalEntry]]:
        """Number of journal entries and a page of them, newest first, without those of conversations' turns unless
        ``bookkeeping`` is True."""
        where = "FROM journal WHERE ns = ?" + ("" if bookkeeping else " AND action <> 'session'")
        with self.connection.reading() as raw:
            total = raw.execute(f"SELECT count(*) {where}", (self._ns,)).fetchone()[0]
            page = raw.execute(f"SELECT id {where} ORDER BY id DESC LIMIT ? OFFSET ?", (self._ns, limit, offset))
            return int(total), [journal.entry(raw, self._ns, row[0]) for row in page.fetchall()]

    def changes_of(self, entry: JournalEntry, *, bookkeeping: bool = False) -> list[Change]:
        """What an entry did, in words: facts by the names of their ends, and names without facts.

        Passages, episodes and other nodes of ``SYSTEM_KINDS`` are left out unless ``bookkeeping`` is True; documents
        are listed by their titles.
        """
        return list(_Describer(self, entry, bookkeeping).changes())


class _Describer:
    """Describer of one entry: the names that its row images refer to are looked up once."""

    def __init__(self, store: ListingStore, entry: JournalEntry, bookkeeping: bool) -> None:
        self.store, self.entry, self.bookkeeping = store, entry, bookkeeping
        self.nodes: dict[int, tuple[str, str]] = {}  # name and kind
        with store.connection.reading() as raw:
            self.rows = {table: self._folded(raw, table) for table in ("nodes", "edges", "aliases")}
            for change in self.rows["nodes"]:
                image = change["after"] or change["before"]
                self.nodes[change["id"]] = image["name"] or f"node {change['id']}", image["kind"] or ""
            images = [image for change in self.rows["edges"] for image in (change["before"], change["after"]) if image]
            ends = {image[end] for image in images for end in ("src", "dst")} | set(map(_owner, self.rows["aliases"]))
            found = _select(raw, "id, name, kind", "nodes", ends - self.nodes.keys())
            self.nodes |= {node: (name, kind) for node, name, kind in found}
            gone = self._gone(raw, "nodes", {end for end in ends if end is not None and end not in self.nodes})
            self.nodes |= {node: (image["name"], image["kind"]) for node, image in gone.items()}
            self.relations = dict(_select(raw, "id, name", "relations", {image["rel"] for image in images}))
            self.sources = dict(_select(raw, "id, name", "sources", {image["source"] for image in images}))

    def _folded(self, raw: sqlite3.Connection, table: str) -> list[dict[str, Any]]:
        """One change a row: the row before the first change of the entry, and after the last.

        Columns that the entry does not hold, because it did not change them, are as they are in the present.
        """
        changes: dict[Any, list[Image]] = {}
        for change in self.entry.changes:
            if change["table"] == table and "id" in change:
                changes.setdefault(change["id"], []).append(change)
        present: dict[Any, Image] = {}
        if table != "aliases":
            rows = _select(raw, ", ".join(COLUMNS[table]), table, changes)
            present = {row[0]: dict(zip(COLUMNS[table], row, strict=True)) for row in rows}
            present |= self._gone(raw, table, {key for key in changes if key not in present})
        folded = []
        for key, each in changes.items():
            row: dict[str, Any] = {**dict.fromkeys(COLUMNS[table]), "id": key, **present.get(key, {})}
            before = None if each[0]["before"] is None else _overlaid(row, [c["before"] for c in reversed(each)])
            after = None if each[-1]["after"] is None else _overlaid(row, [c["after"] for c in each])
            if before != after:
                folded.append({"id": key, "before": before, "after": after})
        return folded

    def _gone(self, raw: sqlite3.Connection, table: str, ids: Collection[int]) -> dict[int, Image]:
        """Rows that are gone, by id, from the latest of the entries that added or removed them."""
        found: dict[int, Image] = {}
        small = "id NOT IN (SELECT entry FROM journal_parts)"
        sql = f"SELECT id FROM journal WHERE ns = ? AND {small} ORDER BY id DESC LIMIT ?"
        for (number,) in raw.execute(sql, (self.store._ns, _SEARCHED)).fetchall() if ids else ():
            for change in journal.entry(raw, self.store._ns, number).changes:
                image: Any = change.get("before") or change.get("after")
                if change["table"] == table and change["action"] in _SIGNS and change.get("id") in ids:
                    found.setdefault(change["id"], image)
            if len(found) == len(ids):
                break
        return found

    def changes(self) -> Iterator[Change]:
        for change in self.entry.changes:
            if change["action"] == "bulk" and change["table"] == "edges":
                yield from self._loaded(change["first"], change["last"])
            elif "count" in change and change["table"] in _NOUNS:  # an entry too long to be described row by row
                yield Change(_SIGNS.get(change["action"], "~"), f"{change['count']:,} {_NOUNS[change['table']]}")
        for change in self.rows["edges"]:
            before, after = change["before"], change["after"]
            if self.bookkeeping or not self._is_system(after or before):
                yield self._edge(before, after)
        joined = {image[end] for c in self.rows["edges"] for image in [c["after"] or c["before"]] for end in (
            "src", "dst",
        )}  # fmt: skip
        titles: dict[str, int] = {}
        for change in self.rows["nodes"]:
            before, after = change["before"], change["after"]
            image = after or before
            if image["kind"] in SYSTEM_KINDS and not self.bookkeeping:
                if image["kind"] == PASSAGE and (before is None) != (after is None):
                    titles[f"{'+' if after else '-'}{_title(image)}"] = 1
            elif (found := _node(before, after)) is not None and (found.sign == "~" or change["id"] not in joined):
                yield found
        yield from (Change(title[0], f"document {title[1:]!r}") for title in titles)
        for change in self.rows["aliases"]:
            name, kind = self.nodes.get(_owner(change), ("", ""))
            if self.bookkeeping or kind not in SYSTEM_KINDS:
                image = change["after"] or change["before"]
                yield Change("+" if change["after"] else "-", f"{name} | also known as | {image['alias']}")

    def _loaded(self, first: int, last: int) -> Iterator[Change]:
        """The first facts of a bulk load, as far as they are there, and the number of the others."""
        some = [edge.id for edge in self.store.edges(range(first, min(first + _SAMPLE, last + 1)))]  # type: ignore[attr-defined]
        with suppress(NotFound):
            for fact in self.store.facts_by_id(some):  # type: ignore[attr-defined]
                yield Change("+", str(fact), source=fact.source or "")
        rest = last - first + 1 - len(some)
        if rest:
            yield Change("…", f"{rest:,} {'more facts' if some else 'facts'}")

    def _is_system(self, image: Image) -> bool:
        return any(self.nodes.get(image[end], ("", ""))[1] in SYSTEM_KINDS for end in ("src", "dst"))

    def _fact(self, image: Image) -> str:
        if image["src"] is None:  # the entry changed other columns, and the fact is gone
            return f"fact {image['id']}"
        source, object = (self.nodes.get(image[end], (f"node {image[end]}", ""))[0] for end in ("src", "dst"))
        return f"{source} | {self.relations.get(image['rel'], '?')} | {object}"

    def _edge(self, before: Image | None, after: Image | None) -> Change:
        image = after or before
        assert image is not None
        origin = {"source": self.sources.get(image["source"], ""), "sentence": image["text"] or ""}
        if before is None or after is None:
            text = f"{self._fact(image)}{_interval(image, always=False)}"
            return Change("-" if after is None else "+", text, **origin)
        text, old = self._fact(after), self._fact(before)
        if (before["retired_at"] is None) != (after["retired_at"] is None):
            gone = after["retired_at"] is not None
            return Change("-" if gone else "+", f"{text}{_interval(after, always=False)}", **origin)
        if old != text:
            return Change("~", text, old, text, **origin)
        if _interval(before) != _interval(after):
            return Change("~", text, _interval(before).strip(), _interval(after).strip(), **origin)
        if before["pinned"] != after["pinned"]:
            return Change(
                "~", text, *(("pinned", "not pinned") if before["pinned"] else ("not pinned", "pinned")), **origin
            )
        for column in ("confidence", "text", "factuality", "status", "qualifiers", "attributes"):
            if before.get(column) != after.get(column):
                return Change("~", text, f"{column} {before.get(column)}", f"{after.get(column)}", **origin)
        return Change("=", text, **origin)


def _select(raw: sqlite3.Connection, columns: str, table: str, ids: Iterable[int | None]) -> list[tuple[Any, ...]]:
    wanted = json.dumps([number for number in ids if number is not None])
    return raw.execute(
        f"SELECT {columns} FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (wanted,)
    ).fetchall()


def _overlaid(row: Image, images: Iterable[Image | None]) -> dict[str, Any]:
    """A row with the values of some images in place of its own, those of later ones last."""
    values = dict(row)
    for image in images:
        values |= image or {}
    return values


def _title(image: Image) -> str:
    with suppress(ValueError, AttributeError):
        if title := json.loads(image["attributes"] or "{}").get("title"):
            return str(title)
    return _HASH.sub("", str(image["name"]))


def _owner(change: Mapping[str, Any]) -> int:
    return int((change["after"] or change["before"])["node"])


def _interval(image: Image, *, always: bool = True) -> str:
    start, end = shown(image["valid_from"], image["valid_to"], image["valid_time"])
    return f"  [{start or '…'} → {end or 'now'}]" if always or start or end else ""


def _node(before: Image | None, after: Image | None) -> Change | None:
    """What happened to a node; None where nothing that a person would name did."""
    if before is None or after is None:
        image = after or before
        assert image is not None
        return Change("-" if after is None else "+", image["name"])
    if before["name"] != after["name"]:
        return Change("~", after["name"], before["name"], after["name"])
    if (before["retired_at"] is None) != (after["retired_at"] is None):
        return Change("-" if after["retired_at"] is not None else "+", after["name"])
    for column in ("kind", "text", "attributes"):
        if before[column] != after[column]:
            return Change("~", after["name"], f"{column} {before[column] or 'empty'}", f"{after[column] or 'empty'}")
    return None
