"""The AKEW evaluator's bookkeeping, on a file of the same shape."""

import json
from pathlib import Path
from types import SimpleNamespace

from graphmem.datasets.mquake import consistent_groups, edit_cases
from graphmem.evaluation.text_edits import EditScores, fill, write_gold
from graphmem.memory import GraphMemory


def case(subject: str, new: str, capital: str) -> dict[str, object]:
    return {
        "requested_rewrite": [
            {
                "subject": subject, "prompt": "{} is a citizen of", "target_new": {"str": new},
                "target_true": {"str": "Peru"}, "question": "Citizen of?",
                "fact_new_uns": f"{subject} became a citizen of {new}.",
            }
        ],
        "questions": ["What is the capital of the country of citizenship?"] * 3, "new_answer": capital,
        "new_answer_alias": [], "answer": "Lima", "answer_alias": [],
        "new_single_hops": [
            {"question": "Citizen of?", "answer": new, "answer_alias": ["C."]},
            {"question": "Capital?", "answer": capital, "answer_alias": []},
        ],
        "orig": {
            "triples_labeled": [],
            "new_triples_labeled": [[subject, "country of citizenship", new], [new, "capital", capital]],
        },
    }  # fmt: skip


def write(tmp_path: Path) -> Path:
    rows = [case("Ada", "Chile", "Santiago"), case("Ada", "Cuba", "Havana"), case("Bob", "Chile", "Santiago")]
    file = tmp_path / "akew.jsonl"
    file.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return file


def test_cases_know_what_was_edited(tmp_path: Path) -> None:
    first = edit_cases(write(tmp_path))[0]
    assert first.edits[0].fact == ("Ada", "country of citizenship", "Chile")
    assert first.others == (("Chile", "capital", "Santiago"),)
    assert [asking.edited for asking in first.singles] == [True, False]


def test_contradicting_cases_go_to_different_memories(tmp_path: Path) -> None:
    assert [len(group) for group in consistent_groups(edit_cases(write(tmp_path)))] == [2, 1]


def test_gold_edits_supersede_what_was_held(tmp_path: Path) -> None:
    cases = consistent_groups(edit_cases(write(tmp_path)))[1]
    memory = GraphMemory.open(":memory:")
    fill(memory, cases, old=True)
    assert [fact.object for fact in memory.facts("Ada")] == ["Peru"]
    write_gold(SimpleNamespace(memory=memory), cases)
    assert [fact.object for fact in memory.facts("Ada")] == ["Cuba"]


def test_scores_tell_edited_from_untouched(tmp_path: Path) -> None:
    scores = EditScores()
    scores.ask(edit_cases(write(tmp_path))[0], lambda question: "Chile")
    row = scores.row()
    assert row["single"] == {"right": 1.0, "n": 1}
    assert row["untouched"] == {"right": 0.0, "n": 1}
    assert row["multi"]["n"] == 3
