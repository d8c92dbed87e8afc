"""Language modelling: nats a token, and a token of a name, on passages about what the graph holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional as F

from graphmem.datasets.webnlg import FactText
from graphmem.evaluation.statistics import ratio_interval
from graphmem.experiments.harness.report import Row
from graphmem.experiments.methods.base import Language, Method
from graphmem.experiments.tasks.fact_set import FactSet, LookUp

MOST_TOKENS = 256
"""Of a passage."""


@dataclass(frozen=True, slots=True)
class Nats:
    """The surprise of one passage: sums in nats and how many tokens, of all tokens and of those that touch a name."""

    every: float
    tokens: int
    named: float
    names: int


def modelling(
    facts: FactSet, method: Method, language: Language, look_up: LookUp, *, reads: bool = True, seed: int = 0
) -> list[Row]:
    """How surprised a method is by the passages of a fact set, with intervals over passages.

    A method that reads a memory asks it twice: with the passage's topic, for all tokens but the first; and with the
    passage up to the end of its first name, for the tokens after that: the memory then knows nothing but the text so
    far. Methods that are given facts have those of the passage, both times.

    Args:
        facts: its passages are measured.
        method: who says how likely they are.
        language: whose tokens are counted.
        look_up: the memory.
        reads: whether the method looks at what was found; if not, it is run once.
        seed: of the intervals.
    """
    where, pairs = f"{facts.name}, passages", list[tuple[Nats, Nats]]()
    for passage in facts.passages:
        pair = _both(passage, method, language, look_up, reads)
        if pair is None:
            return []
        pairs.append(pair)
    whole, after = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    rows = [
        _row(where, method.name, "nats/token", [(n.every, n.tokens) for n in whole], seed),
        _row(where, method.name, "nats/name token", [(n.named, n.names) for n in whole], seed),
        _row(where, method.name, "nats/name token, text so far", [(n.named, n.names) for n in after], seed),
    ]
    return [row for row in rows if row is not None]


def first_name(passage: FactText) -> int:
    """Characters of a passage up to the end of its first name; a quarter of it where it has none."""
    return passage.mentions[0][1] if passage.mentions else len(passage.text) // 4


def _both(
    passage: FactText, method: Method, language: Language, look_up: LookUp, reads: bool
) -> tuple[Nats, Nats] | None:
    """Asked with the topic, the whole passage; asked with its beginning, what comes after. None without a model."""
    start, queries = first_name(passage), [passage.topic, passage.text[: first_name(passage)]]
    made = language.tokenizer(passage.text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = torch.tensor([made["input_ids"][:MOST_TOKENS]]), made["offset_mapping"]
    logits = [method.logits(ids, asked) for asked in look_up(queries, [passage.gold] * 2)[: 1 + reads]]
    if logits[0] is None:
        return None
    return surprise(logits[0], ids, offsets, passage), surprise(logits[-1], ids, offsets, passage, start)


def surprise(logits: Any, ids: Any, offsets: Sequence[tuple[int, int]], passage: FactText, start: int = 0) -> Nats:
    """Nats of a passage's tokens from character ``start`` on.

    Args:
        logits: [T, V], what follows each token.
        ids: int64 [1, T].
        offsets: (start, end) of every token in the text.
        passage: the text and its names.
        start: tokens that begin before it are not counted.
    """
    nats = F.cross_entropy(logits[:-1].float(), ids[0, 1:], reduction="none").tolist()
    scored = [(value, a, b) for value, (a, b) in zip(nats, offsets[1 : ids.shape[1]], strict=True) if a >= start]
    named = [value for value, a, b in scored if any(a < end and b > begin for begin, end in passage.mentions)]
    return Nats(sum(value for value, _, _ in scored), len(scored), sum(named), len(named))


def _row(where: str, method: str, measure: str, parts: Sequence[tuple[float, int]], seed: int) -> Row | None:
    tokens = sum(count for _, count in parts)
    if not tokens:
        return None
    value, low, high = ratio_interval(parts, seed)
    return Row(where, method, measure, value, tokens, low, high, f"n counts tokens, of {len(parts)} passages")
