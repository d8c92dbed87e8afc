"""Cache of text vectors, and the wordings of relations that are encoded."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from graphmem.core.protocols import TextEncoder


def arc_texts(relations: Sequence[str]) -> list[str]:
    """Text of every arc code: ``name`` at ``2 * id``, ``inverse of name`` at ``2 * id + 1``."""
    return [text for name in relations for text in (name, f"inverse of {name}")]


def wording(texts: Sequence[str]) -> str:
    """How a path is said, from the texts of its arcs: ``gender of spouse``."""
    return " of ".join(reversed(texts))


class EmbeddingCache:
    """Remembers the vectors of texts that come again and again, such as relation names.

    Args:
        encoder: makes the vectors of texts not seen before.
        limit: this many texts are kept; when they are full, the cache starts anew.
    """

    def __init__(self, encoder: TextEncoder, limit: int = 200_000) -> None:
        self.encoder, self.limit = encoder, limit
        self._rows: dict[str, int] = {}
        self._vectors = np.zeros((0, encoder.dim), np.float32)  # with room to grow
        self._lock = Lock()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of ``texts``, float32 [n, K]."""
        with self._lock:
            new = list(dict.fromkeys(text for text in texts if text not in self._rows))
            if len(self._rows) + len(new) > self.limit:
                self._rows = {}
                new = list(dict.fromkeys(texts))
            if new:
                self._keep(new, self.encoder.encode(new))
            return self._vectors[[self._rows[text] for text in texts]]

    def _keep(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        first = len(self._rows)
        if first + len(texts) > len(self._vectors):
            room = np.zeros((max(first + len(texts), 2 * first, 64), self.encoder.dim), np.float32)
            room[:first] = self._vectors[:first]
            self._vectors = room
        self._vectors[first : first + len(texts)] = vectors
        self._rows.update((text, first + i) for i, text in enumerate(texts))
