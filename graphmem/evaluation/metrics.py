"""Metrics: precision, recall and F1 of sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphmem.core.names import normalise


def set_scores(predicted: Sequence[str], gold: Sequence[str]) -> tuple[float, float, float, float, float, float]:
    """Precision, recall, F1, exact match, first name right, and number of gold names; of one question."""
    have, want = {normalise(name) for name in predicted}, {normalise(name) for name in gold}
    hits = len(have & want)
    f1 = 2 * hits / max(1, len(have) + len(want))
    first = float(bool(predicted) and normalise(predicted[0]) in want)
    return hits / max(1, len(have)), hits / max(1, len(want)), f1, float(have == want), first, float(len(want))


@dataclass(slots=True)
class Tally:
    """Counts of hits, predictions and gold items."""

    hits: int = 0
    predicted: int = 0
    gold: int = 0

    def add(self, predicted: Iterable[Any], gold: Iterable[Any]) -> None:
        """Compare two collections, each item counting once for every time it occurs."""
        have, want = Counter(predicted), Counter(gold)
        self.hits += sum((have & want).values())
        self.predicted += sum(have.values())
        self.gold += sum(want.values())

    @property
    def f1(self) -> float:
        """Micro F1."""
        return 2 * self.hits / max(1, self.predicted + self.gold)

    def row(self) -> dict[str, float]:
        """F1, precision and recall."""
        precision, recall = self.hits / max(1, self.predicted), self.hits / max(1, self.gold)
        return {"f1": round(self.f1, 4), "precision": round(precision, 4), "recall": round(recall, 4)}
