"""Node vectors of a store, and nearest-neighbour search over them."""

from __future__ import annotations

import numpy as np

from graphmem.core.types import Node
from graphmem.core.validation import typed
from graphmem.storage.handle import OpenMemory
from graphmem.storage.index.vector_search import VectorIndex
from graphmem.storage.tables import queries, vector_rows
from graphmem.storage.tables.validation import as_ids

RESCORED = 50  # least number of candidates of a scan over codes; twice the requested number where that is more


@typed
class VectorStore(OpenMemory):
    """Store of vectors: those of ``put_vectors`` are found by the next ``nearest``, in any process."""

    def put_vectors(self, node_ids: np.ndarray, vectors: np.ndarray, fingerprint: str) -> None:
        """Store vectors, [n, K], as fp16; a node keeps one, that of the last encoder. Writes; not journalled.

        Raises:
            InvalidVector: wrong count or width, NaN or infinity.
            NotFound: an id that the namespace does not hold.
        """
        ids = as_ids(node_ids)
        array = vector_rows.checked(vectors, len(ids))
        if not ids:
            return
        with self.connection.reading() as raw:
            queries.names(raw, self._ns, ids)
        with self.connection.writing() as raw:
            vector_rows.put(raw, ids, array, fingerprint)

    def keep_vectors(self, node_ids: np.ndarray, vectors: np.ndarray, fingerprint: str) -> None:
        """Keep vectors in RAM while this store is open, where they cannot be written. Else as ``put_vectors``."""
        ids = as_ids(node_ids)
        array = vector_rows.checked(vectors, len(ids))
        with self.connection.reading() as raw:
            self._vectors.get(raw, fingerprint)
            self._vectors.keep(fingerprint, np.asarray(ids, np.int64), array)

    def vectors(self, fingerprint: str) -> tuple[np.ndarray, np.ndarray]:
        """Ids, int64 [n], and vectors, float32 [n, K], of the live nodes, by id.

        Raises:
            EncoderMismatch: the stored vectors are all of other encoders.
        """
        with self.connection.reading() as raw:
            ids, halves = vector_rows.read(raw, self._ns, fingerprint)
        return ids, halves.astype(np.float32)

    def nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> tuple[np.ndarray, np.ndarray]:
        """The live nodes whose vectors have the highest scalar products with a vector [K].

        The search is exhaustive. From 4,096 vectors on it scans int8 codes, and the best candidates, twice
        ``limit`` and at least 50, are rescored with the vectors in the file.

        Returns:
            ids int64 [n] and scores float32 [n], best first.

        Raises:
            EncoderMismatch: the stored vectors are all of other encoders.
        """
        query = np.asarray(query, np.float32)
        index = self._vector_index(fingerprint)
        if index.exact:
            return index.candidates(query, limit)
        ids, scores = index.candidates(query, max(RESCORED, 2 * limit))
        with self.connection.reading() as raw:
            known, vectors = vector_rows.read_some(raw, fingerprint, ids.tolist())
        if len(known):  # vectors kept in RAM only keep the scores of their codes
            scores[np.argsort(ids)[np.searchsorted(np.sort(ids), known)]] = vectors @ query
        order = np.lexsort((ids, -scores))[:limit]
        return ids[order], scores[order]

    def approximate_nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> np.ndarray:
        """Ids of ``nearest`` in approximate order, int64 [n]: by codes alone in a large memory, which is faster."""
        return self._vector_index(fingerprint).candidates(np.asarray(query, np.float32), limit)[0]

    def _vector_index(self, fingerprint: str) -> VectorIndex:
        with self.connection.reading() as raw:
            index = self._vectors.get(raw, fingerprint)
        self._pack_in_background()
        return index

    def similarity(self, query: np.ndarray, fingerprint: str, node_ids: np.ndarray) -> np.ndarray:
        """Scalar products of a vector [K] with those of some nodes, float32 [N].

        They are a few thousandths off in a large memory, and NaN where a node has no vector of this encoder.
        """
        with self.connection.reading() as raw:
            index = self._vectors.get(raw, fingerprint)
        return index.similarity(np.asarray(query, np.float32), np.asarray(node_ids, np.int64))

    def missing_vectors(self, fingerprint: str) -> np.ndarray:
        """Ids of the live nodes without a vector of this encoder, int64 [P], ascending.

        Raises:
            EncoderMismatch: the stored vectors are all of other encoders.
        """
        with self.connection.reading() as raw:
            return self._vectors.get(raw, fingerprint).pending

    def without_vectors(self, fingerprint: str, limit: int = 1024, after: int = 0) -> list[Node]:
        """Live nodes without a vector of this encoder, lowest id first, from the one after ``after`` on."""
        with self.connection.reading() as raw:
            ids = vector_rows.without(raw, self._ns, fingerprint, limit, after)
            found = queries.nodes_by_id(raw, self._ns, self.namespace, ids)
        return [found[node] for node in ids]
