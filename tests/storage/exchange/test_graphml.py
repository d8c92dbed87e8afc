"""GraphML as its standard says: ids, order, nesting, defaults, types, direction; and hostile documents."""

from __future__ import annotations

import io

import networkx
import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.storage.exchange import xml_stream
from graphmem.storage.exchange.fact_files import Context, Reject
from graphmem.storage.exchange.graphml import read_graphml
from graphmem.storage.exchange.ingest import ingest
from graphmem.storage.sqlite import SQLiteStore

HEAD = '<?xml version="1.0"?>\n<graphml xmlns="http://graphml.graphdrawing.org/xmlns">\n'
KEYS = (
    '<key id="l" for="node" attr.name="label" attr.type="string"/>\n'
    '<key id="c" for="node" attr.name="colour" attr.type="string"><default>green</default></key>\n'
    '<key id="s" for="all" attr.name="size" attr.type="int"/>\n'
    '<key id="w" for="edge" attr.name="weight" attr.type="double"><default>1.5</default></key>\n'
    '<key id="b" for="edge" attr.name="sure" attr.type="boolean"/>\n'
    '<key id="r" for="edge" attr.name="relation"/>\n'
)


def read(body, keys=KEYS, graph='<graph edgedefault="directed">'):
    text = f"{HEAD}{keys}{graph}{body}</graph></graphml>"
    items = [item for _, item in read_graphml(io.BytesIO(text.encode()), Context())]
    nodes = {item.name: item for item in items if isinstance(item, AddNode)}
    edges = [item for item in items if isinstance(item, AddEdge)]
    return nodes, edges, [item.reason for item in items if isinstance(item, Reject)]


def label(text):
    return f'<data key="l">{text}</data>'


def test_nodes_of_one_label_stay_two_and_keep_their_ids():
    nodes, edges, rejects = read(
        f'<node id="n1">{label("Mercury")}</node><node id="n2">{label("mercury")}</node>'
        f'<node id="n3">{label("Sun")}</node>'
        '<edge source="n1" target="n2"/><edge source="n2" target="n3"/>'
    )
    assert list(nodes) == ["Mercury (n1)", "mercury (n2)", "Sun"] and not rejects
    assert nodes["Sun"].attributes["id"] == "n3"
    assert [(edge.subject, edge.object) for edge in edges] == [
        ("Mercury (n1)", "mercury (n2)"),
        ("mercury (n2)", "Sun"),
    ]


def test_a_distinguished_name_is_nobody_elses_label():
    names = list(read(
        f'<node id="1">{label("a")}</node><node id="2">{label("a")}</node><node id="3">{label("a (1)")}</node>'
    )[0])  # fmt: skip
    assert len({name.casefold() for name in names}) == 3 and "a (1)" in names


def test_edges_may_come_before_their_nodes_and_name_only_nodes():
    nodes, edges, rejects = read(
        '<edge source="a" target="b"/><node id="a"/><node id="b"/><edge source="a" target="z"/>'
    )
    assert [(edge.subject, edge.relation, edge.object) for edge in edges] == [("a", "related to", "b")]
    assert len(nodes) == 2 and len(rejects) == 1 and "no nodes of the document" in rejects[0]


def test_nested_graphs_are_read():
    nodes, edges, _ = read(
        f'<node id="o">{label("Outer")}<graph id="o:" edgedefault="undirected"><node id="o::i">{label("Inner")}</node>'
        '<node id="o::j"/><edge source="o::i" target="o::j"/></graph><data key="s">7</data></node><edge source="o" '
        'target="o::i"/>'
    )
    assert set(nodes) == {"Outer", "Inner", "o::j"} and nodes["Inner"].attributes["inside"] == "Outer"
    assert nodes["Outer"].attributes["size"] == 7 and "size" not in nodes["Inner"].attributes
    assert [(e.subject, e.object, e.attributes.get("directed")) for e in edges] == [
        ("Inner", "o::j", False), ("Outer", "Inner", None)
    ]  # fmt: skip


def test_defaults_types_and_other_attributes_are_kept():
    nodes, edges, _ = read(
        f'<node id="a">{label("A")}<data key="c">red</data><data key="s">4</data></node><node id="b"/>'
        '<edge id="e1" source="a" target="b"><data key="r">likes</data><data key="b">true</data></edge>'
        '<edge source="b" target="a"><data key="w">2</data><data key="s">x</data></edge>'
    )
    assert nodes["A"].attributes == {"id": "a", "colour": "red", "size": 4}
    assert nodes["b"].attributes == {"id": "b", "colour": "green"}
    assert edges[0].relation == "likes" and edges[0].attributes == {"weight": 1.5, "sure": True, "id": "e1"}
    assert edges[1].attributes == {"weight": 2.0, "size": "x"}


def test_direction_of_an_edge_overrides_the_graph():
    _, edges, _ = read(
        '<node id="a"/><node id="b"/><edge source="a" target="b" directed="true"/><edge source="b" target="a"/>',
        graph='<graph edgedefault="undirected">',
    )
    assert ["directed" in edge.attributes for edge in edges] == [False, True]


def test_hyperedges_are_rejects_and_ports_are_passed_over():
    nodes, edges, rejects = read(
        f'<node id="a"><port name="p"><data key="l">not this</data></port>{label("A")}</node><node id="b"/>'
        '<hyperedge><endpoint node="a"/><endpoint node="b"/></hyperedge><edge source="a" target="b" sourceport="p"/>'
    )
    assert set(nodes) == {"A", "b"} and len(edges) == 1
    assert len(rejects) == 1 and "hyperedge" in rejects[0]


def test_a_second_node_of_one_id_and_a_node_without_an_id_are_rejects():
    nodes, _, rejects = read(f'<node id="a">{label("A")}</node><node id="a">{label("B")}</node><node/>')
    assert list(nodes) == ["A"] and len(rejects) == 2


def test_prefixes_do_not_matter():
    text = '<g:graphml xmlns:g="x"><g:graph><g:node id="a"/><g:edge source="a" target="a"/></g:graph></g:graphml>'
    items = [item for _, item in read_graphml(io.BytesIO(text.encode()), Context())]
    assert [type(item) for item in items] == [AddNode, AddEdge]


def test_what_networkx_writes_is_read(tmp_path):
    graph = networkx.karate_club_graph()
    networkx.write_graphml(graph, tmp_path / "k.graphml")
    with SQLiteStore.open(tmp_path / "m.db") as store:
        done = ingest(store, tmp_path / "k.graphml", on_error="rollback")
        assert (done.nodes, done.facts) == (34, 78)
        assert store.resolve("0").attributes["club"] == "Mr. Hi"
        fact = store.facts(store.resolve("0").id)[0]
        assert store.edge(fact.id).attributes["weight"] == 4
        again = ingest(store, tmp_path / "k.graphml")
        assert (again.facts, again.new, again.known, again.entries) == (78, 0, 78, [])


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    total = 0

    def read(self, size=-1):
        data = super().read(size)
        Counted.total += len(data)
        return data


@pytest.mark.parametrize(
    "start",
    ['<graphml><graph><node id="', "<graphml><!-- ", "<graphml><?pi ", "<!DOCTYPE x [<!ELEMENT y ", "<graphml a='"],
)
def test_one_endless_token_is_refused_after_a_bounded_part_of_it(start):
    Counted.total = 0
    items = [item for _, item in read_graphml(Counted(start.encode() + b"x" * 30_000_000), Context())]
    assert [type(item) for item in items] == [Reject] and "longer than" in items[0].reason
    assert Counted.total <= 3 * (xml_stream.MAX_TOKEN + 2 * xml_stream.BLOCK + len(start))


def test_pieces_of_text_are_counted_once(monkeypatch):
    """A data element of many pieces costs as many operations as pieces, and has a bounded size."""
    import graphmem.storage.exchange.graphml as module

    calls: list[int] = []
    characters = module._Document.characters
    monkeypatch.setattr(module._Document, "characters", lambda self, text: (calls.append(1), characters(self, text))[1])
    monkeypatch.setattr(module, "MAX_DATA", 5000)
    body = "&#65;" * 20_000
    nodes, _, rejects = read(f'<node id="a">{label(body)}</node>')
    assert not nodes and "longer than 5000" in rejects[0] and len(calls) <= 3 * 20_000


@pytest.mark.parametrize(
    "text",
    ["<graphml>" + "<graph>" * 10_000, '<!DOCTYPE x [<!ENTITY a "b">]><graphml/>',
     '<!DOCTYPE x [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]><graphml/>',
     "<graphml>" + "".join(f'<key id="k{n}"/>' for n in range(10_001))],
)  # fmt: skip
def test_hostile_documents_are_one_reject(text):
    items = [item for _, item in read_graphml(io.BytesIO(text.encode()), Context())]
    assert [type(item) for item in items] == [Reject]


def test_descriptions_of_nodes_and_edges_are_kept_and_others_named():
    body = (
        "<desc>the whole graph</desc>"
        '<node id="a"><desc>a first\nnode</desc><data key="l">Ann</data>'
        '<port name="p"><desc>a port</desc></port></node>'
        '<node id="b"><data key="d">by key</data><desc>by element</desc></node>'
        '<edge source="a" target="b"><data key="r">knows</data><desc>since school &amp; later</desc></edge>'
        '<edge source="b" target="a"><desc></desc></edge>'
    )
    keys = KEYS + '<key id="d" for="node" attr.name="desc"><desc>what it is</desc></key>'
    nodes, edges, rejects = read(body, keys)
    assert nodes["Ann"].attributes["desc"] == "a first\nnode" and not rejects
    assert nodes["b"].attributes["desc"] == "by key"
    assert edges[0].relation == "knows" and edges[0].attributes["desc"] == "since school & later"
    assert "desc" not in edges[1].attributes
    context = Context()
    list(read_graphml(io.BytesIO(f"{HEAD}{keys}<graph>{body}</graph></graphml>".encode()), context))
    assert context.notes == ["data and descriptions of graph, key, port were not kept"]
