"""What a memory must leave alone: texts that do not concern it, and questions that it cannot answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from graphmem.evaluation_answers import generate_texts
from graphmem.graph import normalise


@dataclass(frozen=True, slots=True)
class Locality:
    """How far the memory moves the base on texts.

    Attributes:
        kl: mean KL(base || attached), nats per token.
        worst: largest mean of one text.
        same_token: share of positions where both would say the same next.
        tokens: positions compared.
    """

    kl: float
    worst: float
    same_token: float
    tokens: int


@torch.inference_mode()
def text_kl(model: Any, texts: Sequence[str], retrievals: Sequence[Any], max_tokens: int = 128) -> Locality:
    """Compare base and attached model on texts, each read beside a retrieval.

    Args:
        model: a ``GraphMemoryModel``.
        texts: plain texts.
        retrievals: one for each.
        max_tokens: of each text.
    """
    means, same, tokens = [], 0, 0
    for text, retrieval in zip(texts, retrievals, strict=True):
        ids = model.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"][:, :max_tokens]
        ids = ids.to(model.base.device)
        with model.memory_disabled():
            base = model(ids).logits.float().log_softmax(-1)
        now = model(ids, retrieval=retrieval).logits.float().log_softmax(-1)
        each = (base.exp() * (base - now)).sum(-1)[0]
        means.append(float(each.sum()))
        same += int((base.argmax(-1) == now.argmax(-1)).sum())
        tokens += ids.shape[1]
        means[-1] /= ids.shape[1]
    lengths = [min(max_tokens, len(model.tokenizer(t, add_special_tokens=False)["input_ids"])) for t in texts]
    total = sum(mean * length for mean, length in zip(means, lengths, strict=True))
    return Locality(total / max(1, tokens), max(means, default=0.0), same / max(1, tokens), tokens)


@dataclass(frozen=True, slots=True)
class Refusals:
    """How well the model says that it does not know: precision, recall and F1 of refusing, over n questions."""

    precision: float
    recall: float
    f1: float
    n: int


def refusals(
    model: Any, answerable: Sequence[tuple[str, Any]], unanswerable: Sequence[tuple[str, Any]], refusal: str
) -> Refusals:
    """Ask (prompt, retrieval) pairs of both sorts with the refusal among the model's choices (its config names it)."""
    said = [
        [normalise(refusal) in normalise(text) for text, _, _ in generate_texts(model, *zip(*pairs, strict=True))]
        for pairs in (unanswerable, answerable)
    ]
    hits, wrong = sum(said[0]), sum(said[1])
    precision = hits / max(1, hits + wrong)
    recall = hits / max(1, len(said[0]))
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return Refusals(precision, recall, f1, len(said[0]) + len(said[1]))
