"""Attention over memory slots with a learned null slot, shared by answers and continuations."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

MASKED = -1e30
"""Logit of a masked slot: finite, so that gradients stay finite."""

UNMATCHED_LOGIT, SHORTER_LOGIT = -8.0, -4.0
"""Initial logits of a slot whose prefix the text does not end with, and of one while a longer prefix matches too."""

_NULL_WIDTH = 32


class NullSlot(nn.Module):
    """Logit of a null slot, a linear map plus a small network of the state, for each head."""

    def make_null(self, width: int, heads: int) -> None:
        """Make the parameters, for states [B, T, D] of width D."""
        self.null = nn.Linear(width, heads)
        self.null_hidden = nn.Linear(width, _NULL_WIDTH)
        self.null_deep = nn.Linear(_NULL_WIDTH, heads, bias=False)

    def reset_null(self, bias: float) -> None:
        """Start from a constant logit ``bias``; the linear map's weights are left as they are."""
        nn.init.constant_(self.null.bias, bias)
        nn.init.zeros_(self.null_deep.weight)
        nn.init.zeros_(self.null_hidden.bias)

    def null_logit(self, state: Tensor) -> Tensor:
        """Logit of the null slot, float32 [B, T, H]."""
        hidden = F.silu(linear(self.null_hidden, state) + self.null_hidden.bias.to(state.dtype))
        return (linear(self.null, state) + linear(self.null_deep, hidden)).float() + self.null.bias.float()


def attend(logits: Tensor, null: Tensor, agreement: Tensor, min_attention: float) -> Tensor:
    """Attention over slots, [B, H, T, M], from their logits, float32 [B, H, T, M], and the null slot's, [B, T, H].

    Each head chooses how much it attends to the memory (its softmax against the null slot); all heads together choose
    the slots (the softmax of their mean logits, sharpened by exp(``agreement``)). Positions with a mass up to
    ``min_attention`` attend to nothing.
    """
    shared = _masked_softmax(torch.exp(agreement.float()) * logits.mean(1, keepdim=True).clamp_min(MASKED))  # B 1 T M
    weights = _mass(logits, null.transpose(1, 2).unsqueeze(-1)) * shared
    if not min_attention:
        return weights
    mass = weights.sum(-1, keepdim=True).mean(1, keepdim=True)  # B 1 T 1
    return weights * (F.relu(mass - min_attention) / ((1 - min_attention) * mass.clamp_min(1e-9)))


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """Product with the layer's weights in the dtype of ``x``; no bias is added."""
    return F.linear(x, layer.weight.to(x.dtype))


def _mass(logits: Tensor, null: Tensor) -> Tensor:
    """Share of a softmax over [null, logits], along the last axis, that does not go to the null slot."""
    top = torch.maximum(logits.amax(-1, keepdim=True), null).detach()
    odds = torch.exp(logits - top).sum(-1, keepdim=True)
    return odds / (odds + torch.exp(null - top))


def _masked_softmax(logits: Tensor) -> Tensor:
    """Softmax along the last axis, zeros where all is masked."""
    odds = torch.exp(logits - logits.amax(-1, keepdim=True).detach().clamp_min(MASKED))
    return odds / odds.sum(-1, keepdim=True).clamp_min(1e-30)
