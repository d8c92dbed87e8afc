"""A plain PyTorch stack of layers: attach a memory to it by naming its parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from graphmem.core.decoder import Decoder
from graphmem.core.errors import NotAttached, UnsupportedModel
from graphmem.fusion.candidates import RetrievedNodes, candidates
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.hooks import MemoryHooks
from graphmem.fusion.layers import FusionLayers, with_layers
from graphmem.fusion.memory_tokens import NameTokenizer, collate
from graphmem.fusion.prefix_matching import PrefixTracker


class StackMemory:
    """A memory on a module that maps token ids to logits through a stack of layers.

    Each layer takes the residual stream [B, T, D] as its first argument and returns it, or a tuple that begins with it.

    Args:
        model: the module; its parameters are frozen until ``detach``.
        tokenizer: called with ``(text, add_special_tokens=False)``, returns a mapping with ``input_ids``.
        stop: token that ends a text.
        layers: dotted path of the ``nn.ModuleList`` of layers.
        embedding: dotted path of the ``nn.Embedding`` of tokens.
        head: dotted path of the output layer, whose ``weight`` is [V, D]; None where it shares the embedding's weights.
        config: sizes and layers.

    Raises:
        UnsupportedModel: a path names nothing, or something else.
    """

    def __init__(
        self, model: nn.Module, tokenizer: Any, stop: int, *, layers: str, embedding: str, head: str | None = None,
        config: FusionConfig | None = None,
    ) -> None:  # fmt: skip
        self.model, self.config = model, config or FusionConfig()
        stack, table = _part(model, layers, nn.ModuleList), _part(model, embedding, nn.Embedding)
        outputs = _part(model, head, nn.Linear).weight if head else table.weight
        width = int(outputs.shape[1])
        placed = with_layers(self.config, len(stack))
        widths = (int(table.weight.shape[1]), width)
        self.fusion = FusionLayers(width, widths, placed.layers or (), placed.tap or 0, self.config).to(
            table.weight.device
        )
        self.names = NameTokenizer(tokenizer, stop, self.config.max_name_tokens)
        self._was_trained = [(p, p.requires_grad) for p in model.parameters()]
        model.requires_grad_(False)
        decoder = Decoder(stack, layers, table, table.weight, outputs, width)
        self._attachment: MemoryHooks | None = MemoryHooks(model, decoder, self.fusion)

    @contextmanager
    def reading(self, found: RetrievedNodes | Sequence[RetrievedNodes]) -> Iterator[None]:
        """Inside this block the module reads what was found: one retrieval for the batch, or one a sample.

        Raises:
            NotAttached: after ``detach``.
        """
        if self._attachment is None:
            raise NotAttached("the memory has been detached from this module; make a new StackMemory")
        given = list(found) if isinstance(found, Sequence) else [found]
        tokens = collate(self.names, [candidates(one, self.config.nodes, self.config.refusal) for one in given])
        weight: Tensor = self._attachment.table.weight
        tokens = tokens.to(weight.device)
        slots = self.fusion.project(tokens, self._attachment.table, weight.dtype)
        standing = PrefixTracker(tokens)
        session = MemoryContext(self.fusion, slots, tokens.answerable, standing=standing) if tokens.slots else None
        with active_context(session):
            yield

    def detach(self) -> nn.Module:
        """Take the hooks off, make parameters trainable where they were, and return the module."""
        if self._attachment is not None:
            self._attachment.remove()
            self._attachment = None
            for parameter, trained in self._was_trained:
                parameter.requires_grad_(trained)
        return self.model


def _part(model: nn.Module, path: str, kind: type) -> Any:
    try:
        part = model.get_submodule(path)
    except AttributeError:
        part = None
    if not isinstance(part, kind):
        there = ", ".join(name for name, m in model.named_modules() if isinstance(m, kind)) or "none"
        raise UnsupportedModel(f"{path!r} names no {kind.__name__} of {type(model).__name__}; there are: {there}")
    return part
