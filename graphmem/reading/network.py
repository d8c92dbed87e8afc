"""Extraction network: mentions, and relations between pairs of them, from a frozen model's hidden states.

    hidden states of two layers -> 2 bidirectional blocks -> a tag per token -> mentions
    pair of mentions -> (factuality, coreference, query vector) -> relation with the nearest text vector

The relations are no fixed list: they come in as vectors of their text, so the network can name relations of a graph it
was never trained on. Shapes: B texts, T tokens, P pairs, R relations, D model width, K width of the text encoder,
W width of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.core.checkpoints import load_module, save_module
from graphmem.core.errors import WeightsMismatch
from graphmem.core.validation import require

TAGS: Final = ("O", "B-entity", "I-entity", "B-literal", "I-literal", "B-pronoun", "I-pronoun")
KINDS: Final = ("entity", "literal", "pronoun")
FACTUALITY: Final = ("none", "asserted", "ended", "negated", "uncertain")
"""Factuality of a pair in a text: no fact, asserted, asserted as over, negated, or uncertain (a question, hearsay)."""
_KIND: Final = "extractor"


@dataclass(frozen=True, slots=True)
class ExtractorConfig:
    """Shape of an extraction network and its thresholds.

    Attributes:
        hidden_size: D of the frozen model.
        text_width: K of the text encoder of relation names.
        layers: the two entries of ``hidden_states`` used as input; both lie below the first fused layer, so that what
            is extracted from a text does not depend on the memory.
        width, heads, depth, feedforward: size of its own bidirectional blocks.
        fact_threshold: minimum probability, 0..1, that a text speaks about a pair.
        relation_threshold: minimum probability of a relation of the vocabulary; below it the words between the mentions
            name the relation.
    """

    hidden_size: int = 576
    text_width: int = 384
    layers: tuple[int, int] = (12, 20)
    width: int = 256
    heads: int = 8
    depth: int = 2
    feedforward: int = 768
    dropout: float = 0.1
    fact_threshold: float = 0.5
    relation_threshold: float = 0.3

    def __post_init__(self) -> None:
        require(self.width % self.heads == 0, "width", self.width, f"a multiple of heads ({self.heads})")
        for name in ("fact_threshold", "relation_threshold"):
            require(0.0 <= getattr(self, name) <= 1.0, name, getattr(self, name), "a probability, 0..1")


@dataclass(frozen=True, slots=True)
class Span:
    """Tokens ``first`` to ``last`` (both inside) of one text that name something.

    ``probability`` is the lowest of its tokens', or that of the name ending after the last one, if that is lower.
    """

    first: int
    last: int
    kind: str
    probability: float = 1.0


def pair_index(pairs: Sequence[tuple[int, Span, Span]]) -> Tensor:
    """Pairs of spans, the earlier one first, as int64 [P, 5]: the text's row, and first and last token of both."""
    table = [(row, a.first, a.last, b.first, b.last) for row, a, b in pairs]
    return torch.tensor(table, dtype=torch.long).reshape(-1, 5)


@dataclass(frozen=True, slots=True)
class PairScores:
    """Scores of pairs: ``features`` [P, W], ``factuality`` logits [P, 5], ``coreference`` logit [P]."""

    features: Tensor
    factuality: Tensor
    coreference: Tensor


class ExtractionNetwork(nn.Module):
    """Token tagger and scorer of mention pairs (see the module's text for the flow)."""

    def __init__(self, config: ExtractorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or ExtractorConfig()
        width, text = config.width, config.text_width
        self.inward = nn.Linear(2 * config.hidden_size, width)
        block = nn.TransformerEncoderLayer(
            width, config.heads, config.feedforward, config.dropout, "gelu", batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, config.depth, enable_nested_tensor=False)
        self.tags = nn.Linear(width, len(TAGS))
        self.distance = nn.Embedding(_DISTANCES, 32)
        self.pair = nn.Sequential(nn.Linear(5 * width + 32, width), nn.GELU(), nn.Dropout(config.dropout))
        self.mood = nn.Linear(width, len(FACTUALITY))
        self.same = nn.Linear(width, 1)
        self.forward_query = nn.Linear(width, text)
        self.backward_query = nn.Linear(width, text)
        self.phrase = nn.Linear(text, 2 * text, bias=False)
        self.relation = nn.Linear(text, text, bias=False)
        self.phrase_scale = nn.Parameter(torch.ones(2))
        self.sharpness = nn.Parameter(torch.tensor(3.0))
        nn.init.zeros_(self.phrase.weight)
        nn.init.zeros_(self.relation.weight)  # a relation starts as its own text vector

    def encode(self, hidden: Tensor, mask: Tensor) -> Tensor:
        """Bidirectional states [B, T, W] of ``hidden`` [B, T, 2D], from ``join_layers``; ``mask`` [B, T]: real ones."""
        states = self.inward(hidden) + _positions(hidden.shape[1], self.config.width).to(hidden)
        return self.blocks(states, src_key_padding_mask=~mask)

    def pairs(self, states: Tensor, index: Tensor) -> PairScores:
        """Score pairs of spans inside ``states`` [B, T, W], see ``pair_index``."""
        row, _, first_end, second_start, _ = index.unbind(1)
        corners = [states[row, position] for position in index[:, 1:].unbind(1)]  # 4 x [P, W]
        gap = (second_start - first_end).clamp(0, _FAR).float()
        near = self.distance(torch.log2(gap + 1).long().clamp(max=_DISTANCES - 1))
        between = _between(states, row, first_end + 1, second_start)
        features = self.pair(torch.cat([*corners, between, near], dim=-1))  # [P, W]
        return PairScores(features, self.mood(features), self.same(features).squeeze(-1))

    def relations(self, features: Tensor, phrases: Tensor, relations: Tensor) -> Tensor:
        """Logits [P, 2R] of each relation: "earlier mention, relation, later mention", then the inverted direction.

        Args:
            features: [P, W] from ``pairs``.
            phrases: [P, K], text vectors of the words around the pair, its names masked.
            relations: [R, K], text vectors of relation names.
        """
        ahead, back = self.phrase(phrases).chunk(2, dim=-1)  # each [P, K]
        scale = self.phrase_scale
        forward = F.normalize(self.forward_query(features) + scale[0] * phrases + ahead, dim=-1)
        backward = F.normalize(self.backward_query(features) + scale[1] * phrases + back, dim=-1)
        names = F.normalize(relations + self.relation(relations), dim=-1)  # [R, K]
        return self.sharpness.exp() * torch.cat([forward @ names.T, backward @ names.T], dim=-1)


_FAR, _DISTANCES = 255, 9


def _positions(length: int, width: int) -> Tensor:
    half = torch.arange(0, width, 2, dtype=torch.float32)
    angle = torch.arange(length, dtype=torch.float32)[:, None] / 10000 ** (half / width)
    return torch.stack([angle.sin(), angle.cos()], dim=-1).reshape(length, width)


def _between(states: Tensor, row: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Mean state of tokens ``start`` to ``end`` (outside) of rows, zero where there are none: [P, W]."""
    sums = F.pad(states.cumsum(1), (0, 0, 1, 0))  # [B, T + 1, W]
    count = (end - start).clamp(min=1).unsqueeze(-1)
    return (sums[row, torch.maximum(start, end)] - sums[row, start]) / count


def join_layers(first: Tensor, second: Tensor) -> Tensor:
    """Layer-norm both [B, T, D] (no learned scale) and concatenate them: [B, T, 2D] in float32."""
    normed = [F.layer_norm(layer.float(), layer.shape[-1:]) for layer in (first, second)]
    return torch.cat(normed, dim=-1)


def decode_tags(logits: Tensor, start: int = 0) -> list[Span]:
    """Spans of one text from tag logits [T, 7], from token ``start`` on: the likeliest valid sequence of tags.

    An inside tag follows only a tag of its own kind, so that one uncertain token neither splits nor starts a name.
    """
    scores = logits.float().log_softmax(-1).numpy()  # [T, 7]
    tags = _viterbi(scores[start:])
    spans: list[Span] = []
    ends = [place for place, tag in enumerate([*tags, 0]) if tag % 2 or tag == 0]  # where a span may end or start
    for first, stop in pairwise(ends):
        if tags[first]:
            kind, after = (tags[first] - 1) // 2, start + stop
            probability = np.exp(scores[range(start + first, after), tags[first:stop]]).min()
            if after < len(scores):
                probability = min(probability, 1 - np.exp(scores[after, 2 * kind + 2]))
            spans.append(Span(start + first, after - 1, KINDS[kind], float(probability)))
    return spans


_TRANSITIONS = np.array(
    [[0.0 if tag % 2 or tag == 0 or before in (tag, tag - 1) else -1e9 for tag in range(7)] for before in range(7)]
)
"""Score of a tag (column) after another (row)."""


def _viterbi(scores: np.ndarray) -> list[int]:
    """The valid sequence of tags with the largest sum of log-probabilities [T, 7]."""
    if not len(scores):
        return []
    best, steps = scores[0] + _TRANSITIONS[0], []
    for row in scores[1:]:
        sums = best[:, None] + _TRANSITIONS  # [from, to]
        steps.append(sums.argmax(0))
        best = sums.max(0) + row
    tags = [int(best.argmax())]
    for step in reversed(steps):
        tags.append(int(step[tags[-1]]))
    return tags[::-1]


def save_extractor(network: ExtractionNetwork, path: str | Path) -> Path:
    """Write the weights (bfloat16) with their configuration."""
    return save_module(path, network, kind=_KIND, config=asdict(network.config))


def load_extractor(
    path: str | Path, *, hidden_size: int | None = None, text_width: int | None = None
) -> ExtractionNetwork:
    """The network of a weights file, in evaluation mode and float32.

    Raises:
        WeightsMismatch: weights of another kind, or for another width of model or text encoder.
    """
    checkpoint = load_module(path, kind=_KIND)
    known = {field.name for field in fields(ExtractorConfig)}
    given: dict[str, Any] = {k: v for k, v in checkpoint.meta["config"].items() if k in known}
    config = ExtractorConfig(**{**given, "layers": tuple(given["layers"])})
    for name, wanted in (("hidden_size", hidden_size), ("text_width", text_width)):
        held = getattr(config, name)
        if wanted is not None and wanted != held:
            raise WeightsMismatch(f"{path} was trained for {name} {held}, not {wanted}; train an extractor for it")
    network: ExtractionNetwork = checkpoint.load_into(ExtractionNetwork(config))
    return network
