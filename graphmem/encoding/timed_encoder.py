"""Text encoder that measures its processor time, to report a search without text encoding."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any


class TimedEncoder:
    """Text encoder that counts the processor time it takes.

    Args:
        encoder: the wrapped encoder.

    Attributes:
        seconds: processor time of all calls so far.
    """

    def __init__(self, encoder: Any) -> None:
        self._encoder, self.seconds = encoder, 0.0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._encoder, name)
        return self._timed(value) if name.startswith("encode") and callable(value) else value

    def _timed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def timed(texts: Sequence[str]) -> Any:
            started = time.process_time()
            try:
                return call(texts)
            finally:
                self.seconds += time.process_time() - started

        return timed

    def without_encoding(self, call: Callable[[], Any]) -> tuple[Any, float]:
        """Result of a call, and its processor time in milliseconds without text encoding."""
        encoded, started = self.seconds, time.process_time()
        result = call()
        return result, 1000 * (time.process_time() - started - (self.seconds - encoded))
