"""Continuation attention: attention to facts around the entities of plain text, while the text is continued.

An answer is one name, and retrieval has ranked it first. A plain text names many entities in turn, and only its own
words say which is next: "... is located in" wants the object of another fact than "... was built by". A candidate is
therefore scored by its fact: the words of the relation, the words of the name, its distance from the entities of the
text, and whether the text has mentioned it already. Copying itself is shared with ``GatedCrossAttention``.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphmem.fusion.attention import MASKED, SHORTER_LOGIT, UNMATCHED_LOGIT, NullSlot, linear
from graphmem.fusion.candidates import CONTINUATION_FEATURES
from graphmem.fusion.memory_tokens import END, NO_TOKEN, ContinuationTokens, MemoryTokens, TokenTable
from graphmem.fusion.prefix_matching import CODES, LENGTHS, SHORTER, UNMATCHED, PrefixMatches

_REPEATED, _PREMATURE, _NULL = -1.0, -2.0, 2.0

COMPRESSION = 1.5
"""Initial ``compression``: a slot with attention .1 gets weight .2."""

DROPOUT = 0.6
"""Dropout of the state while training: a few thousand names would soon be memorised."""

ScoreAdjustment = tuple[Tensor | None, Tensor, Tensor | None]
"""Additions to the logits of slots, [B, H, T, M] or None; the null slot's logit, [B, T, H]; gain [B, T, 1] or None."""


class ContinuationAttention(NullSlot):
    """Scores of memory slots in plain text; with ``output_gate`` 0 nothing is attended to.

    ``width`` is D of the residual stream, ``token_width`` D' of the input embeddings, ``inner`` the width of queries
    and keys over all heads.
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
        self.repeated_bias = nn.Parameter(torch.full((heads,), _REPEATED))
        self.premature_bias = nn.Parameter(torch.full((heads,), _PREMATURE))
        self.prefix_bias = nn.Parameter(torch.zeros(CODES, heads))
        self.null_prefix_bias = nn.Parameter(torch.zeros(LENGTHS + 1, heads))
        self.prefix_gain = nn.Parameter(torch.zeros(LENGTHS + 1))
        self.agreement = nn.Parameter(torch.zeros(()))
        self.output_gate = nn.Parameter(torch.zeros(()))
        self.compression = nn.Parameter(torch.zeros(()))
        self.dropout = 0.0  # above 0 only while training
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Small random scores, matching prefixes ahead, and a closed output gate."""
        self.reset_scores()
        nn.init.normal_(self.null.weight, std=0.01)
        self.reset_null(_NULL)
        self.prefix_bias.data[UNMATCHED], self.prefix_bias.data[SHORTER] = UNMATCHED_LOGIT, SHORTER_LOGIT

    def reset_scores(self) -> None:
        """Reinitialise what scores names against the context; keep the null slot and the gains."""
        for layer in (self.query, self.early, self.relation, self.name):
            nn.init.normal_(layer.weight, std=0.01)

    @property
    def trained(self) -> bool:
        """Whether the output gate is open."""
        return bool(self.output_gate.detach() != 0)

    def open(self) -> None:
        """Open the output gate and switch compression on, where training has not yet set them."""
        if not self.trained:
            nn.init.ones_(self.output_gate)
        if float(self.compression.detach()) <= 0:
            nn.init.constant_(self.compression, COMPRESSION)

    def compressed(self, weights: Tensor) -> Tensor:
        """Attention 0..1 -> weights of values 0..1, both float32 [B, H, T, M]: log(1 + s w) / log(1 + s).

        s = exp(compression) - 1; with compression 0 the weights are unchanged. Values are added to logits, where a
        token half as likely lies 0.7 nats lower whatever its probability. Linear weights would give each of ten
        plausible names a tenth of the logit of a certain one, too little to be predicted.
        """
        s = torch.expm1(self.compression.float().clamp_min(0.0))
        return torch.where(s > 0, torch.log1p(s * weights) / torch.log1p(s).clamp_min(1e-12), weights)

    def keys(self, tokens: MemoryTokens, facts: ContinuationTokens, table: TokenTable, dtype: torch.dtype) -> Tensor:
        """Additions to the keys of slots, [B, M, H, K]: nonzero where a name starts."""
        encoded = linear(self.relation, _mean_embedding(facts.relations, table).to(dtype))
        encoded = encoded + linear(self.name, _mean_embedding(facts.names, table).to(dtype))  # B N HK
        slots = encoded.gather(1, tokens.node.unsqueeze(-1).expand(-1, -1, encoded.shape[-1]))
        return (slots * tokens.starts.unsqueeze(-1).to(dtype)).unflatten(-1, (self.heads, -1))

    def bias(self, tokens: MemoryTokens, facts: ContinuationTokens) -> Tensor:
        """Bias of slots, float32 [B, M, H]; minus infinity for padding and for ends of names, since text goes on."""
        features = facts.features.gather(1, tokens.node.unsqueeze(-1).expand(-1, -1, facts.features.shape[-1]))
        bias = (features @ self.start_bias.float()) * tokens.starts.unsqueeze(-1)
        return bias.masked_fill(~(tokens.mask & (tokens.kind != END)).unsqueeze(-1), float("-inf"))

    def state_query(self, state: Tensor, early: Tensor) -> Tensor:
        """Contribution of the context to the query, [B, T, HK], from unit states [B, T, D]."""
        state, early = (F.dropout(x, self.dropout, self.dropout > 0) for x in (state, early))
        return linear(self.query, state) + linear(self.early, early)

    def adjustment(self, state: Tensor, matches: PrefixMatches | None) -> ScoreAdjustment:
        """Contribution of the unit state and of prefix matches, see ``ScoreAdjustment``."""
        null, gain = self.null_logit(state), self.output_gate.float()
        if matches is None:
            return None, null, gain
        slots = F.embedding(matches.slots, self.prefix_bias.float())
        for marked, bias in ((matches.repeated, self.repeated_bias), (matches.premature, self.premature_bias)):
            slots = slots if marked is None else slots + marked.unsqueeze(-1) * bias.float()
        if matches.blocked is not None:
            slots = slots.masked_fill(matches.blocked.unsqueeze(-1), MASKED)
        null = null + F.embedding(matches.positions, self.null_prefix_bias.float())
        gain = gain * torch.exp(self.prefix_gain.float())[matches.positions].unsqueeze(-1)
        return slots.permute(0, 3, 1, 2), null, gain


def _mean_embedding(words: Tensor, table: TokenTable) -> Tensor:
    """Mean unit embedding [B, N, D'] of tokens, int64 [B, N, A]; zeros where there are none."""
    present = (words != NO_TOKEN).unsqueeze(-1)
    embedded = table.inputs(words.clamp_min(0)) * present
    return embedded.sum(2) / present.sum(2).clamp_min(1)
