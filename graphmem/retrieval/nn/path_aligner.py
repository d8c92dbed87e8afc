"""Path aligner: scores of whole relation paths for a question, and the probability that one of them answers.

Words and steps are aligned both ways (attend, compare, aggregate; Parikh et al. 2016): every step attends to words, and
every word to a step or to none. Content words without a step lower the score of a path that is too short, steps without
a word that of a path that is too long, so the number of hops needs no head of its own, which would overfit training
relations. Relations enter as the vectors of their texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.core.validation import require, require_counts


@dataclass(frozen=True, slots=True)
class PathAlignerConfig:
    """Sizes of the aligner: whole numbers of at least 1, or InvalidValue is raised; ``heads`` divides ``width``.

    Attributes:
        dim: K, the text encoder's width.
        width: W, hidden width of words and steps.
        heads: H, attention heads between words and steps.
        hops: maximum number of steps of a path.
    """

    dim: int = 384
    width: int = 128
    heads: int = 4
    hops: int = 4

    def __post_init__(self) -> None:
        require_counts(self)
        require(self.width % self.heads == 0, "width", self.width, f"a multiple of heads ({self.heads})")


class PathAligner(nn.Module):
    """Scores of candidate paths, and the logit that one of them answers, for a batch of questions.

    Alphabet: B questions, T tokens, A arc texts, P paths, L steps, K encoder width, W hidden width, H heads.
    """

    def __init__(self, config: PathAlignerConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PathAlignerConfig()
        dim, width = config.dim, config.width
        self.word = nn.Sequential(nn.Linear(dim, width), nn.LayerNorm(width))
        self.context = nn.TransformerEncoderLayer(width, config.heads, 2 * width, 0.1, "gelu", batch_first=True)
        self.text, self.name = nn.Linear(dim, width), nn.ModuleList(nn.Linear(dim, width) for _ in range(2))
        self.place = nn.Parameter(0.1 * torch.randn(2 * config.hops, width))  # from the start and from the end
        self.before, self.after = (nn.Linear(width, width, bias=False) for _ in range(2))
        self.step_norm = nn.LayerNorm(width)
        self.ask, self.answer = nn.Linear(width, width), nn.Linear(width, width)
        self.nothing = nn.Parameter(torch.zeros(config.heads))  # logit of a word for no step
        self.likeness = nn.Parameter(torch.full((config.heads,), 3.0))  # weight of plain cosines in the attention
        self.step = nn.Sequential(nn.Linear(3 * width + 1, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.said = nn.Sequential(nn.Linear(3 * width + 1, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.weigh = nn.Linear(width, 1)  # importance of each word
        features = 3 + config.hops  # two cosines of the path's text, its gate score, its length
        self.join = nn.Sequential(nn.Linear(2 * width + features, width), nn.GELU(), nn.Dropout(0.1))
        self.score = nn.Linear(width, 1)
        self.known = nn.Sequential(nn.Linear(2 * width + 3, 64), nn.GELU(), nn.Linear(64, 1))

    def forward(
        self, question: Tensor, tokens: Tensor, mask: Tensor, texts: Tensor, names: Tensor, directions: Tensor,
        paths: Tensor, prior: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Score candidates.

        Args:
            question: [B, K] question vectors.
            tokens: [B, T, K] token states.
            mask: bool [B, T], real tokens.
            texts: [A, K] vectors of the arc texts.
            names: [A, K] vectors of the relation names.
            directions: int64 [A], 0 or 1.
            paths: int64 [B, P, hops], arc numbers, -1 past a path's end; rows of -1 alone are padding.
            prior: [B, P], gate scores of the paths, in nats below the best; zeros for none.

        Returns:
            scores [B, P] in nats (-1e4 at padding), and logits [B] that one of the paths answers.
        """
        walked = paths >= 0  # [B, P, L]
        words = self.context(self.word(tokens), src_key_padding_mask=~mask)  # [B, T, W]
        steps, plain, whole = self._steps(question, tokens, texts, names, directions, paths, walked)
        hidden = self._compared(words, steps, plain, mask, walked)  # [B, P, 2W]
        length = walked.sum(-1)
        lengths = F.one_hot(length.clamp(max=self.config.hops), self.config.hops + 1)[..., 1:].to(hidden.dtype)
        extra = torch.cat([whole, prior.clamp(min=-16)[..., None] / 4, lengths], -1)
        joined = self.join(torch.cat([hidden, extra], -1))
        scores = self.score(joined)[..., 0] + 8 * whole[..., 0] + 4 * whole[..., 1]
        scores = scores.masked_fill(length == 0, -1e4)
        return scores, self._answers(words, mask, joined, scores, whole)

    def _steps(
        self, question: Tensor, tokens: Tensor, texts: Tensor, names: Tensor, directions: Tensor, paths: Tensor,
        walked: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
        """Steps [B, P, L, W], their cosines with words [B, P, L, T], and two cosines of the whole path [B, P, 2]."""
        turned = torch.where(directions[:, None] == 0, self.name[0](names), self.name[1](names))
        arcs = self.text(texts) + turned  # [A, W]
        at = paths.clamp(min=0)
        steps = arcs[at]  # [B, P, L, W]
        left = walked.flip(-1).cumsum(-1).flip(-1).clamp(min=1) - 1  # steps that follow
        hops = self.config.hops
        order = torch.arange(paths.shape[-1]).expand_as(paths)
        steps = (steps + self.place[order] + self.place[hops + left]) * walked[..., None]
        before, after = F.pad(self.before(steps), (0, 0, 1, 0)), F.pad(self.after(steps), (0, 0, 0, 1))
        steps = steps + before[:, :, :-1] + after[:, :, 1:]
        cosines = F.normalize(tokens, dim=-1) @ texts.T  # [B, T, A]
        rows = torch.arange(len(paths))[:, None, None]
        plain = cosines.transpose(1, 2)[rows, at]  # [B, P, L, T]
        mean = F.normalize((texts[at] * walked[..., None]).sum(2), dim=-1)  # [B, P, K]
        whole = (mean @ question[..., None])[..., 0]
        best = plain.amax(-1).masked_fill(~walked, 0).sum(-1) / walked.sum(-1).clamp(min=1)
        return self.step_norm(steps), plain, torch.stack([whole, best], -1)

    def _compared(self, words: Tensor, steps: Tensor, plain: Tensor, mask: Tensor, walked: Tensor) -> Tensor:
        """Sums over compared steps and over compared words of each path, [B, P, 2W]."""
        batch, count, hops, width = steps.shape
        heads = self.config.heads
        queries = self.ask(steps).view(batch, count * hops, heads, -1).transpose(1, 2)  # [B, H, PL, W/H]
        keys = self.answer(words).view(batch, -1, heads, width // heads).transpose(1, 2)  # [B, H, T, W/H]
        logits = queries @ keys.transpose(-1, -2) / (width // heads) ** 0.5
        logits = logits.view(batch, heads, count, hops, -1) + self.likeness[:, None, None, None] * plain[:, None]
        over_words = logits.masked_fill(~mask[:, None, None, None], -1e4).softmax(-1)  # [B, H, P, L, T]
        split = words.view(batch, -1, heads, width // heads).permute(0, 2, 1, 3)[:, :, None]  # [B, H, 1, T, W/H]
        word = (over_words @ split).permute(0, 2, 3, 1, 4).reshape(batch, count, hops, width)
        cosine = (plain.masked_fill(~mask[:, None, None], -1)).amax(-1, keepdim=True)
        step = self.step(torch.cat([steps, word, steps * word, cosine], -1)) * walked[..., None]
        null = self.nothing[None, :, None, None, None].expand(batch, heads, count, 1, logits.shape[-1])
        over_steps = torch.cat([logits.masked_fill(~walked[:, None, ..., None], -1e4), null], 3).softmax(3)
        own = steps.view(batch, count, hops, heads, -1).permute(0, 3, 1, 2, 4)  # [B, H, P, L, W/H]
        aligned = over_steps[:, :, :, :-1].transpose(-1, -2) @ own
        aligned = aligned.permute(0, 2, 3, 1, 4).reshape(batch, count, -1, width)  # [B, P, T, W]
        cosine = plain.masked_fill(~walked[..., None], -1).amax(2)[..., None]
        # ``said`` of [words, aligned, words * aligned, cosine]; the part of words alone is computed once
        first: Any = self.said[0]
        alone = F.linear(words, first.weight[:, :width], first.bias)[:, None]
        both = torch.cat([aligned, words[:, None] * aligned, cosine], -1)
        compared = self.said[1:](alone + F.linear(both, first.weight[:, width:]))  # [B, P, T, W]
        weight = torch.sigmoid(self.weigh(words)) * mask[..., None]  # [B, T, 1]
        return torch.cat([step.sum(2) / 2, (compared * weight[:, None]).sum(2) / 4], -1)

    def _answers(self, words: Tensor, mask: Tensor, joined: Tensor, scores: Tensor, whole: Tensor) -> Tensor:
        """Logits [B] that one of the paths answers."""
        chance = scores.softmax(-1)[..., None]
        best = scores.argmax(-1)
        pooled = (words * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        rows = torch.arange(len(best))
        extra = torch.cat([chance.amax(1), whole[rows, best]], -1)
        return self.known(torch.cat([(joined * chance).sum(1), pooled, extra], -1))[:, 0]
