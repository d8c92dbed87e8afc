"""Memory context: what one forward pass attends to, and records of its attention."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from graphmem.core.errors import InvalidValue
from graphmem.fusion.cross_attention import LayerMemory, TokenContext
from graphmem.fusion.layers import FusionLayers
from graphmem.fusion.memory_tokens import MemoryTokens, TokenTable
from graphmem.fusion.prefix_matching import PrefixTracker


class AttentionRecord(NamedTuple):
    """Attention of one layer at the last position of one forward pass: weights [B, H, M], gate included."""

    layer: int
    weights: Tensor


@dataclass
class MemoryContext:
    """The memory of one call.

    Attributes:
        fusion: the layers whose hooks use it; a base with two memories has two.
        slots: the memory of each layer, B samples.
        answerable: [B].
        trace: records of every pass; None where they are not wanted.
        min_attention: attention mass up to which a position attends to nothing in plain text; None in a question.
        tracker: prefix matches of the text; None matches the previous token only.
        current, early: inputs of the pass that runs, see ``TokenContext``.
        learns: whether gradients are wanted of the pass that runs.
    """

    fusion: FusionLayers
    slots: dict[int, LayerMemory]
    answerable: Tensor
    trace: list[AttentionRecord] | None = None
    min_attention: float | None = None
    tracker: PrefixTracker | None = None
    current: Tensor | None = None
    early: Tensor | None = None
    learns: bool = False
    _repeated: dict[int, tuple[dict[int, LayerMemory], Tensor]] = field(default_factory=dict)

    @classmethod
    def of(
        cls, fusion: FusionLayers, table: TokenTable, tokens: MemoryTokens, *, trace: bool = False
    ) -> MemoryContext | None:
        """The context of memory tokens, on the device of the base's embeddings; None where there are no slots."""
        if not tokens.slots:
            return None
        tokens = tokens.to(table.weight.device)
        slots = fusion.project(tokens, table, table.weight.dtype)
        return cls(fusion, slots, tokens.answerable, [] if trace else None, tracker=PrefixTracker(tokens))

    def again(self, text: Tensor | None) -> MemoryContext:
        """The same memory for another pass, whose text so far is given, int64 [B, S], where it is known."""
        tracker = None if self.tracker is None else PrefixTracker(self.tracker.tokens)
        if tracker is not None and text is not None:
            tracker.set_rows(text)
        return replace(self, tracker=tracker, current=None, early=None, _repeated={})

    def for_batch(self, rows: int) -> tuple[dict[int, LayerMemory], Tensor]:
        """Slots and answerability for ``rows`` rows: samples repeated side by side, as beam search lays them out."""
        batch = len(self.answerable)
        if rows == batch:
            return self.slots, self.answerable
        if rows % batch:
            raise InvalidValue(f"the memory was retrieved for {batch} samples, the batch has {rows} rows")
        times = rows // batch
        if times not in self._repeated:
            with torch.set_grad_enabled(self.learns or torch.is_grad_enabled()):  # off in a reentrant checkpoint
                slots = {layer: memory.repeated(times) for layer, memory in self.slots.items()}
            self._repeated[times] = slots, self.answerable.repeat_interleave(times, 0)
        return self._repeated[times]


LayerContext = tuple[MemoryContext, TokenContext]
"""What a layer attends to in one pass, kept with its input in case a checkpoint runs the layer again."""

ACTIVE_CONTEXT: ContextVar[MemoryContext | None] = ContextVar("graphmem_context", default=None)


@contextmanager
def active_context(context: MemoryContext | None) -> Iterator[None]:
    """Let forward passes inside this block attend to a context; None switches the memory off."""
    token = ACTIVE_CONTEXT.set(context)
    try:
        yield
    finally:
        ACTIVE_CONTEXT.reset(token)
