"""Plain text with a memory: candidates around the entities of a text, and attention to them."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from graphmem.fusion.candidates import CONTINUATION_FEATURES
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.context import active_context
from graphmem.fusion.continuation_attention import COMPRESSION, ContinuationAttention
from graphmem.fusion.continuation_candidates import MAX_PER_RELATION, Neighbour, as_candidates, continuation_candidates
from graphmem.fusion.memory_tokens import NameTokenizer, collate
from graphmem.fusion.prefix_matching import LONGEST, PrefixTracker, match_continuation_prefixes
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import byte_tokenizer

FACTS = [
    ("Ada Lovelace", "born in", "London"), ("Ada Lovelace", "mother", "Annabella Milbanke"),
    ("Annabella Milbanke", "born in", "Elemore Hall"), ("Charles Babbage", "friend of", "Ada Lovelace"),
    ("Oslo", "capital of", "Norway"),
]  # fmt: skip


@pytest.fixture
def memory() -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:") as opened:
        opened.add_many(FACTS)
        yield opened


def test_names_around_what_was_named_come_with_their_facts(memory: GraphMemory) -> None:
    made = continuation_candidates(memory.retrieve("Ada Lovelace was a mathematician", top_k=8), 8)
    assert made is not None and made.continuation is not None
    known = dict(zip(made.names, made.continuation.relations, strict=True))
    assert known == {
        "Ada Lovelace": "", "London": "born in", "Annabella Milbanke": "mother", "Charles Babbage": "friend of",
        "Elemore Hall": "born in",
    }  # fmt: skip
    features = dict(
        zip(made.names, made.continuation.features[:, : CONTINUATION_FEATURES.index("rank")].tolist(), strict=True)
    )
    assert features["Ada Lovelace"] == [1, 0, 0, 0]
    assert features["London"] == [0, 1, 0, 0]
    assert features["Charles Babbage"] == [0, 1, 0, 1]  # walked from its object
    assert features["Elemore Hall"] == [0, 0, 1, 0]


def test_a_text_without_entities_has_no_candidates(memory: GraphMemory) -> None:
    made = continuation_candidates(memory.retrieve("It rained all day.", top_k=8), 8)
    assert made is not None and made.names == () and made.answerable == 0
    assert continuation_candidates(object(), 8) is None


def test_a_long_list_of_one_relation_is_cut(memory: GraphMemory) -> None:
    memory.add_many([("Oslo", "twin city", f"Town {i}") for i in range(40)])
    made = continuation_candidates(memory.retrieve("Oslo lies by the sea", top_k=32), 32)
    assert made is not None and sum(name.startswith("Town") for name in made.names) == MAX_PER_RELATION
    assert "Norway" in made.names


def test_repeated_premature_and_blocked_names_are_marked() -> None:
    tokenizer = byte_tokenizer("<|im_start|>", "<|im_end|>")
    around = as_candidates([])
    assert around.names == () and around.continuation is not None
    seen = as_candidates([Neighbour(1, "abc"), Neighbour(2, "de", "near", 1, origin=1)])
    tokens = collate(NameTokenizer(tokenizer, 0, 16), [seen])
    text = tokenizer("xabcyde", add_special_tokens=False, return_tensors="pt")["input_ids"]
    repeated, premature, blocked = (
        marks[0] for marks in match_continuation_prefixes(text, text.shape[1], tokens)
    )  # T M
    starts = {int(tokens.node[0, m]): m for m in range(tokens.slots) if tokens.starts[0, m]}
    assert repeated[:, starts[0]].tolist() == [False, False, False, True, True, True, True]
    assert repeated[:, starts[1]].tolist() == [False] * 6 + [True]
    inside = [m for m in range(tokens.slots) if not tokens.starts[0, m]]
    assert not repeated[:, inside].any()
    assert premature[:, starts[1]].tolist() == [True, True, True, False, False, False, False]  # "abc" leads to "de"
    assert not premature[:, starts[0]].any() and not blocked.any()  # the query's topics
    strict = as_candidates([Neighbour(1, "abc"), Neighbour(2, "de", "near", 1, origin=1)], strict=True)
    blocked = match_continuation_prefixes(text, text.shape[1], collate(NameTokenizer(tokenizer, 0, 16), [strict]))[2][0]
    assert blocked[:3].all() and not blocked[3:].any()


def test_a_name_is_continued_in_lower_case_as_well(memory: GraphMemory) -> None:
    memory.add("Ada Lovelace", "made of", "Compressed rice")
    made = continuation_candidates(memory.retrieve("Ada Lovelace", top_k=8), 8)
    assert made is not None
    reader = NameTokenizer(byte_tokenizer("<|im_start|>", "<|im_end|>"), 2, 24)
    tokens = collate(reader, [made])
    tracker = PrefixTracker(tokens)
    text = "Ada Lovelace: compressed ri"
    tracker.append(torch.tensor([reader._tokenizer(text, add_special_tokens=False)["input_ids"]]))
    matches = tracker.matches(1)
    assert matches is not None
    best = int(matches.slots[0, -1].argmax())
    assert matches.slots[0, -1, best] >= LONGEST + 3  # eleven letters and more match
    assert made.names[int(tokens.node[0, best])] == "Compressed rice"
    assert reader._tokenizer.decode([int(tokens.token[0, best])]) == "c"


def test_names_are_strict_unless_the_query_is_a_name_alone(memory: GraphMemory) -> None:
    queries = {"Ada Lovelace met Charles Babbage in London.": True, "Who is Ada Lovelace?": True, "Ada Lovelace": False}
    for query, strict in queries.items():
        made = continuation_candidates(memory.retrieve(query, top_k=8), 8)
        assert made is not None and made.continuation is not None and made.continuation.strict == strict, query


def test_common_words_parts_of_longer_names_and_hubs_are_no_mentions(memory: GraphMemory) -> None:
    memory.add_many([("rain", "kind of", "weather"), *((f"Film {i}", "release year", "Nineteen") for i in range(120))])
    for text in ("There was rain", "Oslo Street is long", "Nineteen is a number"):
        made = continuation_candidates(memory.retrieve(text, top_k=8), 8)
        assert made is not None and made.names == (), text


def opened(memory: GraphMemory, min_attention_text: float | None = 0.0) -> GraphMemoryModel:
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=300, hidden_size=48, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=256,
        )
    ).eval()  # fmt: skip
    config = FusionConfig(layers=(1, 2), tap=0, match_width=32, max_nodes=8, min_attention_text=min_attention_text)
    return attach(base, byte_tokenizer("<|im_start|>", "<|im_end|>"), memory, config)


def train(model: GraphMemoryModel) -> None:
    """Stands for training: gates open, null slots low."""
    with torch.no_grad():
        for layer in model.fusion.layers:
            layer_ = model.fusion[layer]
            layer_.gate.fill_(1.0)
            layer_.continuation.output_gate.fill_(4.0)
            nn.init.zeros_(layer_.continuation.null.weight)
            nn.init.constant_(layer_.continuation.null.bias, -4.0)


def ids_of(model: GraphMemoryModel, text: str) -> torch.Tensor:
    made: torch.Tensor = model.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    return made


@torch.inference_mode()
def test_untrained_attention_reads_nothing_and_text_without_entities_is_unchanged(memory: GraphMemory) -> None:
    model = opened(memory)
    assert not model.fusion.reads_text
    train(model)
    assert model.fusion.reads_text
    without = ids_of(model, "it rained all day")
    with model.memory_disabled():
        base = model(without).logits
    assert torch.equal(model(without).logits, base)
    named = ids_of(model, "Ada Lovelace lived in")
    with model.memory_disabled():
        base = model(named).logits
    assert not torch.equal(model(named).logits, base)


@torch.inference_mode()
def test_a_partly_matched_name_is_continued_and_its_end_is_masked(memory: GraphMemory) -> None:
    model = opened(memory)
    train(model)
    partial = ids_of(model, "Ada Lovelace met Charles Bab")
    with model.memory_disabled():
        base = model(partial).logits[0, -1].log_softmax(-1)
    now = model(partial).logits[0, -1].log_softmax(-1)
    after = ids_of(model, "b")[0, 0]
    assert now[after] > base[after] + 0.5
    tokens = collate(model.names, model.contexts.batch_candidates(partial, None, None, False))
    slots = model.fusion.project(tokens, model.table, torch.float32)[1]
    assert slots.continuation and torch.isinf(slots.bias[0, 0][tokens.token[0] == model.names.stop]).all()


@torch.inference_mode()
def test_cached_equals_uncached_and_rows_may_be_repeated(memory: GraphMemory) -> None:
    model = opened(memory)
    train(model)
    text = ids_of(model, "Ada Lovelace, of London, met Charles Babbage")
    found = memory.retrieve("Ada Lovelace", top_k=8)
    whole = model(text, retrieval=found).logits
    context = model.contexts.context(collate(model.names, model.contexts.batch_candidates(text, found, None, False)))
    assert context is not None
    context.min_attention = model.config.min_attention_text
    with active_context(context):
        first = model.base(text[:, :20], use_cache=True)
        rest = [first.logits]
        for at in range(20, text.shape[1]):
            step = model.base(text[:, at : at + 1], past_key_values=first.past_key_values, use_cache=True)
            rest.append(step.logits)
    assert torch.allclose(torch.cat(rest, 1), whole, atol=1e-4)
    tokens = collate(model.names, model.contexts.batch_candidates(text, found, None, False))
    twice = PrefixTracker(tokens)
    twice.start_pass(0)
    twice.append(text.repeat(2, 1))
    matches = twice.matches(2)
    assert (
        matches is not None and matches.repeated is not None and torch.equal(matches.repeated[0], matches.repeated[1])
    )


@torch.inference_mode()
def test_questions_are_no_plain_text(memory: GraphMemory) -> None:
    """A prompt that ends in a question or in "Answer:" is no plain text, and reads the ranked nodes."""
    model = opened(memory)
    train(model)
    for text in ("Where was Ada Lovelace born?", "Question: Where was Ada Lovelace born\nAnswer:"):
        assert model.contexts.is_question(ids_of(model, text), None)
    assert not model.contexts.is_question(ids_of(model, "Ada Lovelace was born in"), None)
    assert opened(memory, min_attention_text=None).contexts.is_question(ids_of(model, "Ada Lovelace was born in"), None)


def test_compression_raises_small_weights() -> None:
    attention = ContinuationAttention(8, 8, 8, 2)
    share = torch.tensor([0.0, 0.01, 0.1, 0.3, 1.0])
    assert torch.equal(attention.compressed(share), share), "untrained weights are unchanged"
    attention.open()
    made = attention.compressed(share)
    values = made.detach()
    assert values[0] == 0 and values[-1] == pytest.approx(1.0) and (values.diff() > 0).all()
    assert (
        values[2] == pytest.approx(math.log1p(0.1 * math.expm1(COMPRESSION)) / COMPRESSION)
        and (values[1:-1] > share[1:-1]).all()
    )
    made.sum().backward()
    assert (
        attention.compression.grad is not None
        and torch.isfinite(attention.compression.grad)
        and attention.compression.grad > 0
    )


@torch.inference_mode()
def test_a_topic_given_by_name_has_its_own_threshold(memory: GraphMemory) -> None:
    model = opened(memory)
    train(model)
    text = ids_of(model, "They say that Ada Lovelace lived in London")
    text_query, by_name = (
        memory.retrieve(query, top_k=8) for query in ("Ada Lovelace lived in London", "Ada Lovelace")
    )
    for topic, thresholds in ((None, [0.0, None]), (0.1, [0.0, 0.1])):
        model.config = model.config.replaced(min_attention_topic=topic)
        contexts = [model.contexts.build(text, found, {}) for found in (text_query, by_name)]
        assert [context.min_attention for context in contexts if context is not None] == thresholds


def nats_of(model: GraphMemoryModel, text: str, start: int, retrieval: object = None) -> float:
    made = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = torch.tensor([made["input_ids"]])
    logits = model(ids, retrieval=retrieval).logits[0].float().log_softmax(-1)
    scored = [i for i, (a, _) in enumerate(made["offset_mapping"]) if a >= start]
    return -sum(float(logits[i - 1, ids[0, i]]) for i in scored) / len(scored)


@torch.inference_mode()
def test_shipped_weights_predict_the_facts_of_the_memory() -> None:
    """SmolLM2 with invented facts: each name is predicted where its fact is stated; other texts are unchanged."""
    facts = [
        ("Mira Solvang", "born in", "Kestrel Bay"), ("Mira Solvang", "works for", "Quillon Dynamics"),
        ("Kestrel Bay", "country", "Norway"), ("Mira Solvang", "spouse", "Teodor Lusk"),
    ]  # fmt: skip
    with GraphMemory.open(":memory:") as memory:
        memory.add_many(facts)
        model = GraphMemoryModel.from_pretrained("smollm2-135m", memory=memory)
        saved = []
        for before, name in (
            ("Mira Solvang was born in", " Kestrel Bay"), ("Mira Solvang is married to", " Teodor Lusk"),
            ("Mira Solvang works as an engineer for", " Quillon Dynamics"),
        ):  # fmt: skip
            with model.memory_disabled():
                alone = nats_of(model, before + name, len(before))
            saved.append((alone, nats_of(model, before + name, len(before))))
        assert all(attached < 0.5 * alone for alone, attached in saved), saved
        wrong = nats_of(model, "Mira Solvang was born in Teodor Lusk", len("Mira Solvang was born in"))
        assert wrong > saved[0][1]
        rain = model.tokenizer("It rained all day in the valley.", return_tensors="pt")["input_ids"]
        with model.memory_disabled():
            base = model(rain).logits
        assert torch.equal(model(rain).logits, base)
        model.detach()
