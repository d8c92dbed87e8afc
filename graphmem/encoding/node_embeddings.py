"""Vectors kept at hand: those of relations, those of nodes, and token states of questions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from threading import Lock

import numpy as np

from graphmem.core.errors import Busy, DiskFull, ReadOnly
from graphmem.core.types import PASSAGE, GraphStore, Node, TextEncoder

Progress = Callable[[int, int], None]
"""Called with how many texts are done and how many there are."""

CHUNK = 1024


def arc_texts(relations: Sequence[str]) -> list[str]:
    """Text of every arc code: ``name`` at ``2 * id``, ``inverse of name`` at ``2 * id + 1``."""
    return [text for name in relations for text in (name, f"inverse of {name}")]


def wording(texts: Sequence[str]) -> str:
    """How a path is said, from the texts of its arcs: ``gender of spouse``."""
    return " of ".join(reversed(texts))


def node_text(node: Node) -> str:
    """What of a node is encoded: its name, and the start of its text where it has any; a passage's title and text."""
    if node.kind == PASSAGE:
        return f"{node.attributes.get('title') or ''}: {node.text}".removeprefix(": ")
    return f"{node.name}: {node.text[:400]}" if node.text else node.name


class TextCache:
    """Remembers the vectors of texts that come again and again, such as relation names.

    Args:
        encoder: makes the vectors of texts not seen before.
        limit: this many texts are kept; when they are full, the cache starts anew.
    """

    def __init__(self, encoder: TextEncoder, limit: int = 200_000) -> None:
        self.encoder, self.limit = encoder, limit
        self._rows: dict[str, int] = {}
        self._vectors = np.zeros((0, encoder.dim), np.float32)  # with room to grow
        self._lock = Lock()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of ``texts``, float32 [n, K]."""
        with self._lock:
            new = list(dict.fromkeys(text for text in texts if text not in self._rows))
            if len(self._rows) + len(new) > self.limit:
                self._rows = {}
                new = list(dict.fromkeys(texts))
            if new:
                self._keep(new, self.encoder.encode(new))
            return self._vectors[[self._rows[text] for text in texts]]

    def _keep(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        first = len(self._rows)
        if first + len(texts) > len(self._vectors):
            room = np.zeros((max(first + len(texts), 2 * first, 64), self.encoder.dim), np.float32)
            room[:first] = self._vectors[:first]
            self._vectors = room
        self._vectors[first : first + len(texts)] = vectors
        self._rows.update((text, first + i) for i, text in enumerate(texts))


def encode_nodes(
    store: GraphStore,
    encoder: TextEncoder,
    progress: Progress | None = None,
    *,
    nodes: np.ndarray | None = None,
    batch: int = CHUNK,
) -> int:
    """Encode nodes that have no vector of this encoder yet; returns how many. Writes to the store.

    Where the store cannot be written the vectors are lent to it: they last as long as it is open.

    Args:
        store: the memory.
        encoder: makes the vectors.
        progress: told after every batch.
        nodes: int64 [n], ids of those to encode; None for all that have no vector.
        batch: nodes that are encoded and written at a time.
    """
    done = 0
    for part in _parts(store, encoder.fingerprint, nodes, batch):
        vectors = encoder.encode([node_text(node) for node in part])
        ids = np.asarray([node.id for node in part], np.int64)
        try:
            store.put_vectors(ids, vectors, encoder.fingerprint)
        except (ReadOnly, DiskFull, Busy):
            store.lend_vectors(ids, vectors, encoder.fingerprint)
        done += len(part)
        if progress:
            progress(done, done + (len(part) == batch))
    return done


def _parts(store: GraphStore, fingerprint: str, nodes: np.ndarray | None, batch: int) -> Iterator[list[Node]]:
    if nodes is not None:
        yield from (store.nodes(nodes[start : start + batch]) for start in range(0, len(nodes), batch))
        return
    last = 0
    while part := store.without_vectors(fingerprint, batch, last):
        yield part
        last = part[-1].id


def encode_with_bar(store: GraphStore, encoder: TextEncoder, batch: int, progress: bool) -> int:
    """Like ``encode_nodes``, in batches of ``batch``, with a progress bar where it is wanted. Writes to the store."""
    from tqdm import tqdm

    with tqdm(desc="encoding nodes", unit="node", disable=not progress) as bar:
        done = encode_nodes(store, encoder, lambda done, _: bar.update(done - bar.n), batch=batch)
        find = getattr(store, "passages_without_vectors", None)  # a store may hold none
        last = 0
        while find and len(ids := find(encoder.fingerprint, batch, last)):
            done, last = done + encode_nodes(store, encoder, nodes=ids), int(ids[-1])
            bar.update(len(ids))
    return done
