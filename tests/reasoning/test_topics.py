"""Topics of a question: names, words that are nodes, and words of several nodes' names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from graphmem.memory import GraphMemory
from graphmem.reasoning.topics import Topic, lemma, topics_of
from graphmem.retrieval.facts_only import facts_only


@pytest.fixture(scope="module")
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_many(
            [
                ("Rex", "species", "dog"), ("Rex", "treated by", "Tobias Renn"), ("Oslo depot", "opened in", "1999"),
                ("Bergen depot", "opened in", "1983"), ("trip 2014", "destination", "Mull"),
                ("trip 2019", "destination", "Garda"),
            ]
        )  # fmt: skip
        yield opened


def topics(memory: GraphMemory, question: str) -> list[Topic]:
    return topics_of(memory.retrieve(question), *facts_only(memory.store, memory.store.index()))


def test_a_plural_is_the_node_of_its_lemma(memory: GraphMemory) -> None:
    dog, vet = topics(memory, "Which dogs does Tobias Renn treat?")
    assert (dog.kind, memory.store.names(dog.nodes)) == ("word", ["dog"])
    assert (vet.kind, memory.store.names(vet.nodes), vet.several) == ("name", ["Tobias Renn"], False)
    assert lemma("children") == "child"


def test_a_word_of_several_names_stands_for_all_of_them(memory: GraphMemory) -> None:
    (found,) = topics(memory, "Which depots are open?")
    assert set(memory.store.names(found.nodes)) == {"Oslo depot", "Bergen depot"} and found.several


def test_numbers_tell_nodes_of_one_word_apart(memory: GraphMemory) -> None:
    found = topics(memory, "who came on the 2014 and the 2019 trip?")
    assert [memory.store.names(topic.nodes) for topic in found] == [["trip 2014"], ["trip 2019"]]


def test_words_without_a_node_are_no_topics(memory: GraphMemory) -> None:
    assert topics(memory, "Which of the cheapest was it?") == []
