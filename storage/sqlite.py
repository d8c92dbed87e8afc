"""SQLite store: one file that holds a graph, its history and its vectors.

The class fulfils ``graphmem.core.protocols.GraphStore``. ``tables/editor`` changes rows, ``tables/change_recorder`` and
``tables/journal`` record the changes, ``tables/queries``, ``index`` and the base classes read.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np

from graphmem.core.edits import Edit, JournalEntry
from graphmem.core.errors import Ambiguous, InvalidValue, InvalidVector, NotFound
from graphmem.core.names import check_name, normalise, normalise_relation, spellings
from graphmem.core.times import from_micros
from graphmem.core.types import MENTIONS, TITLED, Edge, Fact, Node
from graphmem.core.upkeep import Erasure
from graphmem.core.validation import typed
from graphmem.storage.index import fulltext
from graphmem.storage.index.adjacency import CSRIndex
from graphmem.storage.index.adjacency_cache import highest_node
from graphmem.storage.listing_store import ListingStore
from graphmem.storage.maintenance.compact import compact
from graphmem.storage.maintenance.erase import erase
from graphmem.storage.maintenance.revert import revert
from graphmem.storage.tables import bulk_read, bulk_write, folds, journal, queries, vector_rows
from graphmem.storage.tables import row_images as rows
from graphmem.storage.tables.change_recorder import Recorder
from graphmem.storage.tables.editor import Editor
from graphmem.storage.tables.validation import as_id, as_ids, check_text, now_micros


@typed
class SQLiteStore(ListingStore):
    """Durable graph in one file. Open it with ``SQLiteStore.open``; close it, or use it in a ``with`` block.

    Guarantees:

    - One call that writes is one transaction with one journal entry; an error leaves nothing behind. A process may be
      killed at any moment: acknowledged writes are kept, others leave no trace. (After a power failure the very last
      transactions may be missing, but the file is whole: SQLite's ``synchronous = NORMAL``.)
    - Any number of processes read while one writes; writers queue for up to a minute before ``Busy``. Threads may
      share a store. A forked child opens its own connection.
    - A name, compared by ``graphmem.core.names.normalise``, never makes two nodes in a namespace. A name takes
      precedence over an alias, an alias over a folded form. Adding a known fact again raises its strength and adds the
      source; the same fact at another time is another fact (``graphmem.storage.tables.intervals``). Self-loops, cycles
      and thousands of parallel facts are fine.
    - Names have up to 1,024 characters, texts up to 2**20, neither holds NUL or lone surrogates; attributes are JSON.
    - Retiring or restoring a node retires or restores its facts too; the name of a merged node becomes an alias.
    """

    def apply(self, edits: Sequence[Edit], *, note: str = "", action: str = "apply") -> JournalEntry:
        """Apply edits in order, in one transaction with one journal entry. Writes.

        The entry's ``node_ids`` and ``edge_ids`` list the nodes and facts of the edits, in order.

        Raises:
            InvalidValue: an edit holds a value that cannot be used; nothing is written.
            NotFound: an edit names a node or fact that the namespace does not hold.
            Conflict: an edit contradicts the state of what it names.
        """
        return self.update(lambda _: edits, note=note, action=action)

    def update(
        self, decide: Callable[[SQLiteStore], Iterable[Edit]], *, note: str = "", action: str = "update"
    ) -> JournalEntry:
        """Read, decide and write in one transaction, without another writer in between. Writes.

        ``decide`` takes this store and returns the edits.
        """
        check_name(action, "action")
        check_text(note)
        with self.connection.writing() as raw:
            with self.connection.values():
                editor = Editor(raw, recorder := Recorder(raw, self._ns))
            for edit in decide(self):
                with self.connection.values():
                    editor.apply(edit)
            with self.connection.values():
                number = recorder.finish(action, note)
        changes = tuple(journal.show(rows.delta_of(change)) for change in recorder.changes)
        ids = tuple(recorder.node_ids), tuple(recorder.edge_ids)
        return JournalEntry(number, from_micros(recorder.at) or "", action, note, False, changes, *ids)

    def bulk_load(
        self, names: Sequence[str], triples: Iterable[tuple[str, str, str]], vectors: np.ndarray | None = None, *,
        fingerprint: str | None = None, source: str | None = None, note: str = "",
    ) -> JournalEntry:  # fmt: skip
        """Add many nodes and facts in one transaction with one journal entry. Writes.

        Args:
            names: nodes to make if they are new.
            triples: facts by names; names that are not in ``names`` are made too.
            vectors: one vector for each of ``names``, [n, K], or None.
            fingerprint: names the encoder of the vectors.
            source: where all these facts come from.

        Raises:
            InvalidName, InvalidValue: something that is no name or triple; the message says which one.
            InvalidVector: wrong count or width, or NaN.
        """
        check_text(note)
        load = bulk_read.read(names, triples)
        if vectors is not None:
            vectors = vector_rows.checked(vectors, len(names))
            if fingerprint is None:
                raise InvalidVector("vectors need the fingerprint of the encoder that made them")
        with bulk_write.loading(self.connection) as raw, self.connection.values():
            recorder = Recorder(raw, self._ns)
            ranges = bulk_write.write(raw, recorder, load, vectors, fingerprint, source)
            number = recorder.finish("bulk_load", note, ranges=ranges)
            return journal.entry(raw, self._ns, number)

    def undo(self, entry: int | None = None) -> JournalEntry:
        """Revert an entry, the newest that is not undone when None: what it changed is as before. Writes one entry.

        A node that it added stays while later entries use it.

        Raises:
            NotFound: no such entry, or nothing to undo.
            Conflict: later entries changed the same facts or values (the message names them), or it is undone already.
            NotKept: it lies before a compaction, or is an erasure.
        """
        with self.connection.writing() as raw, self.connection.values():
            target = journal.to_undo(raw, self._ns, None if entry is None else as_id(entry))
            return self._revert(raw, target, target, "undo")

    def redo(self, entry: int | None = None) -> JournalEntry:
        """Apply an undone entry again, the last undone when None. Writes one entry.

        Raises:
            NotFound: no such entry, or nothing undone.
            Conflict: the entry is not undone, or its rows have changed since.
            NotKept: the journal has been compacted since.
        """
        with self.connection.writing() as raw, self.connection.values():
            target, undo = journal.to_redo(raw, self._ns, None if entry is None else as_id(entry))
            return self._revert(raw, undo, target, "redo")

    def compact(self, before: int, *, progress: bool = False) -> tuple[int, int]:
        """Drop what entries recorded before a time (microseconds) changed; bytes before and after. Writes.

        See ``storage.maintenance.compact``.
        """
        return compact(self.connection, self._ns, before, progress=progress)

    def erase(self, node: str | int, *, dry_run: bool = True, passages: bool = False, copies: bool = False) -> Erasure:
        """Erase a node by id or name, or report what that would remove. Writes; see ``storage.maintenance.erase``."""
        for thread in self._packing:  # no snapshot of before may be written after it
            thread.join()
        return erase(self.connection, self._ns, node, dry_run=dry_run, passages=passages, copies=copies)

    def _revert(self, raw: sqlite3.Connection, reverted: int, target: int, action: str) -> JournalEntry:
        recorder = Recorder(raw, self._ns)
        revert(raw, recorder, reverted, target)
        number = recorder.finish(action, f"{action} of entry {target}", target=target)
        raw.execute("UPDATE journal SET undone = ? WHERE id = ?", (int(action == "undo"), target))
        return journal.entry(raw, self._ns, number)

    def node(self, node_id: int) -> Node:
        """One node, retired or not. Raises ``NotFound``: the namespace holds no such node."""
        return self.nodes([node_id])[0]

    def nodes(self, node_ids: Sequence[int] | np.ndarray) -> list[Node]:
        """Nodes in the order of their ids. Raises ``NotFound``: an id that the namespace does not hold."""
        ids = as_ids(node_ids)
        with self.connection.reading() as raw:
            found = queries.nodes_by_id(raw, self._ns, self.namespace, ids)
        return queries.in_order(found, ids, "node")

    def names(self, node_ids: Sequence[int] | np.ndarray) -> list[str]:
        """Names in the order of the ids. Raises ``NotFound``: an id that the namespace does not hold."""
        with self.connection.reading() as raw:
            return queries.names(raw, self._ns, as_ids(node_ids))

    def resolve(self, name: str) -> Node | None:
        """The one live node of that name or alias, or of its folded form; None when there is none, or several."""
        found = self.readings(name)
        return self.node(found[0]) if len(found) == 1 else None

    def readings(self, name: str) -> list[int]:
        """Ids of the live nodes that a name may mean: the one of that name, else by alias, else by folded form."""
        if not isinstance(name, str):
            return []
        norm = normalise(name)
        found = self.resolve_many([norm], records=True)[norm]
        if len(found) > 1 and normalise(self.names(found[:1])[0]) == norm:
            return found[:1]
        return found or next(filter(None, self.resolve_folded(spellings(norm)).values()), [])

    def look_up(self, name: str) -> Node | None:
        """``resolve``, which says what it cannot decide. Raises ``Ambiguous``: the name may mean several nodes."""
        found = self.readings(check_name(name))
        if len(found) > 1:
            raise Ambiguous(f"{name!r} may mean {' or '.join(map(repr, self.names(found[:8])))}; say which one")
        return self.node(found[0]) if found else None

    def find(self, name: str) -> Node:
        """The live node of a name, as ``resolve`` finds it.

        Raises:
            NotFound: there is none; the message names similar ones. ``Ambiguous``: there are several.
        """
        node = self.look_up(name)
        if node is None:
            near = self.names([identifier for identifier, _ in self.search_text(name, limit=3)])
            hint = f"; did you mean {', '.join(map(repr, near))}?" if near else ""
            raise NotFound(f"no node named {name!r}{hint}")
        return node

    def resolve_many(self, normalised: Sequence[str], *, records: bool = False) -> dict[str, list[int]]:
        """Ids of live nodes for each normalised name: by name first, then by alias, strongest first.

        Nodes of ``SYSTEM_KINDS`` are no entities and left out unless ``records`` are wanted.
        """
        with self.connection.reading() as raw:
            return queries.resolve_many(raw, self._ns, list(normalised), records)

    def resolve_folded(self, folded: Sequence[str]) -> dict[str, list[int]]:
        """Ids of live nodes for each folded name (``graphmem.core.names.fold``), strongest first."""
        with self.connection.reading() as raw:
            return folds.find(raw, self._ns, list(folded))

    def all_nodes(self, *, after: int = 0, limit: int = 1024) -> list[Node]:
        """Live nodes by id, a page at a time: pass the last id of one page as ``after`` for the next."""
        sql = "SELECT id FROM nodes WHERE +ns = ? AND id > ? AND retired_at IS NULL ORDER BY id LIMIT ?"
        return self.nodes([row[0] for row in self.connection.rows(sql, (self._ns, after, limit))])

    def state(self, node_id: int) -> np.ndarray | None:
        """The node's learned state vector, float32 [G], or None."""
        self.node(node_id)
        data = self.connection.one("SELECT state FROM nodes WHERE id = ?", (as_id(node_id),))[0]
        with self.connection.values():
            return None if data is None else np.frombuffer(data, np.float32).copy()

    def edge(self, edge_id: int) -> Edge:
        """One recorded fact by id, whatever its state. Raises ``NotFound``: the namespace holds no such fact."""
        ids = [as_id(edge_id)]
        with self.connection.reading() as raw:
            return queries.in_order(queries.edges_by_id(raw, self._ns, ids), ids, "fact")[0]

    def edges(self, edge_ids: Sequence[int] | np.ndarray) -> list[Edge]:
        """Recorded facts in the order of the ids, whatever their state; ids that are not there are left out."""
        ids = as_ids(edge_ids)
        with self.connection.reading() as raw:
            found = queries.edges_by_id(raw, self._ns, ids)
        return [found[identifier] for identifier in ids if identifier in found]

    def facts(
        self, subject: int | None = None, relation: str | None = None, object: int | None = None, *,
        as_of: int | None = None, known_at: int | None = None, limit: int | None = None, links: bool = True,
        history: bool = False,
    ) -> list[Fact]:  # fmt: skip
        """Facts that match what is given, by id; without a time those that hold now, all with ``history``.

        Args:
            as_of: valid time in microseconds: what held then, as known today.
            known_at: recorded time in microseconds: what the memory held then, exactly.
            links: include the facts that join passages of documents to names.
        """
        with self.connection.reading() as raw:
            wanted = None if relation is None else self._relation(normalise_relation(check_name(relation, "relation")))
            if wanted == 0:
                return []
            what: dict[str, Any] = {
                "subject": None if subject is None else as_id(subject),
                "relation": wanted,
                "object": None if object is None else as_id(object),
            }
            without = () if links else tuple(map(self._relation, (TITLED, MENTIONS)))
            rest: dict[str, Any] = {"as_of": as_of, "limit": limit, "without": without}
            if known_at is not None:
                return queries.facts_known_at(raw, self._ns, known_at, **what, **rest)
            return queries.find_facts(raw, self._ns, history=history, **what, **rest)

    def facts_by_id(self, edge_ids: Sequence[int] | np.ndarray) -> list[Fact]:
        """Facts in the order of the ids, whatever their state.

        Raises:
            NotFound: an id that the namespace does not hold.
        """
        with self.connection.reading() as raw:
            return queries.facts_by_id(raw, self._ns, as_ids(edge_ids))

    def present_ids(self) -> np.ndarray:
        """Ids of the facts that hold now, int64 [F]."""
        with self.connection.reading() as raw:
            return queries.present_ids(raw, self._ns)

    def sources(self, edge_id: int) -> list[str]:
        """Every source of this fact, the first one first."""
        first = self.edge(edge_id).source
        sql = "SELECT o.name FROM edge_sources s JOIN sources o ON o.id = s.source WHERE s.edge = ? ORDER BY s.at"
        more = [row[0] for row in self.connection.rows(sql, (as_id(edge_id),))]
        return [first, *more] if first is not None else more

    def search_text(
        self, query: str, *, limit: int = 10, what: Literal["node", "edge"] = "node"
    ) -> list[tuple[int, float]]:
        """Ids and BM25 scores, best first, of live nodes or of facts that hold now."""
        if what not in ("node", "edge"):
            raise InvalidValue(f"what must be 'node' or 'edge', not {what!r}")
        with self.connection.reading() as raw:
            counts = self._word_counts(raw)
            if what == "node":
                return fulltext.search_nodes(raw, self._ns, query, limit, counts[0])
            best, facts = self._nodes_of_facts(raw, query, fulltext.SEEDS)
            return fulltext.search_edges(raw, self._ns, query, limit, facts, best, counts[1])

    def named_with(self, phrases: Sequence[str], *, limit: int = 16) -> dict[str, list[int]]:
        """For each phrase, ids of live entities with its words in sequence in a name, or alias; ``an*`` begins one."""
        with self.connection.reading() as raw:
            return fulltext.named_with(raw, self._ns, phrases, limit)

    def similar_words(self, words: Sequence[str]) -> dict[str, list[str]]:
        """For each word that no node has, the words most like it that some node has; none for the others."""
        with self.connection.reading() as raw:
            return {word: fulltext.similar_words(raw, word, self._word_counts(raw)[0]) for word in words}

    def has_fact_texts(self) -> bool:
        """Whether any fact of the file carries a text of its own."""
        with self.connection.reading() as raw:
            return fulltext.has_fact_texts(raw)

    def search_texts(self, query: str, *, nodes: int, facts: int) -> tuple[list[int], list[int]]:
        """Ids of the best nodes and of the best facts, as by ``search_text`` for each, at the cost of one."""
        with self.connection.reading() as raw:
            counts = self._word_counts(raw)
            best, index = self._nodes_of_facts(raw, query, max(nodes, fulltext.SEEDS))
            found = fulltext.search_edges(raw, self._ns, query, facts, index, best[: fulltext.SEEDS], counts[1])
        return [node for node, _ in best[:nodes]], [edge for edge, _ in found]

    def _nodes_of_facts(self, raw: sqlite3.Connection, query: str, limit: int) -> tuple[list[fulltext.Match], CSRIndex]:
        """The best nodes that have facts or no arcs, with their scores, and the index of the facts."""
        index = self._views.get(raw, None)
        facts, counts = index.facts_only(), self._word_counts(raw)[0]
        if facts is index:
            return fulltext.search_nodes(raw, self._ns, query, limit, counts), index
        found = fulltext.search_nodes(raw, self._ns, query, fulltext.CROWDED * limit, counts)
        ids = np.asarray([node for node, _ in found], np.int64)
        kept = (facts.degree(ids) > 0) | (index.degree(ids) == 0)
        return [item for item, keep in zip(found, kept.tolist(), strict=True) if keep][:limit], facts

    def _word_counts(self, raw: sqlite3.Connection) -> tuple[fulltext.WordCounts, ...]:
        size = highest_node(raw)
        for counts in self._counts:
            counts.grown(size)
        return self._counts

    def index(self, as_of: int | None = None) -> CSRIndex:
        """Packed adjacency of the present, or of a valid time in microseconds; cached and kept up to date."""
        with self.connection.reading() as raw:
            index = self._views.get(raw, as_of)
        self._pack_in_background()
        return index

    def history(self, node_id: int) -> list[JournalEntry]:
        """Every entry that changed the node, its aliases or its facts, oldest first."""
        with self.connection.reading() as raw:
            return journal.history(raw, self._ns, as_id(node_id))

    def journal(self, limit: int = 20) -> list[JournalEntry]:
        """The last entries, newest first."""
        with self.connection.reading() as raw:
            return journal.newest(raw, self._ns, limit)

    def stats(self) -> dict[str, Any]:
        """Counts of what the namespace holds, and the file's size in bytes."""
        with self.connection.reading() as raw:
            return queries.stats(raw, self._ns) | {"path": self.path, "namespace": self.namespace}

    def touch(self, node_ids: Sequence[int] | np.ndarray) -> None:
        """Count one use of each node, for decay and promotion. Writes; not journalled."""
        now = now_micros()
        sql = (
            "INSERT INTO access(node, count, at) VALUES (?, 1, ?) "
            "ON CONFLICT(node) DO UPDATE SET count = count + 1, at = excluded.at"
        )
        ids = as_ids(node_ids)
        self.names(ids)
        with self.connection.writing() as raw:
            raw.executemany(sql, [(node, now) for node in ids])

    def usage(self) -> Iterator[tuple[int, int, int, int]]:
        """Of every live node, by id: its id, when it was made, how often it was used and when last (0: never), in
        microseconds. Read a page at a time, so that other writers are not held up."""
        sql = (
            "SELECT n.id, n.created_at, coalesce(a.count, 0), coalesce(a.at, 0) "
            "FROM nodes n LEFT JOIN access a ON a.node = n.id "
            "WHERE +n.ns = ? AND n.id > ? AND n.retired_at IS NULL ORDER BY n.id LIMIT 4096"
        )
        after = 0
        while page := self.connection.rows(sql, (self._ns, after)):
            with self.connection.values():
                queries.numbers(page)
            yield from page
            after = page[-1][0]
