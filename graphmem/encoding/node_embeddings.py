"""Embeddings of nodes and passages: encoded where they are missing, and stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from graphmem.core.errors import Busy, DiskFull, ReadOnly
from graphmem.core.protocols import GraphStore, TextEncoder
from graphmem.core.types import PASSAGE, Node
from graphmem.core.validation import require


def node_text(node: Node) -> str:
    """Text of a node that is encoded: name and start of its text; title and text of a passage."""
    if node.kind == PASSAGE:
        return f"{node.attributes.get('title') or ''}: {node.text}".removeprefix(": ")
    return f"{node.name}: {node.text[:400]}" if node.text else node.name


def encode_nodes(
    store: GraphStore, encoder: TextEncoder, progress: Callable[[int], Any] = lambda count: None, *,
    nodes: np.ndarray | None = None, batch: int = 1024,
) -> int:  # fmt: skip
    """Encode nodes that have no vector of this encoder; returns their number. Writes to the store.

    Where the store cannot be written, it keeps the vectors until it is closed.

    Args:
        progress: called after every batch with its size.
        nodes: int64 [n], ids; None for all nodes without a vector.
        batch: nodes that are encoded and written at a time.
    """
    done = 0
    for part in _parts(store, encoder.fingerprint, nodes, batch):
        vectors = encoder.encode([node_text(node) for node in part])
        ids = np.asarray([node.id for node in part], np.int64)
        try:
            store.put_vectors(ids, vectors, encoder.fingerprint)
        except (ReadOnly, DiskFull, Busy):
            store.keep_vectors(ids, vectors, encoder.fingerprint)
        done += len(part)
        progress(len(part))
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
    """``encode_nodes`` for all nodes and passages, with an optional progress bar. Writes to the store.

    Raises:
        InvalidValue: ``batch`` is below 1.
    """
    from tqdm import tqdm

    require(batch >= 1, "batch", batch, "at least 1")
    with tqdm(desc="encoding nodes", unit="node", disable=not progress) as bar:
        done, last = encode_nodes(store, encoder, bar.update, batch=batch), 0
        while len(ids := store.passages_without_vectors(encoder.fingerprint, batch, last)):
            done, last = done + encode_nodes(store, encoder, bar.update, nodes=ids), int(ids[-1])
    return done


def encode_passages(store: Any, encoder: TextEncoder, ids: np.ndarray) -> np.ndarray:
    """Vectors of passages, float32 [n, K]. Writes them to the store where it can be written."""
    vectors = encoder.encode([node_text(node) for node in store.nodes(ids)])
    with suppress(ReadOnly, DiskFull, Busy):
        store.put_vectors(np.asarray(ids, np.int64), vectors, encoder.fingerprint)
    return vectors
