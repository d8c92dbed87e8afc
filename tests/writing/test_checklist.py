from __future__ import annotations

from dataclasses import replace

import pytest

from graphmem.core.edits import WriteDecision
from graphmem.core.types import Fact
from graphmem.writing.checklist import MAX_LISTED, checklist, decision_line, skip_reason

FACT = Fact("Ann", "lives in", "Oslo", "Ann lives in Oslo.", "2001", None, 0.92)
ADD = WriteDecision("add", 0.5, 1.0, None, FACT, {"factuality": "asserted"})
SKIP = replace(ADD, action="skip")


def test_a_line_holds_action_fact_interval_and_confidence() -> None:
    assert decision_line(ADD) == "add    Ann | lives in | Oslo  [2001 → now]  sure 92 %"
    planned = replace(ADD, fact=replace(FACT, factuality="planned", valid_from=None, confidence=0.5))
    assert decision_line(planned) == "add    Ann | lives in | Oslo  planned  perhaps 50 %"
    update = replace(ADD, action="update", evidence={"against": "Ann | lives in | \x1b[2JRome"})
    assert "(instead of: Ann | lives in | \\x1b[2JRome)" in decision_line(update)


@pytest.mark.parametrize(
    ("evidence", "reason"),
    [
        ({"repeats": 1}, "known already"),
        ({"read_before": True}, "read before"),
        ({"held_back": "pinned: a | b | c"}, "pinned: a | b | c"),
        ({"factuality": "uncertain"}, "the text does not assert it: uncertain"),
        ({}, "the gate would not write it"),
    ],
)
def test_reasons(evidence: dict[str, object], reason: str) -> None:
    assert skip_reason(replace(SKIP, evidence=evidence)) == reason
    assert f"({reason})" in decision_line(replace(SKIP, evidence=evidence))


def test_what_is_written_stands_before_offers_and_the_rest() -> None:
    offered = replace(SKIP, offer=replace(ADD, fact=replace(FACT, object="Rome")))
    known = replace(SKIP, evidence={"repeats": 1})
    lines = list(checklist([known, offered, ADD, known], ["It rains."]))
    assert [line[:5] for line in lines if not line.startswith("  ")] == ["[x] a", "[ ] 0", "2 ski", "not u"]
    assert lines[4] == "2 skipped: 2 known already"
    every = list(checklist([known, offered, ADD, known], everything=True))
    assert sum("(known already)" in line for line in every) == 2


def test_many_sentences_are_counted() -> None:
    sentences = [f"Sentence {n}." for n in range(MAX_LISTED + 3)]
    assert list(checklist([], sentences))[-1] == "    … 3 more"
    assert len(list(checklist([], sentences, everything=True))) == MAX_LISTED + 4
