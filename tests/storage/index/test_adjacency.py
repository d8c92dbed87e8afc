"""CSR views against a plain list of facts."""

from __future__ import annotations

import numpy as np
import pytest

from graphmem.storage.index import adjacency as module
from graphmem.storage.index.adjacency import CSRIndex, Packed


def make(n=50, facts=400, seed=0):
    rng = np.random.default_rng(seed)
    src, dst = rng.integers(0, n, (2, facts))
    relation, edge = rng.integers(0, 7, facts), np.arange(1, facts + 1)
    return n, (src, relation, dst, edge)


def listed(facts, node):
    forward = [(int(d), 2 * int(r), int(e)) for s, r, d, e in zip(*facts, strict=True) if s == node]
    back = [(int(s), 2 * int(r) + 1, int(e)) for s, r, d, e in zip(*facts, strict=True) if d == node]
    return sorted(forward + back)


def arcs_of(index, nodes):
    found = index.expand(np.array(nodes))
    rows = zip(found.origin.tolist(), found.target.tolist(), found.relation.tolist(), found.edge.tolist(), strict=True)
    out = [[] for _ in nodes]
    for origin, *arc in rows:
        out[origin].append(tuple(arc))
    return [sorted(part) for part in out]


def names(count=7):
    return [f"r{number}" for number in range(count)]


def test_expand_and_degree_agree_with_the_list():
    n, facts = make()
    index = CSRIndex(Packed.build(n, *facts), names())
    nodes = [3, 3, 0, n - 1, n + 5]
    assert arcs_of(index, nodes) == [listed(facts, node) for node in nodes]
    assert index.degree(np.array(nodes)).tolist() == [len(listed(facts, node)) for node in nodes]


def test_nothing_out_of_nothing():
    index = CSRIndex(Packed.build(1, *[np.zeros(0, np.int64)] * 4), [])
    assert index.expand(np.array([0, 7])).edge.tolist() == []
    assert index.expand(np.zeros(0, np.int64)).edge.tolist() == []
    assert index.degree(np.array([7])).tolist() == [0]
    assert [len(hop.edge) for hop in index.sample(np.array([0]), [3, 3], np.random.default_rng(0))] == [0, 0]


@pytest.mark.parametrize("limit", [1, 3, 1000])
def test_a_limit_takes_distinct_arcs_spread_over_the_node(limit):
    n, facts = make()
    plain = CSRIndex(Packed.build(n, *facts), names())
    for index in (plain, plain.patched([5, 6], tuple(column[:0] for column in facts), names(), n)):
        arcs = index.expand(np.arange(n), limit)
        counts = np.bincount(arcs.origin, minlength=n)
        assert (counts == np.minimum(index.degree(np.arange(n)), limit)).all()
        seen = set(zip(arcs.origin.tolist(), arcs.relation.tolist(), arcs.edge.tolist(), strict=True))
        assert len(seen) == len(arcs.edge)


@pytest.mark.parametrize("room", [16_384, 4])
def test_patches_equal_a_rebuild(monkeypatch, room):
    monkeypatch.setattr(module, "OVERLAY_ARCS", room)
    n, facts = make()
    index = CSRIndex(Packed.build(n, *(column[:300] for column in facts)), names())
    index = index.patched([3, 9, 9], tuple(column[300:] for column in facts), names(), n + 2)
    index = index.patched([310, 4], tuple(np.array([value]) for value in (n + 1, 2, 0, 900)), names(), n + 2)
    keep = ~np.isin(facts[3], [3, 9, 310, 4])
    truth = tuple(np.append(column[keep], value) for column, value in zip(facts, (n + 1, 2, 0, 900), strict=True))
    nodes = list(range(n + 2))
    assert arcs_of(index, nodes) == [listed(truth, node) for node in nodes]
    assert index.degree(np.array(nodes)).tolist() == [len(listed(truth, node)) for node in nodes]
    again = index.repacked()
    assert arcs_of(again, nodes) == arcs_of(index, nodes)
    assert again.patches == 0


def test_sampling_follows_arcs_and_keeps_to_the_fanout():
    n, facts = make(seed=1)
    plain = CSRIndex(Packed.build(n, *facts), names())
    for index in (plain, plain.patched([5], tuple(column[:0] for column in facts), names(), n)):
        seeds = np.array([1, 2, 3])
        first, second = index.sample(seeds, [4, 2], np.random.default_rng(0))
        for frontier, hop, fanout in ((seeds, first, 4), (first.target, second, 2)):
            counts = np.bincount(hop.origin, minlength=len(frontier))
            assert (counts == np.minimum(index.degree(frontier), fanout)).all()
            for origin, *arc in zip(hop.origin, hop.target, hop.relation, hop.edge, strict=True):
                assert tuple(map(int, arc)) in listed(facts, frontier[origin])


def test_sampling_reaches_every_arc_of_a_hub():
    facts = tuple(np.array(column) for column in ([0] * 30, [0] * 30, list(range(1, 31)), list(range(30))))
    index = CSRIndex(Packed.build(31, *facts), ["r"])
    rng = np.random.default_rng(0)
    seen = {int(node) for _ in range(100) for node in index.sample(np.array([0]), [5], rng)[0].target}
    assert seen == set(range(1, 31))


def test_wide_codes_and_ids_are_kept():
    facts = tuple(np.array([value]) for value in (0, 40_000, 1, 1 << 40))
    index = CSRIndex(Packed.build(2, *facts), [])
    assert arcs_of(index, [0, 1]) == [[(1, 80_000, 1 << 40)], [(0, 80_001, 1 << 40)]]
