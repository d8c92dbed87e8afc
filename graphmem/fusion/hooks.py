"""Hooks between a base model and its memory. What a call reads travels in a context variable, never on a module."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from graphmem.core.decoder import Decoder
from graphmem.core.errors import InvalidValue
from graphmem.fusion.context import _ACTIVE, AttentionRecord, LayerContext, MemoryContext
from graphmem.fusion.cross_attention import TokenContext
from graphmem.fusion.layers import FusionLayers
from graphmem.fusion.token_embeddings import TokenTable

_SESSION = "_graphmem_session"
_PREPARE = "prepare_inputs_for_generation"


class MemoryHooks:
    """The hooks on one base model. ``remove`` takes them off and leaves nothing behind.

    Args:
        model: the base.
        decoder: its parts.
        fusion: what reads.
    """

    def __init__(self, model: nn.Module, decoder: Decoder, fusion: FusionLayers) -> None:
        self.fusion, self._encodes = fusion, decoder.encodes
        self.table = TokenTable(decoder.inputs, decoder.outputs)
        layers = decoder.layers
        self._handles: list[RemovableHandle] = [
            model.register_forward_pre_hook(self._begin, with_kwargs=True),
            decoder.embedding.register_forward_hook(self._embedded),
            layers[0].register_forward_pre_hook(self._first, with_kwargs=True),
            layers[fusion.tap].register_forward_hook(self._tapped, with_kwargs=True),
        ]
        self._prepared = [_follow_generate(part, self._session) for part in _generating(model)]
        for number in fusion.layers:
            hook = self._fused(number)
            self._handles.append(layers[number].register_forward_hook(hook, with_kwargs=True))

    def remove(self) -> None:
        """Take every hook off."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        for part, followed in self._prepared:
            if vars(part).get(_PREPARE) is followed:  # else another memory was attached later, and follows too
                delattr(part, _PREPARE)
        self._prepared.clear()

    def _session(self) -> MemoryContext | None:
        active = _ACTIVE.get()
        return active if active is not None and active.fusion is self.fusion else None

    def _begin(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if (session := self._session()) is None:
            return
        session.current = session.early = None
        session.learns = torch.is_grad_enabled()
        if session.standing is not None:
            length = getattr(kwargs.get("past_key_values"), "get_seq_length", None)
            session.standing.begin(int(length()) if length is not None else 0)
        embedded = kwargs.get("decoder_inputs_embeds" if self._encodes else "inputs_embeds")
        if embedded is not None:
            self._look(session, embedded)

    def _look(self, session: MemoryContext, embedded: Tensor) -> None:
        """Take the current tokens from their embeddings."""
        session.current = self.table.centre(embedded.detach())
        if session.standing is not None:
            session.standing.recognise(session.current, self.table.inputs)

    def _embedded(self, module: nn.Module, args: tuple[Any, ...], output: Tensor) -> None:
        if (session := self._session()) is None:
            return
        if session.standing is None or not args:
            return self._look(session, output)
        session.current = self.table.centre(output.detach())
        session.standing.see(args[0])

    def _first(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if (session := self._session()) is None or _runs_again():
            return
        hidden = _input(args, kwargs)
        if session.current is not None and session.current.shape[:2] == hidden.shape[:2]:
            return
        width = self.table.weight.shape[1]  # else the tokens came in some other way than through the embedding
        if hidden.shape[-1] != width:
            raise InvalidValue(f"the layers begin at width {hidden.shape[-1]}, tokens at {width}: give inputs_embeds")
        self._look(session, hidden)

    def _tapped(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if (session := self._session()) is not None and not _runs_again():
            session.early = hidden_of(output).detach()

    def _fused(self, number: int) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> Any:
            """Add what the memory says to the layer's output; None leaves it."""
            hidden = _input(args, kwargs)
            if (seen := _kept(hidden)) is not None:
                again = seen.session.fusion is self.fusion
                return with_hidden(output, _add(seen, number, hidden_of(output))) if again else None
            session = self._session()
            if session is None or (seen := _seen(session, number, hidden.shape[0])) is None:
                return None
            _keep(hidden, seen)
            return with_hidden(output, _add(seen, number, hidden_of(output)))

        return hook


def _generating(model: nn.Module) -> list[nn.Module]:
    """The modules whose ``generate`` may run: the model, and what an adapter such as PEFT's wraps."""
    unwrap: Any = getattr(model, "get_base_model", None)
    inner = unwrap() if callable(unwrap) else model
    return [part for part in dict.fromkeys((model, inner)) if callable(getattr(part, _PREPARE, None))]


def _follow_generate(part: nn.Module, active: Callable[[], MemoryContext | None]) -> tuple[nn.Module, Any]:
    """Let a session see the whole rows that ``generate`` continues: beams swap rows between two passes."""
    prepare: Any = getattr(part, _PREPARE)

    @wraps(prepare)
    def followed(input_ids: Tensor, *args: Any, **kwargs: Any) -> Any:
        session = active()
        if session is not None and session.standing is not None:
            session.standing.whole(input_ids)
        return prepare(input_ids, *args, **kwargs)

    setattr(part, _PREPARE, followed)
    return part, followed


def attend_memory(session: MemoryContext, number: int, x: Tensor) -> Tensor:
    """The stream after layer ``number`` with what the memory adds to it: x itself where there is nothing to read."""
    seen = _seen(session, number, x.shape[0])
    return x if seen is None else _add(seen, number, x)


def _seen(session: MemoryContext, number: int, rows: int) -> LayerContext | None:
    if session.current is None or session.early is None or not session.slots[number].bias.shape[-1]:
        return None
    places = session.standing.places(rows) if session.standing is not None else None
    return LayerContext(session, TokenContext(session.current, session.early, places))


def _add(seen: LayerContext, number: int, x: Tensor) -> Tensor:
    session = seen.session
    slots, answerable = session.for_batch(x.shape[0])
    layer = session.fusion[number]
    found, weights = layer(x, seen.context, slots[number], answerable, session.quiet)
    if session.trace is not None and not _runs_again():
        opened = torch.tanh(layer.gate.detach().float()).abs()
        session.trace.append(AttentionRecord(number, weights[:, :, -1].detach() * opened))
    return layer.gated(x, found)


def _input(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
    given = (*args, kwargs.get("hidden_states"), *kwargs.values())
    return next(value for value in given if isinstance(value, Tensor))


def _runs_again() -> bool:
    """Whether a backward pass is under way: layers that run now were checkpointed, and the call that read is over."""
    return not torch.compiler.is_compiling() and torch._C._current_graph_task_id() != -1


def _keep(hidden: Tensor, seen: LayerContext) -> None:
    """Keep what was read with a layer's input: on the tensor, or on its storage where the tensor will be another."""
    if torch.compiler.is_compiling():
        return
    if torch.is_grad_enabled():
        setattr(hidden, _SESSION, seen)
    elif seen.session.learns:  # a reentrant checkpoint: no gradients now, and the input is detached when it runs again
        if not hidden.requires_grad and any(p.requires_grad for p in seen.session.fusion.parameters()):
            raise InvalidValue(
                "reentrant gradient checkpointing of a frozen base gives the readings no gradients: use "
                "gradient_checkpointing_enable({'use_reentrant': False}), or enable_input_require_grads()"
            )
        storage, context = hidden.untyped_storage(), seen.context
        if context.early.untyped_storage().data_ptr() == storage.data_ptr():  # else it would keep itself alive
            context = TokenContext(context.current, context.early.clone(), context.places)
        setattr(storage, _SESSION, LayerContext(seen.session, context))


def _kept(hidden: Tensor) -> LayerContext | None:
    if not _runs_again():
        return None
    kept: LayerContext | None = getattr(hidden, _SESSION, None)
    return kept if kept is not None else getattr(hidden.untyped_storage(), _SESSION, None)


def hidden_of(output: Any) -> Tensor:
    """The residual stream in what a decoder layer returned: the tensor itself, or the first of a tuple."""
    return output if isinstance(output, Tensor) else output[0]


def with_hidden(output: Any, hidden: Tensor) -> Any:
    """What a decoder layer returned, with another residual stream."""
    return hidden if isinstance(output, Tensor) else (hidden, *output[1:])
