"""Vectors kept at hand: those of relations, those of nodes, and token states of questions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from graphmem.graph import GraphStore, Node, TextEncoder

Progress = Callable[[int, int], None]
"""Called with how many texts are done and how many there are."""

CHUNK = 1024


def arc_texts(relations: Sequence[str]) -> list[str]:
    """Text of every arc code: ``name`` at ``2 * id``, ``inverse of name`` at ``2 * id + 1``."""
    return [text for name in relations for text in (name, f"inverse of {name}")]


def node_text(node: Node) -> str:
    """What of a node is encoded: its name, and the start of its text where it has any."""
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
        self._vectors = np.zeros((0, encoder.dim), np.float32)

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of ``texts``, float32 [n, K]."""
        new = list(dict.fromkeys(text for text in texts if text not in self._rows))
        if len(self._rows) + len(new) > self.limit:
            self._rows, self._vectors = {}, self._vectors[:0]
            new = list(dict.fromkeys(texts))
        if new:
            self._rows.update({text: len(self._rows) + i for i, text in enumerate(new)})
            self._vectors = np.concatenate([self._vectors, self.encoder.encode(new)])
        return self._vectors[[self._rows[text] for text in texts]]


def encode_nodes(
    store: GraphStore, encoder: TextEncoder, progress: Progress | None = None, *, batch: int = CHUNK
) -> int:
    """Encode every node that has no vector of this encoder yet; returns how many. Writes to the store."""
    done = 0
    while nodes := store.without_vectors(encoder.fingerprint, batch):
        vectors = encoder.encode([node_text(node) for node in nodes])
        store.put_vectors(np.asarray([node.id for node in nodes], np.int64), vectors, encoder.fingerprint)
        done += len(nodes)
        if progress:
            progress(done, done + (len(nodes) == batch))
    return done


def encode_with_bar(store: GraphStore, encoder: TextEncoder, batch: int, progress: bool) -> int:
    """Like ``encode_nodes``, in batches of ``batch``, with a progress bar where it is wanted. Writes to the store."""
    from tqdm import tqdm

    with tqdm(desc="encoding nodes", unit="node", disable=not progress) as bar:
        return encode_nodes(store, encoder, lambda done, _: bar.update(done - bar.n), batch=batch)
