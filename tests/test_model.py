"""The attached model's own verbs, on a tiny random base: answers, their sources, and queries."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from graphmem.adapters.chat_templates import chat_prompt, last_user_text
from graphmem.core.errors import InvalidValue, NotAttached, WeightsMismatch
from graphmem.core.types import Fact, Subgraph
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.memory_tokens import START
from graphmem.generation.decoding import RetrievalSchedule
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import byte_tokenizer
from graphmem.visualization.attribution_html import save_attribution


class Births:
    """A memory of one fact, which forgets it before 1900 and on request."""

    def __init__(self) -> None:
        self.queries: list[tuple[str, Any]] = []
        self.name, self.gone = "Rome", ""

    def retrieve(self, query: str, *, top_k: int = 10, ranker: str = "activation", as_of: Any = None) -> Any:
        self.queries.append((query, as_of))
        names = [] if as_of == "1800" or "weather" in query else [self.name, "Oslo"]
        names = [name for name in names if name != self.gone]
        scores, none = -4.0 * np.arange(len(names), dtype=np.float32), np.zeros(0, np.int64)
        graph = Subgraph(np.arange(len(names)), scores, np.exp(scores), np.zeros((2, 0), np.int64), none, none)
        fact = Fact("Ada", "born in", self.name, source="wiki:42")
        return SimpleNamespace(
            nodes=[SimpleNamespace(id=i, name=name, score=0.0) for i, name in enumerate(names)], subgraph=graph,
            answerable=0.97 if names else 0.0, facts=[fact, Fact("Oslo", "lies in", "Norway")] if names else [],
            path_to=lambda name: [fact] if name == self.name and names else [],
        )  # fmt: skip


@pytest.fixture
def model() -> GraphMemoryModel:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=260, hidden_size=64, intermediate_size=64, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=4, eos_token_id=1, bos_token_id=0, tie_word_embeddings=False,
    )  # fmt: skip
    base = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    base.get_output_embeddings().weight.data.mul_(20.0)
    made = attach(
        base, byte_tokenizer("<|im_start|>", "<|im_end|>"), Births(), FusionConfig(layers=(2,), tap=0, match_width=64)
    )
    layer = made.fusion[2]
    torch.nn.init.constant_(layer.gate, 3.0)  # wide open: an untrained memory layer copies by construction
    for weight in (layer.query.weight, layer.early.weight, layer.before.weight, layer.kind, layer.position):
        torch.nn.init.zeros_(weight)
    torch.nn.init.constant_(layer.sharpness, 40.0)
    newline = torch.tensor(made.tokenizer("\n", add_special_tokens=False)["input_ids"])
    layer.kind.data[START] = layer._matched(made.table.inputs(newline))[0].detach()  # names start on a new line
    torch.nn.init.constant_(layer.null.bias, -5.0)
    return made


def test_ask_generates_the_retrieved_name_with_a_source_for_each_token(model: GraphMemoryModel) -> None:
    answer = model.ask("Where was Ada born?", max_new_tokens=12)
    assert answer.text == "Rome" == str(answer)
    assert answer.path == (Fact("Ada", "born in", "Rome", source="wiki:42"),)
    assert answer.evidence[0] == answer.path[0] and len(answer.evidence) == 2
    prompt = chat_prompt(model.tokenizer, "Where was Ada born?")
    assert answer.prompt_tokens == len(model.tokenizer(prompt, add_special_tokens=False)["input_ids"])
    assert answer.seconds > 0 and answer.answerable == pytest.approx(0.97)
    sources = answer.sources
    assert [s.token for s in sources] == list("Rome") and {s.node for s in sources} == {"Rome"}
    assert all(s.layer == 2 and 0 <= s.head < 4 and 0.3 < s.weight <= 1 for s in sources)
    assert sources[0].fact == answer.path[0] and sources[0].source == "wiki:42"


def test_changing_the_named_node_changes_the_answer(model: GraphMemoryModel) -> None:
    assert model.ask("Where was Ada born?", max_new_tokens=12).text == "Rome"
    model.memory.name = "Turin"  # type: ignore[attr-defined]
    assert model.ask("Where was Ada born?", max_new_tokens=12).text == "Turin"


def test_nothing_found_and_memory_disabled_are_the_base(model: GraphMemoryModel) -> None:
    past = model.ask("Where was Ada born?", as_of="1800", max_new_tokens=6, when_unknown="attend")
    with model.memory_disabled():
        alone = model.ask("Where was Ada born?", max_new_tokens=6)
    assert past.text == alone.text and alone.retrieval is None and past.answerable == 0
    assert past.evidence == () == alone.evidence and past.sources == () == alone.sources
    assert model.memory.queries == [("Where was Ada born?", "1800")]  # type: ignore[attr-defined]


def test_the_query_of_a_raw_prompt_is_the_last_user_turn(model: GraphMemoryModel) -> None:
    chat = "<|im_start|>system\nBe kind.<|im_end|>\n<|im_start|>user\nWho is Ada?<|im_end|>\n<|im_start|>assistant\n"
    ids = model.tokenizer(chat, add_special_tokens=False)["input_ids"]
    assert last_user_text(model.tokenizer, ids) == "Who is Ada?"
    plain = model.tokenizer("Ada was born in", return_tensors="pt", add_special_tokens=False)
    with torch.no_grad():
        model(**{k: plain[k] for k in ("input_ids", "attention_mask")})
    assert model.memory.queries[-1] == ("Ada was born in", None)  # type: ignore[attr-defined]


def test_all_answers_are_generated(model: GraphMemoryModel) -> None:
    answer = model.ask("Where was Ada born?", max_new_tokens=12, all_answers=True)
    assert answer.answers == ("Rome", "Oslo") and answer.text == "Rome, Oslo", "both are as relevant"
    assert [s.token for s in answer.sources] == list("RomeOslo")
    assert [s.node for s in answer.sources] == ["Rome"] * 4 + ["Oslo"] * 4
    assert model.ask("Where was Ada born?", max_new_tokens=12).answers == ("Rome",)


def test_unknown_answers_are_refused_or_left_to_the_base(model: GraphMemoryModel) -> None:
    request = {"question": "What is the weather?", "max_new_tokens": 6}
    refused = model.ask(**request, when_unknown="refuse", refusal="No idea.")  # type: ignore[arg-type]
    assert refused.text == "No idea." and refused.refused and refused.sources == () and refused.answerable == 0
    assert model.ask(**request, when_unknown="refuse").text == "I don't know."  # type: ignore[arg-type]
    base = model.ask(**request, when_unknown="base")  # type: ignore[arg-type]
    with model.memory_disabled():
        assert model.ask(**request, when_unknown="refuse").text == base.text and not base.refused  # type: ignore[arg-type]
    known = model.ask("Where was Ada born?", when_unknown="refuse", max_new_tokens=12)
    assert known.text == "Rome" and not known.refused
    assert model.ask("Where was Ada born?", when_unknown="refuse", min_confidence=0.98).refused
    with pytest.raises(InvalidValue, match="when_unknown must be one of"):
        model.ask("Where?", when_unknown="guess")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="min_confidence"):
        model.ask("Where?", min_confidence=1.5)


def test_a_schedule_retrieves_again_within_its_budget(model: GraphMemoryModel) -> None:
    plain = model.ask("Where was Ada born?", max_new_tokens=12)
    never = model.ask(
        "Where was Ada born?", max_new_tokens=12, schedule=RetrievalSchedule(max_retrievals=3, entropy_threshold=99.0)
    )
    assert never.text == plain.text and never.sources == plain.sources
    queries = model.memory.queries  # type: ignore[attr-defined]
    queries.clear()
    again = model.ask(
        "Where was Ada born?",
        max_new_tokens=12,
        schedule=RetrievalSchedule(max_retrievals=2, entropy_threshold=0.0, min_tokens_between=1),
    )
    assert [query for query, _ in queries] == ["Where was Ada born?", "Where was Ada born? R", "Where was Ada born? Ro"]
    assert again.text == "Rome" and [s.token for s in again.sources] == list("Rome")
    with pytest.raises(InvalidValue, match="max_retrievals"):
        RetrievalSchedule(max_retrievals=-1)


def test_taking_away_the_node_that_is_named_changes_the_answer(model: GraphMemoryModel) -> None:
    answer = model.ask("Where was Ada born?", max_new_tokens=12)
    (named,) = {source.node for source in answer.sources}
    model.memory.gone = named  # type: ignore[attr-defined]
    without = model.ask("Where was Ada born?", max_new_tokens=12)
    assert answer.text == named and named not in without.text


def test_an_explanation_is_drawn_with_every_token_and_its_fact(model: GraphMemoryModel, tmp_path: Path) -> None:
    answer = model.ask("Where was <Ada> born?", max_new_tokens=12)
    page = save_attribution("Where was <Ada> born?", answer, tmp_path / "why.html").read_text(encoding="utf-8")
    assert page.count("<path ") == len(answer.sources) + 1 and "<Ada>" not in page and "wiki:42" in page
    assert page.count("layer 2, head") == 4 and "Ada | born in | Rome" in page
    nothing = model.ask("What is the weather?", max_new_tokens=2)
    assert "no memory was used" in save_attribution("?", nothing, tmp_path / "why.html").read_text(encoding="utf-8")


def test_wrong_use_says_what_to_do(model: GraphMemoryModel) -> None:
    with pytest.raises(InvalidValue, match="question must be visible text"):
        model.ask("  ")
    with pytest.raises(InvalidValue, match="one for each of 2 samples, not 1"):
        model(torch.zeros(2, 3, dtype=torch.long), retrieval=[model.memory.retrieve("")])
    with pytest.raises(InvalidValue, match="tokenizer must be given"):
        GraphMemoryModel.from_pretrained(model.base, memory=model.memory)
    model.detach()
    with pytest.raises(NotAttached):
        model.ask("Where was Ada born?")


def test_shipped_weights_refuse_another_base(model: GraphMemoryModel) -> None:
    base = model.detach()
    with pytest.raises(WeightsMismatch):
        GraphMemoryModel.from_pretrained(base, memory=model.memory, tokenizer=model.tokenizer)


def test_trainable_parameters_are_the_memory_layers(
    model: GraphMemoryModel, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, total = model.trainable_parameters()
    assert trained == sum(p.numel() for p in model.fusion.parameters() if p.requires_grad)
    assert total == sum(p.numel() for part in (model.base, model.fusion) for p in part.parameters())
    model.print_trainable_parameters()
    assert f"trainable params: {trained:,}" in capsys.readouterr().out
