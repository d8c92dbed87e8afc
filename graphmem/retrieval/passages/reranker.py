"""What is known of a candidate passage, as numbers, and the small trained scorer over them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphmem.core.errors import WeightsMismatch
from graphmem.core.names import normalise
from graphmem.core.paths import WEIGHTS
from graphmem.retrieval.passages.links import Link, Named
from graphmem.text.stop_words import STOP_WORDS

SHIPPED = WEIGHTS / "passages" / "scorer.safetensors"
"""The weights that ship."""

FEATURES = (
    "named", "unambiguous", "alike", "dense", "dense rank", "words", "words rank", "answers", "linked from a name",
    "linked from a hit", "link", "shared words", "link rank", "link share", "source", "sources", "mass", "mass rank",
)  # fmt: skip
"""Columns of the table, all about 0..1.

``named``: its title is in the question; ``unambiguous``: no other passage has that title; ``alike``: its title is like
a name in the question. ``dense``, ``words``, ``mass``: cosine, BM25 and PageRank, each also as one over the rank.
``answers``: cosine with the question, its names blanked out. ``link``: cosine of the blanked question with the words
around the name that leads here; ``shared words``: words that both have; ``link rank`` and ``link share``: that link
among all of its passage; ``source``: how sure that passage is; ``sources``: how many lead here.
"""

SURE = 0.25
"""A passage is named, not just a hit, from this weight on."""

STEM = 5
"""Words that begin with the same so many letters are one."""

_RELATIONAL = frozenset(
    """act acted acting actor actors actress created direct directed director directors genre genres language
    screenwriter star starred starring stars write writer writers written wrote""".split()
)
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a search knows about its candidates, by passage id; see ``Signals`` and ``FEATURES``."""

    asked: str
    names: list[Named]
    anchors: dict[int, float]
    links: list[Link]
    around: np.ndarray
    dense: dict[int, float]
    answers: dict[int, float]
    dense_ranks: dict[int, int]
    words: dict[int, float]
    mass: dict[int, float]

    def table(self, candidates: list[int]) -> np.ndarray:
        """Float32 [C, F]."""
        rows = {passage: dict.fromkeys(FEATURES, 0.0) for passage in candidates}
        self._names(rows)
        self._links(rows)
        self._signals(rows)
        values = [[row[name] for name in FEATURES] for row in rows.values()]
        return np.asarray(values, np.float32).reshape(len(candidates), len(FEATURES))

    def _names(self, rows: dict[int, dict[str, float]]) -> None:
        for name in self.names:
            for row in (rows[passage] for passage in name.passages if passage in rows):
                if not name.nodes:
                    row["alike"] = max(row["alike"], name.sure)
                    continue
                row["named"] = max(row["named"], name.sure)
                row["unambiguous"] = max(row["unambiguous"], 1 / len(name.passages))

    def _links(self, rows: dict[int, dict[str, float]]) -> None:
        """Each candidate's best link: one from a sure passage that stands out among that passage's links."""
        asked, best = stems(self.asked), dict.fromkeys(rows, 0.0)
        for origin, weight in self.anchors.items():
            each = _best_of(
                [at for at, link in enumerate(self.links) if link.origin == origin], self.links, self.around
            )
            if not each:
                continue
            shared = np.asarray([len(asked & stems(self.links[at].around)) for at in each], float)
            answers = np.asarray([self.answers[self.links[at].target] for at in each])
            scores = 2 * self.around[each] + 0.2 * shared + 0.5 * answers
            share = np.exp(8 * (scores - scores.max()))
            share, rank = share / share.sum(), np.argsort(np.argsort(-scores, kind="stable"))
            for place, at in enumerate(each):
                link, row = self.links[at], rows[self.links[at].target]
                row["sources"] = min(row["sources"] + weight / 3, 1.0)
                if weight * (0.5 + share[place]) <= best[link.target]:
                    continue
                best[link.target] = weight * (0.5 + share[place])
                sure = float(weight >= SURE)
                row |= {"linked from a name": sure, "linked from a hit": 1 - sure, "source": weight}
                row |= {"link": float(self.around[at]), "shared words": min(shared[place], 2) / 2}
                row |= {"link rank": 1 / (1 + rank[place]), "link share": float(share[place])}
                if not row["named"]:
                    row["unambiguous"] = max(row["unambiguous"], 1 / link.rivals)

    def _signals(self, rows: dict[int, dict[str, float]]) -> None:
        most = max(self.words.values(), default=1.0) or 1.0
        word_ranks = {passage: rank for rank, passage in enumerate(self.words)}
        mass_ranks = {passage: rank for rank, passage in enumerate(self.mass)}
        for passage, row in rows.items():
            row["dense"], row["answers"] = self.dense[passage], self.answers[passage]
            row["words"] = self.words.get(passage, 0.0) / most
            row["mass"] = float(np.log(self.mass.get(passage, 0.0) + 1e-6)) / 10 + 1
            for name, ranks in (("dense", self.dense_ranks), ("words", word_ranks), ("mass", mass_ranks)):
                row[f"{name} rank"] = 1 / (1 + ranks[passage]) if passage in ranks else 0.0


def _best_of(at: list[int], links: list[Link], around: np.ndarray) -> list[int]:
    """Of the links to one passage the one whose words are most like the question."""
    best: dict[int, int] = {}
    for place in at:
        other = best.get(links[place].target)
        if other is None or around[place] > around[other]:
            best[links[place].target] = place
    return list(best.values())


def stems(text: str) -> set[str]:
    """Beginnings of the words that say something."""
    words = (word for word in _WORD.findall(normalise(text)) if len(word) > 2)
    return {word[:STEM] for word in words if word not in STOP_WORDS or word in _RELATIONAL}


class PassageReranker:
    """One weight a feature: a passage's score is their sum.

    Args:
        weights: float32 [F].
    """

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = np.asarray(weights, np.float32)
        if self.weights.shape != (len(FEATURES),):
            raise WeightsMismatch(f"expected {len(FEATURES)} weights of passage features, not {self.weights.shape}")

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """Scores float32 [C] of candidates [C, F]."""
        return np.asarray(features @ self.weights, np.float32)

    @classmethod
    def load(cls, path: str | Path = SHIPPED) -> PassageReranker:
        """Read weights.

        Raises:
            WeightsMismatch: no such file, or made for other features.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(str(path), "numpy") as file:
                names = (file.metadata() or {}).get("features", "").split("|")
                weights = file.get_tensor("weights")
        except (OSError, SafetensorError) as error:
            raise WeightsMismatch(f"cannot read passage weights from {path}: {error}") from None
        if tuple(names) != FEATURES:
            raise WeightsMismatch(f"{path} holds weights of other features: {', '.join(names)}")
        return cls(weights)

    def save(self, path: str | Path) -> None:
        """Write the weights to a file."""
        from safetensors.numpy import save_file

        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save_file({"weights": self.weights}, str(path), {"features": "|".join(FEATURES)})
