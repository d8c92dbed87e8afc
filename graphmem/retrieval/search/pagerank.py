"""Personalised PageRank by forward push: the untrained baseline of spreading activation."""

from __future__ import annotations

import numpy as np

from graphmem.core.protocols import GraphIndex
from graphmem.retrieval.search.spreading_activation import Budget


def push(
    index: GraphIndex, seeds: np.ndarray, weights: np.ndarray, *, damping: float = 0.5, hops: int = 8,
    budget: Budget | None = None, floor: float = 1e-5,
) -> tuple[np.ndarray, np.ndarray, float]:  # fmt: skip
    """Personalised PageRank mass of the nodes around seeds; all arcs have the same weight.

    Args:
        seeds: int64 [S], where the mass starts.
        weights: float32 [S], its distribution over the seeds; normalised here.
        damping: share of a node's mass that moves on.
        budget: bounds; a node's mass is divided among all its arcs even where only some are followed.
        floor: mass below this is not pushed.

    Returns:
        ids int64 [N], mass float32 [N], highest first, and the share of mass that was dropped.
    """
    budget = budget or Budget()
    nodes, mass = _sum_by_node(seeds.astype(np.int64), weights.astype(np.float64) / max(weights.sum(), 1e-12))
    ids, scores, lost = [nodes], [mass * (1 - damping)], 0.0
    for _ in range(hops):
        keep = _within_budget(index, nodes, mass, floor, budget)
        lost += float(mass[~keep].sum()) * damping
        nodes, mass = nodes[keep], mass[keep]
        if not len(nodes):
            break
        arcs = index.expand(nodes, budget.hub)
        degree = np.maximum(index.degree(nodes), 1)
        share = damping * (mass / degree)[arcs.origin]
        lost += float(damping * mass.sum() - share.sum())
        nodes, mass = _sum_by_node(arcs.target, share)
        ids.append(nodes)
        scores.append(mass * (1 - damping))
    nodes, mass = _sum_by_node(np.concatenate(ids), np.concatenate(scores))
    best = np.argsort(-mass, kind="stable")[: budget.nodes]
    truncated_mass = min(1.0, max(0.0, lost + float(mass.sum() - mass[best].sum())))
    return nodes[best], mass[best].astype(np.float32), truncated_mass


def _within_budget(index: GraphIndex, nodes: np.ndarray, mass: np.ndarray, floor: float, budget: Budget) -> np.ndarray:
    """Nodes that push mass, bool [N]: those of most mass, as long as their arcs fit the budget."""
    order = np.argsort(-mass, kind="stable")
    cost = np.cumsum(np.minimum(index.degree(nodes[order]), budget.hub))
    rank = np.arange(len(order))
    fits = (mass[order] >= floor) & (rank < budget.frontier) & ((cost <= budget.arcs) | (rank == 0))
    keep = np.zeros(len(nodes), bool)
    keep[order[fits]] = True
    return keep


def _sum_by_node(nodes: np.ndarray, mass: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    unique, where = np.unique(nodes, return_inverse=True)
    return unique, np.bincount(where, weights=mass, minlength=len(unique))
