from __future__ import annotations

from typing import Any

import pytest

from graphmem.core.edits import AddEdge
from graphmem.memory import GraphMemory
from graphmem.retrieval.retriever import Retriever

NOTES = [
    ("Project Heron", "Mira cancelled Project Heron because it was too expensive."),
    ("Project Wren", "Mira praised Project Wren for its speed."),
    ("Project Swift", "Mira moved Project Swift to the office in Lisbon."),
    ("Project Crane", "Mira hired three engineers for Project Crane."),
]
QUESTIONS = [
    ("Which project did Mira cancel?", "Project Heron"),
    ("Which project was too expensive for Mira?", "Project Heron"),
    ("What did Mira praise for being fast?", "Project Wren"),
    ("For which project did Mira hire engineers?", "Project Crane"),
    ("Which project did Mira move to another office?", "Project Swift"),
]


@pytest.fixture
def memory(encoder: Any) -> Any:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        for name, text in NOTES:
            opened.add("Mira", "note", name, text=text)
        opened.add("Mira", "lives in", "Oslo")
        yield opened


def test_the_text_decides_among_facts_of_one_relation(memory: GraphMemory) -> None:
    right = [memory.retrieve(query).nodes[0].name == name for query, name in QUESTIONS]
    assert sum(right) >= 4
    assert memory.retrieve("Where does Mira live?").nodes[0].name == "Oslo"


def test_without_texts_the_ranking_is_what_it_was(encoder: Any) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many([("Mira", "note", name) for name, _ in NOTES])
        before = memory.retrieve(QUESTIONS[0][0]).subgraph
        memory.add("Bo", "note", "Project Elsewhere", text="Bo cancelled Project Elsewhere.")
        after = memory.retrieve(QUESTIONS[0][0]).subgraph
    assert before.node_ids.tolist() == after.node_ids.tolist()
    assert before.relevance.tolist() == pytest.approx(after.relevance.tolist(), abs=1e-4)


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
