"""A text encoder that remembers the last queries: a search asks for the same one several times, a batch for many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphmem.core.protocols import TextEncoder

REMEMBERED = 256
"""Queries whose token states are kept."""

States = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Vector [K], token states [T, K] and mask [T] of one text."""


class QueryEncoder:
    """Wraps an encoder; single texts are encoded once, by one pass that gives their vector and token states.

    Args:
        encoder: the encoder; one that makes no token states is passed through.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self.inner: Any = encoder
        self._kept: OrderedDict[str, States] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def dim(self) -> int:
        """K."""
        return int(self.inner.dim)

    @property
    def fingerprint(self) -> str:
        """Of the encoder below."""
        return str(self.inner.fingerprint)

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors, float32 [n, K]."""
        if len(texts) != 1 or not hasattr(self.inner, "encode_both"):
            return np.asarray(self.inner.encode(texts))
        return self.encode_both(texts)[0]

    def encode_both(self, texts: Sequence[str]) -> States:
        """Vectors [n, K], token states [n, T, K] and mask [n, T]."""
        if len(texts) != 1:
            return self._both(texts)
        if texts[0] not in self._kept:
            self.prepare(texts)
        self._kept.move_to_end(texts[0])
        vector, states, mask = self._kept[texts[0]]
        return vector[None], states[None], mask[None]

    def prepare(self, texts: Sequence[str]) -> None:
        """Encode queries ahead, in one batch."""
        new = list(dict.fromkeys(text for text in texts if text not in self._kept))
        if not new:
            return
        for text, vector, states, mask in zip(new, *self._both(new), strict=True):
            length = max(1, int(mask.sum()))
            self._kept[text] = vector, states[:length].copy(), mask[:length]
        while len(self._kept) > max(REMEMBERED, len(texts)):
            self._kept.popitem(last=False)

    def _both(self, texts: Sequence[str]) -> States:
        if hasattr(self.inner, "encode_both"):
            vectors, states, mask = self.inner.encode_both(texts)
            return vectors, states, mask
        states, mask = self.inner.encode_tokens(texts)
        return self.inner.encode(texts), states, mask
