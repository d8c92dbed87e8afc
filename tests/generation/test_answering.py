from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers

from graphmem.core.edits import AddNode
from graphmem.fusion.config import FusionConfig
from graphmem.generation.answering import ask_back, is_kind
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import byte_tokenizer


@pytest.fixture
def model(encoder: Any) -> GraphMemoryModel:
    """A tiny random base with a memory of two people who share a first name and an alias."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=260, hidden_size=64, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, eos_token_id=1, bos_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    memory = GraphMemory.open(":memory:", encoder=encoder)
    memory.add_many([("Ann Berg", "lives in", "Oslo"), ("Ann Field", "works at", "Acme")])
    aliases = [AddNode("Ann Berg", aliases=("Annie",)), AddNode("Ann Field", aliases=("Annie",), ambiguous=True)]
    memory.store.apply(aliases)
    base = transformers.AutoModelForCausalLM.from_config(config).eval()
    tokenizer = byte_tokenizer("<|im_start|>", "<|im_end|>")
    return attach(base, tokenizer, memory, FusionConfig(layers=(2,), tap=0, match_width=64))


@pytest.mark.parametrize("question", ["Who is Ann?", "What about Annie?", "Tell me about Ann."])
def test_a_name_of_several_nodes_is_asked_back(model: GraphMemoryModel, question: str) -> None:
    answer = model.ask(question)
    assert answer.refused and answer.path == () and answer.answerable == 0.0
    assert {"Ann Berg", "Ann Field"} <= {name for _, names in answer.retrieval.unclear for name in names}
    assert "Ann Berg" in answer.text and "Ann Field" in answer.text and answer.text.endswith("say which one.")


def test_the_question_decides_between_them_where_it_can(model: GraphMemoryModel) -> None:
    answer = model.ask("Where does Ann live?", max_new_tokens=4, when_unknown="answer")
    assert answer.retrieval.unclear == () and not answer.refused
    assert model.memory.store.names(answer.retrieval.seeds.nodes) == ["Ann Berg"]


def test_more_readings_are_listed() -> None:
    answer = ask_back([("Ann", ("A", "B", "C")), ("Bob", ("D", "E"))], None)
    assert (answer.text, answer.status) == ("Ann may mean A, B or C; say which one.", "ambiguous")


@pytest.mark.parametrize(
    ("name", "readings", "kind"),
    [
        ("depots", ("Omaha depot", "Salina depot"), True),
        ("incidents", ("incident 23-08", "incident 24-03"), True),
        ("family holiday", ("family holiday 1979", "Family holiday 1984"), False),
        ("Ann", ("Ann Berg", "Ann Field"), False),
        ("Annie", ("Ann Berg", "Ann Field"), False),
    ],
)
def test_a_part_of_names_without_a_capital_is_a_kind_of_thing(name: str, readings: Any, kind: bool) -> None:
    assert is_kind(name, readings) is kind


def test_all_things_of_a_kind_are_counted_not_asked_back(model: GraphMemoryModel) -> None:
    facts = [(f"{city} depot", "located in", city) for city in ("Omaha", "Salina", "Amarillo")]
    model.memory.add_many([*facts, ("Acme", "located in", "Oslo")])
    asked = "How many depots are located in a city?"
    assert [name for name, _ in model.memory.retrieve(asked).unclear] == ["depots"]
    answer = model.ask(asked)
    assert answer.status == "answered" and answer.answers == ("3",)
    assert model.ask("How many facts are there about Annie?").status == "ambiguous"
