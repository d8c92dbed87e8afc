from pathlib import Path

import pytest
import torch

from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.reading.network import (
    FACTUALITY,
    TAGS,
    ExtractionNetwork,
    ExtractorConfig,
    Span,
    decode_tags,
    join_layers,
    load_extractor,
    pair_index,
    save_extractor,
)

TINY = ExtractorConfig(hidden_size=12, text_width=8, width=16, heads=2, feedforward=32, dropout=0.0)


@pytest.fixture
def network() -> ExtractionNetwork:
    torch.manual_seed(0)
    return ExtractionNetwork(TINY).eval()


def logits(tags: list[str]) -> torch.Tensor:
    return 9.0 * torch.nn.functional.one_hot(torch.tensor([TAGS.index(tag) for tag in tags]), len(TAGS)).float()


def test_tags_become_spans() -> None:
    spans = decode_tags(logits(["O", "B-entity", "I-entity", "B-literal", "O", "B-pronoun"]))
    assert [(span.first, span.last, span.kind) for span in spans] == [
        (1, 2, "entity"),
        (3, 3, "literal"),
        (5, 5, "pronoun"),
    ]
    assert all(span.probability > 0.9 for span in spans)


def test_one_uncertain_token_splits_no_name() -> None:
    uncertain = logits(["B-entity", "I-entity", "I-literal", "I-entity", "O", "B-literal", "I-literal"])
    uncertain[2, TAGS.index("I-entity")] = 8.5
    assert [(s.first, s.last, s.kind) for s in decode_tags(uncertain)] == [(0, 3, "entity"), (5, 6, "literal")]


def test_probability_of_a_span() -> None:
    certain = decode_tags(logits(["B-entity", "I-entity", "O"]))[0].probability
    ragged = logits(["B-entity", "I-entity", "O"])
    ragged[2, TAGS.index("I-entity")] = 8.0
    torn = logits(["B-entity", "I-entity", "O"])
    torn[1, TAGS.index("I-literal")] = 8.0
    assert certain > 0.99
    assert decode_tags(ragged)[0].probability == pytest.approx(float(ragged[2].softmax(-1)[:2].sum()), abs=0.01)
    assert decode_tags(torn)[0].probability == pytest.approx(float(torn[1].softmax(-1)[2]), abs=1e-5)


def test_spans_that_touch_are_two() -> None:
    assert [(s.first, s.last) for s in decode_tags(logits(["B-entity", "B-entity", "I-entity"]))] == [(0, 0), (1, 2)]


def test_the_begin_marker_is_no_part_of_a_span() -> None:
    tags = logits(["B-entity", "B-entity", "I-entity"])
    assert [(s.first, s.last) for s in decode_tags(tags, start=1)] == [(1, 2)]
    assert decode_tags(tags[:1], start=1) == []


def test_shapes(network: ExtractionNetwork) -> None:
    hidden = join_layers(torch.randn(2, 5, 12), torch.randn(2, 5, 12))
    states = network.encode(hidden, torch.ones(2, 5, dtype=torch.bool))
    assert states.shape == (2, 5, 16)
    spans = Span(0, 1, "entity"), Span(3, 4, "entity")
    scores = network.pairs(states, pair_index([(0, *spans), (1, *spans)]))
    assert scores.factuality.shape == (2, len(FACTUALITY))
    assert network.relations(scores.features, torch.randn(2, 8), torch.randn(3, 8)).shape == (2, 6)


def test_padding_changes_nothing(network: ExtractionNetwork) -> None:
    hidden = join_layers(torch.randn(1, 5, 12), torch.randn(1, 5, 12))
    padded = torch.cat([hidden, torch.randn(1, 3, 24)], dim=1)
    mask = torch.tensor([[True] * 5 + [False] * 3])
    alone = network.encode(hidden, mask[:, :5])
    torch.testing.assert_close(network.encode(padded, mask)[:, :5], alone, atol=1e-5, rtol=1e-4)


def test_no_pairs_are_no_scores(network: ExtractionNetwork) -> None:
    scores = network.pairs(torch.zeros(1, 4, 16), pair_index([]))
    assert scores.factuality.shape == (0, len(FACTUALITY))


def test_checkpoints(network: ExtractionNetwork, tmp_path: Path) -> None:
    save_extractor(network, tmp_path / "network.safetensors")
    back = load_extractor(tmp_path / "network.safetensors", hidden_size=12, text_width=8)
    hidden = join_layers(torch.randn(1, 5, 12), torch.randn(1, 5, 12))
    mask = torch.ones(1, 5, dtype=torch.bool)
    torch.testing.assert_close(back.encode(hidden, mask), network.encode(hidden, mask), atol=0.05, rtol=0.05)
    with pytest.raises(WeightsMismatch, match="hidden_size 12, not 99"):
        load_extractor(tmp_path / "network.safetensors", hidden_size=99)


def test_bad_settings_are_refused() -> None:
    with pytest.raises(InvalidValue, match="heads"):
        ExtractorConfig(width=10, heads=4)
    with pytest.raises(InvalidValue, match="fact_threshold"):
        ExtractorConfig(fact_threshold=2.0)
