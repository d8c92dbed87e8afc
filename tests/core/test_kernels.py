from __future__ import annotations

from graphmem.core.kernels import KernelLoader


def test_the_module_is_imported_in_the_background() -> None:
    loader = KernelLoader("fractions")
    assert loader.ready() and loader.get().Fraction(1, 2) == 0.5


def test_a_module_that_cannot_be_imported_leaves_none() -> None:
    loader = KernelLoader("graphmem.no_such_module")
    assert not loader.ready() and loader.get() is None


def test_a_process_that_asks_a_few_times_imports_nothing() -> None:
    loader = KernelLoader("fractions", after=3)
    assert loader.get() is None and loader.get() is None and loader._thread.ident is None
    loader.get()
    assert loader._thread.ident is not None and loader.ready()
