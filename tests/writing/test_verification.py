"""The second look, with the shipped evidence encoder."""

from __future__ import annotations

from typing import Any

import pytest

from graphmem.core.types import Fact, Factuality
from graphmem.hub import load_encoder, load_evidence_encoder
from graphmem.reading.extraction import Candidate, Mention
from graphmem.writing.verification import verified

TEXT = "Ann Berg moved to Oslo in 2004. She works for Acme. Bo Lind does not live in Turku."


@pytest.fixture(scope="module")
def network() -> Any:
    return load_evidence_encoder(load_encoder())


def candidate(subject: str, relation: str, value: str, words: str, factuality: Factuality = "asserted") -> Candidate:
    start = TEXT.index(words)
    where = (start, TEXT.index(".", start) + 1)
    return Candidate(Mention(subject), Mention(relation), Mention(value), factuality, sentence=where)


def confidence(network: Any, *found: Candidate) -> list[float]:
    return [item.confidence for item in verified(found, TEXT, network) if isinstance(item, Candidate)]


def test_what_the_text_says_is_surer_than_what_it_does_not(network: Any) -> None:
    right, wrong, other = confidence(
        network, candidate("Ann Berg", "lives in", "Oslo", "Ann"), candidate("Bo Lind", "works for", "Acme", "Ann"),
        candidate("Ann Berg", "works for", "Acme", "She"),
    )  # fmt: skip
    assert min(right, other) > 0.5 > wrong  # the third needs the sentence before, which names her


def test_a_negated_fact_is_borne_out_by_no(network: Any) -> None:
    fact = "Bo Lind", "lives in", "Turku", "Bo"
    asserted, negated = confidence(network, candidate(*fact), candidate(*fact, "negated"))
    assert asserted < 0.3 < negated


def test_only_candidates_with_places_are_looked_at(network: Any) -> None:
    fact = Fact("Bo Lind", "works for", "Acme", confidence=0.9)
    mine = candidate("Bo Lind", "works for", "Acme", "Ann")
    first, second = verified([fact, mine], TEXT, network)
    assert first is fact and isinstance(second, Candidate) and second.confidence < 0.5
    assert verified([], TEXT, network) == []
