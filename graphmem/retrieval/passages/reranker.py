"""Passage reranker: features of candidate passages, and a trained linear score over them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.errors import WeightsMismatch
from graphmem.core.names import normalise
from graphmem.core.paths import WEIGHTS
from graphmem.retrieval.passages.links import PASSED_OVER, Link, TitleMatch

SHIPPED = WEIGHTS / "passages" / "scorer.safetensors"
KIND = "passage-reranker"

FEATURES = (
    "named", "unambiguous", "alike", "dense", "dense rank", "words", "words rank", "answers", "linked from a name",
    "linked from a hit", "link", "shared words", "link rank", "link share", "source", "sources", "mass", "mass rank",
)  # fmt: skip
"""Columns of the feature table, each about 0..1.

``named``: the title is in the question; ``unambiguous``: no other passage has the title; ``alike``: fuzzy match of the
title. ``dense``, ``words``, ``mass``: cosine, BM25 and PageRank, each also as reciprocal rank. ``answers``: cosine with
the masked question. ``link``: cosine of the masked question and the context of the best link to the passage; ``shared
words``: stems that both have; ``link rank`` and ``link share``: that link among the links of its origin; ``source``:
weight of the origin; ``sources``: number of origins.
"""

MIN_NAME_CONFIDENCE = 0.25
"""Anchor weight from which a passage counts as named in the question, and not only as a search hit."""

STEM_LETTERS = 5
"""Length of a stem: words with the same first letters are equal."""

_RELATIONAL = frozenset(
    """act acted acting actor actors actress created direct directed director directors genre genres language
    screenwriter star starred starring stars write writer writers written wrote""".split()
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Signals:
    """Signals of a question over all passages.

    Attributes:
        masked_question: with exact titles masked.
        names: titles in the question.
        dense: cosine of every passage, float32 [P], in the order of ``PassageSearch.ids``.
        words: BM25 scores by id of the best passages, best first.
    """

    question: str
    masked_question: str
    names: list[TitleMatch]
    dense: np.ndarray
    words: dict[int, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Signals of the candidates of a question, by passage id; see ``FEATURES``.

    Attributes:
        anchors: weight of each passage whose links were followed.
        links: to candidates.
        link_similarity: [L], cosines of the links and the masked question.
        answers: cosine of each candidate with the masked question.
    """

    signals: Signals
    anchors: dict[int, float]
    links: list[Link]
    link_similarity: np.ndarray
    dense: dict[int, float]
    answers: dict[int, float]
    dense_ranks: dict[int, int]
    mass: dict[int, float]

    def table(self, candidates: list[int]) -> np.ndarray:
        """Feature table, float32 [C, F]."""
        rows = {passage: dict.fromkeys(FEATURES, 0.0) for passage in candidates}
        self._names(rows)
        self._links(rows)
        self._signals(rows)
        values = [[row[name] for name in FEATURES] for row in rows.values()]
        return np.asarray(values, np.float32).reshape(len(candidates), len(FEATURES))

    def _names(self, rows: dict[int, dict[str, float]]) -> None:
        for name in self.signals.names:
            for row in (rows[passage] for passage in name.passages if passage in rows):
                if not name.nodes:
                    row["alike"] = max(row["alike"], name.confidence)
                    continue
                row["named"] = max(row["named"], name.confidence)
                row["unambiguous"] = max(row["unambiguous"], 1 / len(name.passages))

    def _links(self, rows: dict[int, dict[str, float]]) -> None:
        """Features of each candidate's best link: high anchor weight, and high share among the origin's links."""
        question, best = stems(self.signals.masked_question), dict.fromkeys(rows, 0.0)
        for origin, weight in self.anchors.items():
            chosen = self._best_links(origin)
            if not chosen:
                continue
            shared = np.asarray([len(question & stems(self.links[at].context)) for at in chosen], float)
            answers = np.asarray([self.answers[self.links[at].target] for at in chosen])
            scores = 2 * self.link_similarity[chosen] + 0.2 * shared + 0.5 * answers
            share = np.exp(8 * (scores - scores.max()))
            share, rank = share / share.sum(), np.argsort(np.argsort(-scores, kind="stable"))
            for i, at in enumerate(chosen):
                link, row = self.links[at], rows[self.links[at].target]
                row["sources"] = min(row["sources"] + weight / 3, 1.0)
                if weight * (0.5 + share[i]) <= best[link.target]:
                    continue
                best[link.target] = weight * (0.5 + share[i])
                named = float(weight >= MIN_NAME_CONFIDENCE)
                row |= {"linked from a name": named, "linked from a hit": 1 - named, "source": weight}
                row |= {"link": float(self.link_similarity[at]), "shared words": min(shared[i], 2) / 2}
                row |= {"link rank": 1 / (1 + rank[i]), "link share": float(share[i])}
                if not row["named"]:
                    row["unambiguous"] = max(row["unambiguous"], 1 / link.same_title)

    def _best_links(self, origin: int) -> list[int]:
        """Numbers of the links out of a passage, of several to one target the most similar."""
        best: dict[int, int] = {}
        for at, link in enumerate(self.links):
            other = best.get(link.target)
            if link.origin == origin and (other is None or self.link_similarity[at] > self.link_similarity[other]):
                best[link.target] = at
        return list(best.values())

    def _signals(self, rows: dict[int, dict[str, float]]) -> None:
        words = self.signals.words
        highest = max(words.values(), default=1.0) or 1.0
        ranks = {"words": {passage: rank for rank, passage in enumerate(words)}, "dense": self.dense_ranks}
        ranks["mass"] = {passage: rank for rank, passage in enumerate(self.mass)}
        for passage, row in rows.items():
            row["dense"], row["answers"] = self.dense[passage], self.answers[passage]
            row["words"] = words.get(passage, 0.0) / highest
            row["mass"] = float(np.log(self.mass.get(passage, 0.0) + 1e-6)) / 10 + 1
            row |= {f"{name} rank": 1 / (1 + each[passage]) for name, each in ranks.items() if passage in each}


def stems(text: str) -> set[str]:
    """First letters of the content words of a text."""
    words = (word for word in _WORD.findall(normalise(text)) if len(word) > 2)
    return {word[:STEM_LETTERS] for word in words if word not in PASSED_OVER or word in _RELATIONAL}


class PassageReranker:
    """Linear score of the features of a passage; raises WeightsMismatch unless there are F weights."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = np.asarray(weights, np.float32)
        if self.weights.shape != (len(FEATURES),):
            raise WeightsMismatch(f"expected {len(FEATURES)} weights of passage features, not {self.weights.shape}")

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Scores float32 [C] of candidates [C, F]."""
        return np.asarray(features @ self.weights, np.float32)

    @classmethod
    def load(cls, path: str | Path = SHIPPED) -> PassageReranker:
        """The reranker of a weights file; raises WeightsMismatch without the file, or for other features."""
        saved = load_module(path, kind=KIND)
        if tuple(saved.meta["features"]) != FEATURES:
            raise WeightsMismatch(f"{path} holds weights of other features: {', '.join(saved.meta['features'])}")
        return cls(saved.tensors["weights"].numpy())

    def save(self, path: str | Path) -> None:
        """Write the weights to a file."""
        import torch

        save_module(path, {"weights": torch.from_numpy(self.weights)}, kind=KIND, features=FEATURES)
