"""Prefix matching: repeated tokens, shared prefixes, two tokenizations, caches, batches, beams."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers

from graphmem.fusion.candidates import Candidates, rank_features
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.memory_tokens import MemoryTokens, NameTokenizer, collate
from graphmem.fusion.prefix_matching import (
    LONGEST,
    SHORTER,
    START_INSIDE,
    START_OUTSIDE,
    UNKNOWN,
    UNMATCHED,
    PrefixTracker,
    match_prefixes,
)
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import FixedMemory, byte_tokenizer

TOKENIZER = byte_tokenizer()


def slots_of(*names: str) -> MemoryTokens:
    features = rank_features(-np.arange(len(names), dtype=np.float32), np.ones(len(names), np.float32), 0.99)
    found = Candidates(names, features, 0.99, tuple(range(len(names))))
    return collate(NameTokenizer(TOKENIZER, 1, 48), [found])


def ids(text: str) -> torch.Tensor:
    return TOKENIZER(text, add_special_tokens=False, return_tensors="pt")["input_ids"]


def next_tokens(text: str, *names: str) -> dict[str, set[str]]:
    """After the text: the tokens of each name's slots with the longest match."""
    tokens = slots_of(*names)
    codes = match_prefixes(ids(text), 1, tokens.prefixes).slots[0, 0]
    made: dict[str, set[str]] = {}
    for code, token, node in zip(codes.tolist(), tokens.token[0].tolist(), tokens.node[0].tolist(), strict=True):
        if code >= LONGEST:
            made.setdefault(names[node], set()).add("." if token == 1 else TOKENIZER.decode([token]))
    return made


@pytest.mark.parametrize(
    ("text", "names", "then"),
    [
        ("x 2026-1", ["2026-12-01", "1999"], {"2026-12-01": {"2"}}),
        ("x 2026-12-0", ["2026-12-01"], {"2026-12-01": {"1"}}),
        ("x\nVelvetvet", ["Velvetvet"], {"Velvetvet": {"."}}),
        ("x\nVelv", ["Velvetvet", "Velour"], {"Velvetvet": {"e"}}),
        ("\nAlien", ["Alien", "Aliens", "Alien 3"], {"Alien": {"."}, "Aliens": {"s"}, "Alien 3": {" "}}),
        ("\nAliens", ["Alien", "Aliens"], {"Aliens": {"."}}),
        ("to St. Ann", ["St. Anna & Co., Ltd.", "Anna"], {"St. Anna & Co., Ltd.": {"a"}}),
        ("was Łó", ["Łódź"], {"Łódź": {"d"}}),
        ("nothing", ["Rome"], {}),
    ],
)
def test_only_the_longest_prefix_matches(text: str, names: list[str], then: dict[str, set[str]]) -> None:
    assert next_tokens(text, *names) == then


ODD = ["Москва-река", "東京東京都", "محمد محمد", "🚀🚀 Rocket", "a" * 30, "1.5. and 1.5, etc."]


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("before", ["is", "is\n"])
def test_every_token_of_an_odd_name_matches(name: str, before: str) -> None:
    tokens, others = slots_of(name, name[:2] + "q", "q" + name), 0
    written = ids(f" {name}" if before == "is" else name)[0].tolist()
    for i in range(1, len(written) + 1):
        text = torch.cat([ids(before)[0], torch.tensor(written[:i])])[None]
        codes = match_prefixes(text, 1, tokens.prefixes).slots[0, 0]
        rows = zip(tokens.token[0].tolist(), codes.tolist(), tokens.node[0].tolist(), strict=True)
        fits = {token for token, code, node in rows if code >= LONGEST and node == 0}
        others += len(fits - {[*written, 1][i]})
        assert [*written, 1][i] in fits
    assert others <= 2, "hardly ever more than one way on"


def test_codes_of_starts_and_unmatched_slots() -> None:
    tokens = slots_of("ab", "b")
    found = match_prefixes(ids("xa"), 2, tokens.prefixes)
    starts = (tokens.prefixes[0] < 0).all(-1).all(-1)
    assert (found.slots[0, 0][starts] == START_OUTSIDE).all() and (found.slots[0, 1][starts] == START_INSIDE).all()
    assert (found.slots[0, 0][~starts] == UNMATCHED).all() and found.positions.tolist() == [[0, 1]]
    longer = match_prefixes(ids("ab"), 1, tokens.prefixes).slots[0, 0]
    assert SHORTER in longer.tolist(), "the end of 'b' fits after 'ab' too, with a shorter prefix"
    assert match_prefixes(ids("ab"), 2, slots_of().prefixes).slots.shape == (1, 2, 0)


def test_pass_by_pass_is_the_same_as_at_once() -> None:
    tokens, text = slots_of("abcabd", "bca"), ids("xxabcabcabd")
    whole = match_prefixes(text, text.shape[1], tokens.prefixes)
    tracker, parts = PrefixTracker(tokens), []
    for start, stop in ((0, 4), (4, 5), (5, 11)):
        tracker.start_pass(start)
        tracker.append(text[:, start:stop])
        parts.append(tracker.matches(1).slots)  # type: ignore[union-attr]
    assert torch.equal(torch.cat(parts, 1), whole.slots)
    tracker.start_pass(3)
    tracker.append(text[:, 3:5])
    assert torch.equal(tracker.matches(1).slots, whole.slots[:, 3:5]), "a cache that was cut back"  # type: ignore[union-attr]
    unseen = PrefixTracker(tokens)
    unseen.start_pass(7)
    unseen.append(text[:, 7:8])
    assert unseen._text is not None and unseen._text[0, :7].unique().tolist() == [UNKNOWN]
    assert PrefixTracker(tokens).matches(1) is None


@pytest.fixture
def model() -> GraphMemoryModel:
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=260, hidden_size=32, intermediate_size=48, num_hidden_layers=3, num_attention_heads=4,
        num_key_value_heads=2, eos_token_id=1, bos_token_id=0, pad_token_id=1,
    )  # fmt: skip
    base = transformers.AutoModelForCausalLM.from_config(config).float().eval()
    made = attach(base, TOKENIZER, FixedMemory("abab-abc", "aba", "2026-12-26"), FusionConfig(layers=(1, 2), tap=0))
    for layer in made.fusion.layers:
        torch.nn.init.constant_(made.fusion[layer].gate, 1.0)
        torch.nn.init.normal_(made.fusion[layer].prefix_bias, std=3.0)
        torch.nn.init.normal_(made.fusion[layer].null_prefix_bias, std=3.0)
    return made


@pytest.mark.parametrize("options", [{"num_beams": 3}, {"num_beams": 4, "num_return_sequences": 2}, {}])
def test_cached_equals_uncached_with_padding_and_swapped_beams(model: GraphMemoryModel, options: dict) -> None:
    rows = [ids("is 2026-1")[0].tolist(), ids("aba")[0].tolist()]
    text = torch.tensor([rows[0], [1] * (len(rows[0]) - len(rows[1])) + rows[1]])
    mask = torch.tensor([[1] * len(rows[0]), [0] * (len(rows[0]) - len(rows[1])) + [1] * len(rows[1])])
    out = [
        model.generate(text, attention_mask=mask, max_new_tokens=12, do_sample=False, use_cache=cached, **options)
        for cached in (True, False)
    ]
    assert torch.equal(*out)


def test_detach_restores_generate(model: GraphMemoryModel) -> None:
    assert "prepare_inputs_for_generation" in vars(model.base)
    assert "prepare_inputs_for_generation" not in vars(model.detach())
