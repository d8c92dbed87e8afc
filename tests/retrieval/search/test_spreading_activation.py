from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.core.errors import InvalidValue
from graphmem.retrieval.search import spreading_activation as activation
from graphmem.retrieval.search.array_index import ArrayIndex
from graphmem.retrieval.search.pagerank import push
from graphmem.retrieval.search.spreading_activation import DETOUR, Budget, spread

Triples = list[tuple[str, str, str]]
HOPS = 3


def dense(index: ArrayIndex, seed: int, steps: np.ndarray, lengths: np.ndarray) -> tuple[dict[int, float], float]:
    """The definition, over all relation paths of the whole graph: activation of every node, and of none."""
    width = 2 * len(index.relations)
    reach = np.zeros((width, index.size, index.size), bool)
    for node in range(index.size):
        arcs = index.expand(np.asarray([node]))
        reach[arcs.relation, node, arcs.target] = True
    ends: dict[tuple[int, ...], np.ndarray] = {}
    for length in range(1, HOPS + 1):
        for path in product(range(width), repeat=length):
            share = np.zeros(index.size)
            share[seed] = 1
            for code in path:
                share = (reach[code] * share[:, None]).max(0)
                share[seed] *= DETOUR
            if share.any():
                ends[path] = share
    scores = {path: sum(steps[hop][code] for hop, code in enumerate(path)) + lengths[len(path)] for path in ends}
    total = sum(math.exp(score) for score in scores.values()) + math.exp(lengths[0])
    found: dict[int, float] = {}
    for path, share in ends.items():
        for node in np.flatnonzero(share):
            if node != seed or np.count_nonzero(share) == 1:  # where a path leads nowhere but back
                found[int(node)] = found.get(int(node), 0) + math.exp(scores[path]) / total * share[node]
    return found, math.exp(lengths[0]) / total


graphs = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["likes", "owns"]), st.sampled_from("abcdef")),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(graphs, st.integers(0, 2**32 - 1))
def test_the_sparse_walk_equals_the_definition(triples: Triples, seed: int) -> None:
    index, rng = ArrayIndex(triples), np.random.default_rng(seed)
    steps, lengths = rng.normal(size=(HOPS, 2 * len(index.relations))), rng.normal(size=HOPS + 1)
    found = spread(index, [np.asarray([0])], np.ones(1), steps, lengths, Budget(paths=1000))
    expected, none = dense(index, 0, steps, lengths)
    assert dict(zip(found.nodes.tolist(), found.activation.tolist(), strict=True)) == pytest.approx(expected, abs=1e-5)
    assert found.no_answer == pytest.approx(none, abs=1e-5) or not expected
    assert found.truncated_mass < 1e-9


@settings(max_examples=30, deadline=None)
@given(graphs, st.integers(0, 2**32 - 1))
def test_every_chain_walks_from_the_seed_to_its_node(triples: Triples, seed: int) -> None:
    index, rng = ArrayIndex(triples), np.random.default_rng(seed)
    steps, lengths = rng.normal(size=(HOPS, 2 * len(index.relations))), rng.normal(size=HOPS + 1)
    found = spread(index, [np.asarray([0])], np.ones(1), steps, lengths)
    for position, node in enumerate(found.nodes.tolist()):
        here = {0}
        for edge in found.chain(position):
            s, _, o = triples[edge]
            ends = {index.ids[s], index.ids[o]}
            assert here & ends
            here = ends - here or ends
        assert node in here


FILMS: Triples = [
    ("Alien", "directed by", "Scott"), ("Blade", "directed by", "Scott"), ("Alien", "starred", "Weaver"),
    ("Blade", "starred", "Ford"), ("Heat", "directed by", "Mann"),
]  # fmt: skip


def gates(*path: int, hops: int = HOPS, width: int = 4) -> tuple[np.ndarray, np.ndarray]:
    steps = np.full((hops, width), -8.0)
    for hop, code in enumerate(path):
        steps[hop, code] = 0
    lengths = np.full(hops + 1, -8.0)
    lengths[len(path)] = 0
    return steps, lengths


def test_the_gates_choose_the_path() -> None:
    index = ArrayIndex(FILMS)
    found = spread(index, [np.asarray([index.ids["alien"]])], np.ones(1), *gates(0, 1, 2))
    names = [index.names[node] for node in found.nodes]
    assert names[0] == "Ford" and len(found.chain(0)) == 3
    assert [FILMS[edge][2] for edge in found.chain(0)] == ["Scott", "Scott", "Ford"]
    weaver = found.activation[names.index("Weaver")]  # reached only through Alien itself
    assert weaver == pytest.approx(found.activation[0] * DETOUR, rel=0.01)
    assert "Alien" not in names[:3]  # the only end of paths that lead back, which the gates do not ask for


def test_two_topics_add_up() -> None:
    index = ArrayIndex([("F", "starred", "x"), ("F", "starred", "y"), ("G", "starred", "x"), ("H", "starred", "y")])
    roots = [np.asarray([index.ids["x"]]), np.asarray([index.ids["y"]])]
    found = spread(index, roots, np.ones(2), *gates(1, width=2))
    assert index.names[found.nodes[0]] == "F" and found.activation[0] > 1.9 * found.activation[1]


def test_a_path_that_leads_only_back_answers_with_its_seed() -> None:
    index = ArrayIndex([("ann", "spouse", "bob")])
    found = spread(index, [np.asarray([0])], np.ones(1), *gates(0, 1, width=2))
    assert index.names[found.nodes[0]] == "ann" and found.chain(0) == [0, 0]


def test_a_rescorer_replaces_the_gates_and_the_probability_of_an_answer() -> None:
    index = ArrayIndex(FILMS)
    scored: list[tuple[int, ...]] = []

    def rescore(paths: list[tuple[int, ...]], prior: np.ndarray) -> tuple[np.ndarray, float]:
        scored.extend(paths)
        assert prior.max() == prior[0] == 0
        return np.asarray([9.0 if path == (2,) else 0.0 for path in paths]), 0.25

    steps, lengths = gates(0, 1, 2)
    found = spread(index, [np.asarray([0])], np.ones(1), steps / 2, lengths / 2, None, rescore)
    assert (0, 1, 2) in scored and index.names[found.nodes[0]] == "Weaver"
    assert found.no_answer == pytest.approx(0.75) and found.activation[0] == pytest.approx(0.25, abs=0.01)


def test_the_budget_bounds_nodes_and_counts_the_truncated_mass() -> None:
    index = ArrayIndex([("hub", "has", f"leaf {i}") for i in range(500)])
    found = spread(index, [np.asarray([0])], np.ones(1), *gates(0, width=2), Budget(nodes=100))
    assert len(found.nodes) == 100 and found.truncated_mass == pytest.approx(0.8, abs=0.01)


def test_a_hub_is_expanded_within_the_budget() -> None:
    index = ArrayIndex([("hub", "has", f"leaf {i}") for i in range(5000)])
    calls: list[int] = []
    expand = index.expand
    index.expand = lambda nodes, limit=None: calls.append(len(expand(nodes, limit).target)) or expand(nodes, limit)  # type: ignore
    spread(index, [np.asarray([0])], np.ones(1), *gates(0, width=2), Budget(hub=50, frontier=10))
    assert max(calls) <= 60


def test_no_arcs_no_activation() -> None:
    index = ArrayIndex([("a", "likes", "b")])
    index.names.append("alone")
    index._starts = np.append(index._starts, index._starts[-1])
    found = spread(index, [np.asarray([2])], np.ones(1), *gates(0, width=2))
    assert not len(found.nodes) and found.no_answer == 1


@settings(deadline=None)
@given(graphs)
def test_pushed_mass_is_never_more_than_all(triples: Triples) -> None:
    index = ArrayIndex(triples)
    nodes, mass, truncated_mass = push(index, np.asarray([0]), np.ones(1, np.float32), hops=30, floor=0.0)
    assert mass.sum() <= 1 + 1e-5 and mass.sum() + truncated_mass == pytest.approx(1, abs=1e-3)
    assert nodes[0] == 0 or mass[0] >= mass[nodes == 0][0]


def test_pushed_mass_is_personalised_pagerank() -> None:
    index = ArrayIndex(FILMS)
    nodes, mass, _ = push(index, np.asarray([0]), np.ones(1, np.float32), hops=60, floor=0.0)
    matrix = np.zeros((index.size, index.size))
    for node in range(index.size):
        np.add.at(matrix[node], index.expand(np.asarray([node])).target, 1)
    matrix /= matrix.sum(1, keepdims=True)
    start = np.eye(index.size)[0]
    expected = 0.5 * start @ np.linalg.inv(np.eye(index.size) - 0.5 * matrix)
    assert np.allclose(expected[nodes], mass, atol=1e-5)


def test_budgets_are_checked() -> None:
    with pytest.raises(InvalidValue, match="nodes must be.*0"):
        Budget(nodes=0)
    assert activation.MARGIN > 0
