"""Questions with their documents: only rows held out of training, in the order of the file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.core.splits import held
from graphmem.datasets.document_questions import BOOLQ, SQUAD, WIKI, load

NUMBERED = [f"who lived in house {number}?" for number in range(60)]
HELD = [question for question in NUMBERED if held(question)]


def write(path: Path, rows: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def test_questions_about_titles_held_out(tmp_path: Path) -> None:
    row = {"question": "Who?", "answers": ["Ada"], "context": "Ada did."}
    titles = ["Wayback_Machine", "University_of_Notre_Dame", None, "Dog"]
    write(tmp_path / SQUAD, [{**row, "title": title, "context": f"Ada did {n}."} for n, title in enumerate(titles)])
    shared, questions = load("squad", tmp_path)
    assert not shared
    assert [q.documents for q in questions] == [(("Wayback Machine", "Ada did 0."),), (("Dog", "Ada did 3."),)]
    everything, same = load("squad-all", tmp_path)
    assert [title for title, _ in everything] == ["Wayback Machine", "University of Notre Dame", "", "Dog"]
    assert [(q.text, q.answers, q.documents) for q in same] == [("Who?", ("Ada",), ())] * 2


def test_paragraphs_come_with_their_question(tmp_path: Path) -> None:
    context = [["House", ["It was built. ", "Bo lived in it."]], ["Empty", [""]]]
    rows = [{"question": q.upper(), "answer": "Bo", "context": context} for q in NUMBERED]
    write(tmp_path / WIKI[0], rows[:30])
    write(tmp_path / WIKI[1], rows[30:])
    shared, questions = load("2wiki", tmp_path)
    assert not shared and [q.text.lower() for q in questions] == HELD
    assert questions[0].documents == (("House", "It was built. Bo lived in it."),) and questions[0].answers == ("Bo",)


def test_yes_and_no(tmp_path: Path) -> None:
    rows = [{"question": q, "title": "T", "passage": "P", "answer": q == HELD[0]} for q in NUMBERED]
    write(tmp_path / BOOLQ, rows)
    _, questions = load("boolq", tmp_path)
    assert [(q.text, q.answers) for q in questions] == [(q, ("yes" if q == HELD[0] else "no",)) for q in HELD]


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="no set 'nq'"):
        load("nq", tmp_path)
    with pytest.raises(InvalidValue, match="cannot read"):
        load("squad", tmp_path)
    for rows in ([{"text": "Who?"}], [["Who?"]], [{"title": 3, "context": "", "question": "", "answers": []}]):
        write(tmp_path / SQUAD, rows)
        with pytest.raises(InvalidValue, match="not of the form"):
            load("squad", tmp_path)
