"""The loops over a frontier's arcs, compiled by numba. Import it through ``frontier``: it costs a second or two."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numba import types

_INTS = types.Array(types.int64, 1, "A", readonly=True)
_OUT = types.Array(types.int64, 1, "C")
_FLOATS = types.Array(types.float64, 1, "A", readonly=True)
_MET = types.Array(types.boolean, 1, "C")
_CODES = [types.Array(kind, 1, "A", readonly=True) for kind in (types.int16, types.int32, types.int64)]


def _compiled(signatures: list[Any]) -> Callable[[Callable[..., Any]], Any]:
    def compile_(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(signatures, cache=True, nogil=True)(function)
        except RuntimeError:  # nowhere to keep the compiled code: compile it each time
            return numba.njit(signatures, nogil=True)(function)

    return compile_


@_compiled([types.float64(_FLOATS, _INTS, _INTS, codes, _FLOATS) for codes in _CODES])
def reach(best: Any, starts: Any, counts: Any, code: Any, gates: Any) -> float:
    """The highest ``best`` of a node and gate of one of its arcs."""
    most = -np.inf
    for node in range(len(starts)):
        for arc in range(starts[node], starts[node] + counts[node]):
            score = best[node] + gates[code[arc]]
            if score > most:
                most = score
    return most


@_compiled([types.void(_INTS, _INTS, _INTS, _INTS, codes, _FLOATS, _FLOATS, types.float64, _MET) for codes in _CODES])
def meet(
    where: Any, path: Any, starts: Any, counts: Any, code: Any, scores: Any, gates: Any, floor: float, met: Any
) -> None:
    """Mark ``path * A + code`` of every arc that an entry may cross."""
    width = len(gates)
    for entry in range(len(where)):
        score, row = scores[path[entry]], path[entry] * width
        first = starts[where[entry]]
        for arc in range(first, first + counts[where[entry]]):
            if score + gates[code[arc]] >= floor:
                met[row + code[arc]] = True


@_compiled(
    [
        types.int64(_INTS, _INTS, _INTS, _INTS, codes, _FLOATS, _FLOATS, types.float64, _INTS, _OUT, _OUT, _OUT)
        for codes in _CODES
    ]
)
def cross(
    where: Any, path: Any, starts: Any, counts: Any, code: Any, scores: Any, gates: Any, floor: float, numbers: Any,
    entries: Any, arcs: Any, found: Any,
) -> int:  # fmt: skip
    """Write entry, arc and number of every open arc on a numbered path, as far as there is room; returns how many."""
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
