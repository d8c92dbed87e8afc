"""The shipped weights leave plain text unchanged, also with a confident retrieval for another question."""

from __future__ import annotations

from typing import Any

import pytest

from graphmem.evaluation.locality import changed_answers, text_kl, unrelated_questions
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel

TEXTS = (
    "The tide comes in twice a day at the old harbour, and the boats that lay on the mud in the morning float by noon.",
    "Bread needs flour, water, salt and time. Knead the dough until it is smooth, cover it, and let it rise overnight.",
    "She opened the letter slowly, read it twice, and put it back into the drawer without saying a word to anybody.",
)


@pytest.fixture(scope="module")
def model() -> Any:
    memory = GraphMemory.open(":memory:")
    memory.add_many([("Ada Lovelace", "born in", "London"), ("Inception", "directed by", "Christopher Nolan")])
    yield GraphMemoryModel.from_pretrained("smollm2-135m", memory=memory)
    memory.close()


def test_plain_text_is_unchanged(model: Any) -> None:
    found = model.memory.retrieve("Who directed Inception?")
    moved = text_kl(model, TEXTS, [found] * len(TEXTS))
    assert moved.kl < 0.02 and moved.tokens > 60


def test_the_same_memory_answers_questions(model: Any) -> None:
    assert model.ask("Who directed Inception?").text == "Christopher Nolan"
    assert model.ask("Where was Ada Lovelace born?").text == "London"


def test_changed_answers_are_counted(model: Any) -> None:
    moved = changed_answers(model, ["Who directed Inception?", "What is two plus two?"], max_new_tokens=8)
    assert moved.n == 2 and moved.changed >= 0.5 and moved.changed_first_word >= 0.5
    question, base, attached = moved.examples[0]
    assert (question, attached) == ("Who directed Inception?", "Christopher Nolan") and base != attached


def test_unrelated_questions_name_nothing_of_the_memory() -> None:
    from graphmem.datasets.wikimovies import load_facts

    questions = unrelated_questions("test", 40, seed=3)
    assert len(set(questions)) > 30 and questions == unrelated_questions("test", 40, seed=3)
    held = {name for s, _, o in load_facts() for name in (s, o) if len(name.split()) > 2}
    assert not [name for name in held if any(f" {name}" in question for question in questions)]


def test_a_chat_prompt_is_a_question_and_plain_text_is_not(model: Any) -> None:
    from graphmem.adapters.chat_templates import chat_prompt, is_chat

    questions = model.tokenizer(chat_prompt(model.tokenizer, "Who directed Inception?"))["input_ids"]
    assert is_chat(model.tokenizer, questions)
    assert not is_chat(model.tokenizer, model.tokenizer(TEXTS[0])["input_ids"])
