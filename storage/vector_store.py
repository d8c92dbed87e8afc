"""The part of a store that keeps node vectors and finds the nearest ones."""

from __future__ import annotations

import numpy as np

from graphmem.core.types import Node
from graphmem.storage.handle import OpenMemory
from graphmem.storage.index.vector_search import VectorIndex
from graphmem.storage.tables import queries as reading
from graphmem.storage.tables import vector_rows
from graphmem.storage.tables.validation import as_ids

RESCORED = 50
"""Candidates that codes choose are at least so many, and twice what is asked for; see ``scan``."""


class VectorStore(OpenMemory):
    """Vectors are written by ``put_vectors`` and found at once by the next ``nearest``, in any process."""

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
            reading.names(raw, self._ns, ids)
        with self.connection.writing() as raw:
            vector_rows.put(raw, ids, array, fingerprint)

    def lend_vectors(self, node_ids: np.ndarray, vectors: np.ndarray, fingerprint: str) -> None:
        """Use vectors for as long as this store is open, where they cannot be written. As ``put_vectors`` otherwise."""
        ids = as_ids(node_ids)
        array = vector_rows.checked(vectors, len(ids))
        with self.connection.reading() as raw:
            self._vectors.get(raw, fingerprint)
            self._vectors.lend(fingerprint, np.asarray(ids, np.int64), array)

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

        Every vector is looked at. From 4,096 on the scan is over int8 codes, and the best of these, twice as
        many as asked for and at least 50, are scored again by the vectors in the file.

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
        if len(known):  # those that were only lent keep the scores of their codes
            scores[np.argsort(ids)[np.searchsorted(np.sort(ids), known)]] = vectors @ query
        order = np.lexsort((ids, -scores))[:limit]
        return ids[order], scores[order]

    def about_nearest(self, query: np.ndarray, fingerprint: str, limit: int) -> np.ndarray:
        """Ids of ``nearest`` in about its order, int64 [n]: by codes alone in a large memory, which is quicker."""
        return self._vector_index(fingerprint).candidates(np.asarray(query, np.float32), limit)[0]

    def _vector_index(self, fingerprint: str) -> VectorIndex:
        with self.connection.reading() as raw:
            index = self._vectors.get(raw, fingerprint)
        self._pack_vectors_in_background()
        return index

    def likeness(self, query: np.ndarray, fingerprint: str, node_ids: np.ndarray) -> np.ndarray:
        """Scalar products of a vector [K] with those of some nodes, float32 [N].

        They are a few thousandths off in a large memory, and NaN where a node has no vector of this encoder.
        """
        with self.connection.reading() as raw:
            index = self._vectors.get(raw, fingerprint)
        return index.likeness(np.asarray(query, np.float32), np.asarray(node_ids, np.int64))

    def missing_vectors(self, fingerprint: str) -> np.ndarray:
        """Ids of the live nodes that this encoder has not seen yet, int64 [P], ascending; cheap to ask.

        Raises:
            EncoderMismatch: the stored vectors are all of other encoders.
        """
        with self.connection.reading() as raw:
            return self._vectors.get(raw, fingerprint).pending

    def without_vectors(self, fingerprint: str, limit: int = 1024, after: int = 0) -> list[Node]:
        """Live nodes that this encoder has not seen yet, lowest id first, from the one after ``after`` on."""
        with self.connection.reading() as raw:
            ids = vector_rows.without(raw, self._ns, fingerprint, limit, after)
            found = reading.nodes_by_id(raw, self._ns, self.namespace, ids)
        return [found[node] for node in ids]
