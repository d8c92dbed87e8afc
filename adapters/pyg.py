"""Facts to and from PyTorch Geometric ``Data``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch_geometric.data import Data

from graphmem.core.errors import InvalidValue
from graphmem.core.types import Fact


def to_pyg(facts: Iterable[Fact]) -> Data:
    """A graph with one arc a fact.

    Returns:
        ``edge_index`` [2, E], ``edge_type`` [E] and ``edge_weight`` [E] (confidence), with ``node_names`` and
        ``relation_names`` as lists that these index, and ``fact_ids`` [E].
    """
    known = list(facts)
    nodes: dict[str, int] = {}
    relations: dict[str, int] = {}
    ends = [
        (nodes.setdefault(f.subject, len(nodes)), nodes.setdefault(f.object, len(nodes))) for f in known
    ]  # fmt: skip
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


def facts_from_pyg(
    data: Data, node_names: Sequence[str] | None = None, relation_names: Sequence[str] | None = None
) -> Iterator[Fact]:
    """The arcs of a PyG graph as facts.

    Args:
        data: ``edge_index`` [2, E] and, for more than one relation, ``edge_type`` [E].
        node_names: a name a node; ``data.node_names`` when None, else ``node 0``, ``node 1``, ...
        relation_names: a name a type; ``data.relation_names`` when None, else ``related to``.

    Raises:
        InvalidValue: fewer names than nodes or types.
    """
    names = list(node_names or data.get("node_names") or (f"node {i}" for i in range(data.num_nodes or 0)))
    relations = list(relation_names or data.get("relation_names") or ["related to"])
    types = data.edge_type.tolist() if "edge_type" in data else [0] * data.num_edges
    if len(names) < (data.num_nodes or 0) or (types and max(types) >= len(relations)):
        raise InvalidValue(
            f"{len(names)} node names and {len(relations)} relation names for {data.num_nodes} nodes and "
            f"{max(types, default=-1) + 1} types; give one name each"
        )
    for (source, target), kind in zip(data.edge_index.T.tolist(), types, strict=True):
        yield Fact(names[source], relations[kind], names[target])
