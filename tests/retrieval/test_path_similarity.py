from __future__ import annotations

from typing import Any

import pytest

from graphmem.core.edits import AddEdge
from graphmem.retrieval.retriever import Retriever


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("what is the currency of Atlantis", "Drachma"),
        ("what is the currency of the birthplace of Plato", "Drachma"),
        ("the spouse of Plato", "Xanthe"),
    ],
)
def test_the_path_whose_words_are_most_alike_wins(store: Any, encoder: Any, question: str, answer: str) -> None:
    store.apply([
        AddEdge("Plato", "birthplace", "Atlantis"), AddEdge("Atlantis", "currency", "Drachma"),
        AddEdge("Plato", "spouse", "Xanthe"), AddEdge("Atlantis", "ruler", "Poseidon"),
    ])  # fmt: skip
    found = Retriever(store, encoder).retrieve(question, ranker="path")
    assert found.nodes[0].name == answer and found.answerable > 0.99
