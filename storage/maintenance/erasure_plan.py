"""Plan of an erasure: every row, image and text of the file that belongs to a node or names it."""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphmem.core.errors import Conflict, NotFound
from graphmem.core.names import check_name, fold, normalise
from graphmem.core.types import PASSAGE, READ_MARK, SYSTEM_KINDS
from graphmem.storage.maintenance.revert import BARE
from graphmem.storage.tables import journal
from graphmem.storage.tables.row_images import Delta, Row

SCRUBBED = {"text": "", "attributes": None, "qualifiers": None}
"""Columns whose texts may name a node that is not theirs, and their values without a text."""

SHOWN = 100  # places that a report lists at most

Place = tuple[str, Row, str]
"""Table, key and column of a text."""


@dataclass(slots=True)
class Plan:
    """What an erasure removes.

    Attributes:
        nodes: ids of the node, of nodes that were merged into it or had its name, and of what the system wrote of it.
        values: ids of nodes that only facts about it used.
        edges: ids of their facts.
        names: normalised names and aliases.
        texts: other texts that name it; ``passages`` those that are passages.
        entries: journal entries that hold something of it.
        notes: entries whose notes name it.
        sources, relations: ids of what only its facts used.
        named_sources, named_relations: ids of sources and relations of other facts that name it.
        named_nodes: ids and names of other nodes, not of the system, whose name holds its name.
        named_aliases: keys of aliases of other nodes that name it.
        emptied: whether texts, sources, relations and aliases that name it are emptied.
        elsewhere: names of other namespaces with a node of that name.
    """

    nodes: set[int] = field(default_factory=set)
    values: set[int] = field(default_factory=set)
    edges: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    texts: set[Place] = field(default_factory=set)
    passages: set[int] = field(default_factory=set)
    entries: set[int] = field(default_factory=set)
    notes: set[int] = field(default_factory=set)
    sources: set[int] = field(default_factory=set)
    relations: set[int] = field(default_factory=set)
    named_sources: set[int] = field(default_factory=set)
    named_relations: set[int] = field(default_factory=set)
    named_nodes: dict[int, str] = field(default_factory=dict)
    named_aliases: set[Row] = field(default_factory=set)
    emptied: bool = False
    elsewhere: set[str] = field(default_factory=set)

    @property
    def gone(self) -> set[int]:
        """Ids of all nodes that are removed."""
        return self.nodes | self.values

    @property
    def left(self) -> set[Place]:
        """Texts of rows that stay which name the node."""
        removed = {"nodes": self.gone, "edges": self.edges}
        return {place for place in self.texts if place[1][0] not in removed[place[0]]}

    def removes(self, delta: Delta) -> bool:
        """Whether a change is one of a removed row."""
        if delta.table == "aliases" and self.emptied and delta.key in self.named_aliases:
            return True
        at = {"aliases": 2}.get(delta.table, 0)
        return delta.key[at] in (self.gone if delta.table in ("nodes", "aliases") else self.edges)


def make(raw: sqlite3.Connection, ns: int, node: str | int, passages: bool) -> Plan:
    """Plan the erasure of a node of a namespace, given by id, name or alias; also of one that is only in the journal.

    Raises:
        NotFound: nothing in the namespace has that id or name. Conflict: several nodes have that alias.
    """
    plan = Plan(emptied=passages)
    if isinstance(node, str):
        plan.names = {normalise(check_name(node))}
        plan.nodes = _named(raw, ns, node)
    elif raw.execute("SELECT 1 FROM nodes WHERE id = ? AND ns = ?", (node, ns)).fetchone():
        plan.nodes = {node}
    else:
        raise NotFound(f"no node {node} in this namespace")
    search = _Search(raw, ns, plan, passages)
    size = (-1, -1, -1)
    while size != (size := (len(plan.nodes), len(plan.edges), len(plan.names))):
        search.rows()
        search.journal()
    plan.named_aliases = {key for key in plan.named_aliases if key[2] not in plan.nodes}
    if not plan.nodes and not plan.texts:
        raise NotFound(f"no node named {node!r}, and no text that names it")
    search.values()
    search.dictionaries()
    return plan


def _named(raw: sqlite3.Connection, ns: int, name: str) -> set[int]:
    norm = normalise(name)
    found = raw.execute("SELECT id FROM nodes WHERE ns = ? AND norm = ?", (ns, norm)).fetchall()
    found = found or raw.execute("SELECT DISTINCT node FROM aliases WHERE ns = ? AND norm = ?", (ns, norm)).fetchall()
    if len(found) > 1:
        listed = ", ".join(str(row[0]) for row in found)
        raise Conflict(f"{name!r} is an alias of nodes {listed}; give the id of the one to erase")
    return {row[0] for row in found}


class _Search:
    """Search for everything of some nodes, which adds to the plan until nothing new is found."""

    def __init__(self, raw: sqlite3.Connection, ns: int, plan: Plan, passages: bool) -> None:
        self.raw, self.ns, self.plan, self.passages = raw, ns, plan, passages
        self.system = SYSTEM_KINDS if passages else tuple(kind for kind in SYSTEM_KINDS if kind != PASSAGE)
        self._patterns: tuple[int, re.Pattern[str], re.Pattern[str]] | None = None
        self._ends: set[int] = set()  # of facts in the journal that stay
        self._used: dict[str, set[int]] = {}

    def rows(self) -> None:
        """Names, facts and texts in the tables."""
        plan, raw = self.plan, self.raw
        self._merged()
        for node, norm in self._of("SELECT id, norm FROM nodes WHERE id IN ({})", plan.nodes):
            if self._kind(node) not in SYSTEM_KINDS:
                plan.names.add(_own_form(norm))
        plan.names.update(norm for (norm,) in self._of("SELECT norm FROM aliases WHERE node IN ({})", self._own()))
        for end in ("src", "dst"):
            plan.edges.update(row[0] for row in self._of(f"SELECT id FROM edges WHERE {end} IN ({{}})", plan.nodes))
        sql = "SELECT id, name, norm, kind, text, attributes FROM nodes WHERE ns = ?"
        for node, name, norm, kind, text, attributes in raw.execute(sql, (self.ns,)):
            if _own_form(norm) != norm and _own_form(norm) in plan.names:  # a migration merged it
                plan.nodes.add(node)
            if node in plan.nodes:
                continue
            named = [c for c, v in (("text", text), ("attributes", attributes)) if v and self.names_it(v)]
            if kind in self.system and (named or self.names_it(name)):
                plan.nodes.add(node)
            else:
                self._texts("nodes", (node,), named)
                if kind not in SYSTEM_KINDS and self.names_it(name):
                    plan.named_nodes[node] = name
                if kind == PASSAGE and (named or self.names_it(name)):
                    plan.passages.add(node)
        for norm, owner, alias in raw.execute("SELECT norm, node, alias FROM aliases WHERE ns = ?", (self.ns,)):
            if self.names_it(alias):
                plan.named_aliases.add((self.ns, norm, owner))
        for edge, *values in raw.execute("SELECT id, text, attributes, qualifiers FROM edges WHERE ns = ?", (self.ns,)):
            if edge not in plan.edges and any(values):
                self._texts(
                    "edges", (edge,), [c for c, v in zip(SCRUBBED, values, strict=True) if v and self.names_it(v)]
                )

    def _own(self) -> set[int]:
        """The nodes that are meant, without what the system wrote of them."""
        return {node for node in self.plan.nodes if self._kind(node) not in SYSTEM_KINDS}

    def _kind(self, node: int) -> str:
        row = self.raw.execute("SELECT kind FROM nodes WHERE id = ?", (node,)).fetchone()
        return str(row[0]) if row else ""

    def _of(self, sql: str, ids: Iterable[int]) -> list[Row]:
        return self.raw.execute(sql.format("SELECT value FROM json_each(?)"), (json.dumps(sorted(ids)),)).fetchall()

    def _texts(self, table: str, key: Row, columns: Iterable[str]) -> None:
        self.plan.texts.update((table, key, column) for column in columns)

    def _merged(self) -> None:
        """Nodes that were merged into the node: retired, with an alias of it for a name."""
        sql = (
            "SELECT n.id FROM nodes n JOIN aliases a ON a.ns = n.ns AND a.norm = n.norm "
            "JOIN journal j ON j.at = n.retired_at JOIN touched t ON t.entry = j.id AND t.node = a.node "
            "WHERE a.node IN ({}) AND n.id <> a.node"
        )
        self.plan.nodes.update(row[0] for row in self._of(sql, self.plan.nodes))

    def journal(self) -> None:
        """Names, facts and texts in the journal, newest entry first."""
        past, plan = journal.Past(self.raw), self.plan
        self._ends, self._used, found = set(), {"source": set(), "rel": set()}, []
        entries = self.raw.execute("SELECT id, note FROM journal WHERE ns = ? ORDER BY id DESC", (self.ns,)).fetchall()
        for entry, note in entries:
            if note and self.names_it(note):
                plan.notes.add(entry)
            deltas = journal.whole(self.raw, entry, past)
            for delta in deltas:
                self._look(delta)
            if any(map(plan.removes, deltas)):
                plan.entries.add(entry)
                found += [d.key[0] for d in deltas if d.table == "nodes" and (d.after or {}).get("kind") == READ_MARK]
        plan.nodes.update(found)  # marks of texts that were read about it

    def _look(self, delta: Delta) -> None:
        plan, images = self.plan, [image for image in (delta.before, delta.after) if image]
        if delta.table == "nodes":
            self._look_at_node(delta, images)
        elif delta.table == "aliases":
            if delta.key[2] in plan.nodes and self._kind(delta.key[2]) not in SYSTEM_KINDS:
                plan.names.add(delta.key[1])
            elif self.names_it(delta.key[1]):
                plan.named_aliases.add(delta.key)
        elif delta.table == "edges":
            if any(image.get(end) in plan.nodes for image in images for end in ("src", "dst")):
                plan.edges.add(delta.key[0])
            if delta.key[0] not in plan.edges:
                self._ends.update(image[end] for image in images for end in ("src", "dst") if end in image)
                for column, used in self._used.items():
                    used.update(image[column] for image in images if image.get(column) is not None)
                self._texts("edges", delta.key, self._naming(images))
        elif delta.key[0] not in plan.edges:
            self._used["source"].add(delta.key[1])

    def _look_at_node(self, delta: Delta, images: list[Mapping[str, Any]]) -> None:
        plan, node = self.plan, delta.key[0]
        kind = self._kind(node) or next((image["kind"] for image in images if "kind" in image), "")
        if node not in plan.nodes:
            named = self._naming(images)
            norms = {_own_form(image["norm"]) for image in images if "norm" in image}
            if kind in self.system and (named or any(self.names_it(norm) for norm in norms)):
                plan.nodes.add(node)
            elif norms & plan.names and not self._kind(node):  # undone: only the journal holds it
                plan.nodes.add(node)
            else:
                self._texts("nodes", delta.key, named)
                names = [image["name"] for image in images if self.names_it(image.get("name"))]
                if names and kind not in SYSTEM_KINDS:
                    plan.named_nodes.setdefault(node, names[-1])
        if node in plan.nodes and kind not in SYSTEM_KINDS:
            plan.names.update(_own_form(image["norm"]) for image in images if "norm" in image)

    def _naming(self, images: list[Mapping[str, Any]]) -> list[str]:
        return [column for column in SCRUBBED for image in images if image.get(column) and self.names_it(image[column])]

    def names_it(self, value: Any) -> bool:
        """Whether a text or JSON text names the node, compared by normal and by folded forms."""
        if not isinstance(value, str):
            return False
        if self._patterns is None or self._patterns[0] != len(self.plan.names):
            names = self.plan.names
            self._patterns = len(names), _pattern(names), _pattern(set(map(fold, names)))
        _, plain, folded = self._patterns
        return any(plain.search(normalise(text)) or folded.search(fold(text)) for text in _strings(value))

    def values(self) -> None:
        """Nodes that only facts about the node used: nothing else is said about them."""
        plan = self.plan
        ends = {
            end for row in self._of("SELECT src, dst FROM edges WHERE id IN ({})", plan.edges) for end in row
        } - plan.nodes - self._ends  # fmt: skip
        sql = f"SELECT {', '.join(BARE)} FROM nodes WHERE id = ?"
        own = {row[0] for row in self._of("SELECT entry FROM touched WHERE node IN ({})", plan.nodes)}
        for node in ends:
            said = self.raw.execute(sql, (node,)).fetchone()
            used = self.raw.execute("SELECT id FROM edges WHERE src = ?1 OR dst = ?1 OR passage = ?1", (node,))
            if said != tuple(BARE.values()) or any(edge not in plan.edges for (edge,) in used):
                continue
            touched = self.raw.execute("SELECT entry FROM touched WHERE node = ?", (node,))
            alias = self.raw.execute("SELECT 1 FROM aliases WHERE node = ?", (node,)).fetchone()
            if alias is None and all(entry in own for (entry,) in touched):
                plan.values.add(node)

    def dictionaries(self) -> None:
        """Sources and relations that only removed facts used; other namespaces that have the name."""
        plan = self.plan
        for (entry,) in self.raw.execute("SELECT id FROM journal WHERE ns <> ?", (self.ns,)).fetchall():
            for delta in journal.recorded(self.raw, entry):  # sources are of all namespaces
                if delta.table in ("edges", "edge_sources"):
                    images = delta.before or {}, delta.after or {}
                    self._used["source"].update(image["source"] for image in images if image.get("source"))
        sql = "SELECT s.name FROM namespaces s JOIN {} t ON t.ns = s.id WHERE s.id <> ? AND t.norm IN ({})"
        listed = "SELECT value FROM json_each(?)"
        for table in ("nodes", "aliases"):
            found = self.raw.execute(sql.format(table, listed), (self.ns, json.dumps(sorted(plan.names))))
            plan.elsewhere.update(row[0] for row in found)
        for table, column, out in (("sources", "source", plan.sources), ("relations", "rel", plan.relations)):
            used = {
                row[0] for row in self._of(f"SELECT DISTINCT {column} FROM edges WHERE id NOT IN ({{}})", plan.edges)
            }
            own = {row[0] for row in self._of(f"SELECT DISTINCT {column} FROM edges WHERE id IN ({{}})", plan.edges)}
            if column == "source":
                used |= {r[0] for r in self._of("SELECT source FROM edge_sources WHERE edge NOT IN ({})", plan.edges)}
                own |= {r[0] for r in self._of("SELECT source FROM edge_sources WHERE edge IN ({})", plan.edges)}
            for number, name in self.raw.execute(f"SELECT id, name FROM {table}").fetchall():
                if number in used | self._used[column]:
                    if self.names_it(name):
                        (plan.named_sources if column == "source" else plan.named_relations).add(number)
                elif number in own or self.names_it(name):
                    out.add(number)


def _own_form(norm: str) -> str:
    """Normal form of a name, without the number of a node that a migration merged."""
    return norm.partition("\x1f")[0]


def _strings(value: str) -> Iterator[str]:
    """A text, and the texts in it where it is a JSON object."""
    yield value
    if value[:1] == "{":
        try:
            waiting = [json.loads(value)]
        except (ValueError, RecursionError):
            return
        while waiting:
            match waiting.pop():
                case str(text):
                    yield text
                case dict(items):
                    waiting += [*items, *items.values()]
                case list(items):
                    waiting += items


def _pattern(names: Iterable[str]) -> re.Pattern[str]:
    """Whole names; of scripts that join words without spaces, any place. Letters without case tell them."""
    parts = [
        re.escape(name)
        if any(unicodedata.category(character) == "Lo" for character in name)
        else rf"(?<!\w){re.escape(name)}(?!\w)"
        for name in sorted(names, key=len, reverse=True)
    ]
    return re.compile("|".join(parts) or r"(?!)")
