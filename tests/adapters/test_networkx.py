"""Memories as networkx graphs: every writer of networkx writes them, and they come back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import networkx
import pytest

from graphmem.adapters.networkx import facts_from_networkx, from_networkx
from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import InvalidValue
from graphmem.memory import GraphMemory

ODD = ['a "quoted" & <tag>', "control \x01\x0c", "control \x02\x0c", "line\nbreak\rand return", "木 😀", "=1+1", "it's"]


@pytest.fixture
def memory() -> Any:
    with GraphMemory.open(":memory:") as opened:
        opened.apply([
            AddNode("Ada", "person", "A mathematician.", ("Countess", "A|B"), {"born": 1815, "nested key": {"a": [1]}}),
            AddNode("Alone"),
            AddEdge("Ada", "lives in", "London", "She lives there.", "1835", "2999", 0.0, "wiki", {"page": 1}),
            AddEdge("Ada", "likes", "Ada"),
            *(AddEdge("Ada", f"relation {name}", name, text=name) for name in ODD),
        ])  # fmt: skip
        yield opened


def content(memory: GraphMemory) -> tuple[Any, Any]:
    nodes = {
        (n.name, n.kind, n.text, tuple(sorted(n.aliases)), repr(sorted(n.attributes.items())))
        for n in memory.store.all_nodes()
    }
    facts = {(str(f), f.text, f.valid_from, f.valid_to, f.confidence, f.source) for f in memory.facts()}
    return nodes, facts


def test_nodes_and_lone_nodes_are_there_and_nothing_is_none(memory: GraphMemory) -> None:
    graph = memory.to_networkx()
    assert graph.nodes["Ada"]["kind"] == "person" and "Alone" in graph
    values = [value for _, data in graph.nodes(data=True) for value in data.values()]
    values += [value for *_, data in graph.edges(data=True) for value in data.values()]
    assert all(isinstance(value, (str, float, int)) for value in values)


def test_a_graph_comes_back_whole(memory: GraphMemory) -> None:
    with GraphMemory.open(":memory:") as copy:
        copy.apply(from_networkx(memory.to_networkx()))
        assert content(copy) == content(memory)


@pytest.mark.parametrize("format", ["graphml", "gexf", "gml"])
def test_every_writer_writes_it_and_it_comes_back(memory: GraphMemory, tmp_path: Path, format: str) -> None:
    path = tmp_path / f"m.{format}"
    getattr(networkx, f"write_{format}")(memory.to_networkx(), path)
    graph = getattr(networkx, f"read_{format}")(path)
    with GraphMemory.open(":memory:") as copy:
        copy.add_many(facts_from_networkx(graph))
        found, wanted = ({(f[0], *f[2:]) for f in content(one)[1]} for one in (copy, memory))
        assert found == wanted
        assert ("Ada | lives in | London", "1835", "2999", 0.0, "wiki") in found


def test_any_graph_gives_nodes_and_facts() -> None:
    graph = networkx.path_graph(3)
    graph.add_node("lone", colour="red", size=None)
    graph.edges[0, 1].update(weight=2.5, label="next")
    with GraphMemory.open(":memory:") as memory:
        memory.apply(from_networkx(graph))
        assert [str(fact) for fact in memory.facts()] == ["0 | next | 1", "1 | related to | 2"]
        node = memory.node("lone")
        assert node is not None and node.attributes == {"colour": "red"}
        assert memory.store.edge(1).attributes == {"weight": 2.5}


def test_a_confidence_that_is_no_number_is_an_error() -> None:
    graph = networkx.DiGraph()
    graph.add_edge("a", "b", confidence="high")
    with pytest.raises(InvalidValue, match="number"):
        list(facts_from_networkx(graph))
