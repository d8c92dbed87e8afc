"""Listings for people: pages of facts, titles of documents, and journal entries in words, each with its total."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from graphmem.core.edits import JournalEntry
from graphmem.core.errors import NotFound
from graphmem.core.names import check_name, normalise
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.types import MENTIONS, PASSAGE, SYSTEM_KINDS, TITLED, Fact, Node
from graphmem.storage.passage_store import PassageStore
from graphmem.storage.tables import journal, queries

_SYSTEM = f"SELECT id FROM nodes WHERE kind IN {SYSTEM_KINDS}"
_SAMPLE = 3
"""Facts of a bulk load that are described."""

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
                values["rel"] = self._relation(normalise(check_name(relation, "relation")))
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

    def document_titles(self, about: Node | None = None) -> dict[str, int]:
        """Number of passages of each document by title: of all, or of those that a node's name is the title of."""
        if not self._relation(TITLED):
            return {}
        ids = self.passage_ids() if about is None else [passage for _, passage in self.passages_of([about.id])]
        return self._titles(self.passages_by_id(ids).values())

    def documents_about(self, node: Node) -> dict[str, int]:
        """Number of passages that mention a node, by the title of their document."""
        sql = "SELECT DISTINCT e.src FROM edges e WHERE e.dst = ? AND e.rel = ? AND e.retired_at IS NULL"
        found = self.connection.rows(sql, (node.id, self._relation(MENTIONS)))
        return self._titles(self.passages_by_id([row[0] for row in found]).values())

    @staticmethod
    def _titles(passages: Collection[Node]) -> dict[str, int]:
        titles: dict[str, int] = {}
        for passage in passages:
            title = str(passage.attributes.get("title") or passage.name.rpartition(" ¶ ")[0])
            titles[title] = titles.get(title, 0) + 1
        return titles

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
        rows = {table: _folded(entry, table) for table in ("nodes", "edges", "aliases", "edge_sources")}
        self.rows = rows
        images = [image for change in rows["edges"] for image in (change["before"], change["after"]) if image]
        self.nodes: dict[int, tuple[str, str]] = {}  # name and kind
        for change in rows["nodes"]:
            image = change["after"] or change["before"]
            self.nodes[change["id"]] = image["name"], image["kind"]
        ends = {image[end] for image in images for end in ("src", "dst")} | {_owner(c) for c in rows["aliases"]}
        with store.connection.reading() as raw:
            wanted = json.dumps(sorted(ends - self.nodes.keys()))
            sql = "SELECT id, name, kind FROM nodes WHERE id IN (SELECT value FROM json_each(?))"
            self.nodes |= {node: (name, kind) for node, name, kind in raw.execute(sql, (wanted,))}
            names = lambda table, ids: dict(raw.execute(
                f"SELECT id, name FROM {table} WHERE id IN (SELECT value FROM json_each(?))", (json.dumps(sorted(ids)),)
            ).fetchall())  # fmt: skip
            self.relations = names("relations", {image["rel"] for image in images})
            more = {(c["after"] or c["before"])["source"] for c in rows["edge_sources"]}
            self.sources = names("sources", {image["source"] for image in images if image["source"]} | more)

    def changes(self) -> Iterator[Change]:
        for change in self.entry.changes:
            if change["action"] == "bulk" and change["table"] == "edges":
                yield from self._loaded(change["first"], change["last"])
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
        source, object = (self.nodes.get(image[end], (f"node {image[end]}", ""))[0] for end in ("src", "dst"))
        return f"{source} | {self.relations.get(image['rel'], '?')} | {object}"

    def _edge(self, before: Image | None, after: Image | None) -> Change:
        image = after or before
        assert image is not None
        origin = {"source": self.sources.get(image["source"], ""), "sentence": image["text"]}
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
        for column in ("pinned", "confidence", "text", "factuality", "status", "qualifiers", "attributes"):
            if before.get(column) != after.get(column):
                return Change("~", text, f"{column} {before.get(column)}", f"{after.get(column)}", **origin)
        return Change("=", text, **origin)


def _folded(entry: JournalEntry, table: str) -> list[dict[str, Any]]:
    """One change a row of a table: as it was before the first change of the entry, and after the last."""
    rows: dict[Any, dict[str, Any]] = {}
    for change in entry.changes:
        if change["table"] == table and change["action"] != "bulk":
            rows.setdefault(change["id"], {**change})["after"] = change["after"]
    return [change for change in rows.values() if change["before"] != change["after"]]


def _title(image: Image) -> str:
    with suppress(ValueError, AttributeError):
        if title := json.loads(image["attributes"] or "{}").get("title"):
            return str(title)
    return str(image["name"]).rpartition(" ¶ ")[0]


def _owner(change: Mapping[str, Any]) -> int:
    return int((change["after"] or change["before"])["node"])


def _interval(image: Image, *, always: bool = True) -> str:
    if image.get("valid_time"):
        return f"  [{str(image['valid_time']).replace('/', ' → ')}]"
    start, end = from_micros(image["valid_from"]), from_micros(image["valid_to"])
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
