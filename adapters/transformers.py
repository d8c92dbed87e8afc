"""Hugging Face transformers: decoder stack and embeddings of a model, and properties of its training."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from graphmem.core.decoder import Decoder
from graphmem.core.errors import InvalidValue, UnsupportedModel


def find_decoder(model: Any, path: str | None = None) -> Decoder:
    """Find the stack of decoder layers and the embeddings.

    The stack is the only one of a decoder or an encoder, and the decoder's of a model that has both.

    Args:
        model: a model of transformers, also wrapped by PEFT or compiled, or any module with ``layers_path``.
        path: dotted path of the layers (an ``nn.ModuleList``), where it cannot be found.

    Raises:
        UnsupportedModel: no such stack or no embeddings; the message lists the stacks there are.
    """
    found, layers = _stack(model, path)
    embedding = _embedding(model)
    if embedding is None or not isinstance(getattr(embedding, "weight", None), Tensor):
        raise UnsupportedModel(f"{type(model).__name__} has no token embeddings (get_input_embeddings() gives none)")
    head = _call(model, "get_output_embeddings")
    inputs = embedding.weight
    outputs = head.weight if isinstance(getattr(head, "weight", None), Tensor) else inputs
    width = int(getattr(text_config(model), "hidden_size", None) or inputs.shape[1])
    return Decoder(layers, found, embedding, inputs, outputs, width, _encodes(model), _writes(model))


def _stack(model: nn.Module, path: str | None) -> tuple[str, nn.ModuleList]:
    lists = {name: m for name, m in model.named_modules() if isinstance(m, nn.ModuleList) and len(m)}
    if path is not None:
        if path not in lists:
            raise UnsupportedModel(_unknown(model, lists, f"no stack of layers at {path!r}"))
        return path, lists[path]
    depths = _depths(model)
    fitting = [name for name, layers in lists.items() if not depths or len(layers) in depths]
    if len(fitting) > 1:  # the outermost ones
        fitting = [name for name in fitting if not any(name.startswith(f"{outer}.") for outer in fitting)]
    if len(fitting) > 1:
        fitting = _in_decoder(model, lists, fitting) or fitting
    if len(fitting) > 1:
        fitting = [name for name in fitting if len({type(layer) for layer in lists[name]}) == 1] or fitting
    if len(fitting) != 1:
        raise UnsupportedModel(_unknown(model, lists, "no single stack of decoder layers found"))
    return fitting[0], lists[fitting[0]]


def _in_decoder(model: nn.Module, lists: Mapping[str, nn.ModuleList], names: list[str]) -> list[str]:
    """Stacks inside the model's decoder, or with ``decoder`` in their path."""
    decoder = _call(model, "get_decoder")
    within = {id(m) for m in decoder.modules()} if isinstance(decoder, nn.Module) and decoder is not model else set()
    inside = [name for name in names if id(lists[name]) in within]
    named = [name for name in inside or names if "decoder" in name.split(".")]
    return named or inside


def _depths(model: nn.Module) -> set[int]:
    config = text_config(model)
    decoding = ("num_decoder_layers", "decoder_layers") if _encodes(model) else ()
    named = [getattr(config, name, None) for name in decoding]
    named = [depth for depth in named if depth is not None] or [getattr(config, "num_hidden_layers", None)]
    return {depth for depth in named if isinstance(depth, int)}


def _unknown(model: nn.Module, lists: Mapping[str, nn.ModuleList], what: str) -> str:
    there = ", ".join(f"{name} ({len(m)} x {type(m[0]).__name__})" for name, m in lists.items()) or "none"
    return (
        f"{what} in {type(model).__name__}. Stacks of layers there: {there}. "
        "Name the right one: attach(..., config=FusionConfig(layers_path='model.layers'))"
    )


def _embedding(model: nn.Module) -> Any:
    """The embedding module of the stack: the decoder's own in an encoder-decoder model."""
    decoder = _call(model, "get_decoder") if _encodes(model) else None
    own = _call(decoder, "get_input_embeddings") if isinstance(decoder, nn.Module) else None
    return own if own is not None else _call(model, "get_input_embeddings")


def _call(model: Any, name: str) -> Any:
    """Result of a method without arguments; None where the model has no such method or does not implement it."""
    method = getattr(model, name, None)
    try:
        return method() if callable(method) else None
    except (NotImplementedError, AttributeError):
        return None


def _encodes(model: nn.Module) -> bool:
    return bool(getattr(getattr(model, "config", None), "is_encoder_decoder", False))


def _writes(model: nn.Module) -> bool:
    """Whether the model continues texts; an encoder, or a model without a head, does not."""
    can = getattr(model, "can_generate", None)
    return bool(can()) if callable(can) else hasattr(model, "generate")


def check_keeps_text(model: nn.Module) -> None:
    """Check that a model which writes keeps the text so far in ``past_key_values``, where it can be recognised.

    Raises:
        UnsupportedModel: it keeps a state instead (Mamba, RWKV, xLSTM), which proves no text.
    """
    unwrap = getattr(model, "get_base_model", None)
    names = set(signature((unwrap() if callable(unwrap) else model).forward).parameters)
    states = sorted(names & {"cache_params", "state", "states", "rnn_state"})
    if _writes(model) and states and "past_key_values" not in names:
        raise UnsupportedModel(
            f"{type(model).__name__} keeps its text in {states[0]!r}, a recurrent state, and has no attention whose "
            "cache could prove which text it holds; a memory can be attached to models with attention, hybrids included"
        )


@torch.no_grad()
def sample_logits(model: nn.Module, decoder: Decoder) -> list[bytes] | None:
    """Bytes of the logits of some short inputs; None for models that compute the same when they are frozen.

    Convolutions on a CPU take another path, with another rounding, when their parameters need no gradients.
    """
    convolved = any(isinstance(part, nn.modules.conv._ConvNd) for part in decoder.layers.modules())
    if not convolved or decoder.inputs.device.type != "cpu" or decoder.encodes:
        return None
    training, made = [part for part in model.modules() if part.training], []
    model.eval()
    for rows, length in ((1, 1), (1, 2), (1, 3), (1, 5), (2, 1), (2, 2), (2, 3), (2, 5)):
        ids = torch.arange(rows * length).view(rows, length) % len(decoder.inputs)
        made.append(model(input_ids=ids).logits.float().numpy().tobytes())
    for part in training:
        part.training = True
    return made


def check_tokens(ids: Any, given: Mapping[str, Any], vocabulary: int) -> None:
    """Check token ids, a mask and labels.

    Raises:
        InvalidValue: no tensor of whole numbers, of another shape, or tokens outside the vocabulary.
    """
    for name, value in (("input_ids", ids), *((name, given.get(name)) for name in ("labels", "attention_mask"))):
        if value is None or (name == "attention_mask" and isinstance(value, Mapping) and value):
            continue  # generate passes one mask for each kind of layer
        if not isinstance(value, Tensor):
            raise InvalidValue(f"{name} must be a tensor, not {type(value).__name__}")
        if name != "attention_mask" and (value.is_floating_point() or value.is_complex() or value.dtype == torch.bool):
            raise InvalidValue(f"{name} must hold token ids, whole numbers, not {value.dtype}")
    if ids is None:
        return
    if ids.ndim != 2 or not ids.numel():
        raise InvalidValue(f"input_ids must have the shape [rows, tokens], one token at least, not {list(ids.shape)}")
    if not ids.is_meta and not bool(((ids >= 0) & (ids < vocabulary)).all()):
        raise InvalidValue(f"input_ids must be between 0 and {vocabulary - 1}, the last token of the vocabulary")


def text_config(model: nn.Module) -> Any:
    """Config of the language model inside a model; None without a config."""
    config = getattr(model, "config", None)
    return config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config


def is_adapted(base: Any) -> bool:
    """Whether the base has PEFT adapters; PEFT then selects the trained parameters."""
    return bool(getattr(base, "peft_config", None))


def takes_loss_kwargs(base: Any) -> bool:
    """Whether a model's loss takes ``num_items_in_batch``."""
    declared = getattr(base, "accepts_loss_kwargs", None)
    parameters = signature(base.forward).parameters.values()
    return bool(declared) if declared is not None else any(p.kind is p.VAR_KEYWORD for p in parameters)


def prompt_mask(ids: Tensor, mask: Tensor | None, labels: Tensor) -> Tensor | None:
    """Attention mask without the target answers, int64 [B, T]; rows that are targets from the start stay whole.

    Args:
        ids: int64 [B, T].
        mask: int64 [B, T], 0 for padding; None where there is none.
        labels: int64 [B, T], -100 outside the targets.
    """
    if labels.shape != ids.shape:
        return mask
    seen = torch.ones_like(ids) if mask is None else mask
    prompt = ((labels != -100).cumsum(1) == 0) & seen.bool()
    return (prompt | ~prompt.any(1, keepdim=True)).long() * seen
