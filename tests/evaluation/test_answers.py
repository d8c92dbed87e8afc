"""Answers by method, scored, on a model that knows one answer."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.datasets.wikimovies import Question
from graphmem.evaluation import answers
from graphmem.evaluation.answers import METHODS, PromptedBase, ask_on, evaluate_answers, is_refused

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


def test_the_base_is_asked_with_what_is_retrieved_in_its_prompt(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [SimpleNamespace(**vars(FACT), valid_from=start, valid_to=None) for start in ("1815-12-10", None)]
    passages = [SimpleNamespace(title=f"Text {number}", text="Ada.") for number in range(9)]
    model.memory.retrieve = lambda query: SimpleNamespace(facts=facts * 40, passages=passages)
    prompts: list[str] = []
    said = lambda model, given, retrievals, **options: [(prompts.extend(given) or "Rome", 7, 0.5)]
    monkeypatch.setattr(answers, "generate_texts", said)
    answer = PromptedBase(model).ask("Where?")
    assert (answer.text, answer.status, is_refused(answer)) == ("Rome", "from_base", False)
    lines = prompts[0].splitlines()
    assert lines[1:3] == ["Ada born in Rome (since 10 December 1815).", "Ada born in Rome."]
    assert prompts[0].count("Ada born in Rome") == 50 and lines[51:56] == [f"Text {n} | Ada." for n in range(5)]
    assert lines[-1].endswith("Question: Where?")


def test_the_day_is_told_to_a_model_that_takes_one() -> None:
    days: list[str] = []

    class Dated:
        def ask(self, question: str, *, at: str | None = None) -> str:
            days.append(str(at))
            return question

    assert [ask_on(Dated(), "Who?", day) for day in ("2024-11-30", None)] == ["Who?"] * 2
    assert days == ["2024-11-30", "None"]
    assert ask_on(SimpleNamespace(ask=lambda question: question), "Who?", "2024-11-30") == "Who?"


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        ({"status": "not_known", "refused": False}, True), ({"status": "ambiguous", "refused": True}, False),
        ({"status": "from_base"}, False), ({"refused": True}, True), ({}, False),
    ],
)  # fmt: skip
def test_what_counts_as_a_refusal(answer: dict[str, Any], refused: bool) -> None:
    assert is_refused(SimpleNamespace(**answer)) is refused
