"""Plain text beside a memory: the names around those it names, and readings that go on with it."""

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
from graphmem.fusion.continuation_attention import DOUBT, ContinuationAttention
from graphmem.fusion.continuation_candidates import PER_NODE, Neighbour, as_candidates, continuation_candidates
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
    told = continuation_candidates(memory.retrieve("Ada Lovelace was a mathematician", top_k=8), 8)
    assert told is not None and told.told is not None
    known = dict(zip(told.names, told.told.relations, strict=True))
    assert known == {
        "Ada Lovelace": "", "London": "born in", "Annabella Milbanke": "mother", "Charles Babbage": "friend of",
        "Elemore Hall": "born in",
    }  # fmt: skip
    features = dict(zip(told.names, told.told.features[:, : CONTINUATION_FEATURES.index("rank")].tolist(), strict=True))
    assert features["Ada Lovelace"] == [1, 0, 0, 0]
    assert features["London"] == [0, 1, 0, 0]
    assert features["Charles Babbage"] == [0, 1, 0, 1]  # walked from its object
    assert features["Elemore Hall"] == [0, 0, 1, 0]


def test_nothing_is_told_where_nothing_is_named(memory: GraphMemory) -> None:
    told = continuation_candidates(memory.retrieve("It rained all day.", top_k=8), 8)
    assert told is not None and told.names == () and told.answerable == 0
    assert continuation_candidates(object(), 8) is None


def test_a_long_list_of_one_relation_is_cut(memory: GraphMemory) -> None:
    memory.add_many([("Oslo", "twin city", f"Town {i}") for i in range(40)])
    told = continuation_candidates(memory.retrieve("Oslo lies by the sea", top_k=32), 32)
    assert told is not None and sum(name.startswith("Town") for name in told.names) == PER_NODE
    assert "Norway" in told.names


def test_names_said_before_are_marked() -> None:
    tokenizer = byte_tokenizer("<|im_start|>", "<|im_end|>")
    around = as_candidates([])
    assert around.names == () and around.told is not None
    seen = as_candidates([Neighbour(1, "abc"), Neighbour(2, "de", "near", 1, beside=1)])
    tokens = collate(NameTokenizer(tokenizer, 0, 16), [seen])
    text = tokenizer("xabcyde", add_special_tokens=False, return_tensors="pt")["input_ids"]
    said, early, shut = (marks[0] for marks in match_continuation_prefixes(text, text.shape[1], tokens))  # T M
    starts = {int(tokens.node[0, m]): m for m in range(tokens.slots) if int(tokens.position[0, m]) == 0}
    assert said[:, starts[0]].tolist() == [False, False, False, True, True, True, True]
    assert said[:, starts[1]].tolist() == [False] * 6 + [True]
    inside = [m for m in range(tokens.slots) if int(tokens.position[0, m]) > 0]
    assert not said[:, inside].any()
    assert early[:, starts[1]].tolist() == [True, True, True, False, False, False, False]  # "abc" leads to "de"
    assert not early[:, starts[0]].any() and not shut.any()  # what was asked about
    own = as_candidates([Neighbour(1, "abc"), Neighbour(2, "de", "near", 1, beside=1)], own=True)
    shut = match_continuation_prefixes(text, text.shape[1], collate(NameTokenizer(tokenizer, 0, 16), [own]))[2][0]
    assert shut[:3].all() and not shut[3:].any()


def test_a_name_is_gone_on_with_in_small_letters_as_well(memory: GraphMemory) -> None:
    memory.add("Ada Lovelace", "made of", "Compressed rice")
    told = continuation_candidates(memory.retrieve("Ada Lovelace", top_k=8), 8)
    assert told is not None
    reader = NameTokenizer(byte_tokenizer("<|im_start|>", "<|im_end|>"), 2, 24)
    tokens = collate(reader, [told])
    standing = PrefixTracker(tokens)
    text = "Ada Lovelace: compressed ri"
    standing.see(torch.tensor([reader._tokenizer(text, add_special_tokens=False)["input_ids"]]))
    places = standing.places(1)
    assert places is not None
    best = int(places.slots[0, -1].argmax())
    assert places.slots[0, -1, best] >= LONGEST + 3  # eleven letters and more were said
    assert told.names[int(tokens.node[0, best])] == "Compressed rice"
    assert reader._tokenizer.decode([int(tokens.says[0, best])]) == "c"


def test_names_come_early_only_where_the_memory_was_asked_with_a_name_alone(memory: GraphMemory) -> None:
    queries = {"Ada Lovelace met Charles Babbage in London.": True, "Who is Ada Lovelace?": True, "Ada Lovelace": False}
    for query, own in queries.items():
        told = continuation_candidates(memory.retrieve(query, top_k=8), 8)
        assert told is not None and told.told is not None and told.told.own == own, query


def test_common_words_parts_of_longer_names_and_hubs_tell_nothing(memory: GraphMemory) -> None:
    memory.add_many([("rain", "kind of", "weather"), *((f"Film {i}", "release year", "Nineteen") for i in range(120))])
    for text in ("There was rain", "Oslo Street is long", "Nineteen is a number"):
        told = continuation_candidates(memory.retrieve(text, top_k=8), 8)
        assert told is not None and told.names == (), text


def opened(memory: GraphMemory, quiet_text: float | None = 0.0) -> GraphMemoryModel:
    torch.manual_seed(0)
    base = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=300, hidden_size=48, intermediate_size=64, num_hidden_layers=4, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=256,
        )
    ).eval()  # fmt: skip
    config = FusionConfig(layers=(1, 2), tap=0, match_width=32, nodes=8, quiet_text=quiet_text)
    return attach(base, byte_tokenizer("<|im_start|>", "<|im_end|>"), memory, config)


def train(model: GraphMemoryModel) -> None:
    """Stands for training: gates open, and nothing against reading."""
    with torch.no_grad():
        for layer in model.fusion.layers:
            reading_ = model.fusion[layer]
            reading_.gate.fill_(1.0)
            reading_.told.opening.fill_(4.0)
            nn.init.zeros_(reading_.told.null.weight)
            nn.init.constant_(reading_.told.null.bias, -4.0)


def ids_of(model: GraphMemoryModel, text: str) -> torch.Tensor:
    made: torch.Tensor = model.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
    return made


@torch.inference_mode()
def test_untrained_telling_reads_nothing_and_a_text_that_names_nothing_stays_as_it_is(memory: GraphMemory) -> None:
    model = opened(memory)
    assert not model.fusion.tells
    train(model)
    assert model.fusion.tells
    silent = ids_of(model, "it rained all day")
    with model.memory_disabled():
        base = model(silent).logits
    assert torch.equal(model(silent).logits, base)
    named = ids_of(model, "Ada Lovelace lived in")
    with model.memory_disabled():
        base = model(named).logits
    assert not torch.equal(model(named).logits, base)


@torch.inference_mode()
def test_a_name_that_was_begun_is_gone_on_with_and_never_ended_for_the_text(memory: GraphMemory) -> None:
    model = opened(memory)
    train(model)
    begun = ids_of(model, "Ada Lovelace met Charles Bab")
    with model.memory_disabled():
        base = model(begun).logits[0, -1].log_softmax(-1)
    now = model(begun).logits[0, -1].log_softmax(-1)
    after = ids_of(model, "b")[0, 0]
    assert now[after] > base[after] + 0.5
    tokens = collate(model.names, model._found(begun, None, None, asks=False))
    slots = model.fusion.project(tokens, model.table, torch.float32)[1]
    assert slots.told and torch.isinf(slots.bias[0, 0][tokens.says[0] == model.names.stop]).all()


@torch.inference_mode()
def test_cached_equals_uncached_and_rows_may_be_repeated(memory: GraphMemory) -> None:
    model = opened(memory)
    train(model)
    text = ids_of(model, "Ada Lovelace, of London, met Charles Babbage")
    found = memory.retrieve("Ada Lovelace", top_k=8)
    whole = model(text, retrieval=found).logits
    session = model.session_of(collate(model.names, model._found(text, found, None, asks=False)))
    assert session is not None
    session.quiet = model.config.quiet_text
    with active_context(session):
        first = model.base(text[:, :20], use_cache=True)
        rest = [first.logits]
        for at in range(20, text.shape[1]):
            step = model.base(text[:, at : at + 1], past_key_values=first.past_key_values, use_cache=True)
            rest.append(step.logits)
    assert torch.allclose(torch.cat(rest, 1), whole, atol=1e-4)
    told = collate(model.names, model._found(text, found, None, asks=False))
    twice = PrefixTracker(told)
    twice.begin(0)
    twice.see(text.repeat(2, 1))
    places = twice.places(2)
    assert places is not None and places.again is not None and torch.equal(places.again[0], places.again[1])


@torch.inference_mode()
def test_questions_are_answered_as_before(memory: GraphMemory) -> None:
    """A prompt that ends in a question or in "Answer:" is no plain text, and reads what search ranked."""
    model = opened(memory)
    train(model)
    for text in ("Where was Ada Lovelace born?", "Question: Where was Ada Lovelace born\nAnswer:"):
        assert model._asks(ids_of(model, text), None)
    assert not model._asks(ids_of(model, "Ada Lovelace was born in"), None)
    assert opened(memory, quiet_text=None)._asks(ids_of(model, "Ada Lovelace was born in"), None)


def test_what_is_doubtful_is_read_louder_than_its_share() -> None:
    telling = ContinuationAttention(8, 8, 8, 2)
    share = torch.tensor([0.0, 0.01, 0.1, 0.3, 1.0])
    assert torch.equal(telling.doubting(share), share), "weights that never learned it read as they did"
    telling.open()
    made = telling.doubting(share)
    heard = made.detach()
    assert heard[0] == 0 and heard[-1] == pytest.approx(1.0) and (heard.diff() > 0).all()
    assert heard[2] == pytest.approx(math.log1p(0.1 * math.expm1(DOUBT)) / DOUBT) and (heard[1:-1] > share[1:-1]).all()
    made.sum().backward()
    assert telling.doubt.grad is not None and torch.isfinite(telling.doubt.grad) and telling.doubt.grad > 0


@torch.inference_mode()
def test_told_the_topic_by_name_a_memory_may_speak_sooner(memory: GraphMemory) -> None:
    model = opened(memory)
    train(model)
    text = ids_of(model, "They say that Ada Lovelace lived in London")
    own, by_name = (memory.retrieve(query, top_k=8) for query in ("Ada Lovelace lived in London", "Ada Lovelace"))
    for topic, quiets in ((None, [0.0, None]), (0.1, [0.0, 0.1])):
        model.config = model.config.changed(quiet_topic=topic)
        sessions = [model._session_for(text, found, {}) for found in (own, by_name)]
        assert [session.quiet for session in sessions if session is not None] == quiets


def nats_of(model: GraphMemoryModel, text: str, start: int, retrieval: object = None) -> float:
    made = model.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    ids = torch.tensor([made["input_ids"]])
    logits = model(ids, retrieval=retrieval).logits[0].float().log_softmax(-1)
    scored = [i for i, (a, _) in enumerate(made["offset_mapping"]) if a >= start]
    return -sum(float(logits[i - 1, ids[0, i]]) for i in scored) / len(scored)


@torch.inference_mode()
def test_shipped_weights_go_on_with_what_the_memory_holds() -> None:
    """SmolLM2 beside invented facts: their names are foreseen, each where its fact is spoken of; other texts stay."""
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
        assert all(beside < 0.5 * alone for alone, beside in saved), saved
        wrong = nats_of(model, "Mira Solvang was born in Teodor Lusk", len("Mira Solvang was born in"))
        assert wrong > saved[0][1]
        rain = model.tokenizer("It rained all day in the valley.", return_tensors="pt")["input_ids"]
        with model.memory_disabled():
            base = model(rain).logits
        assert torch.equal(model(rain).logits, base)
        model.detach()
