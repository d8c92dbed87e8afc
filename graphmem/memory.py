"""GraphMemory: one SQLite file that holds a knowledge graph, and everything a user does with it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from graphmem.core.edits import AddEdge, AddNode, JournalEntry, Retire, UpdateNode, as_edges
from graphmem.core.errors import Closed, InvalidValue, NotAMemory, NotFound
from graphmem.core.history import superseding
from graphmem.core.names import unstorable
from graphmem.core.protocols import TextEncoder
from graphmem.core.revision import Revision
from graphmem.core.times import Time, to_micros
from graphmem.core.types import PASSAGE, Fact, Node, RankerName, Triple
from graphmem.core.upkeep import Upkeep
from graphmem.core.validation import require, typed

if TYPE_CHECKING:
    import networkx
    from torch_geometric.data import Data

    from graphmem.consolidation.graph import Consolidation, ConsolidationConfig
    from graphmem.ingestion.documents import Item, PassagesAdded
    from graphmem.reasoning.evidence_reader import EvidenceReader
    from graphmem.retrieval.results import Retrieval
    from graphmem.retrieval.retriever import RetrievalConfig, Retriever
    from graphmem.storage.exchange.ingest import Ingested
    from graphmem.storage.sqlite import SQLiteStore
    from graphmem.text.name_tagging import Tagger


@typed
class GraphMemory(Revision, Upkeep):
    """A knowledge graph in one SQLite file, searched by association.

    Each call that writes is one transaction with one journal entry, which it returns and ``undo`` reverts.

    Example:
        >>> memory = GraphMemory.open(":memory:")
        >>> entry = memory.add("Ada Lovelace", "born in", "London", source="wiki:42")
        >>> [str(fact) for fact in memory.facts(subject="Ada Lovelace")]
        ['Ada Lovelace | born in | London']
    """

    def __init__(
        self, store: SQLiteStore, encoder: TextEncoder | str | None = None, *,
        config: RetrievalConfig | None = None, retriever: str | os.PathLike[str] | None = None,
        evidence: bool | str | os.PathLike[str] = True,
    ) -> None:  # fmt: skip
        self._store: SQLiteStore | None = store
        self._encoder, self._config, self._weights, self._evidence = encoder, config, retriever, evidence
        self._retriever: Retriever | None = None
        self._reader: EvidenceReader | None = None
        self._uses: Counter[int] = Counter()

    @classmethod
    def open(
        cls, path: str | os.PathLike[str], *, encoder: TextEncoder | str | None = None,
        config: RetrievalConfig | None = None, namespace: str = "default", read_only: bool = False,
        retriever: str | os.PathLike[str] | None = None, evidence: bool | str | os.PathLike[str] = True,
    ) -> GraphMemory:  # fmt: skip
        """Open the memory at ``path``; it is made if there is none. ``":memory:"`` lives in RAM only.

        Args:
            encoder: a ``TextEncoder``, the path or name of one, or None for all-MiniLM-L6-v2. It is loaded when a
                search first needs it.
            config: bounds and sizes of every search.
            namespace: the isolated part of the file to work in.
            retriever: weights that ``graphmem train retriever`` wrote; None for the shipped ones.
            evidence: whether questions are read with their evidence, or weights of ``graphmem train evidence``.

        Raises:
            NotAMemory: a directory, or a file that graphmem did not make.
            NewerSchema: written by a later version.
            ReadOnly: the file or its folder cannot be written (and ``read_only`` is False).
        """
        from graphmem.storage.sqlite import SQLiteStore

        require(unstorable(file := os.fspath(path)) is None, "path", file, "valid Unicode without NUL")
        try:
            store = SQLiteStore.open(file, namespace=namespace, read_only=read_only)
        except OSError as error:
            raise NotAMemory(f"cannot open {file!r:.80}: {error.strerror}") from None
        return cls(store, encoder, config=config, retriever=retriever, evidence=evidence)

    @property
    def store(self) -> SQLiteStore:
        """The store below; raises ``Closed`` after ``close()``."""
        if self._store is None:
            raise Closed("this memory has been closed; open it again with GraphMemory.open(path)")
        return self._store

    @property
    def path(self) -> str:
        """The file, or ``:memory:``."""
        return self.store.path

    @property
    def encoder(self) -> TextEncoder:
        """The text encoder, loaded at the first use."""
        if self._encoder is None or isinstance(self._encoder, str):
            from graphmem.hub import load_encoder

            self._encoder = load_encoder(self._encoder)
        return self._encoder

    @property
    def retriever(self) -> Retriever:
        """The retriever over this memory, with the weights and the config that it was opened with."""
        if self._retriever is None:
            from graphmem.retrieval.retriever import Retriever

            weights = None if self._weights is None else os.fspath(self._weights)
            self._retriever = Retriever(self.store, self.encoder, weights, config=self._config)
        return self._retriever

    @property
    def evidence_reader(self) -> EvidenceReader | None:
        """The reader of evidence over this memory; None where it is off, or its weights fit no installed encoder."""
        if self._reader is None and self._evidence:
            from graphmem.hub import load_evidence_encoder
            from graphmem.reasoning.evidence_reader import EvidenceReader

            network = load_evidence_encoder(self.encoder, None if self._evidence is True else os.fspath(self._evidence))
            self._evidence = network is not None and self._evidence  # without weights it is said once
            self._reader = EvidenceReader(self.store, self.retriever.queries, network) if network else None
        return self._reader

    def add(
        self, subject: str, relation: str, object: str, *, text: str = "", source: str | None = None,
        valid_from: Time | None = None, valid_to: Time | None = None, confidence: float = 1.0,
    ) -> JournalEntry:  # fmt: skip
        """Write one fact. A known fact is strengthened, never stored twice.

        Raises:
            InvalidName: an empty, over-long or unusable name.
            InvalidTime: a time that cannot be read, or an interval that ends before it starts.
            InvalidValue: a confidence outside 0..1.
        """
        edge = AddEdge(subject, relation, object, text, valid_from, valid_to, confidence, source)
        return self.store.apply([edge], action="add")

    def add_many(self, facts: Iterable[Triple | Fact], *, source: str | None = None) -> JournalEntry:
        """Write many facts, triples of names or ``Fact``s, in one transaction: all of them or none.

        Raises:
            InvalidValue: an item that is neither; the message gives its position. Names and times as in ``add``.
        """
        require(isinstance(facts, Iterable), "facts", facts, "a list of triples and Facts")
        items: list[Any] = list(facts)
        if any(isinstance(item, Fact) for item in items):
            return self.store.apply(as_edges(items, source), action="add", note=f"{len(items)} facts")
        return self.store.bulk_load([], items, source=source, note=f"{len(items)} facts")

    def bulk_load(
        self, names: Sequence[str], triples: Iterable[Triple], vectors: np.ndarray | None = None, *,
        source: str | None = None,
    ) -> JournalEntry:  # fmt: skip
        """Write nodes, facts and vectors of nodes in one transaction: the fast path of every importer.

        Args:
            names: names of nodes; nodes that only the triples name are made too.
            triples: (subject, relation, object) names, any iterable.
            vectors: float [n, K], one for each name, by this memory's encoder; None encodes at the first search.

        Raises:
            InvalidVector: the wrong shape, or NaN. Names as in ``add``.
        """
        require(isinstance(triples, Iterable), "triples", triples, "a list of triples of names")
        fingerprint = None if vectors is None else self.encoder.fingerprint
        return self.store.bulk_load(names, triples, vectors, fingerprint=fingerprint, source=source)

    def ingest(
        self, path: str | os.PathLike[str], *, format: str | None = None,
        on_error: Literal["skip", "rollback"] = "rollback", source: str | None = None, progress: bool = False,
        columns: Sequence[str] = (), spreadsheet_safe: bool = False,
    ) -> Ingested:  # fmt: skip
        """Write the facts of a file (TSV, CSV, JSONL, GraphML, RDF); return counts, new and known, and rejected lines.

        What the memory holds from the same source already is left as it is.

        Args:
            format: one of these; None goes by the file's ending.
            on_error: ``skip`` reports a line that cannot be read, writes in batches, and resumes a killed run when
                repeated; ``rollback`` writes all in one transaction: nothing if a line is bad or the run is killed.
            source: where the facts come from; the file's name when None.
            columns: fields of a table's columns in order (``-`` for none), or ``FIELD=NAME`` by its head line.
            spreadsheet_safe: the file was exported with ``spreadsheet_safe``.
        """
        from graphmem.storage.exchange.ingest import ingest

        if source is None and isinstance(path, (str, os.PathLike)):
            source = Path(path).name or None
        return ingest(
            self.store, path, format=format, on_error=on_error, source=source, progress=progress, columns=columns,
            spreadsheet_safe=spreadsheet_safe,
        )  # fmt: skip

    def add_passages(
        self, documents: Iterable[Item], *, source: str | None = None, date: Time | None = None,
        progress: bool = False, tagger: Tagger | None = None, encode: bool = True,
    ) -> PassagesAdded:  # fmt: skip
        """Write plain documents as passages, linked to what they name; ``retrieve(...).passages`` finds them.

        One transaction and journal entry for every 256 documents. Known documents are left alone, their dates too, so
        a stopped call resumes when repeated. No language model is used. ``undo`` accepts the result.

        Args:
            documents: (title, text) or (title, text, date) each; the title may be empty; long texts are split.
            date: date of the documents that have none of their own.
            tagger: name tagger: takes texts, returns the (start, end) spans of names in each. None for spaCy's small
                English model where the extra ``spacy`` is installed, else runs of capitalised words.
            encode: make the passages' vectors now, not at the first search.

        Raises:
            InvalidValue: an item that is no such tuple, an empty text, NUL, lone surrogates or an over-long title.
            InvalidTime: a date that cannot be read.
        """
        from graphmem.hub import load_tagger
        from graphmem.ingestion.documents import add_passages

        return add_passages(
            self.store, documents, encoder=self.encoder if encode else None, source=source, date=date,
            tagger=tagger or (lambda texts: load_tagger()(texts)), progress=progress,
        )  # fmt: skip

    def add_node(
        self, name: str, *, kind: str = "entity", text: str = "", aliases: Sequence[str] = (), **attributes: Any
    ) -> JournalEntry:
        """Write one node, or add what is given to the node of that name."""
        return self.store.apply([AddNode(name, kind, text, tuple(aliases), attributes)], action="add")

    def add_alias(self, name: str, *aliases: str, ambiguous: bool = False) -> JournalEntry:
        """Give the node ``name`` other names under which it is found too. One transaction.

        Raises:
            Conflict: a name or alias of another node, unless ``ambiguous``: ``node`` and ``facts`` then say that an
                alias of several may mean any of them.
        """
        edit = UpdateNode(self.store.find(name).id, add_aliases=aliases, ambiguous=ambiguous)
        return self.store.apply([edit], action="alias")

    def supersede(
        self, subject: str, relation: str, object: str, *, at: Time | None = None, source: str | None = None,
        confidence: float = 1.0,
    ) -> JournalEntry:  # fmt: skip
        """Write a changed value: facts of this subject and relation end at ``at`` (now), the new one begins then.

        A value from before the held fact began is history: it ends where that one begins. The value that is held
        then already, under whatever name, changes nothing but its strength.
        """
        new = AddEdge(subject, relation, object, confidence=confidence, source=source)
        return self.store.apply(superseding(self.store, new, at), action="supersede")

    def retire(
        self, subject: str | None = None, relation: str | None = None, object: str | None = None
    ) -> JournalEntry:
        """Take the facts that match out of the present; they stay in the past, and ``undo`` restores them.

        Raises:
            InvalidValue: nothing to match by. NotFound: no fact matches.
        """
        if subject is None and relation is None and object is None:
            raise InvalidValue("retire() needs a subject, a relation or an object: it will not retire everything")
        found = [fact.id for fact in self.facts(subject, relation, object, links=True)]
        if not found:
            raise NotFound(f"no current fact matches ({subject!r}, {relation!r}, {object!r})")
        return self.store.apply([Retire(edge) for edge in found if edge is not None], action="retire")

    def consolidate(self, config: ConsolidationConfig | None = None, *, at: Time | None = None) -> Consolidation:
        """Merge duplicates, promote repeated claims, strengthen used nodes, decay unused ones as of ``at`` (now) and
        archive the weakest beyond the config's capacity: one transaction, or none where there is nothing to do."""
        from graphmem.consolidation.graph import consolidate

        uses, self._uses = self._uses, Counter()  # retrieval counts in RAM only
        if uses:
            self.store.touch(list(uses.elements()))
        return consolidate(self.store, config, at=at)

    def node(self, name: str) -> Node | None:
        """The node of that name or alias, else the one whose name is the same without accents; None if there is none.

        Raises:
            Ambiguous: the name may mean several nodes; the message names them.
        """
        return self.store.look_up(name)

    def facts(
        self, subject: str | None = None, relation: str | None = None, object: str | None = None, *,
        as_of: Time | None = None, known_at: Time | None = None, limit: int | None = None, links: bool = False,
        history: bool = False,
    ) -> list[Fact]:  # fmt: skip
        """Facts that match, oldest first; unknown names match nothing, and names are found as by ``node``.

        Args:
            subject: name or alias of the subject; None for any. Likewise ``relation`` and ``object``.
            as_of: only what held at that time. A fact holds from its ``valid_from`` until its ``valid_to``; one without
                a ``valid_from`` at any time before its end, as far as is known. None: what holds now.
            known_at: instead, what was recorded by that time, right or wrong.
            links: also facts that join passages to names, even if neither ``relation`` nor an end asks for them.
            history: facts of any time and factuality, as known today: past, planned and negated ones too.

        Raises:
            InvalidTime: ``as_of`` or ``known_at`` cannot be read. InvalidValue: ``history`` with one of them.
            Ambiguous: a name may mean several nodes; the message names them.
        """
        require(limit is None or limit >= 0, "limit", limit, "None or at least 0")
        require(not history or as_of is known_at is None, "history", history, "alone, without as_of and known_at")
        ids: list[int | None] = []
        for name in (subject, object):
            node = None if name is None else self.store.look_up(name)
            if name is not None and node is None:
                return []
            ids.append(node.id if node else None)
            links = links or (node is not None and node.kind == PASSAGE)
        links = links or relation is not None
        times = {"as_of": to_micros(as_of), "known_at": to_micros(known_at)}
        return self.store.facts(ids[0], relation, ids[1], limit=limit, links=links, history=history, **times)

    def retrieve(
        self, query: str, *, top_k: int = 10, ranker: RankerName = "activation", as_of: Time | None = None
    ) -> Retrieval:
        """Retrieve nodes, facts and passages for a query by spreading activation from the entities it names.

        Args:
            query: a question or any text; its entities are linked, not given.
            top_k: how many nodes ``.nodes`` holds.
            ranker: one of ``graphmem.core.types.RANKERS``; ``activation`` spreads through learned gates.

        Returns:
            Retrieval with ``.nodes`` (each ``.name``, ``.score``), ``.facts``, ``.path_to(name)``, ``.subgraph``, and
            ``.passages`` (each ``.title``, ``.text``, ``.score``), searched for at their first use.
        """
        found = self.retriever.retrieve(query, top_k=top_k, ranker=ranker, as_of=as_of)
        self._uses.update(node.id for node in found.nodes)
        return found

    def retrieve_many(
        self, queries: Sequence[str], *, top_k: int = 10, ranker: RankerName = "activation", as_of: Time | None = None
    ) -> list[Retrieval]:
        """``retrieve`` for each query, with the text encoder run once for all of them."""
        found = self.retriever.retrieve_many(queries, top_k=top_k, ranker=ranker, as_of=as_of)
        self._uses.update(node.id for one in found for node in one.nodes)
        return found

    def encode(self, *, batch: int = 512, progress: bool = True) -> int:
        """Write vectors for the nodes that have none yet; return how many. A search does this when it must."""
        from graphmem.encoding.node_embeddings import encode_with_bar

        return encode_with_bar(self.store, self.encoder, batch, progress)

    def to_networkx(self, *, as_of: Time | None = None) -> networkx.MultiDiGraph:
        """The graph as a networkx MultiDiGraph: all nodes, keyed by name, and facts as edges keyed by id."""
        from graphmem.adapters.networkx import to_networkx
        from graphmem.storage.exchange.writers import all_nodes

        return to_networkx(self.facts(as_of=as_of, links=True), all_nodes(self.store))

    def to_pyg(self) -> Data:
        """The graph as a PyG ``Data``: ``edge_index`` [2, E], ``edge_type`` [E], ``node_names``, ``relation_names``."""
        from graphmem.adapters.pyg import to_pyg

        return to_pyg(self.facts(links=True))

    def close(self) -> None:
        """Close the file. Safe to call twice."""
        if self._store is not None:
            self._store.close()
        self._store = self._retriever = self._reader = None

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphMemory:
        """The same memory: copies of what holds one share the open file."""
        return self

    def __enter__(self) -> GraphMemory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __bool__(self) -> bool:
        return self._store is not None

    def __len__(self) -> int:
        return self.store.facts_page(limit=0)[0]

    def __iter__(self) -> Iterator[Fact]:
        return iter(self.facts())

    def __repr__(self) -> str:
        if self._store is None:
            return "GraphMemory(closed)"
        counts = self.stats()
        return f"GraphMemory({Path(self.path).name!r}, nodes={counts['nodes']:,}, facts={counts['facts']:,})"
