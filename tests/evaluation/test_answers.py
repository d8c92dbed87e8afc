"""Answers by method, scored, on a model that knows one answer."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.datasets.wikimovies import Question
from graphmem.evaluation import answers
from graphmem.evaluation.answers import METHODS, evaluate_answers

NODES = [SimpleNamespace(name="Rome"), SimpleNamespace(name="Oslo")]
FACT = SimpleNamespace(subject="Ada", relation="born in", object="Rome")


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A memory that finds Rome, and a base that repeats what its prompt holds."""
    memory = SimpleNamespace(retrieve=lambda query, top_k: SimpleNamespace(nodes=NODES, facts=[FACT]))
    monkeypatch.setattr(answers, "chat_prompt", lambda tokenizer, question, system="": f"{system} {question}")

    def generate_texts(model: Any, prompts: Any, retrievals: Any, **options: Any) -> list[tuple[str, int, float]]:
        texts = ["in Rome" if "Rome" in prompt else "Rome" if retrievals else "Paris" for prompt in prompts]
        return [(text, 7, 0.5) for text in texts]

    monkeypatch.setattr(answers, "generate_texts", generate_texts)
    return SimpleNamespace(memory=memory, tokenizer=None, config=SimpleNamespace(nodes=4, max_nodes=4))


def test_methods_are_scored_by_number_of_hops(model: Any) -> None:
    questions = [Question(f"Where was person {i} born?", "Ada", ("Rome",), 1 + i % 2) for i in range(6)]
    lines: list[str] = []
    report = evaluate_answers(model, questions=questions, n=2, known=["Rome"], log=lines.append)
    rows = {(row.method, row.hops): row for row in report.rows}
    assert len(rows) == len(lines) == 8 and {row.n for row in report.rows} == {2}
    shares = {method: (rows[method, 1].right, rows[method, 1].contains) for method in METHODS}
    assert shares == dict(zip(METHODS, [(0, 0), (0, 1), (1, 1), (1, 1)], strict=True))
    assert rows["graphmem", 2].right_new is None and rows["top-1 retrieval", 2].prompt_tokens == 0
    assert "| graphmem |" in report.table() and len(json.loads(report.json())["answers"]) == 16
