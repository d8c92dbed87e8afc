"""Made memories: what they hold, what they leave out, and what their questions are answered by."""

from __future__ import annotations

from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.core.splits import Use, held, use_of
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.training.evidence import memories
from graphmem.training.evidence.memories import STRANGE, MadeMemory, held_out_examples, is_right, made_memories


@pytest.fixture
def made(data: Path, monkeypatch: pytest.MonkeyPatch, encoder: Any) -> list[MadeMemory]:
    monkeypatch.setattr(memories, "use_of", lambda key: "network")
    return list(made_memories(data, 0, 3, EmbeddingCache(encoder), 40))


def test_a_row_has_one_use() -> None:
    uses: list[Use] = [use_of(f"row {n}") for n in range(4000)]
    assert [held(f"row {n}") for n in range(4000)] == [use != "encoder" for use in uses]
    assert all(200 < uses.count(use) < 300 for use in ("network", "calibration"))


def test_examples_are_of_rows_that_the_encoder_was_not_trained_on(data: Path) -> None:
    sets = held_out_examples(data, Random(0), 30)
    assert all(len(examples) <= 30 and not any(e.asks_verdict for e in examples) for examples in sets.values())
    tables = {int(unit.text.split(" of ")[1].split()[0]) for e in sets["tables"] for unit in e.units}
    assert tables and all(use_of(f"csv/{n}.csv") == "network" for n in tables)
    assert {"lexicon", "metaqa", "simplequestions"} <= {name for name, examples in sets.items() if examples}


def test_a_memory_holds_what_answers_its_questions_or_its_question_has_no_answer(made: list[MadeMemory]) -> None:
    assert len(made) == 3
    for memory in made:
        ends = {end for fact in memory.facts for end in (fact[0], fact[2])}
        dates = {date for fact in memory.facts for date in fact[3:] if date}
        text = " ".join(passage for _, passage in memory.passages)
        for question in memory.questions:
            known = [answer in ends or answer in dates or answer in text for answer in question.answers]
            assert all(known) or question.source == "aliases", question
    asked = [question for memory in made for question in memory.questions]
    assert 0.4 < sum(bool(question.answers) for question in asked) / len(asked) < 0.95
    assert len({fact[:3] for fact in made[0].facts}) == len(made[0].facts)


def test_names_of_questions_on_passages_have_facts_that_do_not_answer_them(made: list[MadeMemory]) -> None:
    for memory in made:
        titles = {title for title, _ in memory.passages}
        strange = [fact for fact in memory.facts if fact[0] in titles or fact[0].startswith("Person")]
        assert len(strange) >= STRANGE
        assert any(question.source == "squad" for question in memory.questions)


def test_the_seed_fixes_the_memories(data: Path, made: list[MadeMemory], encoder: Any) -> None:
    vectors = EmbeddingCache(encoder)
    assert list(made_memories(data, 0, 3, vectors, 40)) == made != list(made_memories(data, 1, 3, vectors, 40))


def test_a_share_of_the_questions_names_its_topic_otherwise(made: list[MadeMemory]) -> None:
    aliases = [pair for memory in made for pair in memory.aliases]
    assert len(aliases) > 3 and len({alias for _, alias in aliases}) == len(aliases)
    for memory in made:
        ends = {end for fact in memory.facts for end in (fact[0], fact[2])}
        assert {name for name, _ in memory.aliases} <= ends
        asked = [q.text.lower() for q in memory.questions]
        assert all(any(alias.lower() in text for text in asked) for _, alias in memory.aliases)
    about = [q for memory in made for q in memory.questions if q.source == "aliases"]
    pairs = {end for pair in aliases for end in pair}
    assert about and all(set(q.answers) <= pairs for q in about)


def test_an_answer_is_right_in_more_words_or_fewer() -> None:
    assert is_right("in Oslo", ["Oslo"]) and is_right("Oslo", ["Oslo, Norway"]) and not is_right("Bergen", ["Oslo"])
