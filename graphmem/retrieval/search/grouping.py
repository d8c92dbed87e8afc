"""Grouping of equal integers, several times faster than ``numpy.unique`` with indices.

``numpy.unique`` sorts positions by key, which numpy cannot do with vector instructions. Here key and position are
packed into one integer each, and these are sorted.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Groups(NamedTuple):
    """Groups of equal keys, ascending.

    Attributes:
        keys: int64 [G].
        first: int64 [G], position of each group's first member.
        counts: int64 [G], number of members.
        inverse: int64 [n], the group of every position.
    """

    keys: np.ndarray
    first: np.ndarray
    counts: np.ndarray
    inverse: np.ndarray


def grouped(keys: np.ndarray, rank: np.ndarray | None = None, ranks: int = 1) -> Groups:
    """Group equal keys, int64 [n], not negative.

    A group's first member has the lowest ``rank`` (int64 [n], 0 to ``ranks - 1``), then the lowest position.
    """
    count = len(keys)
    room = max(1, count) * ranks
    minor = np.arange(count) if rank is None else rank * count + np.arange(count)
    if count and int(keys.max()) >= (1 << 62) // room:
        order = np.lexsort((minor, keys))
        ordered = keys[order]
    else:
        packed = np.sort(keys * room + minor)
        ordered, order = np.divmod(packed, room)
        order %= max(1, count)
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    inverse = np.empty(count, np.int64)
    counts = np.diff(starts, append=count)
    inverse[order] = np.repeat(np.arange(len(starts)), counts)
    return Groups(ordered[starts], order[starts], counts, inverse)
