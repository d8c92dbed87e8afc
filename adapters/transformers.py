"""Hugging Face transformers: where a model keeps its layers and embeddings, and which model it is."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import FrozenInstanceError, asdict, replace
from inspect import signature
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.core.errors import UnsupportedModel
from graphmem.core.validation import FusionConfig
from graphmem.fusion.hooks import Decoder

_SKETCH_ROWS, _SKETCH_COLUMNS = 32, 16
_SAME = 0.98
"""Least cosine between two sketches of the same weights: above quantisation noise, far above any retraining."""


def find_decoder(model: Any, path: str | None = None) -> Decoder:
    """Find the stack of layers that is to read, and the embeddings.

    The stack is the only one of a decoder or an encoder, and the decoder's of a model that has both.

    Args:
        model: a model of transformers, one of PEFT or a compiled one around it, or any module with ``layers_path``.
        path: dotted path of the layers (an ``nn.ModuleList``), where it cannot be guessed.

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
    return Decoder(layers, found, embedding, inputs, outputs, _width(model, inputs), _encodes(model), _writes(model))


def _stack(model: nn.Module, path: str | None) -> tuple[str, nn.ModuleList]:
    lists = {name: m for name, m in model.named_modules() if isinstance(m, nn.ModuleList) and len(m)}
    if path is not None:
        if path not in lists:
            raise UnsupportedModel(_unknown(model, lists, f"no stack of layers at {path!r}"))
        return path, lists[path]
    depths = _depths(model)
    fitting = [name for name, layers in lists.items() if not depths or len(layers) in depths]
    for choose in (_outermost, lambda names: _in_decoder(model, lists, names), lambda names: _alike(lists, names)):
        fitting = choose(fitting) or fitting if len(fitting) > 1 else fitting
    if len(fitting) != 1:
        raise UnsupportedModel(_unknown(model, lists, "no single stack of decoder layers found"))
    return fitting[0], lists[fitting[0]]


def _outermost(names: list[str]) -> list[str]:
    return [name for name in names if not any(name.startswith(f"{outer}.") for outer in names)]


def _in_decoder(model: nn.Module, lists: Mapping[str, nn.ModuleList], names: list[str]) -> list[str]:
    """Those of the stacks that the model calls its decoder, or that are named so."""
    decoder = _call(model, "get_decoder")
    within = {id(m) for m in decoder.modules()} if isinstance(decoder, nn.Module) and decoder is not model else set()
    inside = [name for name in names if id(lists[name]) in within]
    named = [name for name in inside or names if "decoder" in name.split(".")]
    return named or inside


def _alike(lists: Mapping[str, nn.ModuleList], names: list[str]) -> list[str]:
    return [name for name in names if len({type(layer) for layer in lists[name]}) == 1]


def _depths(model: nn.Module) -> set[int]:
    config = _text_config(model)
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
    """The module that embeds what the stack reads: the decoder's own, where there is an encoder besides."""
    decoder = _call(model, "get_decoder") if _encodes(model) else None
    own = _call(decoder, "get_input_embeddings") if isinstance(decoder, nn.Module) else None
    return own if own is not None else _call(model, "get_input_embeddings")


def _call(model: Any, name: str) -> Any:
    """What a method without arguments returns; None where there is no such method or it is not made for this model."""
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


def _text_config(model: nn.Module) -> Any:
    config = getattr(model, "config", None)
    return config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config


def _width(model: nn.Module, inputs: Tensor) -> int:
    return int(getattr(_text_config(model), "hidden_size", None) or inputs.shape[1])


class AttachedConfig(FusionConfig):
    """Config of the readings; whatever else is asked of it, or told it as ``Trainer`` does, concerns the base's."""

    __slots__ = ("_base",)

    @classmethod
    def beside(cls, config: FusionConfig, base: Any) -> AttachedConfig:
        """The same config, in front of a base's."""
        made = cls(**asdict(config))
        object.__setattr__(made, "_base", base)
        return made

    def changed(self, **values: Any) -> AttachedConfig:
        """The same with other values, in front of the same base's; ``dataclasses.replace`` would lose the base's."""
        return self.beside(replace(self, **values), self._base)

    def __getattr__(self, name: str) -> Any:
        if name == "_base" or name.startswith("__") or self._base is None:
            raise AttributeError(name)
        return getattr(self._base, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FusionConfig.__slots__ or self._base is None:
            raise FrozenInstanceError(f"cannot assign to field {name!r}")
        setattr(self._base, name, value)


# ---------------------------------------------------------------- which model is it


def identity(model: nn.Module, decoder: Decoder) -> dict[str, Any]:
    """What names a base model: its shape, and a sketch of its embeddings that survives dtype and quantisation."""
    config = _text_config(model)
    return {
        "model_type": str(getattr(config, "model_type", type(model).__name__)),
        "width": decoder.width,
        "depth": len(decoder.layers),
        "vocabulary": int(decoder.inputs.shape[0]),
        "sketch": _encode(_sketch(decoder.inputs)),
    }


def mismatch(wanted: Mapping[str, Any], have: Mapping[str, Any]) -> str | None:
    """Why weights made for one base do not fit another; None when they do."""
    for key in ("model_type", "width", "depth", "vocabulary"):
        if wanted[key] != have[key]:
            return f"{key} is {have[key]!r}, the weights are for {wanted[key]!r}"
    a, b = _decode(wanted["sketch"]), _decode(have["sketch"])
    if not a.size or not b.size:
        return None  # one of them was looked at on the meta device
    cosine = float(a @ b / max(float(np.linalg.norm(a) * np.linalg.norm(b)), 1e-12))
    return None if cosine >= _SAME else f"the token embeddings differ (cosine {cosine:.3f}): another checkpoint"


def _sketch(table: Tensor) -> np.ndarray:
    if table.is_meta:
        return np.zeros(0, np.float32)  # no values to look at
    rows = torch.linspace(0, table.shape[0] - 1, _SKETCH_ROWS).long().unique()
    columns = torch.linspace(0, table.shape[1] - 1, _SKETCH_COLUMNS).long().unique()
    return table.detach()[rows.to(table.device)][:, columns.to(table.device)].float().cpu().numpy().ravel()


def _encode(sketch: np.ndarray) -> str:
    return base64.b64encode(sketch.astype(np.float16).tobytes()).decode()


def _decode(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), np.float16).astype(np.float32)


# ---------------------------------------------------------------- training


def is_adapted(base: Any) -> bool:
    """Whether PEFT's layers are on the base; PEFT then decides what is trained."""
    return bool(getattr(base, "peft_config", None))


def takes_loss_kwargs(base: Any) -> bool:
    """Whether a model's loss takes ``num_items_in_batch``."""
    told = getattr(base, "accepts_loss_kwargs", None)
    taken = signature(base.forward).parameters.values()
    return bool(told) if told is not None else any(p.kind is p.VAR_KEYWORD for p in taken)


def prompt_mask(ids: Tensor, mask: Tensor | None, labels: Tensor) -> Tensor | None:
    """The mask without the answers that are to be learnt, int64 [B, T]; texts learnt from their beginning stay whole.

    Args:
        ids: int64 [B, T].
        mask: int64 [B, T], 0 for padding; None where there is none.
        labels: int64 [B, T], -100 where nothing is learnt.
    """
    if labels.shape != ids.shape:
        return mask
    seen = torch.ones_like(ids) if mask is None else mask
    prompt = ((labels != -100).cumsum(1) == 0) & seen.bool()
    return (prompt | ~prompt.any(1, keepdim=True)).long() * seen


# ---------------------------------------------------------------- prompts


def stop_token(model: Any, tokenizer: Any) -> int:
    """Id of the token that ends the model's turn."""
    end = tokenizer.convert_tokens_to_ids("<|im_end|>") if _has_token(tokenizer, "<|im_end|>") else None
    stop = end if end is not None else tokenizer.eos_token_id
    if stop is None:
        eos = getattr(getattr(model, "config", None), "eos_token_id", None)
        stop = eos[0] if isinstance(eos, list) else eos
    if stop is None:
        raise UnsupportedModel("neither the tokenizer nor the model names an end-of-turn token (eos_token_id)")
    return int(stop)


def _has_token(tokenizer: Any, token: str) -> bool:
    return token in (getattr(tokenizer, "all_special_tokens", None) or ())


def chat_prompt(tokenizer: Any, question: str, facts: str | None = None) -> str:
    """A question (with facts before it, if given) as the model's chat form has it, without a system prompt."""
    content = question if facts is None else f"{facts}\n\n{question}"
    if _has_token(tokenizer, "<|im_start|>") and _has_token(tokenizer, "<|im_end|>"):
        return f"<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"
    if getattr(tokenizer, "chat_template", None):
        turns = [{"role": "user", "content": content}]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    return f"Question: {content}\nAnswer:"


def last_user_text(tokenizer: Any, ids: list[int]) -> str:
    """What a prompt asks: the last turn of the user in a chat, the whole text elsewhere."""
    texts = _turns(tokenizer, ids)
    asked = [text[5:].strip() for text in texts if text.startswith("user\n")]
    return asked[-1] if asked else " ".join(texts)


def is_chat(tokenizer: Any, ids: list[int]) -> bool:
    """Whether a prompt holds a turn of a user, rather than plain text."""
    return any(text.startswith("user\n") for text in _turns(tokenizer, ids))


def is_due(tokenizer: Any, ids: list[int]) -> bool:
    """Whether a prompt ends where an answer is due: in a user's turn, after a question mark, or after "Answer:"."""
    return is_chat(tokenizer, ids) or bool(tokenizer.decode(ids[-4:]).rstrip().endswith(("?", ":")))


def rows_of(ids: Tensor, mask: Tensor | None) -> list[list[int]]:
    """Token ids of every row of [B, T], where the mask (of the same shape) lets them through."""
    kept = mask if mask is not None and mask.shape == ids.shape else torch.ones_like(ids)
    return [row[keep.bool()].tolist() for row, keep in zip(ids, kept, strict=True)]


def _turns(tokenizer: Any, ids: list[int]) -> list[str]:
    special, turns = set(tokenizer.all_special_ids or ()), [[]]  # type: list[int] | set[int], list[list[int]]
    for token in ids:
        turns.append([]) if token in special else turns[-1].append(token)
    return [text for turn in turns if (text := tokenizer.decode(turn).strip())]
