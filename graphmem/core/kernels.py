"""Compiled kernels (numba, the extra ``fast``): imported in the background, with numpy as the fallback."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module
from typing import Any


class KernelLoader:
    """Background import of one module of kernels, by its full name, so that no query waits for the compiler.

    ``kernels`` is None until the module is there; numba may be missing or not support this machine. The import begins
    at the call ``after``, since a process that ends after a query or two would pay for kernels that it never uses.
    """

    def __init__(self, module: str, after: int = 32) -> None:
        self.module, self.after, self._calls = module, after, 0
        self.kernels: Any = None
        self._thread = threading.Thread(target=self._load, name=module, daemon=True)
        self._lock = threading.Lock()

    def get(self) -> Any:
        """The module or None; a later call starts the import."""
        if self._thread.ident is None:
            self._calls += 1
            if self._calls >= self.after:
                self._start()
        return self.kernels

    def ready(self, seconds: float | None = None) -> bool:
        """Wait for the import; returns whether there are kernels. For benchmarks and services that warm up."""
        self._start()
        self._thread.join(seconds)
        return self.kernels is not None

    def _start(self) -> None:
        with self._lock:
            if self._thread.ident is None:
                self._thread.start()

    def _load(self) -> None:
        try:
            self.kernels = import_module(self.module)
        except Exception:  # numba is missing, or has no code for this machine: numpy keeps doing the work
            self.kernels = None


def compiled(signatures: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorator that compiles a function for numba signatures, and caches the code where a folder can be written."""
    import numba

    def compile_(function: Callable[..., Any]) -> Any:
        try:
            return numba.njit(signatures, cache=True, nogil=True)(function)
        except RuntimeError:  # no folder to cache in
            return numba.njit(signatures, nogil=True)(function)

    return compile_
