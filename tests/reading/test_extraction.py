from __future__ import annotations

import pytest

from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact
from graphmem.reading.extraction import Candidate, Mention, candidate_of, gate_view

TEXT = "It rains. Ann Berg lives in Oslo."


def test_a_candidate_is_seen_with_its_sentence_and_places() -> None:
    found = Candidate(
        Mention("Ann Berg", 10, 18), Mention("lives in", 19, 27), Mention("Oslo", 28, 32, "literal"),
        confidence=0.6, sentence=(10, 33), qualifiers={"floor": "2"},
    )  # fmt: skip
    view = gate_view(found, TEXT)
    assert str(view.fact) == "Ann Berg | lives in | Oslo" and view.fact.text == "Ann Berg lives in Oslo."
    assert (view.subject_span, view.object_span, view.object_kind) == ((10, 18), (28, 32), "literal")
    assert (view.probability, view.factuality, view.fact.qualifiers) == (0.6, "asserted", {"floor": "2"})


@pytest.mark.parametrize(
    ("end", "at", "factuality"),
    [
        (None, None, "asserted"),
        ("2005", None, "ended"),
        ("2005", "2004-12-31", "asserted"),
        ("2005", "2006-01-01", "ended"),
        ("9999", None, "asserted"),
        ("no day", None, "asserted"),
    ],
)
def test_what_is_asserted_with_an_end_is_over_by_then(end: str | None, at: str | None, factuality: str) -> None:
    assert gate_view(Fact("Ann", "lives in", "Oslo", valid_to=end), TEXT, at).factuality == factuality


def test_a_fact_counts_as_stated_with_its_factuality() -> None:
    view = gate_view(Fact("Ann", "lives in", "Oslo", factuality="planned", confidence=0.3), TEXT)
    assert (view.factuality, view.probability) == ("planned", 0.3)


def test_the_view_of_the_shipped_extractor_is_kept_with_the_new_confidence() -> None:
    found = CandidateFact(Fact("Ann", "lives in", "Oslo"), "ended", surprise=2.0, probability=0.9)
    candidate = candidate_of(found, (0, 5))
    assert (candidate.factuality, candidate.confidence) == ("asserted", 0.9)
    assert gate_view(candidate, TEXT) == found
