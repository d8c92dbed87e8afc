"""The packaged encoder without sentence-transformers: the same vectors bit for bit, and only where that is so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphmem.adapters import sentence_transformers
from graphmem.adapters.mean_pooling import MeanPooledEncoder, is_mean_pooled

TEXTS = ["Where was Ada Lovelace born?", "a", "", "  ", "naïve café — 北京 🙂", "word " * 600, "x" * 5000]


@pytest.fixture(scope="module")
def reference(encoder: Any) -> Any:
    """The same folder by sentence-transformers."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sentence_transformers, "is_mean_pooled", lambda folder: False)
        return sentence_transformers.SentenceTransformerEncoder(encoder.name)


def test_vectors_states_and_fingerprint_are_the_library_s(encoder: Any, reference: Any) -> None:
    assert isinstance(encoder._model, MeanPooledEncoder) and not isinstance(reference._model, MeanPooledEncoder)
    for have, want in zip(encoder.encode_both(TEXTS), reference.encode_both(TEXTS), strict=True):
        assert have.dtype == want.dtype and np.array_equal(have, want)
    assert np.array_equal(encoder.encode(TEXTS), reference.encode(TEXTS))
    assert encoder.offsets(TEXTS) == reference.offsets(TEXTS)
    assert (encoder.fingerprint, encoder.dim) == (reference.fingerprint, reference.dim)


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("1_Pooling/config.json", {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}),
        ("sentence_bert_config.json", {"do_lower_case": True}),
        ("config_sentence_transformers.json", {"prompts": {"query": "query: "}}),
        ("config.json", {"model_type": "mpnet"}),
    ],
)
def test_any_other_folder_is_left_to_the_library(
    encoder: Any, tmp_path: Path, file: str, change: dict[str, Any]
) -> None:
    folder = shutil.copytree(encoder.name, tmp_path / "model")
    assert is_mean_pooled(folder)
    (folder / file).write_text(json.dumps(json.loads((folder / file).read_text()) | change))
    assert not is_mean_pooled(folder) and not is_mean_pooled(tmp_path)
