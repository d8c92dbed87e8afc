"""Cache of query vectors and token states: a search needs those of one query several times, a batch those of many."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphmem.core.protocols import TextEncoder

CACHE_SIZE = 256
"""Queries that are cached."""

States = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Vector [K], token states [T, K] and mask [T] of one text."""


class QueryEncoder:
    """Text encoder with an LRU cache: one pass gives the vector and the token states of a query.

    Calls of an encoder without token states are passed through.
    """

    def __init__(self, encoder: TextEncoder) -> None:
        self.inner: Any = encoder
        self._cache: OrderedDict[str, States] = OrderedDict()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @property
    def dim(self) -> int:
        """K."""
        return int(self.inner.dim)

    @property
    def fingerprint(self) -> str:
        """Fingerprint of the wrapped encoder."""
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
        self.prepare(texts)
        self._cache.move_to_end(texts[0])
        vector, states, mask = self._cache[texts[0]]
        return vector[None], states[None], mask[None]

    def prepare(self, texts: Sequence[str]) -> None:
        """Encode and cache queries, in one batch."""
        new = list(dict.fromkeys(text for text in texts if text not in self._cache))
        if not new:
            return
        for text, vector, states, mask in zip(new, *self._both(new), strict=True):
            length = max(1, int(mask.sum()))
            self._cache[text] = vector, states[:length].copy(), mask[:length]
        while len(self._cache) > max(CACHE_SIZE, len(texts)):
            self._cache.popitem(last=False)

    def _both(self, texts: Sequence[str]) -> States:
        if hasattr(self.inner, "encode_both"):
            vectors, states, mask = self.inner.encode_both(texts)
            return vectors, states, mask
        states, mask = self.inner.encode_tokens(texts)
        return self.inner.encode(texts), states, mask
