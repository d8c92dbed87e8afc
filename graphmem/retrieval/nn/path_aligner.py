"""Judges whole relation paths against a question: which of a few candidates it asks for, and whether any.

Words and steps are aligned both ways (attend, compare, aggregate; Parikh et al. 2016): every step of a path looks for
the words that ask for it, and every word for the step that it asks for, or for none. A word of content that no step
explains speaks against a path that is too short, a step that no word asks for against one too long, and so the number
of hops needs no head of its own that could learn training relations by heart. Relations enter as their texts' vectors.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.core.errors import InvalidValue


@dataclass(frozen=True, slots=True)
class PathAlignerConfig:
    """Sizes of the aligner.

    Attributes:
        dim: K, the text encoder's width.
        width: of words and steps inside.
        heads: ways in which words and steps look at each other.
        hops: most steps of a path.
    """

    dim: int = 384
    width: int = 128
    heads: int = 4
    hops: int = 4

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not isinstance(value, int) or value < 1:
                raise InvalidValue(f"{name} must be a whole number of at least 1, not {value!r}")
        if self.width % self.heads:
            raise InvalidValue(f"width must be a multiple of heads, not {self.width!r} and {self.heads!r}")


class PathAligner(nn.Module):
    """Scores of candidate paths, and the logit that one of them answers, for a batch of questions."""

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
        self.nothing = nn.Parameter(torch.zeros(config.heads))  # what a word gives to no step
        self.likeness = nn.Parameter(torch.full((config.heads,), 3.0))  # plain cosines count from the start
        self.step = nn.Sequential(nn.Linear(3 * width + 1, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.said = nn.Sequential(nn.Linear(3 * width + 1, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.weigh = nn.Linear(width, 1)  # of each word: how much it matters that it is explained
        features = 3 + config.hops  # how like a path's text is, what the gates said, its length
        self.join = nn.Sequential(nn.Linear(2 * width + features, width), nn.GELU(), nn.Dropout(0.1))
        self.score = nn.Linear(width, 1)
        self.known = nn.Sequential(nn.Linear(2 * width + 3, 64), nn.GELU(), nn.Linear(64, 1))

    def forward(
        self, question: Tensor, tokens: Tensor, mask: Tensor, texts: Tensor, names: Tensor, directions: Tensor,
        paths: Tensor, prior: Tensor,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        """Score candidates.

        Args:
            question: [B, K] its vector.
            tokens: [B, T, K] its token states.
            mask: bool [B, T], which of them are real.
            texts: [A, K] vectors of the arcs' texts.
            names: [A, K] vectors of the relations' names.
            directions: int64 [A], 0 or 1.
            paths: int64 [B, P, hops], arc numbers, -1 past a path's end; rows of nothing but -1 are padding.
            prior: [B, P], what the gates said of each path, in nats below the best; zeros where nothing is known.

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
        """Steps [B, P, L, W], cosines with words [B, P, L, T], and per path [B, P, 2] how like its text all is."""
        turned = torch.where(directions[:, None] == 0, self.name[0](names), self.name[1](names))
        arcs = self.text(texts) + turned  # [A, W]
        at = paths.clamp(min=0)
        steps = arcs[at]  # [B, P, L, W]
        left = walked.flip(-1).cumsum(-1).flip(-1).clamp(min=1) - 1  # steps that follow
        hops = self.config.hops
        order = torch.arange(paths.shape[-1]).expand_as(paths)
        steps = (steps + self.place[order] + self.place[hops + left]) * walked[..., None]
        steps = (
            steps
            + F.pad(self.before(steps), (0, 0, 1, 0))[:, :, :-1]
            + F.pad(self.after(steps), (0, 0, 0, 1))[:, :, 1:]
        )
        cosines = F.normalize(tokens, dim=-1) @ texts.T  # [B, T, A]
        rows = torch.arange(len(paths))[:, None, None]
        plain = cosines.transpose(1, 2)[rows, at]  # [B, P, L, T]
        mean = F.normalize((texts[at] * walked[..., None]).sum(2), dim=-1)  # [B, P, K]
        whole = (mean @ question[..., None])[..., 0]
        best = plain.amax(-1).masked_fill(~walked, 0).sum(-1) / walked.sum(-1).clamp(min=1)
        return self.step_norm(steps), plain, torch.stack([whole, best], -1)

    def _compared(self, words: Tensor, steps: Tensor, plain: Tensor, mask: Tensor, walked: Tensor) -> Tensor:
        batch, count, hops, width = steps.shape
        heads = self.config.heads
        asked = self.ask(steps).view(batch, count * hops, heads, -1).transpose(1, 2)  # [B, H, PL, W/H]
        offered = self.answer(words).view(batch, -1, heads, width // heads).transpose(1, 2)  # [B, H, T, W/H]
        logits = asked @ offered.transpose(-1, -2) / (width // heads) ** 0.5
        logits = logits.view(batch, heads, count, hops, -1) + self.likeness[:, None, None, None] * plain[:, None]
        seen = logits.masked_fill(~mask[:, None, None, None], -1e4).softmax(-1)  # [B, H, P, L, T]
        split = words.view(batch, -1, heads, width // heads).permute(0, 2, 1, 3)[:, :, None]  # [B, H, 1, T, W/H]
        found = (seen @ split).permute(0, 2, 3, 1, 4).reshape(batch, count, hops, width)
        alike = (plain.masked_fill(~mask[:, None, None], -1)).amax(-1, keepdim=True)
        step = self.step(torch.cat([steps, found, steps * found, alike], -1)) * walked[..., None]
        null = self.nothing[None, :, None, None, None].expand(batch, heads, count, 1, logits.shape[-1])
        given = torch.cat([logits.masked_fill(~walked[:, None, ..., None], -1e4), null], 3).softmax(3)[:, :, :, :-1]
        own = steps.view(batch, count, hops, heads, -1).permute(0, 3, 1, 2, 4)  # [B, H, P, L, W/H]
        meant = (given.transpose(-1, -2) @ own).permute(0, 2, 3, 1, 4).reshape(batch, count, -1, width)  # [B, P, T, W]
        near = plain.masked_fill(~walked[..., None], -1).amax(2)[..., None]
        said = self._said(words, meant, near)
        weight = torch.sigmoid(self.weigh(words)) * mask[..., None]  # [B, T, 1]
        return torch.cat([step.sum(2) / 2, (said * weight[:, None]).sum(2) / 4], -1)

    def _said(self, words: Tensor, meant: Tensor, near: Tensor) -> Tensor:
        """``said`` of [words, meant, words * meant, near]; the part of words alone is the same for all paths."""
        first, rest = self.said[0], self.said[1:]
        assert isinstance(first, nn.Linear)
        alone = F.linear(words, first.weight[:, : words.shape[-1]], first.bias)[:, None]
        both = torch.cat([meant, words[:, None] * meant, near], -1)
        made: Tensor = rest(alone + F.linear(both, first.weight[:, words.shape[-1] :]))
        return made

    def _answers(self, words: Tensor, mask: Tensor, joined: Tensor, scores: Tensor, whole: Tensor) -> Tensor:
        chance = scores.softmax(-1)[..., None]
        best = scores.argmax(-1)
        pooled = (words * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
        rows = torch.arange(len(best))
        extra = torch.cat([chance.amax(1), whole[rows, best]], -1)
        return self.known(torch.cat([(joined * chance).sum(1), pooled, extra], -1))[:, 0]
