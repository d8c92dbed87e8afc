"""Kernels over the arcs of a frontier, compiled by numba; ``frontier`` imports them in the background."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from graphmem.core.kernels import compiled

_INTS = types.Array(types.int64, 1, "A", readonly=True)
_OUT = types.Array(types.int64, 1, "C")
_FLOATS = types.Array(types.float64, 1, "A", readonly=True)
_FLAGS = types.Array(types.boolean, 1, "C")
_CODES = [types.Array(kind, 1, "A", readonly=True) for kind in (types.int16, types.int32, types.int64)]


@compiled([types.float64(_FLOATS, _INTS, _INTS, codes, _FLOATS) for codes in _CODES])
def best_score(best: Any, starts: Any, counts: Any, code: Any, gates: Any) -> float:
    """Highest sum of a node's ``best`` and the gate of one of its arcs."""
    highest = -np.inf
    for node in range(len(starts)):
        for arc in range(starts[node], starts[node] + counts[node]):
            score = best[node] + gates[code[arc]]
            if score > highest:
                highest = score
    return highest


@compiled([types.void(*[_INTS] * 4, code, _FLOATS, _FLOATS, types.float64, _FLAGS) for code in _CODES])
def mark_extensions(
    where: Any, path: Any, starts: Any, counts: Any, code: Any, scores: Any, gates: Any, floor: float, found: Any
) -> None:
    """Set ``found[path * A + code]`` for every open arc of an entry."""
    width = len(gates)
    for entry in range(len(where)):
        score, row = scores[path[entry]], path[entry] * width
        first = starts[where[entry]]
        for arc in range(first, first + counts[where[entry]]):
            if score + gates[code[arc]] >= floor:
                found[row + code[arc]] = True


@compiled([types.int64(*[_INTS] * 4, code, _FLOATS, _FLOATS, types.float64, _INTS, *[_OUT] * 3) for code in _CODES])
def list_crossings(
    where: Any, path: Any, starts: Any, counts: Any, code: Any, scores: Any, gates: Any, floor: float, numbers: Any,
    entries: Any, arcs: Any, found: Any,
) -> int:  # fmt: skip
    """Write entry, arc and path number of every open arc on a numbered path, as far as they fit; returns the count."""
    width, count = len(gates), 0
    for entry in range(len(where)):
        score, row = scores[path[entry]], path[entry] * width
        first = starts[where[entry]]
        for arc in range(first, first + counts[where[entry]]):
            if score + gates[code[arc]] >= floor and numbers[row + code[arc]] >= 0:
                if count < len(entries):
                    entries[count], arcs[count], found[count] = entry, arc, numbers[row + code[arc]]
                count += 1
    return count
