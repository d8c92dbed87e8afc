"""Full-text search: what a query is split into."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.memory import GraphMemory
from graphmem.storage.index.fulltext import (
    MAX_LETTERS,
    MAX_SPELLINGS,
    MAX_VARIANTS,
    WordCounts,
    _spellings,
    matches,
    variants,
    words,
)


def test_a_word_of_a_query_is_one_token_of_the_index() -> None:
    assert words("lives_in " + "a_" * 50_000) == ["lives", "in", "a"]  # no phrase of 50,000 tokens
    with GraphMemory.open(":memory:") as memory:
        memory.store.apply([AddEdge(f"Ann {number}", "works in", "Oslo") for number in range(3)])
        raw = memory.store.connection.raw
        assert matches(raw, "Ann_1", WordCounts("node_fts")) == ['"1" OR "ann"']
        assert memory.store.search_text("oslo_ann", limit=9)


def test_phrases_are_held_by_names_aliases_texts_and_passages_of_the_namespace(tmp_path: Path) -> None:
    with GraphMemory.open(tmp_path / "m.db") as memory:
        memory.add("Zoë Quist", "knows", "Wade Ott", text="Zoë met him in Lima")
        memory.add_alias("Zoë Quist", "Zed")
        memory.add_passages([("June", "Ragna paid at the Blue Anchor.")], encode=False, tagger=lambda texts: [[]])
        memory.store.apply([AddNode("session:x", "session", "where is Imke")])
        asked = ["quist", "zoe quist", "ott", "zed", "lima", "blue anchor", "ragna", "june"]
        unknown = ["anchor blue", "imke", "quist ott", "", '"', "* OR a", "knows"]
        assert memory.store.held([*asked, *unknown]) == {*asked}
        memory.retire("Zoë Quist", "knows", "Wade Ott")
        assert "lima" not in memory.store.held(asked)
    with GraphMemory.open(tmp_path / "m.db", namespace="other") as other:
        assert other.store.held(asked) == set()


def test_letters_that_the_index_keeps_are_found_by_their_plain_ones() -> None:
    with GraphMemory.open(":memory:") as memory:
        memory.add("Đorđe Fırat", "knows", "Łukasz Straße")
        asked = ["dorde", "firat", "lukasz", "strasse"]
        assert memory.store.held([*asked, "forat", "dorde lukasz"]) == {*asked}
        named = memory.store.named_with(["firat", "lukas*", "dor*", "stras", "firatt"])
        assert [len(named[phrase]) for phrase in ("firat", "lukas*", "dor*", "stras", "firatt")] == [1, 1, 1, 0, 0]
    assert _spellings("xyz") == [] == _spellings("fırat") and "fırat" in _spellings("firat")
    assert len(_spellings("d" * 1_000)) == MAX_SPELLINGS


@pytest.mark.parametrize("letters", ["d", "aeoe", "x"])
def test_the_spellings_of_a_word_are_bounded(letters: str) -> None:
    assert variants("kivilcim")[0] == "kivilcim" and "kıvılcım" in variants("kivilcim")
    for length in range(1, MAX_LETTERS + 2):
        word = (letters * length)[:length]
        assert word in variants(word) and len(variants(word)) <= MAX_VARIANTS
