"""Gated cross-attention from a frozen language model's layers to memory tokens.

    x  <-  x + tanh(g) * rms(x) * W_o softmax([null, q k + bias]) [0, W_v v]

after chosen decoder layers. The gate g is relative to the stream, because the residual stream of late layers is large.
A slot's key is what stands *before* its token, the query is the current token: both pass the same projection, so an
equal token always matches fully, whatever has been learned and whether the token was ever seen (an induction head by
construction). Where a token stands twice, exact comparison of the text with the beginnings of the names
(``graphmem.fusion.prefix_matching``) says which slot is meant. What the layer's own state adds is *when* to speak and which part of a
name comes next. ``bias`` says which node, from its rank and relevance; the null slot lets a head read nothing. How much
is read, each head says for itself; which slots, all say together, because each carries only a part of a token's
embedding, and parts of several tokens make up one that nobody meant. Values are the output embeddings of the tokens to
say, centred on the vocabulary's mean, and W_v, W_o start as the identity, so that reading a slot means saying its token
before anything is trained. (Flamingo, arXiv 2204.14198, for gates; KBLaM, arXiv 2410.10450, for rivals.)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphmem.fusion.attention import LONGER, UNSAID, NullSlot, attend, linear
from graphmem.fusion.candidates import FEATURES
from graphmem.fusion.config import FusionConfig
from graphmem.fusion.continuation_attention import ContinuationAttention, ScoreAdjustment
from graphmem.fusion.memory_tokens import NONE, MemoryTokens
from graphmem.fusion.prefix_matching import CODES, LENGTHS, NOT_SAID, SHORTER, PrefixMatches
from graphmem.fusion.token_embeddings import TokenTable, unit

_LOUDER = (0.0, 0.7, 1.0, 1.3, 1.5, 1.5)
"""Log of how much louder a name is continued than begun, by how much of it was said (``PrefixMatches.positions``)."""

_BELIEVED = (0.0, 0.0, -1.5, -3.0, -4.0, -4.0)
"""What the null slot loses where a name has been begun, likewise: less and less is against going on with it."""

_AGREEMENT = 0.7
"""Log of how much sharper the slots that all heads read together are than their mean."""

_TOP, _GAP, _RANK, _ACTIVATION = 3.0, 2.0, -2.0, 0.5
_SHARPNESS = 6.0


@dataclass(frozen=True, slots=True)
class LayerMemory:
    """Memory tokens as one fused layer sees them: keys [B, H, M, K], values [B, H, M, C], bias [B, H, M] (fp32).

    ``told`` where they are for a text that goes on, and not for a question.
    """

    keys: Tensor
    values: Tensor
    bias: Tensor
    told: bool = False

    def repeated(self, times: int) -> LayerMemory:
        """Every sample ``times`` times, side by side."""
        spread = lambda rows: rows.repeat_interleave(times, 0)
        return LayerMemory(spread(self.keys), spread(self.values), spread(self.bias), self.told)


@dataclass(frozen=True, slots=True)
class TokenContext:
    """What a fused layer is told about each position besides its own state.

    Attributes:
        current: [B, T, D] centred embedding of the current token.
        early: [B, T, D] state after the tap layer.
        places: where the text stands in each name; None where its tokens are not known.
    """

    current: Tensor
    early: Tensor
    places: PrefixMatches | None = None


class GatedCrossAttention(NullSlot):
    """The reading of one fused layer. Its output is added to the stream by ``gated``.

    Args:
        width: D of the residual stream.
        token_widths: widths of the input and the output embeddings (both D in most models).
        config: heads and sizes.
    """

    def __init__(self, width: int, token_widths: tuple[int, int], config: FusionConfig) -> None:
        super().__init__()
        self.heads, self.quiet = config.heads, config.quiet
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
        self.standing = nn.Parameter(torch.empty(CODES, self.heads))
        self.null_standing = nn.Parameter(torch.zeros(LENGTHS + 1, self.heads))
        self.loud_standing = nn.Parameter(torch.empty(LENGTHS + 1))
        self.agreement = nn.Parameter(torch.empty(()))
        self.gate = nn.Parameter(torch.zeros(()))
        self.told = ContinuationAttention(width, token_widths[0], inner, self.heads)
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
        nn.init.zeros_(self.standing)
        self.standing.data[NOT_SAID], self.standing.data[SHORTER] = UNSAID, LONGER
        self.null_standing.data[:] = torch.tensor(_BELIEVED)[:, None]
        self.loud_standing.data[:] = torch.tensor(_LOUDER)
        nn.init.constant_(self.agreement, _AGREEMENT)
        nn.init.zeros_(self.gate)

    def project(self, tokens: MemoryTokens, table: TokenTable, dtype: torch.dtype) -> LayerMemory:
        """Keys, values and biases of the slots; every distinct token is projected once."""
        previous, said = _Distinct.of(tokens.previous), _Distinct.of(tokens.says)
        before = _Distinct.of(tokens.before)
        matched = self._heads(self._matched(table.inputs(previous.ids).to(dtype)))
        keys = previous.spread(matched) + self._heads(self.kind.to(dtype))[tokens.kind]
        keys = keys + before.spread(self._heads(linear(self.before, table.inputs(before.ids).to(dtype))))
        keys = keys + self._heads(self.position.to(dtype))[tokens.position]
        values = said.spread(self._heads(linear(self.value, table.outputs(said.ids).to(dtype))))
        if tokens.told is not None:
            keys = keys + self.told.keys(tokens, tokens.told, table, dtype)
            bias = self.told.bias(tokens, tokens.told)
            return LayerMemory(keys.transpose(1, 2), values.transpose(1, 2), bias.transpose(1, 2), told=True)
        bias = torch.where(
            tokens.starts.unsqueeze(-1),
            tokens.features @ self.start_bias.float(),
            tokens.features @ self.inside_bias.float(),
        )
        bias = bias.masked_fill(~tokens.mask.unsqueeze(-1), float("-inf"))
        return LayerMemory(keys.transpose(1, 2), values.transpose(1, 2), bias.transpose(1, 2))  # B H M .

    def forward(
        self, x: Tensor, context: TokenContext, slots: LayerMemory, answerable: Tensor, quiet: float | None = None
    ) -> tuple[Tensor, Tensor]:
        """Read the memory at every position.

        Args:
            x: [B, T, D] residual stream.
            context: the current token and the early state, [B, T, D] each.
            slots: of the memory.
            answerable: [B].
            quiet: share of attention up to which nothing is read in a text where nobody asked anything, and where a
                name that was begun may be the text's own; None: somebody asked, and the config's share holds.

        Returns:
            what was read, [B, T, D], and where: attention over slots [B, H, T, M] (the rest went to the null slot).
        """
        state, early = unit(x.float()).to(x.dtype), unit(context.early.float()).to(x.dtype)
        moved = self.told.state(state, early) if slots.told else linear(self.query, state) + linear(self.early, early)
        sharp = self.sharpness.to(x.dtype).view(-1, 1)  # H 1
        query = self._heads(self._matched(context.current.to(x.dtype))) * sharp + self._heads(moved)  # B T H K
        logits = (query.transpose(1, 2) @ slots.keys.transpose(-1, -2)).float() + slots.bias.unsqueeze(2)  # B H T M
        if slots.told:
            worth, null, loud = self.told.worth(state, context.places)
            agreement = self.told.agreement
        else:
            worth, null, loud = self._worth(state, context.places, answerable, quiet is None)
            agreement = self.agreement
        logits = logits if worth is None else logits + worth
        weights = attend(logits, null, agreement, self.quiet if quiet is None else quiet)
        share = self.told.doubting(weights) if slots.told else weights
        read = (share.to(x.dtype) @ slots.values).transpose(1, 2).flatten(2)  # B T C
        return linear(self.out, read if loud is None else read * loud.to(read.dtype)), weights

    def _worth(self, state: Tensor, places: PrefixMatches | None, answerable: Tensor, asked: bool) -> ScoreAdjustment:
        """What state and place are worth where an answer is looked for, see ``telling.Worth``."""
        null = self.against(state) + answerable.view(-1, 1, 1) * self.null_answerable.float()
        if places is None:
            return None, null, None
        slots = F.embedding(places.slots, self.standing.float()).permute(0, 3, 1, 2)
        if asked:
            null = null + F.embedding(places.positions, self.null_standing.float())
        return slots, null, torch.exp(self.loud_standing.float())[places.positions].unsqueeze(-1)

    def gated(self, x: Tensor, read: Tensor) -> Tensor:
        """x + tanh(g) * rms(x) * read; exactly x where nothing was read or the gate is closed."""
        scale = x.float().pow(2).mean(-1, keepdim=True).sqrt()  # B T 1
        return x + (torch.tanh(self.gate.float()) * scale * read.float()).to(x.dtype)

    def _matched(self, embedded: Tensor) -> Tensor:
        heads = linear(self.match, embedded).unflatten(-1, (self.heads, -1))
        return F.normalize(heads.float(), dim=-1).to(embedded.dtype).flatten(-2)

    def _heads(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1))


@dataclass(frozen=True, slots=True)
class _Distinct:
    """The distinct tokens of a table of slots, and where each goes; ``NONE`` becomes zeros."""

    ids: Tensor
    place: Tensor
    absent: Tensor

    @classmethod
    def of(cls, tokens: Tensor) -> _Distinct:
        ids, place = torch.unique(tokens.clamp_min(0), return_inverse=True)
        return cls(ids, place, tokens == NONE)

    def spread(self, rows: Tensor) -> Tensor:
        """[n, H, K] of the distinct tokens -> [B, M, H, K] of the slots."""
        return rows[self.place].masked_fill(self.absent[..., None, None], 0.0)
