from __future__ import annotations

import gzip
import json

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.datasets.multihop_passages import load, split_halves
from graphmem.evaluation.passages import METHODS, evaluate_passages


@pytest.fixture
def folder(tmp_path):
    """A data set in the form of 2WikiMultiHopQA: ten films, each with a director."""
    home = tmp_path / "2wiki"
    home.mkdir()
    documents, questions = [], []
    for at in range(10):
        film, director = f"Film Number{at}", f"Person Surname{at}"
        documents += [
            (film, f"{film} is a film directed by {director}."),
            (director, f"{director} was born in 19{at}0."),
        ]
        evidence = [[film.upper(), "director", director], [director, "born", f"19{at}0"], ["Nowhere Known", "x", "y"]]
        question = f"When was the director of {film} born?"
        questions.append({"question": question, "question_type": "two_hops", "evidence": evidence})
    with gzip.open(home / "corpus.jsonl.gz", "wt") as file:
        file.writelines(json.dumps({"title": title, "text": text}) + "\n" for title, text in documents)
    (home / "dev.jsonl").write_text("\n".join(map(json.dumps, questions)))
    return tmp_path


def test_questions_and_their_halves(folder) -> None:
    documents, questions = load("2wiki", folder)
    assert len(documents) == 20 and len(questions) == 10
    assert questions[0].gold == ("film number0", "person surname0") and questions[0].missing == 1
    assert {question.half for question in questions} == {"train", "test"}


def test_questions_that_share_a_title_share_a_half() -> None:
    chained = [[f"t{i}", f"t{i + 1}"] for i in range(40)]
    assert len(set(split_halves(chained))) == 1
    assert len(set(split_halves([[f"t{i}"] for i in range(40)]))) == 2


def test_report_has_every_ranker_and_paired_gains(folder, tmp_path) -> None:
    memory = tmp_path / "m.db"
    report = evaluate_passages("2wiki", folder=folder, half="all", memory=memory, progress=False)
    rows = {row.ranker: row for row in report.rows if row.kind == "all"}
    assert set(rows) == set(METHODS) and all(row.n == 10 for row in rows.values())
    assert rows["learned"].complete_at_5 == 1.0 and rows["learned"].complete_gain and not rows["bm25"].complete_gain
    some = evaluate_passages("2wiki", folder=folder, methods=["bm25", "learned"], n=3, memory=memory, progress=False)
    shown = json.loads(some.json())
    assert shown["baseline"] == "bm25" and shown["half"] == "test"


def test_what_cannot_be_evaluated_is_said(folder, tmp_path) -> None:
    with pytest.raises(InvalidValue, match="GRAPHMEM_DATA"):
        evaluate_passages("2wiki", folder=tmp_path / "nowhere")
    with pytest.raises(InvalidValue, match="no ranker 'x'"):
        evaluate_passages("2wiki", folder=folder, methods=["x"])
    with pytest.raises(InvalidValue, match="no data set"):
        load("squad", folder)
