from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphmem.adapters.sentence_transformers import MAX_CHARACTERS, SentenceTransformerEncoder
from graphmem.core.errors import InvalidValue, ModelNotFound
from graphmem.core.protocols import TextEncoder

TEXTS = ["Where was Ada Lovelace born?", "a", "Where was Ada Lovelace born?", "the release year of the film"]


def test_vectors_are_unit_and_in_the_order_given(encoder: Any) -> None:
    vectors = encoder.encode(TEXTS)
    assert vectors.shape == (4, encoder.dim) and vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.array_equal(vectors[0], vectors[2])
    assert np.allclose(vectors[1], encoder.encode(["a"])[0], atol=1e-5)


def test_likeness_of_meaning_is_likeness_of_vectors(encoder: Any) -> None:
    film, year, sea = encoder.encode(["who directed the film", "director of the movie", "depth of the sea"])
    assert film @ year > film @ sea + 0.2


def test_token_states_carry_their_mask(encoder: Any) -> None:
    states, mask = encoder.encode_tokens(TEXTS)
    assert states.shape[:2] == mask.shape and states.shape[2] == encoder.dim
    assert mask[0].sum() > mask[1].sum() == 3  # start, a, end
    assert not states[1, 3:].any()


def test_one_pass_gives_the_same_as_two(encoder: Any) -> None:
    vectors, states, mask = encoder.encode_both(TEXTS)
    assert np.allclose(vectors, encoder.encode(TEXTS), atol=1e-5)
    assert np.allclose(states, encoder.encode_tokens(TEXTS)[0], atol=1e-4)
    assert np.array_equal(mask, encoder.encode_tokens(TEXTS)[1])


def test_nothing_gives_empty_arrays(encoder: Any) -> None:
    assert encoder.encode([]).shape == (0, encoder.dim)
    states, mask = encoder.encode_tokens([])
    assert states.shape == (0, 0, encoder.dim) and mask.shape == (0, 0)


def test_a_very_long_text_is_cut(encoder: Any) -> None:
    long = "river " * 50_000
    assert np.allclose(encoder.encode([long]), encoder.encode([long[:MAX_CHARACTERS]]))


def test_it_is_a_text_encoder_that_names_its_weights(encoder: Any) -> None:
    assert isinstance(encoder, TextEncoder)
    again = SentenceTransformerEncoder(encoder.name)
    assert again.fingerprint == encoder.fingerprint
    weight = next(again._model.parameters())
    weight.data[0, 0] += 1
    assert SentenceTransformerEncoder(encoder.name).fingerprint == encoder.fingerprint


def test_a_folder_without_a_model_is_reported(tmp_path: Any) -> None:
    with pytest.raises(ModelNotFound, match="no text encoder"):
        SentenceTransformerEncoder(tmp_path)


def test_batches_hold_at_least_one_token() -> None:
    with pytest.raises(InvalidValue, match="batch_tokens"):
        SentenceTransformerEncoder("anything", batch_tokens=0)
