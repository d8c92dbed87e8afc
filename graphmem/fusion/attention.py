"""What reading for an answer and reading for a text that goes on share: where they look, and when at nothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LEAST = -1e30
"""Stands for minus infinity where a gradient passes."""

UNSAID, LONGER = -8.0, -4.0
"""What a slot loses at first whose beginning was not said, and one while a longer beginning fits too."""

_NULL_WIDTH = 32


class NullSlot(nn.Module):
    """Holds a null slot: how much a state is against reading anything, a line and a small network for each head."""

    null: nn.Linear
    null_hidden: nn.Linear
    null_deep: nn.Linear

    def make_null(self, width: int, heads: int) -> None:
        """Make the parameters, for states [B, T, D] of width D."""
        self.null = nn.Linear(width, heads)
        self.null_hidden = nn.Linear(width, _NULL_WIDTH)
        self.null_deep = nn.Linear(_NULL_WIDTH, heads, bias=False)

    def reset_null(self, bias: float) -> None:
        """Begin with ``bias`` against reading, whatever the state; the weights of the line are left as they are."""
        nn.init.constant_(self.null.bias, bias)
        nn.init.zeros_(self.null_deep.weight)
        nn.init.zeros_(self.null_hidden.bias)

    def against(self, state: Tensor) -> Tensor:
        """How much a state is against reading anything, float32 [B, T, H]."""
        hidden = F.silu(linear(self.null_hidden, state) + self.null_hidden.bias.to(state.dtype))
        return (linear(self.null, state) + linear(self.null_deep, hidden)).float() + self.null.bias.float()


def attend(logits: Tensor, null: Tensor, agreement: Tensor, quiet: float) -> Tensor:
    """Attention over slots, [B, H, T, M]: how much, each head says for itself; at which slots, all say together.

    Args:
        logits: float32 [B, H, T, M].
        null: float32 [B, T, H], of the null slot, which gets the rest.
        agreement: log of how much sharper the slots that all read together are than the heads' mean.
        quiet: share up to which a position reads exactly nothing.
    """
    together = _softmax(torch.exp(agreement.float()) * logits.mean(1, keepdim=True).clamp_min(LEAST))  # B 1 T M
    weights = _share_beside(logits, null.transpose(1, 2).unsqueeze(-1)) * together
    return _above(weights, quiet) if quiet else weights


def linear(layer: nn.Linear, x: Tensor) -> Tensor:
    """The layer in the dtype of its input, whatever its weights are kept in."""
    return F.linear(x, layer.weight.to(x.dtype))


def _share_beside(logits: Tensor, null: Tensor) -> Tensor:
    """How much of a softmax over [null, logits], along the last axis, does not go to the null slot."""
    top = torch.maximum(logits.amax(-1, keepdim=True), null).detach()
    odds = torch.exp(logits - top).sum(-1, keepdim=True)
    return odds / (odds + torch.exp(null - top))


def _softmax(logits: Tensor) -> Tensor:
    """Softmax along the last axis, zeros where all is masked."""
    odds = torch.exp(logits - logits.amax(-1, keepdim=True).detach().clamp_min(LEAST))
    return odds / odds.sum(-1, keepdim=True).clamp_min(1e-30)


def _above(weights: Tensor, quiet: float) -> Tensor:
    """Weights [B, H, T, M], scaled so that a position that puts less than ``quiet`` on the memory reads nothing."""
    mass = weights.sum(-1, keepdim=True).mean(1, keepdim=True)  # B 1 T 1
    return weights * (F.relu(mass - quiet) / ((1 - quiet) * mass.clamp_min(1e-9)))
