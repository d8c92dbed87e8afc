"""A memory attached to a plain PyTorch stack of layers, whose parts are named by their paths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from graphmem.core.decoder import Decoder
from graphmem.core.errors import NotAttached, UnsupportedModel
from graphmem.fusion.candidates import RetrievedNodes, candidates
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.hooks import MemoryHooks
from graphmem.fusion.layers import FusionLayers, with_layers
from graphmem.fusion.memory_tokens import NameTokenizer, collate


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
        stack, table = _part(model, layers, nn.ModuleList), _part(model, embedding, nn.Embedding)
        outputs = _part(model, head, nn.Linear).weight if head else table.weight
        decoder = Decoder(stack, layers, table, table.weight, outputs, int(outputs.shape[1]))
        self.model, self.config = model, config or FusionConfig()
        self.fusion = FusionLayers(decoder, with_layers(self.config, len(stack)))
        self.names = NameTokenizer(tokenizer, stop, self.config.max_name_tokens)
        self._hooks: MemoryHooks | None = MemoryHooks(model, decoder, self.fusion)

    @contextmanager
    def reading(self, found: RetrievedNodes | Sequence[RetrievedNodes]) -> Iterator[None]:
        """Let the module attend to retrievals inside this block: one for the batch, or one a sample.

        Raises:
            NotAttached: after ``detach``.
        """
        if self._hooks is None or self._hooks.fusion is None:
            raise NotAttached("this memory is detached, or its module was copied: make a new StackMemory")
        given = list(found) if isinstance(found, Sequence) else [found]
        tokens = collate(self.names, [candidates(one, self.config.max_nodes, self.config.refusal) for one in given])
        with active_context(MemoryContext.of(self.fusion, self._hooks.table, tokens)):
            yield

    def detach(self) -> nn.Module:
        """Remove the hooks, make parameters trainable where they were, and return the module."""
        if self._hooks is not None:
            self._hooks.remove()
            self._hooks = None
        return self.model


def _part(model: nn.Module, path: str, kind: type) -> Any:
    parts = {name: part for name, part in model.named_modules(remove_duplicate=False) if isinstance(part, kind)}
    if path not in parts:
        there = ", ".join(parts) or "none"
        raise UnsupportedModel(f"{path!r} names no {kind.__name__} of {type(model).__name__}; there are: {there}")
    return parts[path]
