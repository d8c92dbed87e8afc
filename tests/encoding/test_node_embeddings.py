from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphmem.core.edits import AddNode
from graphmem.core.errors import InvalidValue
from graphmem.core.types import Node
from graphmem.encoding.embedding_cache import EmbeddingCache, arc_texts
from graphmem.encoding.node_embeddings import encode_nodes, encode_with_bar, node_text


class Counting:
    """Encodes a text as its length, and counts."""

    dim, fingerprint = 2, "counting"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def encode(self, texts: Any) -> np.ndarray:
        self.seen += texts
        return np.asarray([[len(text), 1] for text in texts], np.float32)


def test_a_text_is_encoded_once() -> None:
    encoder = Counting()
    cache = EmbeddingCache(encoder)
    assert cache(["a", "bb", "a"])[:, 0].tolist() == [1, 2, 1]
    assert cache(["bb", "ccc"])[:, 0].tolist() == [2, 3] and encoder.seen == ["a", "bb", "ccc"]


def test_a_full_cache_starts_anew() -> None:
    encoder = Counting()
    cache = EmbeddingCache(encoder, max_texts=2)
    cache(["a", "bb"])
    assert cache(["ccc", "a"])[:, 0].tolist() == [3, 1] and encoder.seen == ["a", "bb", "ccc", "a"]


def test_arcs_have_a_text_each_way() -> None:
    assert arc_texts(["likes", "owns"]) == ["likes", "inverse of likes", "owns", "inverse of owns"]


def test_nodes_without_vectors_are_encoded_with_progress(store: Any) -> None:
    store.apply([AddNode("a"), AddNode("b", text="letter")])
    encoder, calls = Counting(), []
    assert encode_nodes(store, encoder, calls.append) == 2
    assert sorted(encoder.seen) == ["a", "b: letter"] and calls == [2]
    assert encode_nodes(store, encoder) == 0
    assert node_text(Node(1, "a")) == "a"


@pytest.mark.parametrize("batch", [0, -1])
def test_a_batch_of_nothing_is_refused(store: Any, batch: int) -> None:
    store.apply([AddNode("a")])
    with pytest.raises(InvalidValue, match="batch"):
        encode_with_bar(store, Counting(), batch, False)
    assert encode_with_bar(store, Counting(), 1, False) == 1
