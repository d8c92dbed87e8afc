"""Forward hooks between a base model and its memory. A call's context is in a context variable, never on a module."""

from __future__ import annotations

from functools import partial, update_wrapper
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from graphmem.core.decoder import Decoder
from graphmem.core.errors import InvalidValue
from graphmem.fusion.context import ACTIVE_CONTEXT, AttentionRecord, LayerContext, MemoryContext
from graphmem.fusion.cross_attention import TokenContext
from graphmem.fusion.layers import FusionLayers
from graphmem.fusion.memory_tokens import TokenTable

_KEPT = "_graphmem_context"
_PREPARE = "prepare_inputs_for_generation"


class MemoryHooks:
    """The hooks on one base model, whose parameters are frozen until ``remove`` if ``freeze``."""

    def __init__(self, model: nn.Module, decoder: Decoder, fusion: FusionLayers, *, freeze: bool = True) -> None:
        self.fusion, self._encodes = fusion, decoder.encodes
        self.table = TokenTable(decoder.inputs, decoder.outputs)
        self._trainable = [(p, p.requires_grad) for p in model.parameters()] if freeze else []
        for parameter, _ in self._trainable:
            parameter.requires_grad_(False)
        layers = decoder.layers
        self._handles: list[RemovableHandle] = [
            model.register_forward_pre_hook(self._begin, with_kwargs=True),
            decoder.embedding.register_forward_hook(self._embedded),
            layers[0].register_forward_pre_hook(self._first, with_kwargs=True),
            layers[fusion.tap].register_forward_hook(self._tapped, with_kwargs=True),
        ]
        unwrap: Any = getattr(model, "get_base_model", lambda: model)  # what an adapter such as PEFT's wraps
        generating = [part for part in dict.fromkeys((model, unwrap())) if callable(getattr(part, _PREPARE, None))]
        self._prepared = [(part, _TrackedRows(part, self)) for part in generating]
        for number in fusion.layers:
            hook = partial(self._fused, number)
            self._handles.append(layers[number].register_forward_hook(hook, with_kwargs=True))

    def remove(self, *, restore: bool = True) -> None:
        """Remove every hook and, with ``restore``, make parameters trainable where they were."""
        for handle in self._handles:
            handle.remove()
        for part, tracked in self._prepared:
            if vars(part).get(_PREPARE) is tracked:  # else another memory was attached later, and tracks too
                delattr(part, _PREPARE)
        for parameter, trainable in self._trainable if restore else ():
            parameter.requires_grad_(trainable)

    def __getstate__(self) -> dict[str, Any]:
        """State without the memory: a copied or saved base has hooks that do nothing, and can remove them."""
        return {**vars(self), "fusion": None, "table": None}

    def active(self) -> MemoryContext | None:
        """The context of the call that runs, if it is for these layers."""
        active = ACTIVE_CONTEXT.get()
        return active if active is not None and active.fusion is self.fusion else None

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if (context := self.active()) is None:
            return
        context.current = context.early = None
        context.learns = torch.is_grad_enabled()
        if context.tracker is not None:
            length = getattr(kwargs.get("past_key_values"), "get_seq_length", None)
            context.tracker.start_pass(int(length()) if length is not None else 0)
        embedded = kwargs.get("decoder_inputs_embeds" if self._encodes else "inputs_embeds")
        if embedded is not None:
            self._set_current(context, embedded)

    def _set_current(self, context: MemoryContext, embedded: Tensor, ids: Tensor | None = None) -> None:
        """Set the current tokens from their embeddings, and their ids where they are known."""
        context.current = self.table.centre(embedded.detach())
        if context.tracker is not None and ids is not None:
            context.tracker.append(ids)
        elif context.tracker is not None:
            context.tracker.append_embedded(context.current, self.table.inputs)

    def _embedded(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        if (context := self.active()) is not None:
            self._set_current(context, output, args[0] if args else None)

    def _first(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if (context := self.active()) is None or _recomputing():
            return
        hidden = _input(args, kwargs)
        if context.current is not None and context.current.shape[:2] == hidden.shape[:2]:
            return
        width = self.table.weight.shape[1]  # else the tokens did not pass through the embedding
        if hidden.shape[-1] != width:
            raise InvalidValue(f"the layers begin at width {hidden.shape[-1]}, tokens at {width}: give inputs_embeds")
        self._set_current(context, hidden)

    def _tapped(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if (context := self.active()) is not None and not _recomputing():
            context.early = hidden_of(output).detach()

    def _fused(self, number: int, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
        """Add the memory layer's output to the decoder layer's; None leaves it unchanged."""
        hidden = _input(args, kwargs)
        if (now := _kept(hidden)) is not None:
            if now[0].fusion is not self.fusion:
                return None
        else:
            context = self.active()
            if context is None or context.current is None or context.early is None:
                return None
            if not context.slots[number].bias.shape[-1]:
                return None
            matches = context.tracker.matches(hidden.shape[0]) if context.tracker is not None else None
            now = context, TokenContext(context.current, context.early, matches)
            _keep(hidden, now)
        added = _add(now, number, hidden_of(output))
        return added if isinstance(output, Tensor) else (added, *output[1:])


class _TrackedRows:
    """``prepare_inputs_for_generation`` of a part, which also passes whole rows on: beams swap rows between passes.

    It is no closure, so that a copy of the part gets one of its own.
    """

    def __init__(self, part: nn.Module, hooks: MemoryHooks) -> None:
        self.hooks = hooks
        update_wrapper(self, getattr(part, _PREPARE), assigned=(), updated=())
        setattr(part, _PREPARE, self)

    def __call__(self, input_ids: Tensor, *args: Any, **kwargs: Any) -> Any:
        context = self.hooks.active()
        if context is not None and context.tracker is not None:
            context.tracker.set_rows(input_ids)
        return self.__wrapped__(input_ids, *args, **kwargs)  # type: ignore[attr-defined]


def _add(now: LayerContext, number: int, x: Tensor) -> Tensor:
    context, tokens = now
    slots, answerable = context.for_batch(x.shape[0])
    layer = context.fusion[number]
    read, weights = layer(x, tokens, slots[number], answerable, context.min_attention)
    if context.trace is not None and not _recomputing():
        gate = torch.tanh(layer.gate.detach().float()).abs()
        context.trace.append(AttentionRecord(number, weights[:, :, -1].detach() * gate))
    return layer.gated(x, read)


def _input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    given = (*args, kwargs.get("hidden_states"), *kwargs.values())
    return next(value for value in given if isinstance(value, Tensor))


def _recomputing() -> bool:
    """Whether a backward pass runs: layers that run now were checkpointed, and the call is over."""
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


def _keep(hidden: Tensor, now: LayerContext) -> None:
    """Keep a layer's context with its input: on the tensor, or on its storage where the tensor will be another."""
    if torch.compiler.is_compiling():
        return
    if torch.is_grad_enabled():
        setattr(hidden, _KEPT, now)
    elif now[0].learns:  # a reentrant checkpoint: no gradients now, and the input is detached when it runs again
        if not hidden.requires_grad and any(p.requires_grad for p in now[0].fusion.parameters()):
            raise InvalidValue(
                "reentrant gradient checkpointing of a frozen base gives the memory layers no gradients: use "
                "gradient_checkpointing_enable({'use_reentrant': False}), or enable_input_require_grads()"
            )
        storage, (context, tokens) = hidden.untyped_storage(), now
        if tokens.early.untyped_storage().data_ptr() == storage.data_ptr():  # else it would keep itself alive
            tokens = TokenContext(tokens.current, tokens.early.clone(), tokens.matches)
        setattr(storage, _KEPT, (context, tokens))


def _kept(hidden: Tensor) -> LayerContext | None:
    if not _recomputing():
        return None
    kept: LayerContext | None = getattr(hidden, _KEPT, None)
    return kept if kept is not None else getattr(hidden.untyped_storage(), _KEPT, None)


def hidden_of(output: Any) -> Tensor:
    """The residual stream in a decoder layer's output: the tensor itself, or the first of a tuple."""
    return output if isinstance(output, Tensor) else output[0]
