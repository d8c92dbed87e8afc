"""Cache of text vectors, and the texts of arcs and relation paths that are encoded."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from graphmem.core.protocols import TextEncoder


def arc_texts(relations: Sequence[str]) -> list[str]:
    """Text of every arc code: ``name`` at ``2 * id``, ``inverse of name`` at ``2 * id + 1``."""
    return [text for name in relations for text in (name, f"inverse of {name}")]


def path_phrase(texts: Sequence[str]) -> str:
    """Noun phrase of a relation path, from the texts of its arcs: ``gender of spouse``."""
    return " of ".join(reversed(texts))


class EmbeddingCache:
    """Cache of the vectors of recurring texts, such as relation names.

    Args:
        encoder: text encoder.
        max_texts: capacity; a full cache is emptied.
    """

    def __init__(self, encoder: TextEncoder, max_texts: int = 200_000) -> None:
        self.encoder, self.max_texts = encoder, max_texts
        self._rows: dict[str, int] = {}
        self._vectors = np.zeros((0, encoder.dim), np.float32)  # with room to grow
        self._lock = Lock()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of ``texts``, float32 [n, K]."""
        with self._lock:
            new = list(dict.fromkeys(text for text in texts if text not in self._rows))
            if len(self._rows) + len(new) > self.max_texts:
                self._rows = {}
                new = list(dict.fromkeys(texts))
            if new:
                self._add(new, self.encoder.encode(new))
            return self._vectors[[self._rows[text] for text in texts]]

    def _add(self, texts: Sequence[str], vectors: np.ndarray) -> None:
        first = len(self._rows)
        if first + len(texts) > len(self._vectors):
            room = np.zeros((max(first + len(texts), 2 * first, 64), self.encoder.dim), np.float32)
            room[:first] = self._vectors[:first]
            self._vectors = room
        self._vectors[first : first + len(texts)] = vectors
        self._rows.update((text, first + i) for i, text in enumerate(texts))
