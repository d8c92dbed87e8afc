"""The encoder of evidence, with heads that are not trained: offsets, batches, long texts, weights files."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from graphmem.core.errors import WeightsMismatch
from graphmem.encoding.evidence_encoder import (
    MAX_QUESTION,
    MAX_SPAN,
    MAX_TOKENS,
    EvidenceEncoder,
    EvidenceNetwork,
    best_spans,
    encode_pairs,
    load_evidence_weights,
    load_joint_reader,
    save_evidence_encoder,
    save_joint_reader,
    shared_digest,
)
from graphmem.hub import load_evidence_encoder

QUESTION = "Where was Zoë Ōta born?"
UNITS = ["Zoë Ōta | born in | 東京", "Ann | works at | Acme", "A long story about naïve people. " * 30, "", "| | |"]


@pytest.fixture(scope="module")
def network(encoder: Any) -> EvidenceNetwork:
    torch.manual_seed(0)
    return EvidenceNetwork.of(encoder.transformer)


@pytest.fixture(scope="module")
def reader(encoder: Any, network: EvidenceNetwork) -> EvidenceEncoder:
    return EvidenceEncoder(encoder.transformer, encoder.tokenizer, network.trained_state(), torch.float32)


def test_offsets_point_into_the_text_of_the_unit(encoder: Any) -> None:
    encoded = encode_pairs(encoder.tokenizer, [QUESTION] * len(UNITS), UNITS)
    for row, text in enumerate(UNITS):
        words = [text[a:b] for a, b in encoded.offsets[row] if b > a]
        kept = "".join(words)
        assert "".join(text.split())[: len(kept)] == kept
        inside = encoded.features["in_unit"][row].nonzero()[:, 0].tolist()
        assert inside[0] == 0 and len(inside) == len(words) + 1
    assert encoded.features["input_ids"].shape[1] <= MAX_TOKENS


def test_a_long_question_is_cut_and_leaves_room_for_the_unit(encoder: Any, reader: EvidenceEncoder) -> None:
    for question in ("what is it " * 9_100, "q" * 100_000, "\U0001f600" * 100_000):
        encoded = encode_pairs(encoder.tokenizer, [question], UNITS[:1])
        unit = int(encoded.features["in_unit"].sum()) - 1
        assert unit > 5 and encoded.features["input_ids"].shape[1] <= MAX_QUESTION + unit + 3
        assert len(reader.read(question, UNITS[:2])) == 2


def test_a_long_question_is_cut_once(encoder: Any, network: EvidenceNetwork) -> None:
    read: Counter[str] = Counter()

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(encoder.tokenizer, name)

        def __call__(self, texts: Any, *rest: Any, **options: Any) -> Any:
            read["characters"] += sum(map(len, [texts] if isinstance(texts, str) else texts))
            return encoder.tokenizer(texts, *rest, **options)

    counted = EvidenceEncoder(encoder.transformer, Counting(), network.trained_state(), torch.float32)
    counted.read("what is it " * 2_000, [f"unit {n}" for n in range(40)])
    assert read["characters"] < 22_000 + 40 * 2 * 400


def test_units_are_read_in_batches_as_one_by_one(reader: EvidenceEncoder) -> None:
    units = [*UNITS, *(f"Person {n} | lives in | City {n}" + " and beyond" * (n % 7) for n in range(40))]
    together = reader.read(QUESTION, units)
    for unit, reading in zip(units, together, strict=True):
        (alone,) = reader.read(QUESTION, [unit])
        assert alone.relevance == pytest.approx(reading.relevance, abs=1e-3)
        assert alone.verdict == pytest.approx(reading.verdict, abs=1e-3)
        assert [(s.start, s.end) for s in alone.spans[:1]] == [(s.start, s.end) for s in reading.spans[:1]]
        assert sum(reading.verdict) == pytest.approx(1, abs=1e-3)
        assert all(0 <= s.start < s.end <= len(unit) for s in reading.spans)
    assert reader.read(QUESTION, []) == []


def test_an_empty_unit_has_no_span(reader: EvidenceEncoder) -> None:
    (reading,) = reader.read(QUESTION, [""])
    assert reading.spans == () and reading.margin == float("-inf")


def test_the_best_spans_do_not_overlap_and_come_best_first() -> None:
    rng = np.random.default_rng(0)
    for length in (1, 2, 30, 200):
        logits = rng.normal(size=(length, 2)).astype(np.float32)
        logits[length // 2 :: 7] = -np.inf
        offsets = [(10 * k, 10 * k + 9) for k in range(length)]
        found = best_spans(logits, offsets, 5)
        every = [
            (float(logits[a, 0] + logits[b, 1]), a, b) for a in range(1, length)
            for b in range(a, min(length, a + MAX_SPAN)) if np.isfinite(logits[a, 0] + logits[b, 1])
        ]  # fmt: skip
        assert bool(found) == bool(every)
        if every:
            score, first, last = max(every)
            assert found[0] == (offsets[first][0], offsets[last][1], pytest.approx(score))
        assert [s.score for s in found] == sorted((s.score for s in found), reverse=True)
        ordered = sorted(found)
        assert all(a.end <= b.start for a, b in zip(ordered, ordered[1:], strict=False))


def test_weights_return_from_a_file(encoder: Any, network: EvidenceNetwork, tmp_path: Path) -> None:
    path = save_evidence_encoder(tmp_path / "made.safetensors", network, encoder.fingerprint, seed=7)
    found = load_evidence_weights(path, encoder.fingerprint)
    assert found.meta["seed"] == 7 and not any(name.startswith("bert.embeddings") for name in found.tensors)
    loaded = EvidenceNetwork.of(encoder.transformer).load_trained(found.tensors)
    for name, value in network.trained_state().items():
        assert torch.allclose(loaded.state_dict()[name], value, atol=1e-2, rtol=1e-2), name
    with pytest.raises(WeightsMismatch, match="another"):
        load_evidence_weights(path, "another")


def test_the_network_leaves_the_text_encoder_alone(encoder: Any, network: EvidenceNetwork) -> None:
    before = encoder.encode(["a text"])
    for parameter in network.parameters():
        parameter.data.add_(0.0 if not parameter.requires_grad else 1e-3)
    assert np.array_equal(encoder.encode(["a text"]), before)
    assert not any(p.requires_grad for p in network.bert.embeddings.parameters())


def test_the_joint_reader_has_its_lowest_layers_from_the_evidence_encoder(
    encoder: Any, network: EvidenceNetwork, tmp_path: Path
) -> None:
    evidence = load_evidence_weights(
        save_evidence_encoder(tmp_path / "evidence.safetensors", network, encoder.fingerprint)
    ).tensors
    joint = EvidenceNetwork.of(encoder.transformer).load_trained(evidence)
    with torch.no_grad():
        joint.span.bias += 1.0
    path = save_joint_reader(tmp_path / "joint.safetensors", joint, encoder.fingerprint)
    assert path.stat().st_size < 0.75 * (tmp_path / "evidence.safetensors").stat().st_size
    made = load_joint_reader(evidence, encoder.transformer, encoder.tokenizer, encoder.fingerprint, path)
    kept = made.network.trained_state()
    assert all(torch.equal(kept[key].float(), value.float().bfloat16().float()) for key, value in evidence.items()
               if key != "span.bias")  # fmt: skip
    assert torch.equal(kept["span.bias"].float(), (evidence["span.bias"].float() + 1.0).bfloat16().float())
    other = {key: value + 1.0 if ".layer.0." in key else value for key, value in evidence.items()}
    assert shared_digest(other) != shared_digest(evidence)
    with pytest.raises(WeightsMismatch, match="from another evidence encoder"):
        load_joint_reader(other, encoder.transformer, encoder.tokenizer, encoder.fingerprint, path)


def test_the_shipped_evidence_encoder_has_its_joint_reader(encoder: Any) -> None:
    evidence = load_evidence_encoder(encoder)
    assert evidence is not None and evidence.joint is not None and evidence.joint.joint is None
    assert evidence.joint is evidence.joint, "loaded once"
    text = "Ann | sees | Bob\n- Notes | Ann was born in Lima in 1990.\n- Bob | born in | Rome"
    (reading,) = evidence.joint.read("Where was Ann born?", [text])
    assert text[reading.spans[0].start : reading.spans[0].end] == "Lima" and reading.margin > 0
