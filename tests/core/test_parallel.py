"""Pieces of work side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest
import torch

from graphmem.core.parallel import parallel_map

WORD: ContextVar[str] = ContextVar("word", default="")


@pytest.fixture(autouse=True)
def _threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_results_come_in_order_and_see_the_callers_context() -> None:
    token = WORD.set("set")
    try:
        assert list(parallel_map(lambda n: (n, WORD.get()), range(20))) == [(n, "set") for n in range(20)]
    finally:
        WORD.reset(token)


def test_two_work_at_once_with_a_thread_each() -> None:
    both = threading.Barrier(2, timeout=10)

    def meet(_: int) -> int:
        both.wait()
        return torch.get_num_threads()

    assert list(parallel_map(meet, range(2))) == [1, 1]
    assert torch.get_num_threads() == 2


def test_one_piece_or_one_thread_needs_no_other_thread() -> None:
    assert list(parallel_map(lambda _: threading.get_ident(), [0])) == [threading.get_ident()]
    torch.set_num_threads(1)
    assert set(parallel_map(lambda _: threading.get_ident(), range(3))) == {threading.get_ident()}
    assert list(parallel_map(str, [])) == []


def test_an_error_comes_out_and_ends_the_rest() -> None:
    def fail(n: int) -> int:
        if n == 1:
            raise ValueError("no")
        return n

    made = parallel_map(fail, range(4))
    assert next(made) == 0
    with pytest.raises(ValueError, match="no"):
        list(made)
    assert torch.get_num_threads() == 2
