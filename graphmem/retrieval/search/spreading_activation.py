"""Spreading activation over a graph index: a sparse frontier, bounded in nodes and arcs.

Activation starts at the seeds and walks at most a few arcs. It is carried along *relation paths* (the sequence of arc
codes from the seed): a path's score is the sum of its steps' gates and its length's, a softmax over all paths that the
graph offers turns scores into probabilities, and a node's activation is the probability that the answer lies at the
end of one of the paths that reach it. So sums never exceed 1, a hub gets no more for being reached many ways, and
a seed passes activation on again, but keeps none
unless a path leads nowhere else. Paths far below the best are dropped as they appear, which is what
keeps a three-hop
neighbourhood of thousands of nodes down to a few dozen. With open gates and the mass shared
among all arcs it is personalised PageRank: ``pagerank.push``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from graphmem.core.errors import InvalidValue
from graphmem.core.protocols import GraphIndex
from graphmem.retrieval.search.frontier import Hop, spans_of
from graphmem.retrieval.search.grouping import grouped

MARGIN = 16.0
"""Paths this many nats below the best of their hop are not followed, which leaves room for facts that are missing."""

CHAINS = 50
"""The chains that lead to so many of the most active nodes stay in the subgraph whole."""

DETOUR = 0.5
"""What reaches a node only through the seed itself counts this much: ``films by the director of X`` may mean X too."""


FOLLOWED = 48
"""Paths that could not come among so many best ones found so far are not followed."""

ASKED, WITHIN = 24, 14.0
"""Paths that a second opinion is asked about: the best by the gates, so many nats below the best of them at most."""

PathRescorer = Callable[[list[tuple[int, ...]], np.ndarray], tuple[np.ndarray, float]]
"""Scores of relation paths, in nats, and the chance that one of them answers; given their arc codes and what the gates
said of each, in nats below the best."""


@dataclass(frozen=True, slots=True)
class Budget:
    """What one search may cost.

    Attributes:
        nodes: most nodes of the subgraph.
        frontier: most nodes that pass activation on in one hop.
        arcs: most arcs touched in one hop.
        hub: most arcs followed out of one node.
        paths: most relation paths kept in one hop.
    """

    nodes: int = 1000
    frontier: int = 2000
    arcs: int = 100_000
    hub: int = 20_000
    paths: int = 64

    def __post_init__(self) -> None:
        for name in ("nodes", "frontier", "arcs", "hub", "paths"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise InvalidValue(f"{name} must be a whole number of at least 1, not {value!r}")


class Layer(NamedTuple):
    """What one hop reached: entry i says that path ``path[i]`` leads to ``node[i]``, lastly over one arc.

    ``parent`` [entries] is the entry of the layer before that it came from, ``edge`` the fact, ``code`` the arc code,
    ``share`` 1, or less after a detour through the seed.
    """

    path: np.ndarray
    node: np.ndarray
    parent: np.ndarray
    edge: np.ndarray
    code: np.ndarray
    share: np.ndarray


@dataclass(frozen=True, slots=True)
class ActivatedSubgraph:
    """What a spread reached, most active node first.

    Attributes:
        nodes: int64 [N].
        activation: float32 [N], in [0, 1].
        layers: what each hop reached; layer 0 holds the seeds.
        best: int64 [N, 2], the layer and entry that carried most activation to each node.
        walks: float32 [N], number of arcs that led to the node on its best path.
        arcs: int64 [4, E], source id, target id, arc code and fact id of every arc that carried activation.
        none: probability that no path answers.
        paths: relation paths as arc codes with their probability, best first.
        left_out: share of activation dropped by the budget, 0..1.
    """

    nodes: np.ndarray
    activation: np.ndarray
    layers: list[Layer]
    best: np.ndarray
    walks: np.ndarray
    arcs: np.ndarray
    none: float
    paths: tuple[tuple[tuple[int, ...], float], ...]
    left_out: float

    def first(self, count: int, beside: np.ndarray) -> ActivatedSubgraph:
        """The same with the most active nodes only, and the arcs among them and nodes ``beside``."""
        if len(self.nodes) <= count:
            return self
        nodes = self.nodes[:count]
        ends = np.isin(self.arcs[:2], np.concatenate([nodes, beside]))
        return replace(
            self, nodes=nodes, activation=self.activation[:count], best=self.best[:count], walks=self.walks[:count],
            arcs=self.arcs[:, ends[0] & ends[1]],
        )  # fmt: skip

    def chain(self, position: int) -> list[int]:
        """Fact ids from a seed to the node at ``position``, along its best path."""
        layer, entry = (int(value) for value in self.best[position])
        edges: list[int] = []
        while layer > 0:
            edges.append(int(self.layers[layer].edge[entry]))
            entry = int(self.layers[layer].parent[entry])
            layer -= 1
        return edges[::-1]


def spread(
    index: GraphIndex, roots: list[np.ndarray], weights: np.ndarray, steps: np.ndarray, lengths: np.ndarray,
    budget: Budget | None = None, opinion: PathRescorer | None = None,
) -> ActivatedSubgraph:  # fmt: skip
    """Let activation spread through learned gates.

    Args:
        index: the graph.
        roots: for each thing that the query names, its nodes, int64 each.
        weights: float [R], prior of each root, at most 1.
        steps: float [hops, A], gate of every arc code at every hop, in nats.
        lengths: float [hops + 1], score of every path length, in nats; of length 0, that nothing here answers.
        budget: bounds.
        opinion: judges the best few paths as wholes; its scores stand in place of the gates', and its chance that one
            of them answers in place of the score of length 0.
    """
    walk = Walk(index, roots, weights, steps, lengths, budget or Budget())
    for hop in range(len(steps)):
        if not walk.advance(hop):
            break
    return walk.finish(opinion)


class Walk:
    """The state of one spread: per layer its entries, and per path its parent, last arc code, score and layer."""

    def __init__(
        self, index: GraphIndex, roots: list[np.ndarray], weights: np.ndarray, steps: np.ndarray, lengths: np.ndarray,
        budget: Budget,
    ) -> None:  # fmt: skip
        self.index, self.steps, self.lengths, self.budget = index, steps, lengths, budget
        nodes = np.concatenate(roots)
        path = np.repeat(np.arange(len(roots)), [len(root) for root in roots])
        none = np.full(len(nodes), -1, np.int64)
        self.layers = [Layer(path, nodes.astype(np.int64), none, none, none, np.ones(len(nodes)))]
        self.scores = [np.log(np.maximum(weights, 1e-6)).astype(np.float64)]  # by layer, of each of its paths
        self.parents = [np.full(len(roots), -1, np.int64)]
        self.codes = [np.full(len(roots), -1, np.int64)]
        self.root_of = [np.arange(len(roots))]
        self.walks = [np.ones(len(nodes))]
        self.seed_keys = np.sort(path * index.size + nodes)
        self.answers = [np.zeros(len(nodes), bool)]
        self.arcs: list[tuple[np.ndarray, ...]] = []  # of each hop: origin, target, code and fact
        self.dropped = 0.0

    def advance(self, hop: int) -> bool:
        """One hop; False when it reached nothing."""
        layer, scores = self._affordable(self.layers[-1], self.scores[-1])
        nodes, _, _, where = grouped(layer.node)
        spans = spans_of(self.index, nodes, self.budget.hub)
        front = Hop(where, layer.path, spans, scores, np.asarray(self.steps[hop], np.float64))
        floor = max(front.reach() - MARGIN, self.hopeless(hop))
        extensions = front.extensions(floor)
        if not len(extensions):
            return False
        self._store(front, floor, extensions, hop)
        return True

    def extend(self, hop: int, scores: np.ndarray, parents: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Scores of paths that are their parents and one arc more, in nats."""
        return scores[parents] + self.steps[hop][codes]

    def hopeless(self, hop: int) -> float:
        """A path of ``hop + 1`` arcs that scores less can never be among the best, or within the margin of the best."""
        found = [scores + self.lengths[at] for at, scores in enumerate(self.scores) if at]
        every = np.concatenate([*found, [self.lengths[0]]])
        bound = every.max() - MARGIN
        if len(every) > FOLLOWED:
            bound = max(bound, np.partition(every, -FOLLOWED)[-FOLLOWED])
        further = np.concatenate([[0.0], np.cumsum(self.steps[hop + 1 :].max(axis=1, initial=-np.inf))])
        return float(bound - (further + self.lengths[hop + 1 :]).max())

    def _affordable(self, layer: Layer, scores: np.ndarray) -> tuple[Layer, np.ndarray]:
        """The entries that may pass activation on: of the best paths first, as long as nodes and arcs last."""
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
        """Number the new paths, keep the best of them, and merge arcs that lead the same path to the same node."""
        width, scores = self.steps.shape[1], front.scores
        new_scores = self.extend(hop, scores, extensions // width, extensions % width)
        if len(extensions) > self.budget.paths:
            best = np.argsort(-new_scores, kind="stable")[: self.budget.paths]
            extensions, new_scores = extensions[best], new_scores[best]
        places = np.full(len(scores) * width, -1)
        places[extensions] = np.arange(len(extensions))
        parents, codes = extensions // width, extensions % width
        entry, arc, numbers = front.crossings(floor, places)
        parent = self._kept[entry]
        edge, target = front.spans.edge[arc], front.spans.target[arc].astype(np.int64)
        self.arcs.append((self.layers[-1].node[parent], target, codes[numbers], edge))
        share = self.layers[-1].share[parent]
        detours = None  # of several ways to a node, the one with least
        if share.min(initial=1.0) < 1.0:
            detours = np.rint(np.log(share) / np.log(DETOUR)).astype(np.int64)
        _, first, count, _ = grouped(numbers * self.index.size + target, detours, len(self.layers) + 1)
        numbers, target, parent, edge, share = (v[first] for v in (numbers, target, parent, edge, share))
        back = np.isin(self.root_of[-1][parents][numbers] * self.index.size + target, self.seed_keys)
        share = np.where(back, DETOUR, 1.0) * share
        self.layers.append(Layer(numbers, target, parent, edge.astype(np.int64), codes[numbers], share))
        others = np.bincount(numbers, weights=~back, minlength=len(parents))[numbers]
        self.answers.append(~back | (others == 0))  # the spouse of X's spouse is X, where there is no other
        self.scores.append(new_scores)
        self.parents.append(parents)
        self.codes.append(codes)
        self.root_of.append(self.root_of[-1][parents])
        self.walks.append(count.astype(np.float64))

    def finish(self, opinion: PathRescorer | None = None) -> ActivatedSubgraph:
        """Turn path scores into probabilities and sum them over the paths that reach each node."""
        totals = [scores + self.lengths[hop] for hop, scores in enumerate(self.scores) if hop]
        none = self.lengths[0]
        if opinion is not None and totals:
            none = self._listen(opinion, totals)
        every = np.concatenate([*totals, [none]])
        every = np.exp(every - every.max())
        every /= every.sum()
        chances = np.split(every[:-1], np.cumsum([len(total) for total in totals])[:-1]) if totals else []
        if not chances:
            return self._nothing()
        mass = np.concatenate([c[layer.path] * layer.share for c, layer in zip(chances, self.layers[1:], strict=True)])
        depth = np.repeat(np.arange(1, len(self.layers)), [len(layer.node) for layer in self.layers[1:]])
        entry = np.concatenate([np.arange(len(layer.node)) for layer in self.layers[1:]])
        answers = np.flatnonzero(np.concatenate(self.answers[1:]))
        if not len(answers):
            return self._nothing()
        return self._ranked(answers, mass[answers], depth[answers], entry[answers], chances, float(every[-1]))

    def _listen(self, opinion: PathRescorer, totals: list[np.ndarray]) -> float:
        """Put an opinion on the best paths in place of the gates'; returns the score of *none answers*, in nats.

        Paths that are not asked about keep their distance from the last that is.
        """
        flat = np.concatenate(totals)
        best = np.argsort(-flat, kind="stable")[:ASKED]
        best = best[flat[best] >= flat[best[0]] - WITHIN]
        layer = np.repeat(np.arange(1, len(totals) + 1), [len(total) for total in totals])[best]
        first = np.cumsum([0, *(len(total) for total in totals)])
        paths = [self.codes_of(int(at), int(place)) for at, place in zip(layer, best - first[layer - 1], strict=True)]
        scores, chance = opinion(paths, flat[best] - flat[best[0]])
        flat += scores.min() - flat[best[-1]]
        flat[best] = scores
        for at, total in enumerate(np.split(flat, first[1:-1])):
            totals[at] = total
        most = flat.max()
        all_of_them = most + np.log(np.exp(flat - most).sum())
        chance = min(max(chance, 1e-6), 1 - 1e-6)
        return float(all_of_them + np.log1p(-chance) - np.log(chance))

    def _ranked(
        self, rows: np.ndarray, mass: np.ndarray, depth: np.ndarray, entry: np.ndarray, chances: list[np.ndarray],
        none: float,
    ) -> ActivatedSubgraph:  # fmt: skip
        node = np.concatenate([layer.node for layer in self.layers[1:]])[rows]
        by_mass = np.argsort(-mass, kind="stable")
        nodes, first, _, where = grouped(node[by_mass])
        activation = np.bincount(where, weights=mass[by_mass], minlength=len(nodes))
        first = by_mass[first]  # each node's strongest entry
        walks = np.concatenate(self.walks[1:])[rows][first]
        order = np.argsort(-activation, kind="stable")
        if len(order) > self.budget.nodes:
            passed = self._passed(depth[first[order[:CHAINS]]], entry[first[order[:CHAINS]]])
            needed = np.isin(nodes[order], passed) | (np.arange(len(order)) < CHAINS)
            needed[self._likeliest(order, ~needed, rows, first)[: max(0, self.budget.nodes - int(needed.sum()))]] = True
            order = order[needed][: self.budget.nodes]
        lost = float(activation.sum() - activation[order].sum()) / max(float(activation.sum()), 1e-12)
        return ActivatedSubgraph(
            nodes[order], activation[order].astype(np.float32), self.layers,
            np.stack([depth, entry], 1)[first[order]], walks[order].astype(np.float32), self._carrying(nodes[order]),
            none, self._named(chances), min(1.0, max(self.dropped, lost)),
        )  # fmt: skip

    def _likeliest(self, order: np.ndarray, left: np.ndarray, rows: np.ndarray, first: np.ndarray) -> np.ndarray:
        """Places in ``order`` that are left, those first that end in the same arc as the best node does.

        Where a fact of the right path is missing, the answer is of the kind that its last arc leads to.
        """
        codes = np.concatenate([layer.code for layer in self.layers[1:]])[rows][first][order]
        places = np.flatnonzero(left)
        return np.concatenate([places[codes[places] == codes[0]], places[codes[places] != codes[0]]])

    def _passed(self, depth: np.ndarray, entry: np.ndarray) -> list[int]:
        """Nodes on the way to entries of some layers."""
        found = set()
        for layer, at in zip(depth.tolist(), entry.tolist(), strict=True):
            while layer > 0:
                found.add(int(self.layers[layer].node[at]))
                layer, at = layer - 1, int(self.layers[layer].parent[at])
        return list(found)

    def _carrying(self, nodes: np.ndarray) -> np.ndarray:
        """Arcs between nodes of the subgraph and seeds, each fact once."""
        inside = np.zeros(self.index.size, bool)
        inside[nodes] = inside[self.layers[0].node] = True
        found = []
        for hop in self.arcs:
            both = np.flatnonzero(inside[hop[0]] & inside[hop[1]])
            found.append(np.stack([column[both].astype(np.int64) for column in hop]))
        arcs = np.concatenate(found, axis=1)
        return arcs[:, np.sort(grouped(arcs[3]).first)]

    def codes_of(self, layer: int, path: int) -> tuple[int, ...]:
        """Arc codes of a path of some layer, from the seed on."""
        codes = []
        for at in range(layer, 0, -1):
            codes.append(int(self.codes[at][path]))
            path = int(self.parents[at][path])
        return tuple(codes[::-1])

    def _named(self, chances: list[np.ndarray], most: int = 20) -> tuple[tuple[tuple[int, ...], float], ...]:
        flat = [(float(p), layer, i) for layer, chance in enumerate(chances, 1) for i, p in enumerate(chance)]
        return tuple((self.codes_of(layer, i), chance) for chance, layer, i in sorted(flat, reverse=True)[:most])

    def _nothing(self) -> ActivatedSubgraph:
        none = np.zeros(0, np.int64)
        return ActivatedSubgraph(
            none, np.zeros(0, np.float32), self.layers, np.zeros((0, 2), np.int64), np.zeros(0, np.float32),
            np.zeros((4, 0), np.int64), 1.0, (), 0.0,
        )  # fmt: skip
