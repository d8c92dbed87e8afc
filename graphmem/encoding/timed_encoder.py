"""Text encoder that measures its processor time, to report a search without text encoding."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any


class TimedEncoder:
    """Wrapper of a text encoder that counts the processor time of all its calls so far, ``seconds``."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self.seconds = encoder, 0.0

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._encoder, name)
        return partial(self._timed, value) if name.startswith("encode") and callable(value) else value

    def _timed(self, call: Callable[..., Any], texts: Sequence[str]) -> Any:
        started = time.process_time()
        result = call(texts)
        self.seconds += time.process_time() - started
        return result

    def without_encoding(self, call: Callable[[], Any]) -> tuple[Any, float]:
        """Result of a call, and its processor time in milliseconds without text encoding."""
        encoded, started = self.seconds, time.process_time()
        result = call()
        return result, 1000 * (time.process_time() - started - (self.seconds - encoded))
