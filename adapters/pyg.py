"""PyTorch Geometric: facts as ``Data``; ``FeatureStore``, ``GraphStore`` and ``Sampler`` over a live store.

Stores and sampler make no copy of the graph. Rows are node ids, so row 0 and the ids of retired nodes are rows without
arcs. Edges run from subject to object; the id of an edge is the id of its fact. No compiled extras are needed.

    features, graph = MemoryFeatureStore(store, fingerprint), MemoryGraphStore(store)
    loader = NodeLoader((features, graph), MemorySampler(store, [10, 10]), input_nodes=torch.tensor(ids), batch_size=32)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch_geometric.data import Data, FeatureStore, TensorAttr
from torch_geometric.data import GraphStore as PyGGraphStore
from torch_geometric.data.graph_store import EdgeAttr, EdgeLayout
from torch_geometric.sampler import BaseSampler, EdgeSamplerInput, NodeSamplerInput, SamplerOutput

from graphmem.core.errors import InvalidValue, ReadOnly
from graphmem.core.protocols import GraphStore, StoredIndex, TextEncoder
from graphmem.core.types import Arcs, Fact

EDGE_TYPE = ("node", "to", "node")
ALL = -1  # as a fan-out: every neighbour


def to_pyg(facts: Iterable[Fact]) -> Data:
    """A graph with one arc a fact.

    Returns:
        ``edge_index`` [2, E], ``edge_type`` [E] and ``edge_weight`` [E] (confidence), with ``node_names`` and
        ``relation_names`` as lists that these index, and ``fact_ids`` [E].
    """
    known = list(facts)
    nodes: dict[str, int] = {}
    relations: dict[str, int] = {}
    ends = [(nodes.setdefault(f.subject, len(nodes)), nodes.setdefault(f.object, len(nodes))) for f in known]
    types = [relations.setdefault(fact.relation, len(relations)) for fact in known]
    return Data(
        edge_index=torch.tensor(ends, dtype=torch.long).reshape(-1, 2).T.contiguous(),  # [2, E]
        edge_type=torch.tensor(types, dtype=torch.long),
        edge_weight=torch.tensor([fact.confidence for fact in known]),
        fact_ids=torch.tensor([fact.id if fact.id is not None else -1 for fact in known], dtype=torch.long),
        node_names=list(nodes),
        relation_names=list(relations),
        num_nodes=len(nodes),
    )


class MemoryFeatureStore(FeatureStore):  # type: ignore[misc]
    """Node vectors of one encoder as the tensor ``x``, float32 [rows, K]; nodes without a vector are zero.

    Args:
        fingerprint: of the encoder of the vectors.
        encoder: encodes queries for ``retrieve_seed_nodes``; its fingerprint is used when none is given.
        top_k: how many seeds a query gets.
    """

    def __init__(
        self, store: GraphStore, fingerprint: str | None = None, *, encoder: TextEncoder | None = None, top_k: int = 10
    ) -> None:
        super().__init__()
        name = fingerprint if fingerprint is not None else encoder.fingerprint if encoder is not None else None
        if name is None:
            raise InvalidValue("a feature store needs the fingerprint of an encoder, or the encoder itself")
        self.__dict__.update(store=store, fingerprint=name, encoder=encoder, config={"top_k": top_k}, _cached=None)

    def _vectors(self) -> tuple[np.ndarray, np.ndarray]:
        """Ids [n] and vectors [n, K], read again when the graph has changed."""
        index = self.store.index()
        if self._cached is None or self._cached[0] is not index:
            self.__dict__["_cached"] = (index, *self.store.vectors(self.fingerprint))
        return self._cached[1], self._cached[2]

    def rows(self, nodes: np.ndarray) -> Tensor:
        """Vectors of nodes, float32 [n, K]; zero where there is none."""
        ids, vectors = self._vectors()
        known = np.isin(nodes, ids)
        out = np.zeros((len(nodes), vectors.shape[1]), np.float32)
        out[known] = vectors[np.searchsorted(ids, nodes[known])]
        return torch.from_numpy(out)

    def _get_tensor(self, attr: TensorAttr) -> Tensor | None:
        return self.rows(_positions(attr.index, self.store.index().size)) if attr.attr_name == "x" else None

    def _put_tensor(self, tensor: Any, attr: TensorAttr) -> bool:
        """Store vectors of the nodes in ``attr.index``. Writes one transaction."""
        if attr.attr_name != "x":
            return False
        nodes = _positions(attr.index, self.store.index().size)
        self.store.put_vectors(nodes, np.asarray(tensor, np.float32), self.fingerprint)
        self.__dict__["_cached"] = None
        return True

    def _remove_tensor(self, attr: TensorAttr) -> bool:
        raise ReadOnly("vectors leave the memory with their nodes; retire these instead")

    def _get_tensor_size(self, attr: TensorAttr) -> tuple[int, ...] | None:
        return (self.store.index().size, self._vectors()[1].shape[1]) if attr.attr_name == "x" else None

    def get_all_tensor_attrs(self) -> list[TensorAttr]:
        """``x``, where the encoder has made any vectors."""
        return [TensorAttr(group_name=None, attr_name="x")] if len(self._vectors()[0]) else []

    def retrieve_seed_nodes(self, query: str | Sequence[str], **_: Any) -> tuple[Tensor, Tensor]:
        """Ids of the nodes nearest to a query, int64 [k], best first, and the query's vector, float32 [n, K]."""
        if self.encoder is None:
            raise InvalidValue("seeds of a query need an encoder; pass encoder= to MemoryFeatureStore")
        encoded = self.encoder.encode([query] if isinstance(query, str) else list(query))
        ids, vectors = self._vectors()
        scores = (np.asarray(vectors, np.float32) @ encoded.T).max(axis=1)
        best = np.argsort(-scores, kind="stable")[: self.config["top_k"]]
        return torch.from_numpy(ids[best].astype(np.int64)), torch.from_numpy(encoded)

    def retrieve_seed_edges(self, query: str, **_: Any) -> Tensor:
        """Ids of the facts nearest to a query by words, int64 [k], best first."""
        found = self.store.search_text(query, limit=self.config["top_k"], what="edge")
        return torch.tensor([edge for edge, _ in found], dtype=torch.long)

    def load_subgraph(self, sample: SamplerOutput) -> Data:
        """A sampled subgraph with its vectors, node ids, fact ids and the text of its facts."""
        facts = self.store.facts_by_id(sample.edge.numpy())
        return Data(
            x=self.rows(sample.node.numpy()),
            edge_index=torch.stack([sample.row, sample.col]),  # [2, E]
            n_id=sample.node,
            e_id=sample.edge,
            node_names=self.store.names(sample.node.numpy()),
            facts=[str(fact) for fact in facts],
        )


def _positions(index: Any, size: int) -> np.ndarray:
    """Rows of a PyG index, int64 [n]."""
    if index is None:
        return np.arange(size)
    if isinstance(index, slice):
        return np.arange(size)[index]
    array = np.asarray(index)
    return np.flatnonzero(array) if array.dtype == bool else array.astype(np.int64)


class MemoryGraphStore(PyGGraphStore):  # type: ignore[misc]
    """The present facts, or those of a moment, as one edge index; a read view, written through the memory's edits.

    Args:
        as_of: valid time in microseconds; the present when None.
        fanouts: neighbours a hop for ``sample_subgraph``.
    """

    def __init__(self, store: GraphStore, *, as_of: int | None = None, fanouts: Sequence[int] = (10, 10)) -> None:
        super().__init__()
        self.__dict__.update(store=store, as_of=as_of, features=None, config={"fanouts": list(fanouts)}, _cached=None)

    def _facts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        index = self.store.index(self.as_of)
        if self._cached is None or self._cached[0] is not index:
            self.__dict__["_cached"] = (index, index.all_facts())
        return self._cached[1]  # type: ignore[no-any-return]

    @property
    def edge_index(self) -> Tensor:
        """Subject and object rows of every fact, int64 [2, F], by fact id."""
        src, _, dst, _ = self._facts()
        return torch.from_numpy(np.stack([src, dst]))  # [2, F]

    @edge_index.setter
    def edge_index(self, _: Tensor) -> None:
        """Ignored: PyG's query loader assigns the same edges back."""

    def _get_edge_index(self, edge_attr: EdgeAttr) -> tuple[Tensor, Tensor] | None:
        if edge_attr.edge_type not in (None, EDGE_TYPE) or edge_attr.layout != EdgeLayout.COO:
            return None
        return tuple(self.edge_index)

    def get_all_edge_attrs(self) -> list[EdgeAttr]:
        """One edge type, as coordinates."""
        size = self.store.index(self.as_of).size
        return [EdgeAttr(EDGE_TYPE, EdgeLayout.COO, size=(size, size))]

    def _put_edge_index(self, edge_index: Any, edge_attr: EdgeAttr) -> bool:
        raise ReadOnly("an edge index has no names and no times; add facts with GraphMemory.add_many")

    def _remove_edge_index(self, edge_attr: EdgeAttr) -> bool:
        raise ReadOnly("facts are retired one by one, through the memory's edits")

    def arc_codes(self, data: Data) -> Tensor:
        """Arc code of each edge of a loaded batch, int64 [E]: ``2 * relation + 1`` where it runs against its fact."""
        src, relation, _, edge = self._facts()
        at = np.searchsorted(edge, data.e_id.numpy())
        origin = data.n_id[data.edge_index[0]].numpy()
        return torch.from_numpy(2 * relation[at] + (src[at] != origin))

    def register_feature_store(self, feature_store: FeatureStore) -> None:
        """Set the feature store of the queries."""
        self.__dict__["features"] = feature_store

    def sample_subgraph(self, seed_nodes: Tensor, seed_edges: Tensor | None = None, **options: Any) -> SamplerOutput:
        """A neighbourhood of the seed nodes and of the ends of the seed facts."""
        seeds = torch.as_tensor(seed_nodes, dtype=torch.long)
        if seed_edges is not None:
            src, _, dst, edge = self._facts()
            at = np.searchsorted(edge, np.asarray(seed_edges))
            seeds = torch.cat([seeds, torch.from_numpy(src[at]), torch.from_numpy(dst[at])])
        sampler = MemorySampler(self.store, self.config["fanouts"], as_of=self.as_of, direction="both")
        return sampler.sample(torch.unique(seeds))


class MemorySampler(BaseSampler):  # type: ignore[misc]
    """Neighbour sampling on the store, for ``NodeLoader`` and ``LinkLoader``.

    Each hop draws up to so many facts of every node that the hop before found. Arcs point at the node they were drawn
    for, so that messages flow to the seeds.

    Args:
        fanouts: neighbours a hop; ``-1`` takes all.
        as_of: valid time in microseconds; the present when None.
        direction: ``in`` draws facts in which the node is the object, as PyG does; ``both`` draws all its facts.
        seed: of the draws.
    """

    def __init__(
        self, store: GraphStore, fanouts: Sequence[int], *, as_of: int | None = None,
        direction: Literal["in", "both"] = "in", seed: int = 0,
    ) -> None:  # fmt: skip
        if direction not in ("in", "both"):
            raise InvalidValue(f"direction must be 'in' or 'both', not {direction!r}")
        if any(fanout < ALL for fanout in fanouts):
            raise InvalidValue(f"fan-outs are counts, or -1 for all, not {list(fanouts)}")
        self.store, self.fanouts, self.as_of, self.direction = store, list(fanouts), as_of, direction
        self.rng = np.random.default_rng(seed)

    def sample_from_nodes(self, index: NodeSamplerInput, **_: Any) -> SamplerOutput:
        """The neighbourhood of the seeds, which come first among its nodes."""
        out = self.sample(index.node)
        out.metadata = (index.input_id if index.input_id is not None else torch.arange(len(index.node)), index.time)
        return out

    def sample_from_edges(self, index: EdgeSamplerInput, neg_sampling: Any = None) -> SamplerOutput:
        """The neighbourhood of the ends of the seed edges.

        Raises:
            InvalidValue: negative sampling is not supported; pass negatives with labels.
        """
        if neg_sampling is not None:
            raise InvalidValue("negative sampling is not part of this sampler; pass negatives with edge_label")
        seeds, place = torch.unique(torch.cat([index.row, index.col]), return_inverse=True)
        out = self.sample(seeds)
        out.metadata = (index.input_id, place.view(2, -1), index.label, index.time)
        return out

    def sample(self, seeds: Tensor) -> SamplerOutput:
        """The neighbourhood of some nodes; a seed that is given twice is listed twice, as in PyG."""
        graph = self.store.index(self.as_of)
        nodes = seeds.numpy().astype(np.int64)
        found = nodes.tolist()
        place = {node: at for at, node in reversed(list(enumerate(found)))}
        hops = [np.zeros((3, 0), np.int64)]
        counts, begin = [len(nodes)], 0
        for fanout in self.fanouts:
            arcs = self._draw(graph, np.asarray(found[begin:], np.int64), fanout)
            before = len(found)
            for node in arcs.target.tolist():
                if node not in place:
                    place[node] = len(found)
                    found.append(node)
            targets = np.fromiter(map(place.__getitem__, arcs.target.tolist()), np.int64, len(arcs.target))
            hops.append(np.stack([targets, arcs.origin + begin, arcs.edge]))  # [3, arcs]
            counts.append(len(found) - before)
            begin = before
        row, col, edge = torch.from_numpy(np.concatenate(hops, axis=1))
        arcs_a_hop = [hop.shape[1] for hop in hops[1:]]
        everything = torch.tensor(found, dtype=torch.long)
        return SamplerOutput(everything, row, col, edge, num_sampled_nodes=counts, num_sampled_edges=arcs_a_hop)

    def _draw(self, graph: StoredIndex, frontier: np.ndarray, fanout: int) -> Arcs:
        if self.direction == "both" and fanout != ALL:
            arcs = graph.sample(frontier, [fanout], self.rng)[0]
            key = np.stack([arcs.origin, arcs.edge, arcs.relation & 1])  # drawn with replacement
            return arcs.take(np.sort(np.unique(key, axis=1, return_index=True)[1]))
        arcs = graph.expand(frontier)
        if self.direction == "in":
            arcs = arcs.take(np.flatnonzero(arcs.relation & 1))
        if fanout == ALL:
            return arcs
        order = np.lexsort((self.rng.random(len(arcs.edge)), arcs.origin))
        counts = np.bincount(arcs.origin, minlength=len(frontier))
        rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        return arcs.take(order[rank < fanout])
