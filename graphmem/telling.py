"""Reading while nobody asks: a text that goes on about what the memory holds is told the names that come next.

An answer is one name, and search has ranked it first. A text names many things, one after the other, and only the text
itself says which is next and when: "... is located in" wants the end of another fact than "... was built by". So here a
name is known by its fact: the words of the relation that leads to it, the words of the name, how far it stands from
what the text named, and whether the text has said it already. Everything that copying needs is shared with
``MemoryAttention``; what is learned here is when to begin, and with which name.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphmem.standing import CODES, LENGTHS, NOT_SAID, SHORTER, Places
from graphmem.tokens import END, NONE, START, START_AFTER_SPACE, TOLD, MemoryTokens, ToldTokens

_UNSAID, _LONGER = -8.0, -4.0
_AGAIN, _EARLY, _LEAST = -1.0, -2.0, -1e30
_NULL, _NULL_WIDTH = 2.0, 32


class Telling(nn.Module):
    """What one fused layer needs beside its reading to go on with a text; ``opening`` 0 reads nothing.

    Args:
        width: D of the residual stream.
        token_width: D' of the input embeddings.
        inner: K', width over all heads in which contexts are compared.
        heads: H.
    """

    def __init__(self, width: int, token_width: int, inner: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, inner, bias=False)
        self.early = nn.Linear(width, inner, bias=False)
        self.relation = nn.Linear(token_width, inner, bias=False)
        self.name = nn.Linear(token_width, inner, bias=False)
        self.null = nn.Linear(width, heads)
        self.null_hidden = nn.Linear(width, _NULL_WIDTH)
        self.null_deep = nn.Linear(_NULL_WIDTH, heads, bias=False)
        self.start_bias = nn.Parameter(torch.zeros(len(TOLD), heads))
        self.again_bias = nn.Parameter(torch.full((heads,), _AGAIN))
        self.early_bias = nn.Parameter(torch.full((heads,), _EARLY))
        self.standing = nn.Parameter(torch.zeros(CODES, heads))
        self.null_standing = nn.Parameter(torch.zeros(LENGTHS + 1, heads))
        self.loud_standing = nn.Parameter(torch.zeros(LENGTHS + 1))
        self.agreement = nn.Parameter(torch.zeros(()))
        self.opening = nn.Parameter(torch.zeros(()))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Nothing known of relations, names that fit ahead, and nothing read."""
        for layer in (self.query, self.early, self.relation, self.name, self.null):
            nn.init.normal_(layer.weight, std=0.01)
        nn.init.constant_(self.null.bias, _NULL)
        nn.init.zeros_(self.null_deep.weight)
        nn.init.zeros_(self.null_hidden.bias)
        self.standing.data[NOT_SAID], self.standing.data[SHORTER] = _UNSAID, _LONGER

    @property
    def opened(self) -> bool:
        """Whether it was ever trained."""
        return bool(self.opening.detach() != 0)

    def keys(self, tokens: MemoryTokens, told: ToldTokens, table: object, dtype: torch.dtype) -> Tensor:
        """What the facts add to the keys of slots, [B, M, H, K]: something where a name starts, zeros inside one."""
        about = _linear(self.relation, _mean(told.relations, table).to(dtype))
        about = about + _linear(self.name, _mean(told.names, table).to(dtype))  # B N HK
        slots = about.gather(1, tokens.node.unsqueeze(-1).expand(-1, -1, about.shape[-1]))
        return (slots * starts(tokens).unsqueeze(-1).to(dtype)).unflatten(-1, (self.heads, -1))

    def bias(self, tokens: MemoryTokens, told: ToldTokens) -> Tensor:
        """Bias of slots, float32 [B, M, H]; minus infinity for padding and for ends: a text goes on."""
        features = told.features.gather(1, tokens.node.unsqueeze(-1).expand(-1, -1, told.features.shape[-1]))
        bias = (features @ self.start_bias.float()) * starts(tokens).unsqueeze(-1)
        return bias.masked_fill(~(tokens.mask & (tokens.kind != END)).unsqueeze(-1), float("-inf"))

    def state(self, state: Tensor, early: Tensor) -> Tensor:
        """The part of the query that the context makes, [B, T, H, K], of unit states [B, T, D]."""
        return (_linear(self.query, state) + _linear(self.early, early)).unflatten(-1, (self.heads, -1))

    def against(self, state: Tensor) -> Tensor:
        """How much a state is against reading anything, float32 [B, T, H]."""
        hidden = F.silu(_linear(self.null_hidden, state) + self.null_hidden.bias.to(state.dtype))
        return (_linear(self.null, state) + _linear(self.null_deep, hidden)).float() + self.null.bias.float()

    def stood(self, places: Places) -> tuple[Tensor, Tensor, Tensor]:
        """What the place of the text in the names is worth.

        Returns:
            to slots [B, H, T, M], to the null slot [B, T, H], and the factor of what is read [B, T, 1].
        """
        slots = F.embedding(places.slots, self.standing.float())
        if places.again is not None:
            slots = slots + places.again.unsqueeze(-1) * self.again_bias.float()
        if places.early is not None:
            slots = slots + places.early.unsqueeze(-1) * self.early_bias.float()
        if places.shut is not None:
            slots = slots.masked_fill(places.shut.unsqueeze(-1), _LEAST)
        loud = torch.exp(self.loud_standing.float())[places.positions].unsqueeze(-1)
        return slots.permute(0, 3, 1, 2), F.embedding(places.positions, self.null_standing.float()), loud


def starts(tokens: MemoryTokens) -> Tensor:
    """bool [B, M]: slots where a name starts."""
    return (tokens.kind == START) | (tokens.kind == START_AFTER_SPACE)


def _mean(words: Tensor, table: object) -> Tensor:
    """Mean embedding [B, N, D'] of words, int64 [B, N, A], at unit scale; zeros where there are none."""
    there = (words != NONE).unsqueeze(-1)
    embedded = table.inputs(words.clamp_min(0)) * there  # type: ignore[attr-defined]
    return embedded.sum(2) / there.sum(2).clamp_min(1)


def _linear(layer: nn.Linear, x: Tensor) -> Tensor:
    return F.linear(x, layer.weight.to(x.dtype))
