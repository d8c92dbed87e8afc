"""Fact sets: facts and questions cut from their files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.datasets.fact_sets import _relation, load_facts_and_questions


def write(path: Path, rows: list[dict]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")


def test_path_questions_lose_their_underscores(tmp_path: Path) -> None:
    folder = tmp_path / "pathquestion"
    folder.mkdir()
    (folder / "kb_2hop.tsv").write_text("anna_of_x\tchildren\trudolf\nrudolf\tparents\tenno_iii\n")
    (folder / "dev_2hop.tsv").write_text("the parent of anna_of_x 's son ?\tenno_iii(enno_iii/anna_of_x/)\tpath\n")
    (store,) = load_facts_and_questions("pathquestion", tmp_path, 5)
    assert store.facts[1] == ("rudolf", "parents", "enno iii")
    assert store.questions[0].question == "the parent of anna of x 's son ?"
    assert store.questions[0].answers == ("enno iii", "anna of x")


def test_single_facts_stand_among_the_other_sets(tmp_path: Path) -> None:
    row = {"subject": "A", "relation": "occupation", "object": "poet", "question": "What is A?", "answers": ["bard"]}
    write(tmp_path / "popqa/dev.jsonl", [row, {**row, "object": "judge"}])
    write(tmp_path / "zsre/dev.jsonl", [{**row, "subject": "B", "questions": ["Who is B?", "And B?"]}])
    write(tmp_path / "trex/dev.jsonl", [{**row, "subject": "C", "questions": []}])
    (store,) = load_facts_and_questions("popqa", tmp_path, 9, seed=1)
    assert len(store.facts) == 4 and {"poet", "judge", "bard"} == set(store.questions[0].answers)
    (other,) = load_facts_and_questions("zsre", tmp_path, 9)
    assert [q.question for q in other.questions] == ["Who is B?"] and other.facts == store.facts


def test_paraphrases_that_hold_their_own_answer_are_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "mquake"
    folder.mkdir()
    (folder / "cloze_templates.json").write_text(json.dumps({"P800": "[X] is famous for __"}))
    write(folder / "akew_dev.jsonl", [{"requested_rewrite": []}])
    questions = ["What is Kishi famous for?", "Who is famous for Theory of Signs?", "What made Kishi famous?"]
    write(
        folder / "edits_with_paraphrases.jsonl",
        [{"edit": "Kishi is famous for Theory of Signs", "questions": questions}],
    )
    (store,) = load_facts_and_questions("paraphrase", tmp_path, 5)
    assert store.facts == (("Kishi", "is famous for", "Theory of Signs"),)
    assert [(q.question, q.phrasing) for q in store.questions] == [(questions[0], 0), (questions[2], 2)]


@pytest.mark.parametrize(
    ("form", "relation"),
    [
        ("[X] was born in the city of __", "was born in the city of"), ("The author of [X] is __", "author of"),
        ("[X]'s child is __", "child is"), ("The name of the current head of state in [X] is __",
                                            "name of the current head of state in"),
    ],
)  # fmt: skip
def test_relations_are_cut_out_of_templates(form: str, relation: str) -> None:
    assert _relation(form) == relation


def test_missing_data_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidValue, match="kb_2hop.tsv"):
        load_facts_and_questions("pathquestion", tmp_path, 3)
    with pytest.raises(InvalidValue, match="no set 'poetry'"):
        load_facts_and_questions("poetry", tmp_path, 3)
    monkeypatch.delenv("GRAPHMEM_DATA", raising=False)
    with pytest.raises(InvalidValue, match="--data"):
        load_facts_and_questions("zsre", None, 3)
