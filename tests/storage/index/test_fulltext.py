"""Full-text search: what a query is split into."""

from __future__ import annotations

from graphmem.core.edits import AddEdge
from graphmem.memory import GraphMemory
from graphmem.storage.index.fulltext import WordCounts, matches, words


def test_a_word_of_a_query_is_one_token_of_the_index() -> None:
    assert words("lives_in " + "a_" * 50_000) == ["lives", "in", "a"]  # no phrase of 50,000 tokens
    with GraphMemory.open(":memory:") as memory:
        memory.store.apply([AddEdge(f"Ann {number}", "works in", "Oslo") for number in range(3)])
        raw = memory.store.connection.raw
        assert matches(raw, "Ann_1", WordCounts("node_fts")) == ['"1" OR "ann"']
        assert memory.store.search_text("oslo_ann", limit=9)
