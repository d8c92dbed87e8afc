"""Gated cross-attention from a frozen language model's layers to memory tokens.

    x  <-  x + tanh(g) * rms(x) * W_o softmax([null, q k + bias]) [0, W_v v]

after chosen decoder layers. The gate g is relative to the norm of the residual stream, which is large in late layers.

- Keys and queries: a slot's key encodes the token *before* its own, the query the current token; both pass the same
  projection, so equal tokens always match, trained or not (an induction head by construction). Where a token occurs
  twice, ``prefix_matching`` finds the slot. The layer's state adds when to attend and which part of a name comes next.
- ``bias`` ranks the nodes; the null slot lets a head ignore all. Each head decides how much it attends, all heads
  together which slots, because each carries a part of an embedding and parts of several tokens make up a wrong one.
- Values are the output embeddings of the tokens, centred on the vocabulary's mean. W_v and W_o start as the identity,
  so that attending to a slot raises its token before any training.

Gates as in Flamingo (arXiv 2204.14198); compare KBLaM (arXiv 2410.10450).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphmem.fusion.attention import SHORTER_LOGIT, UNMATCHED_LOGIT, NullSlot, attend, linear
from graphmem.fusion.candidates import FEATURES
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.continuation_attention import ContinuationAttention, ScoreAdjustment
from graphmem.fusion.memory_tokens import NO_TOKEN, MemoryTokens, TokenTable, unit
from graphmem.fusion.prefix_matching import CODES, LENGTHS, SHORTER, UNMATCHED, PrefixMatches

_PREFIX_GAIN = (0.0, 0.7, 1.0, 1.3, 1.5, 1.5)
"""Initial log gain by the length of the matched prefix (``PrefixMatches.positions``)."""

_NULL_PREFIX_BIAS = (0.0, 0.0, -1.5, -3.0, -4.0, -4.0)
"""Initial addition to the null slot's logit, likewise."""

_AGREEMENT = 0.7
_TOP, _GAP, _RANK, _ACTIVATION = 3.0, 2.0, -2.0, 0.5
_SHARPNESS = 6.0


class LayerMemory(NamedTuple):
    """Memory tokens projected for one layer: keys [B, H, M, K], values [B, H, M, C], bias float32 [B, H, M].

    ``continuation`` where they are for plain text, and not for a question.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor
    continuation: bool = False

    def repeated(self, times: int) -> LayerMemory:
        """Every sample ``times`` times, side by side."""
        keys, values, bias = (part.repeat_interleave(times, 0) for part in self[:3])
        return LayerMemory(keys, values, bias, self.continuation)


@dataclass(frozen=True, slots=True)
class TokenContext:
    """Inputs of a memory layer besides the residual stream; no ``matches`` where the text's tokens are not known.

    Centred embeddings of the ``current`` tokens and ``early`` states after the tap layer, [B, T, D] each.
    """

    current: Tensor
    early: Tensor
    matches: PrefixMatches | None = None


class GatedCrossAttention(NullSlot):
    """One memory layer. Its output is added to the residual stream by ``gated``.

    ``width`` is D of the residual stream, ``token_widths`` are those of input and output embeddings (D in most models).
    """

    def __init__(self, width: int, token_widths: tuple[int, int], config: FusionConfig) -> None:
        super().__init__()
        self.heads, self.min_attention = config.heads, config.min_attention
        inner = config.match_width
        self.value_width = -(-width // self.heads) * self.heads
        self.match = nn.Linear(token_widths[0], inner, bias=False)
        self.before = nn.Linear(token_widths[0], inner, bias=False)
        self.query = nn.Linear(width, inner, bias=False)
        self.early = nn.Linear(width, inner, bias=False)
        self.kind = nn.Parameter(torch.empty(4, inner))
        self.position = nn.Parameter(torch.empty(config.max_name_tokens + 1, inner))
        self.value = nn.Linear(token_widths[1], self.value_width, bias=False)
        self.out = nn.Linear(self.value_width, width, bias=False)
        self.make_null(width, self.heads)
        self.null_answerable = nn.Parameter(torch.zeros(self.heads))
        self.sharpness = nn.Parameter(torch.full((self.heads,), _SHARPNESS))
        self.start_bias = nn.Parameter(torch.empty(len(FEATURES), self.heads))
        self.inside_bias = nn.Parameter(torch.empty(len(FEATURES), self.heads))
        self.prefix_bias = nn.Parameter(torch.empty(CODES, self.heads))
        self.null_prefix_bias = nn.Parameter(torch.zeros(LENGTHS + 1, self.heads))
        self.prefix_gain = nn.Parameter(torch.empty(LENGTHS + 1))
        self.agreement = nn.Parameter(torch.empty(()))
        self.gate = nn.Parameter(torch.zeros(()))
        self.continuation = ContinuationAttention(width, token_widths[0], inner, self.heads)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Identity for values, matching for keys, the best-ranked node ahead, and a closed gate."""
        nn.init.orthogonal_(self.match.weight)
        nn.init.eye_(self.value.weight)
        nn.init.eye_(self.out.weight)
        for weight in (self.before.weight, self.query.weight, self.early.weight, self.position, self.null.weight):
            nn.init.normal_(weight, std=0.01)
        nn.init.normal_(self.kind, std=0.1)
        self.reset_null(1.0)
        for bias in (self.start_bias, self.inside_bias):
            nn.init.zeros_(bias)
            bias.data[:4] = torch.tensor([_TOP, _GAP, _RANK, _ACTIVATION])[:, None]
        nn.init.zeros_(self.prefix_bias)
        self.prefix_bias.data[UNMATCHED], self.prefix_bias.data[SHORTER] = UNMATCHED_LOGIT, SHORTER_LOGIT
        self.null_prefix_bias.data[:] = torch.tensor(_NULL_PREFIX_BIAS)[:, None]
        self.prefix_gain.data[:] = torch.tensor(_PREFIX_GAIN)
        nn.init.constant_(self.agreement, _AGREEMENT)
        nn.init.zeros_(self.gate)

    def project(self, tokens: MemoryTokens, table: TokenTable, dtype: torch.dtype) -> LayerMemory:
        """Keys, values and biases of the slots; every distinct token is projected once."""
        nearest = tokens.prefixes[:, :, 0]  # B M K
        keys = self._encoded(nearest[..., 0], lambda ids: self._matched(table.inputs(ids).to(dtype)))
        keys = keys + self._heads(self.kind.to(dtype))[tokens.kind]
        keys = keys + self._encoded(nearest[..., 1], lambda ids: linear(self.before, table.inputs(ids).to(dtype)))
        keys = keys + self._heads(self.position.to(dtype))[(nearest != NO_TOKEN).sum(-1)]
        values = self._encoded(tokens.token, lambda ids: linear(self.value, table.outputs(ids).to(dtype)))
        facts = tokens.continuation
        if facts is not None:
            keys = keys + self.continuation.keys(tokens, facts, table, dtype)
            bias = self.continuation.bias(tokens, facts)
        else:
            starts = tokens.features @ self.start_bias.float()
            bias = torch.where(tokens.starts.unsqueeze(-1), starts, tokens.features @ self.inside_bias.float())
            bias = bias.masked_fill(~tokens.mask.unsqueeze(-1), float("-inf"))
        return LayerMemory(keys.transpose(1, 2), values.transpose(1, 2), bias.transpose(1, 2), facts is not None)

    def forward(
        self, x: Tensor, context: TokenContext, slots: LayerMemory, answerable: Tensor,
        min_attention: float | None = None,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Attended values [B, T, D] of a residual stream x [B, T, D], and attention over slots [B, H, T, M].

        ``answerable`` is [B]. ``min_attention`` is the attention mass up to which a position of plain text attends to
        nothing; matched prefixes do not lower the null slot's logit then. In a question it is None, and the config's
        threshold holds.
        """
        state, early = unit(x.float()).to(x.dtype), unit(context.early.float()).to(x.dtype)
        if slots.continuation:
            moved = self.continuation.state_query(state, early)
            added, null, gain = self.continuation.adjustment(state, context.matches)
            agreement = self.continuation.agreement
        else:
            moved = linear(self.query, state) + linear(self.early, early)
            added, null, gain = self._adjustment(state, context.matches, answerable, min_attention is None)
            agreement = self.agreement
        sharp = self.sharpness.to(x.dtype).view(-1, 1)  # H 1
        query = self._heads(self._matched(context.current.to(x.dtype))) * sharp + self._heads(moved)  # B T H K
        logits = (query.transpose(1, 2) @ slots.keys.transpose(-1, -2)).float() + slots.bias.unsqueeze(2)  # B H T M
        logits = logits if added is None else logits + added
        weights = attend(logits, null, agreement, self.min_attention if min_attention is None else min_attention)
        share = self.continuation.compressed(weights) if slots.continuation else weights
        read = (share.to(x.dtype) @ slots.values).transpose(1, 2).flatten(2)  # B T C
        return linear(self.out, read if gain is None else read * gain.to(read.dtype)), weights

    def _adjustment(
        self, state: Tensor, matches: PrefixMatches | None, answerable: Tensor, question: bool
    ) -> ScoreAdjustment:
        """Contribution of the unit state and of prefix matches in an answer, see ``ScoreAdjustment``."""
        null = self.null_logit(state) + answerable.view(-1, 1, 1) * self.null_answerable.float()
        if matches is None:
            return None, null, None
        slots = F.embedding(matches.slots, self.prefix_bias.float()).permute(0, 3, 1, 2)
        if question:
            null = null + F.embedding(matches.positions, self.null_prefix_bias.float())
        return slots, null, torch.exp(self.prefix_gain.float())[matches.positions].unsqueeze(-1)

    def gated(self, x: Tensor, read: Tensor) -> Tensor:
        """x + tanh(g) * rms(x) * read; exactly x where ``read`` is zero or the gate is closed."""
        scale = x.float().pow(2).mean(-1, keepdim=True).sqrt()  # B T 1
        return x + (torch.tanh(self.gate.float()) * scale * read.float()).to(x.dtype)

    def _matched(self, embedded: Tensor) -> Tensor:
        heads = linear(self.match, embedded).unflatten(-1, (self.heads, -1))
        return F.normalize(heads.float(), dim=-1).to(embedded.dtype).flatten(-2)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1))

    def _encoded(self, tokens: Tensor, encode: Callable[[Tensor], Tensor]) -> Tensor:
        """[B, M, H, K] of the slots' tokens, int64 [B, M], each distinct one encoded once; ``NO_TOKEN`` gets zeros."""
        ids, index = torch.unique(tokens.clamp_min(0), return_inverse=True)
        return self._heads(encode(ids))[index].masked_fill((tokens == NO_TOKEN)[..., None, None], 0.0)
