"""Relation scorer: a question's gate of every relation at every hop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from graphmem.core.protocols import TextEncoder
from graphmem.encoding.embedding_cache import EmbeddingCache, arc_texts, wording
from graphmem.retrieval.search.spreading_activation import PathRescorer

WORDING = 30.0
"""Nats for a whole point of likeness between a question and the wording of a path.

What the encoder makes of whole phrases knows nothing of training, and so it tells most where relations are new."""
RETRACE = 2.0
"""Nats off a path for every relation that it walks back at once; training questions retrace oftener than people do."""


@dataclass(frozen=True, slots=True)
class RelationScores:
    """What a question says about relations.

    Attributes:
        steps: float32 [hops, A], gate of every arc code at every hop, in nats.
        lengths: float32 [hops + 1], score of every path length, in nats.
        question: torch [K], its vector.
        relations: torch [A, K], what the gates compared it with.
        tokens: torch [1, T, K], its token states.
    """

    steps: np.ndarray
    lengths: np.ndarray
    question: Any
    relations: Any
    tokens: Any


@dataclass(frozen=True, slots=True)
class Arcs:
    """A graph's relations by arc code: what gates compare with, vectors of texts and names, torch [A, K]; the texts."""

    read: Any
    texts: Any
    names: Any
    words: list[str]


class RelationScorer:
    """Reads from a question which relations may be crossed at each hop, and judges the paths that are found.

    Args:
        gates: trained ``Gates``.
        encoder: the text encoder they were trained with.
        aligner: trained ``Aligner``; None leaves paths to the gates.
    """

    def __init__(self, gates: Any, encoder: TextEncoder, aligner: Any = None) -> None:
        self.gates, self.encoder, self.aligner = gates, encoder, aligner
        self.vectors = EmbeddingCache(encoder)
        self._arcs: dict[tuple[str, ...], Arcs] = {}

    def relations(self, names: Sequence[str]) -> Any:
        """What instructions are compared with, torch [2 * relations, K]; made once for a set of relations."""
        return self.arcs(names).read

    def arcs(self, names: Sequence[str]) -> Arcs:
        """All vectors of a graph's relations; made once for a set of relations."""
        import torch

        key = tuple(names)
        if key not in self._arcs:
            self._arcs = dict(list(self._arcs.items())[-7:])
            doubled = torch.from_numpy(self.vectors([name for name in key for _ in (0, 1)]))
            words = arc_texts(key)
            texts = torch.from_numpy(self.vectors(words))
            with torch.inference_mode():
                read = self.gates.relations(doubled, texts, torch.arange(len(texts)) % 2)
            self._arcs[key] = Arcs(read, texts, doubled, words)
        return self._arcs[key]

    def read(self, asked: str, names: Sequence[str]) -> RelationScores:
        """Read a question whose topic is blanked, for a graph of these relations."""
        import torch

        with torch.inference_mode():
            question, tokens, mask = (torch.from_numpy(array) for array in encode_question(self.encoder, asked))
            relations = self.relations(names)
            steps, lengths = self.gates(question, tokens, mask, relations)
        return RelationScores(steps[0].numpy(), lengths[0].numpy(), question[0], relations, tokens[:, mask[0]])

    def opinion(self, read: RelationScores, names: Sequence[str]) -> PathRescorer | None:
        """The aligner's judgement of whole paths; None without one."""
        import torch

        if self.aligner is None:
            return None
        arcs, most = self.arcs(names), self.aligner.config.hops

        def judge(paths: list[tuple[int, ...]], prior: np.ndarray) -> tuple[np.ndarray, float]:
            """Log-scores [P] of whole paths, and the probability that the graph holds what is asked for."""
            padded = np.asarray([[*path, *[-1] * (most - len(path))] for path in paths], np.int64)  # [P, hops]
            codes = np.unique(padded[padded >= 0])
            places = torch.from_numpy(np.where(padded >= 0, np.searchsorted(codes, padded), -1))[None]
            rows = torch.from_numpy(codes)
            said = self.vectors([wording([arcs.words[code] for code in path]) for path in paths])
            with torch.inference_mode():
                scores, known = self.aligner(
                    read.question[None], read.tokens, torch.ones(read.tokens.shape[:2], dtype=torch.bool),
                    arcs.texts[rows], arcs.names[rows], rows % 2, places, torch.from_numpy(prior[None]).float(),
                )  # fmt: skip
            likeness = (said @ read.question.numpy()).astype(np.float64)
            off = RETRACE * np.asarray([_retraced(path) for path in paths])
            return scores[0].numpy() + WORDING * likeness - off, float(torch.sigmoid(known[0]))

        return judge


def _retraced(path: tuple[int, ...]) -> int:
    return sum(one == other ^ 1 for one, other in pairwise(path))


def eased(lengths: np.ndarray, slack: float = 4.0) -> np.ndarray:
    """Scores of lengths at most ``slack`` nats apart, that none be given up before paths are judged as wholes."""
    kept = np.maximum(lengths, lengths[1:].max() - slack)
    kept[0] = lengths[1:].max() - 100.0
    return kept


def encode_question(encoder: Any, asked: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vector [1, K], token states [1, T, K] and mask [1, T] of a question; one pass where the encoder can."""
    if hasattr(encoder, "encode_both"):
        vector, tokens, mask = encoder.encode_both([asked])
        return vector, tokens, mask
    tokens, mask = encoder.encode_tokens([asked])
    return encoder.encode([asked]), tokens, mask
