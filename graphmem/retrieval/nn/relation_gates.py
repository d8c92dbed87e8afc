"""Relation gates: the score of every relation at every hop for a question, and of every path length.

Each hop attends to the question's token states, away from what earlier hops attended to (NSM, He et al. 2021). The
result, as a whole and word by word, is compared with the text of every relation in both directions. A relation path
scores the sum of its steps plus the score of its length, and *no path* has a score of its own, so a softmax over the
paths that a graph offers gives both the place of the answer and the probability that there is one.

Untrained weights compare plain text similarity, so a new encoder starts from a usable state.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.core.validation import require_counts


@dataclass(frozen=True, slots=True)
class RelationGateConfig:
    """Sizes of the gates: whole numbers of at least 1, or InvalidValue is raised.

    Attributes:
        dim: K, the text encoder's width.
        hops: maximum number of arcs between a seed and an answer.
        hidden: width of the layers that score lengths.
    """

    dim: int = 384
    hops: int = 4
    hidden: int = 48

    def __post_init__(self) -> None:
        require_counts(self)


class RelationGates(nn.Module):
    """Scores of every relation at every hop, and of every path length, for a batch of questions.

    Alphabet: B questions, T tokens, A arc codes, K encoder width.
    """

    def __init__(self, config: RelationGateConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or RelationGateConfig()
        dim, hops = config.dim, config.hops
        self.norm = nn.LayerNorm(dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim, bias=False)
        self.ask = nn.ModuleList(nn.Linear(dim, dim) for _ in range(hops))
        self.relation = nn.Linear(dim, dim, bias=False)
        self.direction = nn.ModuleList(nn.Linear(dim, dim) for _ in range(2))
        self.count = nn.Sequential(nn.Linear(dim, config.hidden), nn.GELU())  # evidence of each word for a step
        hidden = config.hidden
        self.length = nn.Sequential(nn.Linear(hidden, hidden), nn.GELU(), nn.Linear(hidden, hops + 1))
        self.sharpness = nn.Parameter(torch.full((hops,), 2.0))  # log scale of the cosines of each hop's instruction
        self.word_sharpness = nn.Parameter(torch.tensor(2.0))  # log scale of the cosines of single words
        self.coverage = nn.Parameter(torch.tensor(0.5))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Initialise to plain text similarity: values and relations pass through, attention is uniform."""
        for layer in (self.value, self.relation):  # added to the identity, so that weight decay leads back to it
            nn.init.zeros_(layer.weight)
        for layer in (*self.ask, *self.direction):
            nn.init.zeros_(layer.weight)
            nn.init.normal_(layer.bias, std=0.02)
        nn.init.normal_(self.key.weight, std=self.config.dim**-0.5)
        for parameter in self.length[-1].parameters():
            nn.init.zeros_(parameter)

    def relations(self, names: Tensor, texts: Tensor, directions: Tensor) -> Tensor:
        """Unit relation vectors [A, K] that instructions are compared with.

        From vectors of the relation names and of the arc texts (``inverse of NAME`` for direction 1), [A, K], and the
        directions, int64 [A], 0 or 1.
        """
        turned = torch.where(directions[:, None] == 0, self.direction[0](names), self.direction[1](names))
        return F.normalize(texts + self.relation(texts) + turned, dim=-1)

    def instructions(self, question: Tensor, tokens: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Attend to the question once a hop; arguments as for ``forward``.

        Returns:
            unit instructions [B, hops, K], log attention over tokens [B, hops, T], unit token values [B, T, K].
        """
        keys, values = self.key(self.norm(tokens)), tokens + self.value(tokens)
        covered = torch.zeros_like(mask, dtype=tokens.dtype)
        last, instructions, attention = question, [], []
        for ask in self.ask:
            logits = (keys @ ask(last)[..., None])[..., 0] - F.softplus(self.coverage) * covered  # [B, T]
            logits = logits.masked_fill(~mask, -1e4).log_softmax(-1)
            weights = logits.exp()
            last = F.normalize((weights[:, None] @ values)[:, 0], dim=-1)  # [B, K]
            covered = covered + weights
            instructions.append(last)
            attention.append(logits)
        return torch.stack(instructions, 1), torch.stack(attention, 1), F.normalize(values, dim=-1)

    def forward(self, question: Tensor, tokens: Tensor, mask: Tensor, relations: Tensor) -> tuple[Tensor, Tensor]:
        """Score steps [B, hops, A] and lengths [B, hops + 1], both in nats; length 0 is *no answer here*.

        From question vectors [B, K], token states [B, T, K], their mask bool [B, T], and ``relations`` [A, K].
        """
        instructions, attention, values = self.instructions(question, tokens, mask)
        scale = self.word_sharpness.exp()
        words = torch.exp(scale * (values @ relations.T - 1))  # [B, T, A], at most 1
        single = scale + (attention.exp() @ words + 1e-20).log()  # [B, hops, A], soft maximum over attended words
        steps = self.sharpness.exp()[:, None] * (instructions @ relations.T) + single
        counts = (self.count(self.norm(tokens)) * mask[..., None]).sum(1)  # [B, hidden], a sum: two words, two steps
        return steps, self.length(counts / 4)


def path_scores(steps: Tensor, lengths: Tensor, paths: Tensor) -> Tensor:
    """Score of every path [B, P], in nats: the sum of its ``steps`` [B, hops, A] plus the score of its length.

    ``paths`` int64 [B, P, hops] are arc numbers, -1 past a path's end; a row of -1 alone is *no path*.
    """
    walked = paths >= 0
    picked = steps.gather(2, paths.clamp(min=0).transpose(1, 2))  # [B, hops, P]
    total = (picked.transpose(1, 2) * walked).sum(-1)
    return total + lengths.gather(1, walked.sum(-1))
