"""Checksums of mapped arrays, compared block by block when rows are first used: opening stays cheap."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

SHIFT = 16  # rows in a block, as a power of two


class Doubt(ValueError):
    """Rows of a mapped file are not what was written."""


def sums(array: np.ndarray) -> list[int]:
    """CRC-32 of each block of rows of an array."""
    step = 1 << SHIFT
    return [zlib.crc32(np.ascontiguousarray(array[at : at + step]).data) for at in range(0, len(array), step)]


class Proof:
    """Checksums of arrays of one length, whose rows are used together."""

    def __init__(self, arrays: Sequence[np.ndarray], expected: Sequence[Sequence[int]]) -> None:
        count = -(-len(arrays[0]) >> SHIFT)
        if len({len(array) for array in arrays}) > 1 or {len(found) for found in expected} != {count}:
            raise Doubt("as many checksums as blocks are needed")
        self._arrays, self._expected = arrays, expected
        self._good = np.zeros(count, bool)
        self._done = not count

    def touch(self, rows: np.ndarray) -> None:
        """Compare the blocks of some rows that were not compared yet. Raises ``Doubt``."""
        if self._done or not len(rows):
            return
        wanted = np.zeros_like(self._good)
        wanted[rows >> SHIFT] = True
        self._compare(np.flatnonzero(wanted & ~self._good))

    def touch_all(self) -> None:
        """Compare every block. Raises ``Doubt``."""
        if not self._done:
            self._compare(np.flatnonzero(~self._good))

    def _compare(self, blocks: np.ndarray) -> None:
        step = 1 << SHIFT
        for block in blocks.tolist():
            for array, expected in zip(self._arrays, self._expected, strict=True):
                if zlib.crc32(array[block * step : (block + 1) * step].data) != expected[block]:
                    raise Doubt(f"rows from {block * step} on are not what was written")
            self._good[block] = True
        self._done = bool(self._good.all())
