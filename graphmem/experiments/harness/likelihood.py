"""Language modelling: nats per token and per name token of passages about the facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

from graphmem.datasets.webnlg import FactText
from graphmem.evaluation.statistics import ratio_interval
from graphmem.experiments.harness.report import Row
from graphmem.experiments.methods.base import Language, Method
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet

MAX_TOKENS = 256
"""Of a passage."""


class Nats(NamedTuple):
    """Negative log likelihood of one passage and its number of tokens: of all, and of those that overlap a name."""

    total: float
    tokens: int
    name_total: float
    name_tokens: int


def likelihood_rows(
    facts: FactSet, method: Method, language: Language, retriever: CachedRetriever, *,
    uses_retrieval: bool = True, seed: int = 0,
) -> list[Row]:  # fmt: skip
    """Nats per token of the passages of a fact set, with intervals over passages.

    The memory is searched twice: with the passage's topic, for all tokens but the first; and with the passage up to the
    end of its first name, for the tokens after it. Methods with facts in the prompt get those of the passage.

    A method that reads no retrieval (``uses_retrieval``) runs once. No rows for a method without a model.
    """
    dataset, pairs = f"{facts.name}, passages", list[tuple[Nats, Nats]]()
    for passage in facts.passages:
        pair = _nats(passage, method, language, retriever, uses_retrieval)
        if pair is None:
            return []
        pairs.append(pair)
    figures = {
        "nats/token": [(whole.total, whole.tokens) for whole, _ in pairs],
        "nats/name token": [(whole.name_total, whole.name_tokens) for whole, _ in pairs],
        "nats/name token, text so far": [(rest.name_total, rest.name_tokens) for _, rest in pairs],
    }
    rows = []
    for measure, parts in figures.items():
        if tokens := sum(count for _, count in parts):
            note = f"n counts tokens, of {len(parts)} passages"
            value, low, high = ratio_interval(parts, seed)
            rows.append(Row(dataset, method.name, measure, value, tokens, low, high, note))
    return rows


def _nats(
    passage: FactText, method: Method, language: Language, retriever: CachedRetriever, uses_retrieval: bool
) -> tuple[Nats, Nats] | None:
    """Nats of the whole passage (search by topic) and of the rest (search by its beginning); None without a model."""
    start = passage.mentions[0][1] if passage.mentions else len(passage.text) // 4
    encoded = language.tokenizer(passage.text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = torch.tensor([encoded["input_ids"][:MAX_TOKENS]]), encoded["offset_mapping"]
    queries = retriever([passage.topic, passage.text[:start]], [passage.gold] * 2)[: 1 + uses_retrieval]
    logits = [method.logits(ids, query) for query in queries]
    if logits[0] is None:
        return None
    return passage_nats(logits[0], ids, offsets, passage), passage_nats(logits[-1], ids, offsets, passage, start)


def passage_nats(logits: Any, ids: Any, offsets: Sequence[tuple[int, int]], passage: FactText, start: int = 0) -> Nats:
    """Nats of a passage's tokens that begin at character ``start`` or later.

    Shapes: logits [T, V], of the token after each token; ids int64 [1, T]; ``offsets`` (start, end) of each token.
    """
    nats = F.cross_entropy(logits[:-1].float(), ids[0, 1:], reduction="none").tolist()
    scored = [(value, a, b) for value, (a, b) in zip(nats, offsets[1 : ids.shape[1]], strict=True) if a >= start]
    named = [value for value, a, b in scored if any(a < end and b > begin for begin, end in passage.mentions)]
    return Nats(sum(value for value, _, _ in scored), len(scored), sum(named), len(named))
