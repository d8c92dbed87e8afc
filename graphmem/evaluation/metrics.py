"""Metrics: precision, recall and F1 of sets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from graphmem.core.names import normalise


def set_scores(said: Sequence[str], right: Sequence[str]) -> tuple[float, float, float, float, float, float]:
    """Precision, recall, F1, exact, first right, number of right names; of one question."""
    have, want = {normalise(s) for s in said}, {normalise(a) for a in right}
    hit = len(have & want)
    f1 = 2 * hit / max(1, len(have) + len(want))
    first = float(bool(said) and normalise(said[0]) in want)
    return hit / max(1, len(have)), hit / max(1, len(want)), f1, float(have == want), first, float(len(want))


@dataclass(slots=True)
class Tally:
    """Counts of hits, of what was proposed and of what was there."""

    hits: int = 0
    proposed: int = 0
    there: int = 0

    def add(self, proposed: Iterable[Any], there: Iterable[Any]) -> None:
        """Compare two collections, each item counting once for every time it occurs."""
        given, wanted = Counter(proposed), Counter(there)
        self.hits += sum((given & wanted).values())
        self.proposed += sum(given.values())
        self.there += sum(wanted.values())

    @property
    def f1(self) -> float:
        """Micro F1."""
        return 2 * self.hits / max(1, self.proposed + self.there)

    def row(self) -> dict[str, float]:
        """F1, precision and recall."""
        precision, recall = self.hits / max(1, self.proposed), self.hits / max(1, self.there)
        return {"f1": round(self.f1, 4), "precision": round(precision, 4), "recall": round(recall, 4)}
