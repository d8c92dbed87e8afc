"""Answers and their attribution: the memory layer, head, node and fact that each token was copied from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from graphmem.core.names import normalise
from graphmem.core.types import Fact
from graphmem.fusion.candidates import Candidates
from graphmem.fusion.context import AttentionRecord


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Source of one token of an answer.

    Attributes:
        token: its text.
        layer, head: with the highest weight.
        node: name of the node attended to.
        weight: attention times gate, 0..1, summed over the node's slots.
        fact: the last fact of the path to the node; None where there is none.
        source: of that fact.
    """

    token: str
    layer: int
    head: int
    node: str
    weight: float
    fact: Fact | None = None
    source: str | None = None


Status = Literal["answered", "not_known", "ambiguous", "from_base"]
"""``not_known``: the memory does not hold the answer; ``ambiguous``: a name may mean several nodes, and the text asks
which; ``from_base``: the base model's own words, without the memory."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a passage that answer a question, with the sentence around them.

    Attributes:
        text: the sentence.
        title, passage: of the document, and the id of the passage's node.
        start, end: characters of the answer in the passage's text.
        date: of the passage.
    """

    text: str
    title: str
    passage: int
    start: int
    end: int
    date: str | None = None

    def __str__(self) -> str:
        return f"{self.title}: {self.text}" if self.title else self.text


@dataclass(frozen=True, slots=True)
class ExplainedItem:
    """One thing that an answer holds, or that was compared with it, and the evidence for it.

    Attributes:
        text: its name, or the words of a passage.
        value: the value that was compared; empty where none was.
        evidence: its chain of facts, or a quote.
    """

    text: str
    value: str = ""
    evidence: tuple[Fact | Quote, ...] = ()


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an answer was found.

    Attributes:
        operation: ``lookup``, ``duration``, ``verify``, ``count``, ``list``, ``superlative``, ``intersect``,
            ``except``, ``describe``, or ``search`` where no evidence was read.
        time: the time that it holds for, in words.
        steps: what was computed: patterns of facts with ``?`` for the members, conditions, what was compared.
        members: what the answer holds, each with its evidence.
        considered: what was compared, or would have been the next answers; of an unknown answer, what is nearest.
        count: number of members, also of those beyond ``members``.
        complete: whether every member was looked at.
        question: as it was completed from the turns before; empty for a question that was read as it stands.
    """

    operation: str
    time: str
    steps: tuple[str, ...] = ()
    members: tuple[ExplainedItem, ...] = ()
    considered: tuple[ExplainedItem, ...] = ()
    count: int = 0
    complete: bool = True
    question: str = ""

    def __str__(self) -> str:
        return f"{self.operation}: {'; '.join(self.steps)}" if self.steps else self.operation


@dataclass(frozen=True)
class Answer:
    """An answer with its evidence.

    Attributes:
        text: as generated.
        evidence: facts and quotes that say the answer, the strongest first; of an answer without the evidence encoder,
            the path to it and the retrieval's other facts; of an unknown one, what is held nearby.
        path: the chain of facts from the question's topic to the answer; empty where there is none.
        retrieval: the memory's; None with the memory disabled, or for a description of a given node.
        prompt_tokens: length of the prompt.
        seconds: retrieval and generation together.
        answerable: the memory's probability that it holds the answer, 0..1; the same as ``confidence``.
        sources: of each token.
        answers: each answer by itself; one, unless all were requested.
        refused: whether the refusal was returned because the memory does not hold the answer, or the text asks back
            which of several nodes a name means.
        status: where the answer comes from, or why there is none.
        explanation: the operation, the time, and each member with its evidence; None without the memory, and where the
            text asks back.
    """

    text: str
    evidence: tuple[Fact | Quote, ...]
    path: tuple[Fact, ...]
    retrieval: Any
    prompt_tokens: int
    seconds: float
    answerable: float
    sources: tuple[TokenSource, ...] = field(default=(), repr=False)
    answers: tuple[str, ...] = ()
    refused: bool = False
    status: Status = "answered"
    explanation: Explanation | None = field(default=None, repr=False)

    @property
    def confidence(self) -> float:
        """Probability that the answer is right, 0..1."""
        return self.answerable

    def __str__(self) -> str:
        return self.text


def token_sources(
    trace: Sequence[AttentionRecord], node: torch.Tensor, found: Candidates, tokens: Sequence[str], retrieval: Any
) -> tuple[TokenSource, ...]:
    """For every generated token, one a pass, the layer, head and node with the largest weight.

    ``trace`` holds the records of all forward passes of one sample, layer after layer; ``node``, int64 [M], the
    candidate of each slot.
    """
    passes: list[list[AttentionRecord]] = []
    for record in trace:
        if not passes or record.layer <= passes[-1][-1].layer:
            passes.append([])
        passes[-1].append(record)
    facts: dict[str, Fact | None] = {}
    made = []
    for token, records in zip(tokens, passes, strict=False):
        weight, layer, head, which = max(_strongest(record, node, len(found.names)) for record in records)
        name = found.names[which]
        if name not in facts:
            facts[name] = _fact_of(retrieval, name) if found.ids[which] >= 0 else None
        fact = facts[name]
        made.append(TokenSource(token, layer, head, name, weight, fact, fact.source if fact else None))
    return tuple(made)


def _strongest(record: AttentionRecord, node: torch.Tensor, count: int) -> tuple[float, int, int, int]:
    weights = record.weights[0].float().cpu()  # H M
    per_node = torch.zeros(weights.shape[0], count).index_add_(1, node.cpu(), weights)
    head, which = divmod(int(per_node.argmax()), count)
    return float(per_node[head, which]), record.layer, head, which


def _fact_of(retrieval: Any, name: str) -> Fact | None:
    if hasattr(retrieval, "path_to") and (path := list(retrieval.path_to(name))):
        return path[-1]
    wanted = normalise(name)
    touching = (f for f in getattr(retrieval, "facts", ()) if wanted in (normalise(f.subject), normalise(f.object)))
    return next(touching, None)


def answer_path(text: str, found: Candidates, retrieval: Any) -> tuple[Fact, ...]:
    """Path of facts to the candidate that the text begins with or contains, the longest such name first."""
    if not hasattr(retrieval, "path_to"):
        return ()
    answer = normalise(text)
    held = [n for n, i in zip(found.names, found.ids, strict=True) if i >= 0 and normalise(n) in answer]
    held.sort(key=lambda name: (not answer.startswith(normalise(name)), -len(name)))
    return tuple(retrieval.path_to(held[0])) if held else ()
