"""PyG's loaders on a live store, against PyG in memory on the same graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Data
from torch_geometric.loader import LinkLoader, NodeLoader
from torch_geometric.nn import SAGEConv
from torch_geometric.sampler import BaseSampler
from torch_geometric.utils import k_hop_subgraph

from graphmem.adapters.pyg import MemoryFeatureStore, MemoryGraphStore, MemorySampler
from graphmem.core.edits import AddEdge, Retire
from graphmem.core.errors import InvalidValue, ReadOnly
from graphmem.storage.sqlite import SQLiteStore

N, FACTS = 60, 300


class Letters:
    """A small encoder: counts of letters."""

    dim, fingerprint = 26, "letters"

    def encode(self, texts):
        counts = np.array([[text.lower().count(chr(97 + k)) + 0.01 for k in range(26)] for text in texts], np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


@pytest.fixture
def store():
    rng = np.random.default_rng(0)
    names = [f"{chr(97 + n % 26) * 3} {n}" for n in range(N)]
    triples = [
        (names[s], f"r{r}", names[o]) for s, r, o in zip(*rng.integers(0, [[N], [5], [N]], (3, FACTS)), strict=True)
    ]
    with SQLiteStore.open(":memory:") as opened:
        opened.bulk_load(names, triples, Letters().encode(names), fingerprint="letters")
        yield opened


@pytest.fixture
def truth(store):
    facts = sorted(store.facts(), key=lambda fact: fact.id)
    ids = {name: store.resolve(name).id for fact in facts for name in (fact.subject, fact.object)}
    edge_index = torch.tensor([[ids[fact.subject] for fact in facts], [ids[fact.object] for fact in facts]])
    x = torch.zeros(N + 1, 26)
    x[1:] = torch.from_numpy(Letters().encode(store.names(range(1, N + 1))))
    return Data(x=x, edge_index=edge_index, fact=torch.tensor([fact.id for fact in facts]))


def test_the_stores_hold_what_pyg_holds_in_memory(store, truth):
    graph, features = MemoryGraphStore(store), MemoryFeatureStore(store, "letters")
    assert torch.equal(graph.edge_index, truth.edge_index)
    (attr,) = graph.get_all_edge_attrs()
    assert torch.equal(torch.stack(graph.get_edge_index(attr)), truth.edge_index)
    row, colptr, _ = graph.csc()
    assert int(colptr[("node", "to", "node")][-1]) == truth.num_edges == len(row[("node", "to", "node")])
    torch.testing.assert_close(features[None, "x", None], truth.x, atol=1e-3, rtol=0)
    index = torch.tensor([5, 0, 3])
    torch.testing.assert_close(
        features.get_tensor(group_name=None, attr_name="x", index=index), truth.x[index], atol=1e-3, rtol=0
    )
    assert features.get_tensor_size(group_name=None, attr_name="x") == (N + 1, 26)


def test_a_full_neighbourhood_is_that_of_pyg(store, truth):
    seeds = torch.tensor([4, 17])
    loader = NodeLoader(
        (MemoryFeatureStore(store, "letters"), MemoryGraphStore(store)),
        MemorySampler(store, [-1, -1]),
        seeds,
        batch_size=2,
    )
    (batch,) = list(loader)
    nodes, edges, _, mask = k_hop_subgraph(seeds, 2, truth.edge_index, flow="source_to_target")
    assert batch.n_id[:2].tolist() == seeds.tolist()
    assert sorted(batch.n_id.tolist()) == sorted(nodes.tolist())
    inner = torch.stack([batch.n_id[batch.edge_index[0]], batch.n_id[batch.edge_index[1]]])
    facts = dict(zip(truth.fact.tolist(), truth.edge_index.T.tolist(), strict=True))
    assert [facts[edge] for edge in batch.e_id.tolist()] == inner.T.tolist()
    assert set(batch.e_id.tolist()) <= set(truth.fact[mask].tolist())
    into_seeds = {int(f) for f, dst in zip(truth.fact, truth.edge_index[1], strict=True) if dst in seeds}
    assert into_seeds <= set(batch.e_id.tolist())
    torch.testing.assert_close(batch.x, truth.x[batch.n_id], atol=1e-3, rtol=0)


def test_a_layer_gives_the_seeds_what_it_gives_them_on_the_whole_graph(store, truth):
    torch.manual_seed(0)
    first, second = SAGEConv(26, 8), SAGEConv(8, 4)
    whole = second(first(truth.x.half().float(), truth.edge_index).relu(), truth.edge_index)
    seeds = torch.arange(1, N + 1)
    features, graph = MemoryFeatureStore(store, "letters"), MemoryGraphStore(store)
    for batch in NodeLoader((features, graph), MemorySampler(store, [-1, -1]), seeds, batch_size=16):
        out = second(first(batch.x, batch.edge_index).relu(), batch.edge_index)[: batch.batch_size]
        torch.testing.assert_close(out, whole[batch.n_id[: batch.batch_size]], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("direction", ["in", "both"])
def test_fanouts_bound_the_sample_and_edges_are_facts(store, direction):
    sampler = MemorySampler(store, [3, 2], direction=direction)
    assert isinstance(sampler, BaseSampler)
    out = sampler.sample(torch.arange(1, 11))
    assert out.num_sampled_nodes[0] == 10
    assert sum(out.num_sampled_nodes) == len(out.node) == len(set(out.node.tolist()))
    first = out.col[: out.num_sampled_edges[0]]
    assert torch.bincount(first, minlength=10).max() <= 3
    graph = MemoryGraphStore(store)
    data = Data(edge_index=torch.stack([out.row, out.col]), n_id=out.node, e_id=out.edge)
    codes = graph.arc_codes(data)
    for row, col, edge, code in zip(out.row, out.col, out.edge, codes, strict=True):
        found = store.edge(int(edge))
        ends = (found.src, found.dst) if code % 2 == 0 else (found.dst, found.src)
        assert ends == (int(out.node[row]), int(out.node[col]))
        assert store.index().relations[int(code) // 2] == found.relation
    assert direction == "both" or not (codes % 2).any()


def test_what_is_added_or_retired_shows_in_the_next_batch(store):
    graph, sampler = MemoryGraphStore(store), MemorySampler(store, [-1])
    before = graph.edge_index.shape[1]
    entry = store.apply([AddEdge("newcomer", "r0", "aaa 0")])
    assert graph.edge_index.shape[1] == before + 1
    seed = torch.tensor([store.resolve("aaa 0").id])
    assert entry.edge_ids[0] in sampler.sample(seed).edge.tolist()
    store.apply([Retire(entry.edge_ids[0])])
    assert entry.edge_ids[0] not in sampler.sample(seed).edge.tolist()
    features = MemoryFeatureStore(store, "letters")
    newcomer = torch.tensor([store.resolve("newcomer").id])
    assert features.rows(newcomer.numpy()).abs().sum() == 0
    features.put_tensor(torch.ones(1, 26), group_name=None, attr_name="x", index=newcomer)
    assert features.rows(newcomer.numpy()).sum() == 26


def test_links_load_too(store, truth):
    features, graph = MemoryFeatureStore(store, "letters"), MemoryGraphStore(store)
    wanted = truth.edge_index[:, :8]
    loader = LinkLoader(
        (features, graph), MemorySampler(store, [2]), edge_label_index=(("node", "to", "node"), wanted),
        edge_label=torch.ones(8), batch_size=4,
    )  # fmt: skip
    seen = [batch.n_id[batch.edge_label_index] for batch in loader]
    assert torch.equal(torch.cat(seen, dim=1), wanted)


def test_pygs_query_loader_runs_on_the_memory(store):
    rag_loader = pytest.importorskip("torch_geometric.llm.rag_loader")
    features = MemoryFeatureStore(store, encoder=Letters(), top_k=3)
    loader = rag_loader.RAGQueryLoader((features, MemoryGraphStore(store)), config={"top_k": 2, "fanouts": [4]})
    data = loader.query("ccc")
    assert data.num_nodes >= 2
    assert all(name.startswith("ccc") for name in data.node_names[:2])
    assert len(data.facts) == data.num_edges > 0
    assert data.x.shape == (data.num_nodes, 26)
    edges = features.retrieve_seed_edges("ccc 2")
    assert set(edges.tolist()) <= {fact.id for fact in store.facts()}
    assert len(MemoryGraphStore(store).sample_subgraph(data.n_id[:1], edges).node) >= len(edges)


def test_unsupported_writes_raise(store):
    with pytest.raises(InvalidValue, match="fingerprint"):
        MemoryFeatureStore(store)
    with pytest.raises(InvalidValue, match="direction"):
        MemorySampler(store, [1], direction="out")
    with pytest.raises(InvalidValue, match="-2"):
        MemorySampler(store, [-2])
    with pytest.raises(InvalidValue, match="encoder"):
        MemoryFeatureStore(store, "letters").retrieve_seed_nodes("x")
    graph = MemoryGraphStore(store)
    with pytest.raises(ReadOnly, match="add_many"):
        graph.put_edge_index(graph.edge_index, graph.get_all_edge_attrs()[0])
    with pytest.raises(ReadOnly):
        graph.remove_edge_index(graph.get_all_edge_attrs()[0])
