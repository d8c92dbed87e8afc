"""Spreading activation over relation paths: a sparse frontier, bounded in nodes and arcs.

A *relation path* is a sequence of arc codes from a seed. Its score is the sum of its steps' gates and the score of its
length, in nats. A softmax over the paths that the graph offers, and over *no answer*, turns scores into probabilities.
The activation of a node is the probability of the paths that end at it, so activations sum to at most 1, and a hub
gains nothing from being reached in many ways. A seed passes activation on again but keeps none, unless a path leads
nowhere else. Paths far below the best are pruned at every hop, which keeps a three-hop neighbourhood of thousands of
nodes down to a few dozen. With open gates and equal shares for all arcs it is personalised PageRank
(``pagerank.push``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from graphmem.core.protocols import GraphIndex
from graphmem.core.validation import require_counts
from graphmem.retrieval.search.frontier import Hop, spans_of
from graphmem.retrieval.search.grouping import grouped

MARGIN = 16.0
"""Nats below the best path of a hop beyond which a path is pruned; wide enough for graphs with missing facts."""

KEPT_CHAINS = 50
"""Most active nodes whose chains stay in the subgraph whole."""

DETOUR = 0.5
"""Discount for a path through the seed itself: ``films by the director of X`` may include X."""

MAX_COMPETING = 48
"""A path that cannot be among this many best of those found so far is pruned."""

MAX_RESCORED, RESCORE_MARGIN = 24, 14.0
"""Paths handed to the rescorer: the best by the gates, within so many nats of the best."""

PathRescorer = Callable[[list[tuple[int, ...]], np.ndarray], tuple[np.ndarray, float]]
"""From arc codes of paths and their gate scores (nats below the best) to new scores in nats and the probability that
one of the paths answers."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Bounds of one search: whole numbers of at least 1, or InvalidValue is raised.

    Attributes:
        nodes: maximum size of the subgraph.
        frontier: maximum number of nodes expanded in one hop.
        arcs: maximum number of arcs visited in one hop.
        hub: maximum number of arcs followed out of one node.
        paths: maximum number of relation paths kept in one hop.
    """

    nodes: int = 1000
    frontier: int = 2000
    arcs: int = 100_000
    hub: int = 20_000
    paths: int = 64

    def __post_init__(self) -> None:
        require_counts(self)


class Layer(NamedTuple):
    """Entries of one hop: entry i states that path ``path[i]`` leads to ``node[i]``.

    Attributes:
        parent: predecessor in the previous layer.
        edge: fact of the last step.
        code: arc code of the last step.
        share: 1, or less after a detour through the seed.
    """

    path: np.ndarray
    node: np.ndarray
    parent: np.ndarray
    edge: np.ndarray
    code: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, slots=True)
class ActivatedSubgraph:
    """Activated nodes, most active first.

    Attributes:
        nodes: int64 [N], ids.
        activation: float32 [N], in [0, 1].
        layers: entries of each hop; layer 0 holds the seeds.
        best: int64 [N, 2], layer and entry of the strongest path to each node.
        arcs: int64 [4, E], source id, target id, arc code and fact id of every arc that carried activation.
        no_answer: probability that no path answers.
        truncated_mass: share of activation dropped by the budget, 0..1.
    """

    nodes: np.ndarray
    activation: np.ndarray
    layers: list[Layer]
    best: np.ndarray
    arcs: np.ndarray
    no_answer: float
    truncated_mass: float

    def chain(self, position: int) -> list[int]:
        """Fact ids from a seed to the node at ``position``, along its best path."""
        return [edge for edge, _ in _steps_back(self.layers, *self.best[position].tolist())][::-1]


def _steps_back(layers: list[Layer], layer: int, entry: int) -> Iterator[tuple[int, int]]:
    """Fact and node of every step from an entry of a layer back to the seed."""
    for at in range(layer, 0, -1):
        yield int(layers[at].edge[entry]), int(layers[at].node[entry])
        entry = int(layers[at].parent[entry])


def spread(
    index: GraphIndex, roots: list[np.ndarray], weights: np.ndarray, steps: np.ndarray, lengths: np.ndarray,
    budget: Budget | None = None, rescorer: PathRescorer | None = None,
) -> ActivatedSubgraph:  # fmt: skip
    """Activation of the nodes around some roots.

    Args:
        roots: int64 each, the nodes of each entity that the query names.
        weights: float [R], prior of each root, at most 1.
        steps: float [hops, A], gate of every arc code at every hop, in nats.
        lengths: float [hops + 1], score of every path length, in nats; length 0 is *no answer*.
        rescorer: scores the best paths as a whole; its scores replace those of the gates, and its probability of an
            answer replaces the score of length 0.
    """
    return Walk(index, roots, weights, steps, lengths, budget or Budget()).run(rescorer)


class Walk:
    """State of one spread: the entries of each layer; parent, last arc code, score and root of each path."""

    def __init__(
        self, index: GraphIndex, roots: list[np.ndarray], weights: np.ndarray, steps: np.ndarray, lengths: np.ndarray,
        budget: Budget,
    ) -> None:  # fmt: skip
        self.index, self.steps, self.lengths, self.budget = index, steps, lengths, budget
        nodes = np.concatenate(roots)
        path = np.repeat(np.arange(len(roots)), [len(root) for root in roots])
        no_step = np.full(len(nodes), -1, np.int64)
        self.layers = [Layer(path, nodes.astype(np.int64), no_step, no_step, no_step, np.ones(len(nodes)))]
        self.scores = [np.log(np.maximum(weights, 1e-6)).astype(np.float64)]  # by layer, of its paths
        self.parents = [np.full(len(roots), -1, np.int64)]
        self.codes = [np.full(len(roots), -1, np.int64)]
        self.root_of = [np.arange(len(roots))]
        self.seed_keys = np.sort(path * index.size + nodes)
        self.answers = [np.zeros(len(nodes), bool)]
        self.arcs: list[tuple[np.ndarray, ...]] = []  # of each hop: origin, target, code and fact
        self.dropped = 0.0

    def run(self, rescorer: PathRescorer | None = None) -> ActivatedSubgraph:
        """Take hops while they reach anything, and rank the nodes."""
        for hop in range(len(self.steps)):
            layer, scores = self._within_budget(self.layers[-1], self.scores[-1])
            nodes, _, _, where = grouped(layer.node)
            spans = spans_of(self.index, nodes, self.budget.hub)
            front = Hop(where, layer.path, spans, scores, np.asarray(self.steps[hop], np.float64))
            floor = max(front.best_score() - MARGIN, self.pruning_bound(hop))
            extensions = front.extensions(floor)
            if not len(extensions):
                break
            self._store(front, floor, extensions, hop)
        return self.finish(rescorer)

    def extension_scores(self, hop: int, scores: np.ndarray, parents: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Scores of paths that extend their parents by one arc, in nats."""
        return scores[parents] + self.steps[hop][codes]

    def pruning_bound(self, hop: int) -> float:
        """Score below which a path of ``hop + 1`` arcs can become neither one of the best nor within the margin."""
        found = [scores + self.lengths[at] for at, scores in enumerate(self.scores) if at]
        every = np.concatenate([*found, [self.lengths[0]]])
        bound = every.max() - MARGIN
        if len(every) > MAX_COMPETING:
            bound = max(bound, np.partition(every, -MAX_COMPETING)[-MAX_COMPETING])
        further = np.concatenate([[0.0], np.cumsum(self.steps[hop + 1 :].max(axis=1, initial=-np.inf))])
        return float(bound - (further + self.lengths[hop + 1 :]).max())

    def _within_budget(self, layer: Layer, scores: np.ndarray) -> tuple[Layer, np.ndarray]:
        """The entries that are expanded: those of the best paths, as long as nodes and arcs fit the budget."""
        self._kept = np.arange(len(layer.node))
        cost = np.minimum(self.index.degree(layer.node), self.budget.hub)
        if len(cost) <= self.budget.frontier and cost.sum() <= self.budget.arcs:
            return layer, scores
        order = np.argsort(-scores[layer.path], kind="stable")
        fits = (np.cumsum(cost[order]) <= self.budget.arcs) & (np.arange(len(order)) < self.budget.frontier)
        fits[0] = True
        share = np.exp(scores - scores.max())[layer.path]
        self.dropped = max(self.dropped, float(share[order[~fits]].sum() / share.sum()))
        self._kept = np.sort(order[fits])
        return Layer(*(values[self._kept] for values in layer)), scores

    def _store(self, front: Hop, floor: float, extensions: np.ndarray, hop: int) -> None:
        """Number the new paths, keep the best, and merge arcs that take the same path to the same node."""
        width, scores = self.steps.shape[1], front.scores
        new_scores = self.extension_scores(hop, scores, extensions // width, extensions % width)
        if len(extensions) > self.budget.paths:
            best = np.argsort(-new_scores, kind="stable")[: self.budget.paths]
            extensions, new_scores = extensions[best], new_scores[best]
        path_numbers = np.full(len(scores) * width, -1)
        path_numbers[extensions] = np.arange(len(extensions))
        parents, codes = extensions // width, extensions % width
        entry, arc, numbers = front.crossings(floor, path_numbers)
        parent = self._kept[entry]
        edge, target = front.spans.edge[arc], front.spans.target[arc].astype(np.int64)
        self.arcs.append((self.layers[-1].node[parent], target, codes[numbers], edge))
        share = self.layers[-1].share[parent]
        detours = None  # of several ways to a node the one with fewest detours is kept
        if share.min(initial=1.0) < 1.0:
            detours = np.rint(np.log(share) / np.log(DETOUR)).astype(np.int64)
        first = grouped(numbers * self.index.size + target, detours, len(self.layers) + 1).first
        numbers, target, parent, edge, share = (v[first] for v in (numbers, target, parent, edge, share))
        back = np.isin(self.root_of[-1][parents][numbers] * self.index.size + target, self.seed_keys)
        share = np.where(back, DETOUR, 1.0) * share
        self.layers.append(Layer(numbers, target, parent, edge.astype(np.int64), codes[numbers], share))
        others = np.bincount(numbers, weights=~back, minlength=len(parents))[numbers]
        self.answers.append(~back | (others == 0))  # a seed answers only where the path ends nowhere else
        self.scores.append(new_scores)
        self.parents.append(parents)
        self.codes.append(codes)
        self.root_of.append(self.root_of[-1][parents])

    def finish(self, rescorer: PathRescorer | None = None) -> ActivatedSubgraph:
        """Softmax of the path scores, summed over the paths that end at each node."""
        totals = [scores + self.lengths[hop] for hop, scores in enumerate(self.scores) if hop]
        if not totals:
            return self._empty()
        no_answer = self.lengths[0] if rescorer is None else self._rescore(rescorer, totals)
        every = np.concatenate([*totals, [no_answer]])
        every = np.exp(every - every.max())
        every /= every.sum()
        chances = np.split(every[:-1], np.cumsum([len(total) for total in totals])[:-1])
        mass = np.concatenate([c[layer.path] * layer.share for c, layer in zip(chances, self.layers[1:], strict=True)])
        depth = np.repeat(np.arange(1, len(self.layers)), [len(layer.node) for layer in self.layers[1:]])
        entry = np.concatenate([np.arange(len(layer.node)) for layer in self.layers[1:]])
        answers = np.flatnonzero(np.concatenate(self.answers[1:]))
        if not len(answers):
            return self._empty()
        return self._ranked(answers, mass[answers], np.stack([depth, entry], 1)[answers], float(every[-1]))

    def _rescore(self, rescorer: PathRescorer, totals: list[np.ndarray]) -> float:
        """Replace the scores of the best paths in place; returns the score of *no answer*, in nats.

        The other paths keep their distance to the last one that is rescored.
        """
        flat = np.concatenate(totals)
        best = np.argsort(-flat, kind="stable")[:MAX_RESCORED]
        best = best[flat[best] >= flat[best[0]] - RESCORE_MARGIN]
        layer = np.repeat(np.arange(1, len(totals) + 1), [len(total) for total in totals])[best]
        first = np.cumsum([0, *(len(total) for total in totals)])
        paths = [self.codes_of(int(at), int(place)) for at, place in zip(layer, best - first[layer - 1], strict=True)]
        scores, chance = rescorer(paths, flat[best] - flat[best[0]])
        flat += scores.min() - flat[best[-1]]
        flat[best] = scores
        for at, total in enumerate(np.split(flat, first[1:-1])):
            totals[at] = total
        highest = flat.max()
        total_score = highest + np.log(np.exp(flat - highest).sum())
        chance = min(max(chance, 1e-6), 1 - 1e-6)
        return float(total_score + np.log1p(-chance) - np.log(chance))

    def _ranked(self, rows: np.ndarray, mass: np.ndarray, place: np.ndarray, no_answer: float) -> ActivatedSubgraph:
        """The result, from the entries ``rows`` that may answer: their mass, and ``place`` [n, 2], layer and entry."""
        node = np.concatenate([layer.node for layer in self.layers[1:]])[rows]
        by_mass = np.argsort(-mass, kind="stable")
        nodes, first, _, where = grouped(node[by_mass])
        activation = np.bincount(where, weights=mass[by_mass], minlength=len(nodes))
        first = by_mass[first]  # each node's strongest entry
        place = place[first]
        order = np.argsort(-activation, kind="stable")
        if len(order) > self.budget.nodes:
            chains = (_steps_back(self.layers, *at) for at in place[order[:KEPT_CHAINS]].tolist())
            kept = np.isin(nodes[order], list({node for chain in chains for _, node in chain}))
            kept[:KEPT_CHAINS] = True
            room = max(0, self.budget.nodes - int(kept.sum()))
            # of the others first those whose path ends in the arc code of the best node: where a fact of the right
            # path is missing, the answer is of the kind that its last arc leads to
            codes = np.concatenate([layer.code for layer in self.layers[1:]])[rows][first][order]
            others = np.flatnonzero(~kept)
            kept[others[np.argsort(codes[others] != codes[0], kind="stable")][:room]] = True
            order = order[kept][: self.budget.nodes]
        lost = float(activation.sum() - activation[order].sum()) / max(float(activation.sum()), 1e-12)
        return ActivatedSubgraph(
            nodes[order], activation[order].astype(np.float32), self.layers, place[order],
            self._arcs_among(nodes[order]), no_answer, min(1.0, max(self.dropped, lost)),
        )  # fmt: skip

    def _arcs_among(self, nodes: np.ndarray) -> np.ndarray:
        """Arcs among nodes of the subgraph and seeds, int64 [4, E], each fact once."""
        inside = np.zeros(self.index.size, bool)
        inside[nodes] = inside[self.layers[0].node] = True
        found = []
        for hop in self.arcs:
            both = np.flatnonzero(inside[hop[0]] & inside[hop[1]])
            found.append(np.stack([column[both].astype(np.int64) for column in hop]))
        arcs = np.concatenate(found, axis=1)
        return arcs[:, np.sort(grouped(arcs[3]).first)]

    def codes_of(self, layer: int, path: int) -> tuple[int, ...]:
        """Arc codes of a path of a layer, from the seed on."""
        codes = []
        for at in range(layer, 0, -1):
            codes.append(int(self.codes[at][path]))
            path = int(self.parents[at][path])
        return tuple(codes[::-1])

    def _empty(self) -> ActivatedSubgraph:
        return ActivatedSubgraph(
            np.zeros(0, np.int64), np.zeros(0, np.float32), self.layers, np.zeros((0, 2), np.int64),
            np.zeros((4, 0), np.int64), 1.0, 0.0,
        )  # fmt: skip
