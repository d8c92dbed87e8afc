"""Facts as PyTorch Geometric ``Data``."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch_geometric.data import Data

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
