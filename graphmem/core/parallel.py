"""Work on several pieces side by side: on a processor two passes with one thread each beat one pass with two."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

Piece = TypeVar("Piece")
Made = TypeVar("Made")


def parallel_map(work: Callable[[Piece], Made], pieces: Sequence[Piece]) -> Iterator[Made]:
    """What ``work`` makes of each piece, in their order; as many at a time as torch has threads.

    Args:
        work: may be called by several threads at once; each call sees the context variables of the caller.
        pieces: what is to be worked on.
    """
    import torch

    threads = torch.get_num_threads()
    workers = min(threads, len(pieces))
    if workers < 2:
        yield from map(work, pieces)
        return
    pool = ThreadPoolExecutor(workers, "graphmem", lambda: torch.set_num_threads(threads // workers))
    try:
        made = [pool.submit(copy_context().run, work, piece) for piece in pieces]
        for future in made:
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        torch.set_num_threads(threads)  # threads that others start later take the last number set
