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
from graphmem.training.gate.simulation import labelled_cases
from graphmem.training.gate.streams import extract_streams


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


def streams(reader: Any, cache: Path | None) -> list[Any]:
    return list(extract_streams([3, 4], 6, split_relations("train"), reader, cache))


def test_what_was_read_is_read_once(tmp_path: Path) -> None:
    reader = Echo()
    first, plain = streams(reader, tmp_path / "heard"), streams(Echo(), None)
    texts = reader.texts
    again = streams(reader, tmp_path / "heard")
    assert reader.texts == texts == 12
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


def test_another_reader_reads_anew(tmp_path: Path) -> None:
    streams(Echo(), tmp_path)
    other = Echo(weight=1.0)
    streams(other, tmp_path)
    assert other.texts == 12


def test_what_the_text_does_not_state_is_to_be_skipped() -> None:
    cases = labelled_cases(streams(Echo(), None), lambda relation: (0.5, 0.5))
    assert cases.found
    assert {case.label for case in cases.found if not case.gold} == {"skip"}
    assert len(cases.missed) > 0
