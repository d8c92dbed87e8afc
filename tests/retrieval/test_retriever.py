from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire
from graphmem.core.errors import InvalidTime, InvalidValue
from graphmem.retrieval.retriever import RANKERS, RetrievalConfig, Retriever

FACTS = [
    ("Alien", "directed by", "Ridley Scott"), ("Alien", "starred actors", "Sigourney Weaver"),
    ("Alien", "release year", "1979"), ("Blade Runner", "directed by", "Ridley Scott"),
    ("Blade Runner", "starred actors", "Harrison Ford"), ("Blade Runner", "release year", "1982"),
    ("Heat", "directed by", "Michael Mann"), ("Heat", "starred actors", "Al Pacino"),
    ("Heat", "written by", "Michael Mann"), ("Alien", "written by", "Dan O'Bannon"), ("Heat", "release year", "1995"),
]  # fmt: skip


@pytest.fixture
def films(store: Any) -> Any:
    store.apply([AddEdge(*fact) for fact in FACTS])
    return store


@pytest.fixture
def retriever(films: Any, encoder: Any) -> Retriever:
    return Retriever(films, encoder)


@pytest.mark.parametrize(
    ("question", "answer", "facts"),
    [
        ("who directed Alien?", "Ridley Scott", ["Alien | directed by | Ridley Scott"]),
        ("who wrote the movie Alien", "Dan O'Bannon", ["Alien | written by | Dan O'Bannon"]),
        ("what movies did Al Pacino act in", "Heat", ["Heat | starred actors | Al Pacino"]),
        ("what is the release year of the film starring Harrison Ford", "1982",
         ["Blade Runner | starred actors | Harrison Ford", "Blade Runner | release year | 1982"]),
        ("who starred in films directed by the director of Alien", "Harrison Ford",
         ["Alien | directed by | Ridley Scott", "Blade Runner | directed by | Ridley Scott",
          "Blade Runner | starred actors | Harrison Ford"]),
    ],
)  # fmt: skip
def test_answers_and_their_chains(retriever: Retriever, question: str, answer: str, facts: list[str]) -> None:
    found = retriever.retrieve(question)
    assert found.nodes[0].name == answer
    assert [str(fact) for fact in found.path_to(answer)] == facts
    assert str(found.facts[0]) == facts[0] and found.answerable > 0.5


@pytest.mark.parametrize("ranker", RANKERS)
def test_every_ranker_keeps_the_contract(retriever: Retriever, ranker: str) -> None:
    found = retriever.retrieve("films directed by Ridley Scott", top_k=3, ranker=ranker)
    graph = found.subgraph
    count = len(graph.node_ids)
    assert 0 < len(found.nodes) <= 3 and found.ranker == ranker
    assert [node.id for node in found.nodes] == graph.node_ids[: len(found.nodes)].tolist()
    assert (np.diff(graph.relevance) <= 1e-5).all() and len(set(graph.node_ids.tolist())) == count
    assert graph.edge_index.shape == (2, len(graph.edge_ids)) and graph.relations.shape == graph.edge_ids.shape
    assert not graph.edge_index.size or (0 <= graph.edge_index.min() and graph.edge_index.max() < count)
    assert ((graph.activation >= 0) & (graph.activation <= 1)).all() and 0 <= graph.truncated_mass <= 1
    for position, edge in enumerate(graph.edge_ids.tolist()):
        stored = retriever.store.edge(edge)
        ends = graph.node_ids[graph.edge_index[:, position]].tolist()
        assert ends == ([stored.dst, stored.src] if graph.relations[position] % 2 else [stored.src, stored.dst])


@pytest.mark.parametrize("ranker", RANKERS)
@pytest.mark.parametrize("query", ["", "who directed Alien?", "x" * 100_000, "какой фильм снял Ридли Скотт"])
def test_an_empty_memory_gives_an_empty_result(store: Any, encoder: Any, ranker: str, query: str) -> None:
    found = Retriever(store, encoder).retrieve(query, ranker=ranker)
    assert found.nodes == () and found.facts == [] and found.answerable == 0 and found.path_to("Alien") == []


@pytest.mark.parametrize("query", ["", "q" * 100_000, "什么电影", "zzzz", "' OR 1=1 --", "\x00"])
def test_odd_queries_are_answered_in_bounds(retriever: Retriever, query: str) -> None:
    found = retriever.retrieve(query)
    assert len(found.subgraph.node_ids) <= retriever.config.budget.nodes


def test_an_added_fact_is_found_by_the_next_query(retriever: Retriever) -> None:
    question = "who directed The Thing?"
    assert all(node.name != "John Carpenter" for node in retriever.retrieve(question).nodes)
    retriever.store.apply([AddEdge("The Thing", "directed by", "John Carpenter")])
    assert retriever.retrieve(question).nodes[0].name == "John Carpenter"


def test_a_relation_never_seen_before_is_used_at_once(retriever: Retriever) -> None:
    retriever.store.apply([AddEdge("Alien", "composer of the music", "Jerry Goldsmith")])
    assert retriever.retrieve("who is the composer of the music of Alien?").nodes[0].name == "Jerry Goldsmith"


def test_a_retired_fact_is_gone_and_as_of_brings_it_back(films: Any, encoder: Any) -> None:
    retriever = Retriever(films, encoder)
    films.apply([AddEdge("Ada", "lives in", "London", valid_from="1820", valid_to="1843"),
                 AddEdge("Ada", "lives in", "Surrey", valid_from="1843")])  # fmt: skip
    assert retriever.retrieve("where does Ada live?").nodes[0].name == "Surrey"
    assert retriever.retrieve("where does Ada live?", as_of="1830").nodes[0].name == "London"
    edge = next(fact.id for fact in films.facts(relation="lives in") if fact.object == "Surrey")
    films.apply([Retire(edge)])
    assert all(node.name != "Surrey" for node in retriever.retrieve("where does Ada live?").nodes)


def test_questions_without_an_answer_have_a_lower_probability(retriever: Retriever) -> None:
    films = retriever.store
    films.apply([AddNode("Solaris")])
    answered = retriever.retrieve("who directed Heat?").answerable
    assert answered > retriever.retrieve("what language is spoken in Heat?").answerable
    assert retriever.retrieve("who directed Solaris?").answerable == 0


def test_aliases_lead_to_the_node(retriever: Retriever) -> None:
    retriever.store.apply([AddNode("Sigourney Weaver", aliases=("Susan Weaver",))])
    assert retriever.retrieve("what movies did Susan Weaver act in").nodes[0].name == "Alien"


def test_the_query_is_checked(retriever: Retriever) -> None:
    with pytest.raises(InvalidValue, match="no ranker 'magic'"):
        retriever.retrieve("x", ranker="magic")
    with pytest.raises(InvalidValue, match="top_k.*0"):
        retriever.retrieve("x", top_k=0)
    with pytest.raises(InvalidTime):
        retriever.retrieve("x", as_of="yesterday")
    with pytest.raises(InvalidValue, match="damping"):
        RetrievalConfig(damping=1.0)


class Foreign:
    """The same vectors under another fingerprint."""

    fingerprint = "foreign"

    def __init__(self, encoder: Any) -> None:
        self.dim, self.encode = encoder.dim, encoder.encode


def test_a_foreign_encoder_falls_back_with_one_warning(films: Any, encoder: Any) -> None:
    retriever = Retriever(films, Foreign(encoder))
    with pytest.warns(UserWarning, match="untrained ranker"):
        found = retriever.retrieve("who is the film directed by: Alien")
    assert found.nodes[0].name == "Ridley Scott"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        retriever.retrieve("who wrote Alien", ranker="activation")
