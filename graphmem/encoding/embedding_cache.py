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
    """Cache of the vectors of recurring texts, such as relation names; a full cache is emptied."""

    def __init__(self, encoder: TextEncoder, max_texts: int = 200_000) -> None:
        self.encoder, self.max_texts = encoder, max_texts
        self._vectors: dict[str, np.ndarray] = {}
        self._lock = Lock()

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of ``texts``, float32 [n, K]."""
        with self._lock:
            new = list(dict.fromkeys(text for text in texts if text not in self._vectors))
            if len(self._vectors) + len(new) > self.max_texts:
                self._vectors = {}
                new = list(dict.fromkeys(texts))
            if new:
                self._vectors.update(zip(new, np.asarray(self.encoder.encode(new), np.float32), strict=True))
            return np.asarray([self._vectors[t] for t in texts], np.float32).reshape(len(texts), self.encoder.dim)
