from __future__ import annotations

import numpy as np

from graphmem.retrieval.passages.reranker import FEATURES
from graphmem.training.passage_reranker import train


def test_training_finds_the_informative_feature() -> None:
    rng = np.random.default_rng(0)
    data = []
    for _ in range(40):
        features = rng.normal(size=(12, len(FEATURES))).astype(np.float32)
        data.append((features, (features[:, 4] > np.sort(features[:, 4])[-3]).astype(np.float32)))
    weights = train(data, steps=100).weights
    assert weights.argmax() == 4 and weights[4] > 3 * np.abs(np.delete(weights, 4)).max()
