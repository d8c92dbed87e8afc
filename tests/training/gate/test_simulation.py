"""Extracted streams and their cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from graphmem.core.types import Fact
from graphmem.reading.alias_patterns import ALSO_KNOWN
from graphmem.reading.candidates import CandidateFact, RelationAlternative
from graphmem.text.lexicon import split_relations
from graphmem.training.gate.simulation import extract_streams, labelled_cases


class Echo:
    """Finds in every text the first and last word, and another name."""

    def __init__(self, weight: float = 0.0) -> None:
        self.network, self.texts = torch.nn.Linear(2, 1), 0
        torch.nn.init.constant_(self.network.weight, weight)

    def read(self, text: str, *, relations: Sequence[str]) -> list[CandidateFact]:
        self.texts += 1
        words, probabilities = text.split(), np.array([0, 1, 0, 0, 0], np.float32)
        fact = Fact(words[0], relations[0], words[-1], text, "2001-01-01", confidence=0.75)
        features = np.arange(3, dtype=np.float32) + len(text)
        others = (RelationAlternative(relations[1], True, 0.25),)
        found = CandidateFact(
            fact,
            "asserted",
            probabilities,
            (0, 3),
            (4, 9),
            "literal",
            2.5,
            features,
            relation_probability=0.5,
            alternatives=others,
            span_probability=0.875,
        )
        return [found, CandidateFact(Fact(words[0], ALSO_KNOWN, words[-1], text))]


def streams(extractor: Any, cache: Path | None) -> list[Any]:
    return extract_streams([3, 4], 6, split_relations("train"), extractor, cache)


def test_streams_are_cached(tmp_path: Path) -> None:
    extractor = Echo()
    first, plain = streams(extractor, tmp_path / "candidates"), streams(Echo(), None)
    texts = extractor.texts
    again = streams(extractor, tmp_path / "candidates")
    assert extractor.texts == texts == 12
    for one, other, uncached in zip(first, again, plain, strict=True):
        assert one.events == other.events == uncached.events
        for a, b in zip(sum(one.found, ()), sum(other.found, ()), strict=True):
            assert (a.fact, a.alternatives, a.span_probability, a.subject_span) == (
                b.fact,
                b.alternatives,
                b.span_probability,
                b.subject_span,
            )
            np.testing.assert_array_equal(a.features, b.features)
            np.testing.assert_array_equal(a.factuality_probabilities, b.factuality_probabilities)
    assert all(len(candidates) == 1 for stream in first for candidates in stream.found)  # other names are no facts


def test_another_extractor_has_its_own_cache(tmp_path: Path) -> None:
    streams(Echo(), tmp_path)
    other = Echo(weight=1.0)
    streams(other, tmp_path)
    assert other.texts == 12


def test_misread_candidates_are_labelled_skip() -> None:
    cases, missed = labelled_cases(streams(Echo(), None), lambda relation: (0.5, 0.5))
    assert cases and missed
    assert {case.label for case in cases if not case.gold} == {"skip"}
