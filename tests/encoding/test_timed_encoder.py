from __future__ import annotations

import time

import numpy as np

from graphmem.encoding.timed_encoder import TimedEncoder
from graphmem.testing import HashEncoder


class Slow(HashEncoder):
    def encode(self, texts: list[str]) -> np.ndarray:  # type: ignore[override]
        start = time.process_time()
        while time.process_time() - start < 0.05:
            pass
        return super().encode(texts)


def test_the_time_of_encoding_is_left_out() -> None:
    encoder = TimedEncoder(Slow(8))
    vectors, milliseconds = encoder.without_encoding(lambda: encoder.encode(["a", "b"]))
    assert vectors.shape == (2, 8) and encoder.dim == 8
    assert encoder.seconds >= 0.05 and milliseconds < 25
