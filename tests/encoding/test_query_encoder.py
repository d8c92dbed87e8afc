from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from graphmem.core.errors import InvalidValue
from graphmem.encoding.query_encoder import QueryEncoder
from graphmem.memory import GraphMemory


class Counting:
    """Counts the passes over its texts."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self.passes = encoder, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        self.passes += 1
        return self._encoder.encode(texts)

    def encode_both(self, texts: Sequence[str]) -> Any:
        self.passes += 1
        return self._encoder.encode_both(texts)


def test_a_query_is_encoded_once_whatever_is_asked_for(encoder: Any) -> None:
    counting = Counting(encoder)
    queries = QueryEncoder(counting)
    vector = queries.encode(["who wrote it?"])
    both = queries.encode_both(["who wrote it?"])
    assert counting.passes == 1
    np.testing.assert_allclose(vector, encoder.encode(["who wrote it?"]), atol=1e-6)
    for one, other in zip(both, encoder.encode_both(["who wrote it?"]), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-5)


def test_a_batch_gives_what_single_texts_give(encoder: Any) -> None:
    counting, texts = Counting(encoder), ["it?", "a much longer question about the writer of it", "it?"]
    queries = QueryEncoder(counting)
    queries.prepare(texts)
    for text in texts:
        vector, states, mask = queries.encode_both([text])
        alone = encoder.encode_both([text])
        assert mask.all() and states.shape == alone[1].shape
        np.testing.assert_allclose(vector, alone[0], atol=1e-5)
        np.testing.assert_allclose(states, alone[1], atol=1e-4)
    assert counting.passes == 1


FACTS = [
    ("Alien", "directed by", "Ridley Scott"), ("Ridley Scott", "born in", "South Shields"),
    ("Heat", "directed by", "Michael Mann"), ("Michael Mann", "born in", "Chicago"),
]  # fmt: skip
ASKED = ["who directed Alien?", "where was the director of Heat born?", "where is Ridly Scott from", "", "of terror"]


@pytest.mark.parametrize("ranker", ["activation", "path", "ppr", "dense", "bm25"])
def test_many_queries_find_what_each_finds_alone(encoder: Any, ranker: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(FACTS)
        many = memory.retrieve_many(ASKED, ranker=ranker)
        memory._retriever = None  # forgets what it has encoded
        for query, found in zip(ASKED, many, strict=True):
            alone = memory.retrieve(query, ranker=ranker)
            assert [node.name for node in found.nodes] == [node.name for node in alone.nodes]
            np.testing.assert_allclose(found.subgraph.relevance, alone.subgraph.relevance, atol=1e-3)


def test_the_encoder_runs_once_for_many_named_queries(encoder: Any) -> None:
    counting = Counting(encoder)
    with GraphMemory.open(":memory:", encoder=counting) as memory:
        memory.add_many(FACTS)
        memory.retrieve_many(ASKED[:2])
        before = counting.passes
        memory.retrieve_many([f"who directed {name}, please?" for name in ("Alien", "Heat")])
        assert counting.passes <= before + 1


def test_many_queries_are_a_list(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        assert memory.retrieve_many([]) == []
        with pytest.raises(InvalidValue, match="list"):
            memory.retrieve_many("who?")
