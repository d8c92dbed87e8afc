from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.core.types import Fact
from graphmem.generation.attribution import Answer, ExplainedItem, Explanation, Quote
from graphmem.visualization.explanation_html import MAX_FACTS, MAX_ROWS, save_explanation


def drawn(tmp_path: Path, *members: ExplainedItem, **more: Any) -> str:
    explained = Explanation("list", "now, 6 March 2024", ("? | mother | <Ann>",), members, **more)
    answer = Answer("A, B", (), (), None, 0, 0.0, 0.9, explanation=explained)
    return save_explanation("Whose mother is Ann?", answer, tmp_path / "p.html").read_text(encoding="utf-8")


def child(name: str, **dates: str) -> ExplainedItem:
    return ExplainedItem(name, evidence=(Fact(name, "mother", "<Ann>", **dates),))


def test_operation_time_set_and_members_are_shown_and_each_name_is_drawn_once(tmp_path: Path) -> None:
    quote = ExplainedItem("C", evidence=(Quote("C is her child.", "Diary", 1, 0, 1),))
    page = drawn(tmp_path, child("A", valid_from="1990"), child("B"), considered=(quote,))
    for text in (
        "operation: list",
        "time: now, 6 March 2024",
        "set: ? | mother | &lt;Ann&gt;",
        "Diary: C is her child.",
    ):
        assert text in page
    assert page.count("<title>&lt;Ann&gt;</title>") == 1 and page.count("<circle") == 3
    assert page.count('class="e on"') == 2 and "(since 1990)" in page
    assert "<Ann>" not in page and "<script" not in page and "http" not in page


def test_large_sets_are_cut_and_say_so(tmp_path: Path) -> None:
    page = drawn(tmp_path, *map(child, map(str, range(300))), count=5_000, complete=False)
    assert f"{MAX_FACTS} of 300 facts drawn" in page and page.count("<line") == MAX_FACTS
    assert f"and {5_000 - MAX_ROWS:,} more" in page and "only a part of the facts" in page


def test_an_answer_without_an_explanation_is_a_page(tmp_path: Path) -> None:
    answer = Answer("From the base.", (), (), None, 0, 0.0, 0.1, status="from_base")
    page = save_explanation("Why?", answer, tmp_path / "p.html").read_text(encoding="utf-8")
    assert "From the base." in page and "from base" in page and "<svg" not in page
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(InvalidValue, match="no page of HTML"):
        save_explanation("Why?", answer, tmp_path / "notes")
