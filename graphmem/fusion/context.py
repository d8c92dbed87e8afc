"""Memory context: what one forward pass attends to, and records of what it attended to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

import torch
from torch import Tensor

from graphmem.core.errors import InvalidValue
from graphmem.fusion.cross_attention import LayerMemory, TokenContext
from graphmem.fusion.layers import FusionLayers
from graphmem.fusion.prefix_matching import PrefixTracker


@dataclass(frozen=True, slots=True)
class AttentionRecord:
    """Where one layer looked at the last position of one forward pass: weight [H, M] (gate included), per sample."""

    layer: int
    weights: Tensor


@dataclass
class MemoryContext:
    """One call's memory: made when the call starts, gone when it ends.

    Attributes:
        fusion: whose hooks may read it; a base with two memories has two.
        slots: what each fused layer reads, B samples.
        answerable: [B].
        trace: glances of every pass, for an explanation; None when nobody asked.
        quiet: share of attention up to which nothing is read, where nobody asked; None where somebody did.
        standing: follows the text through the names; None where only the previous token is to be matched.
        learns: whether gradients are wanted of the pass that runs.
    """

    fusion: FusionLayers
    slots: dict[int, LayerMemory]
    answerable: Tensor
    trace: list[AttentionRecord] | None = None
    quiet: float | None = None
    standing: PrefixTracker | None = None
    current: Tensor | None = None
    early: Tensor | None = None
    learns: bool = False
    _spread: dict[int, tuple[dict[int, LayerMemory], Tensor]] = field(default_factory=dict)

    def for_batch(self, rows: int) -> tuple[dict[int, LayerMemory], Tensor]:
        """Slots and answerability for ``rows`` rows: samples repeated side by side, as beam search lays them out."""
        batch = len(self.answerable)
        if rows == batch:
            return self.slots, self.answerable
        if rows % batch:
            raise InvalidValue(f"the memory was retrieved for {batch} samples, the batch has {rows} rows")
        times = rows // batch
        if times not in self._spread:
            with torch.set_grad_enabled(self.learns or torch.is_grad_enabled()):  # off in a reentrant checkpoint
                spread = {layer: s.repeated(times) for layer, s in self.slots.items()}
            self._spread[times] = spread, self.answerable.repeat_interleave(times, 0)
        return self._spread[times]


@dataclass(frozen=True, slots=True)
class LayerContext:
    """What a layer read in one pass: kept with its input, for when a checkpoint runs the layer again."""

    session: MemoryContext
    context: TokenContext


_ACTIVE: ContextVar[MemoryContext | None] = ContextVar("graphmem_session", default=None)


@contextmanager
def active_context(session: MemoryContext | None) -> Iterator[None]:
    """Make a session the one that forward passes inside this block read; None reads nothing."""
    token = _ACTIVE.set(session)
    try:
        yield
    finally:
        _ACTIVE.reset(token)
