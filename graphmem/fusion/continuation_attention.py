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

from graphmem.fusion.attention import LEAST, LONGER, UNSAID, NullSlot, linear
from graphmem.fusion.candidates import CONTINUATION_FEATURES
from graphmem.fusion.memory_tokens import END, NONE, ContinuationTokens, MemoryTokens
from graphmem.fusion.prefix_matching import CODES, LENGTHS, NOT_SAID, SHORTER, PrefixMatches
from graphmem.fusion.token_embeddings import TokenTable

_AGAIN, _EARLY, _NULL = -1.0, -2.0, 2.0

DOUBT = 1.5
"""Where ``doubt`` begins to learn: a slot with a tenth of the attention is read at .2, not at .1 of its token."""

DROPPED = 0.6
"""Share of a state that is left out while learning which name is next: a few thousand names are soon known by heart."""

ScoreAdjustment = tuple[Tensor | None, Tensor, Tensor | None]
"""What a state and its place in the names are worth: to slots [B, H, T, M] or None, to the null slot [B, T, H], and the
factor of what is read, [B, T, 1] or None."""


class ContinuationAttention(NullSlot):
    """What one fused layer needs beside its reading to go on with a text; ``opening`` 0 reads nothing.

    ``dropped`` is the share of a state that is left out, above 0 only while it learns (``graphmem train telling``).

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
        self.make_null(width, heads)
        self.start_bias = nn.Parameter(torch.zeros(len(CONTINUATION_FEATURES), heads))
        self.again_bias = nn.Parameter(torch.full((heads,), _AGAIN))
        self.early_bias = nn.Parameter(torch.full((heads,), _EARLY))
        self.standing = nn.Parameter(torch.zeros(CODES, heads))
        self.null_standing = nn.Parameter(torch.zeros(LENGTHS + 1, heads))
        self.loud_standing = nn.Parameter(torch.zeros(LENGTHS + 1))
        self.agreement = nn.Parameter(torch.zeros(()))
        self.opening = nn.Parameter(torch.zeros(()))
        self.doubt = nn.Parameter(torch.zeros(()))
        self.dropped = 0.0
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Nothing known of relations, names that fit ahead, and nothing read."""
        for layer in (self.query, self.early, self.relation, self.name, self.null):
            nn.init.normal_(layer.weight, std=0.01)
        self.reset_null(_NULL)
        self.standing.data[NOT_SAID], self.standing.data[SHORTER] = UNSAID, LONGER

    @property
    def opened(self) -> bool:
        """Whether it was ever trained."""
        return bool(self.opening.detach() != 0)

    def forget(self) -> None:
        """Unlearn which name is next, and keep when to say one."""
        for layer in (self.query, self.early, self.relation, self.name):
            nn.init.normal_(layer.weight, std=0.01)

    def open(self) -> None:
        """Begin to learn, where nothing was learned yet."""
        if not self.opened:
            nn.init.ones_(self.opening)
        if float(self.doubt.detach()) <= 0:
            nn.init.constant_(self.doubt, DOUBT)

    def doubting(self, weights: Tensor) -> Tensor:
        """How loud each slot is read, of its share of the attention, 0..1, both float32 [B, H, T, M].

        What is read is added to logits, where a token that is half as likely stands 0.7 nats lower, however likely it
        is. Read in proportion to its share, each of ten names that may be next would get a tenth of what one gets that
        is sure, and none of them would be foreseen at all. log(1 + s w) / log(1 + s), with s = exp(doubt) - 1: the
        share itself where doubt is 0.
        """
        s = torch.expm1(self.doubt.float().clamp_min(0.0))
        return torch.where(s > 0, torch.log1p(s * weights) / torch.log1p(s).clamp_min(1e-12), weights)

    def keys(self, tokens: MemoryTokens, told: ContinuationTokens, table: TokenTable, dtype: torch.dtype) -> Tensor:
        """What the facts add to the keys of slots, [B, M, H, K]: something where a name starts, zeros inside one."""
        about = linear(self.relation, _mean(told.relations, table).to(dtype))
        about = about + linear(self.name, _mean(told.names, table).to(dtype))  # B N HK
        slots = about.gather(1, tokens.node.unsqueeze(-1).expand(-1, -1, about.shape[-1]))
        return (slots * tokens.starts.unsqueeze(-1).to(dtype)).unflatten(-1, (self.heads, -1))

    def bias(self, tokens: MemoryTokens, told: ContinuationTokens) -> Tensor:
        """Bias of slots, float32 [B, M, H]; minus infinity for padding and for ends: a text goes on."""
        features = told.features.gather(1, tokens.node.unsqueeze(-1).expand(-1, -1, told.features.shape[-1]))
        bias = (features @ self.start_bias.float()) * tokens.starts.unsqueeze(-1)
        return bias.masked_fill(~(tokens.mask & (tokens.kind != END)).unsqueeze(-1), float("-inf"))

    def state(self, state: Tensor, early: Tensor) -> Tensor:
        """The part of the query that the context makes, [B, T, HK], of unit states [B, T, D]."""
        state, early = (F.dropout(x, self.dropped, self.dropped > 0) for x in (state, early))
        return linear(self.query, state) + linear(self.early, early)

    def worth(self, state: Tensor, places: PrefixMatches | None) -> ScoreAdjustment:
        """What a unit state and its place in the names are worth, see ``ScoreAdjustment``."""
        null, loud = self.against(state), self.opening.float()
        if places is None:
            return None, null, loud
        slots = F.embedding(places.slots, self.standing.float())
        if places.again is not None:
            slots = slots + places.again.unsqueeze(-1) * self.again_bias.float()
        if places.early is not None:
            slots = slots + places.early.unsqueeze(-1) * self.early_bias.float()
        if places.shut is not None:
            slots = slots.masked_fill(places.shut.unsqueeze(-1), LEAST)
        null = null + F.embedding(places.positions, self.null_standing.float())
        loud = loud * torch.exp(self.loud_standing.float())[places.positions].unsqueeze(-1)
        return slots.permute(0, 3, 1, 2), null, loud


def _mean(words: Tensor, table: TokenTable) -> Tensor:
    """Mean embedding [B, N, D'] of words, int64 [B, N, A], at unit scale; zeros where there are none."""
    there = (words != NONE).unsqueeze(-1)
    embedded = table.inputs(words.clamp_min(0)) * there
    return embedded.sum(2) / there.sum(2).clamp_min(1)
