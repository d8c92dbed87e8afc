"""Flat key/value memory after KBLaM (Wang et al., ICLR 2025), reimplemented from the paper's description.

Each triple becomes one key and one value in every third layer: linear adapters map the text vector of "the RELATION of
SUBJECT" to its key and that of the object to its value. Prompt tokens attend to the keys with a query head of their
own (initialised as the layer's) in one softmax together with the text before them; keys have no positions and do not
attend to one another ("rectangular attention"). The logits of M keys are shifted by log C - log M, so that their share
does not grow with the memory. The base stays frozen; adapters and query heads are trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from graphmem.adapters.transformers import find_decoder
from graphmem.experiments.methods.base import Encode, Language, LanguageMethod
from graphmem.experiments.methods.training import TrainingExample, answer_loss
from graphmem.experiments.tasks.fact_set import Query

EVERY = 3
SCALE = 100.0
"""C of the paper's length scaling."""
ATTENTION = "graphmem_key_values"


@dataclass
class KeyValueContext:
    """What one forward pass attends to, by layer: keys and values [B, H, M, d], shifts [B, M], queries [B, H, T, d]."""

    keys: dict[int, Tensor]
    values: dict[int, Tensor]
    shift: Tensor
    queries: dict[int, Tensor]


_ACTIVE: ContextVar[KeyValueContext | None] = ContextVar("graphmem_key_values", default=None)


class KeyValueAdapters(nn.Module):
    """Vectors [n, K] of triples to keys and values of H heads, and the query heads, copied from the base's layers."""

    def __init__(self, text_width: int, layers: Sequence[int], queries: Sequence[nn.Linear], heads: int) -> None:
        super().__init__()
        self.layers, self.heads = tuple(layers), heads
        width = queries[0].out_features  # H * d
        self.key = nn.Linear(text_width, width * len(self.layers), bias=False)
        self.value = nn.Linear(text_width, width * len(self.layers), bias=False)
        self.query = nn.ModuleList(nn.Linear(q.in_features, width, bias=False) for q in queries)
        for query, base in zip(self.query, queries, strict=True):
            query.load_state_dict({"weight": base.weight.data.float()})
        for weight in (self.key.weight, self.value.weight):
            nn.init.normal_(weight, std=1.0)  # entries of a unit vector are about K^-1/2: keys of size about 1
        self.value.weight.data.mul_(0.1)

    def context(self, keys: Tensor, values: Tensor, mask: Tensor, dtype: torch.dtype) -> KeyValueContext:
        """Keys and values by layer from vectors [B, M, K] and mask [B, M]; where M is 0, nothing is attended to."""
        count = mask.sum(1, keepdim=True).clamp(min=1)
        shift = (math.log(SCALE) - count.float().log()).expand(mask.shape).masked_fill(~mask, -math.inf)
        k, v = self._split(self.key(keys), dtype), self._split(self.value(values), dtype)
        return KeyValueContext(k, v, shift, {})

    def _split(self, x: Tensor, dtype: torch.dtype) -> dict[int, Tensor]:
        batch, slots, width = x.shape
        depth = width // (len(self.layers) * self.heads)
        split = x.view(batch, slots, len(self.layers), self.heads, depth).permute(2, 0, 3, 1, 4)  # [L, B, H, M, d]
        return {number: split[i].to(dtype) for i, number in enumerate(self.layers)}


def attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, scaling: float,
    dropout: float = 0.0, **_: Any,
) -> tuple[Tensor, None]:  # fmt: skip
    """Attention of a decoder layer, with the memory's keys in the same softmax where the layer has any.

    Shapes: query [B, H, T, d]; key and value [B, Hkv, S, d]; mask additive [B, 1, T, S]. Returns [B, T, H, d].
    """
    repeat = query.shape[1] // key.shape[1]
    key, value = key.repeat_interleave(repeat, 1), value.repeat_interleave(repeat, 1)
    scores = (query @ key.transpose(2, 3)).float() * scaling
    if attention_mask is not None:
        scores = scores + attention_mask[..., : key.shape[2]].float()
    memory, number = _ACTIVE.get(), int(module.layer_idx)  # type: ignore[arg-type]
    if memory is not None and number in memory.queries:
        extra = (memory.queries[number] @ memory.keys[number].transpose(2, 3)).float() * scaling
        scores = torch.cat([extra + memory.shift[:, None, None, :], scores], -1)  # [B, H, T, M + S]
        value = torch.cat([memory.values[number], value], 2)
    out = scores.softmax(-1).to(value.dtype) @ value
    return out.transpose(1, 2).contiguous(), None


class KeyValueMemory(LanguageMethod):
    """The frozen base with a flat memory of the retrieved facts.

    ``language`` is a copy of the base that nothing else uses: its attention is replaced.
    """

    name = "flat key/value memory"

    def __init__(self, language: Language, encode: Encode, *, seed: int = 0) -> None:
        torch.manual_seed(seed)
        AttentionInterface.register(ATTENTION, attend)
        AttentionMaskInterface.register(ATTENTION, eager_mask)
        self.language, self.encode = language, encode
        language.base.requires_grad_(False)
        language.base.config._attn_implementation = ATTENTION
        chosen: list[Any] = [layer.self_attn for layer in find_decoder(language.base).layers[::EVERY]]
        numbers = [int(attention.layer_idx) for attention in chosen]
        heads = int(language.base.config.num_attention_heads)
        self.module = KeyValueAdapters(encode(["a"]).shape[1], numbers, [a.q_proj for a in chosen], heads)
        for i, (number, attention) in enumerate(zip(numbers, chosen, strict=True)):
            attention.register_forward_pre_hook(self._query_hook(i, number), with_kwargs=True)

    def _query_hook(self, place: int, number: int) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if (memory := _ACTIVE.get()) is not None and memory.shift.shape[1]:
                x = args[0] if args else kwargs["hidden_states"]
                made = self.module.query[place](x.to(self.module.key.weight.dtype)).to(x.dtype)
                memory.queries[number] = made.view(*x.shape[:2], self.module.heads, -1).transpose(1, 2)  # [B,H,T,d]

        return hook

    @contextmanager
    def memory(self, queries: Sequence[Query]) -> Iterator[None]:
        """Inside this block the base attends to the facts retrieved for a batch of queries."""
        token = _ACTIVE.set(self._context(queries))
        try:
            yield
        finally:
            _ACTIVE.reset(token)

    def _context(self, queries: Sequence[Query]) -> KeyValueContext:
        slots, width = max((len(q.facts) for q in queries), default=0), self.module.key.in_features
        keys, values = np.zeros((2, len(queries), slots, width), np.float32)
        mask = torch.zeros(len(queries), slots, dtype=torch.bool)
        for row, q in enumerate(queries):
            if q.facts:
                keys[row, : len(q.facts)] = self.encode([f"the {r} of {s}" for s, r, _ in q.facts])
                values[row, : len(q.facts)] = self.encode([o for _, _, o in q.facts])
                mask[row, : len(q.facts)] = True
        dtype = self.language.embedding.weight.dtype
        return self.module.context(torch.from_numpy(keys), torch.from_numpy(values), mask, dtype)

    def loss(self, examples: Sequence[TrainingExample]) -> tuple[Tensor, int]:
        """Nats a token of the answers, and tokens seen."""
        with self.memory([query for query, _ in examples]):
            return answer_loss(self.language, [(self.language.prompt(q.question), answer) for q, answer in examples])

    def options(self, queries: Sequence[Query]) -> dict[str, Any]:
        """Attention to the facts."""
        return {"context": lambda rows: self.memory([queries[i] for i in rows])}

    @torch.inference_mode()
    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """Logits attending to the facts."""
        with self.memory([query]):
            return self.language.logits(ids)
