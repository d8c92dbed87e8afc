"""Question answering: one answer or all of them, refusal, and descriptions of a topic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from graphmem.core.errors import InvalidValue
from graphmem.core.times import Time
from graphmem.core.validation import require
from graphmem.fusion.candidates import Candidates, candidates, rank_features
from graphmem.fusion.config import REFUSAL
from graphmem.generation.attribution import Answer, answer_path
from graphmem.generation.decoding import (
    ONE_RETRIEVAL,
    GeneratedAnswer,
    RetrievalSchedule,
    generate_answer,
    generate_plain,
    prompt_ids,
)
from graphmem.generation.description import describe_topic
from graphmem.retrieval.answerability import confidence

WhenUnknown = Literal["attend", "answer", "refuse", "base"]
WHEN_UNKNOWN: tuple[WhenUnknown, ...] = ("attend", "answer", "refuse", "base")

MIN_CONFIDENCE = 0.9
"""Default confidence below which ``when_unknown`` applies; chosen on WikiMovies' dev questions."""

TIE_MARGIN = 1.0
"""Nats of relevance within which a node ties with the best; chosen on WikiMovies' dev questions."""


@dataclass(frozen=True)
class Answerer:
    """Answers questions with one set of options, see ``GraphMemoryModel.ask``.

    Raises:
        InvalidValue: ``when_unknown`` or ``min_confidence`` is out of range.
    """

    model: Any
    max_new_tokens: int = 64
    as_of: Time | None = None
    refusal: str | None = None
    when_unknown: WhenUnknown = "attend"
    min_confidence: float = MIN_CONFIDENCE
    all_answers: bool = False
    schedule: RetrievalSchedule = ONE_RETRIEVAL

    def __post_init__(self) -> None:
        require(
            self.when_unknown in WHEN_UNKNOWN, "when_unknown", self.when_unknown, f"one of {', '.join(WHEN_UNKNOWN)}"
        )
        require(0 <= self.min_confidence <= 1, "min_confidence", self.min_confidence, "a probability, 0..1")

    @torch.inference_mode()
    def answer(self, question: str) -> Answer:
        """Answer a question.

        Raises:
            InvalidValue: the question is empty.
        """
        if not question.strip():
            raise InvalidValue(f"question must be visible text, not {question!r}")
        started, contexts = time.perf_counter(), self.model.contexts
        length = len(prompt_ids(self.model, question))
        retrieval = None if contexts.disabled else contexts.retrieve(question, self.as_of)
        description = describe_topic(self.model, retrieval, self.max_new_tokens, self.as_of)
        if description is not None:
            return description.answer(retrieval, length, time.perf_counter() - started)
        unknown = retrieval is not None and confidence(retrieval) < self.min_confidence
        refused = unknown and self.when_unknown == "refuse"
        if refused:
            generated = [GeneratedAnswer(self._refusal or REFUSAL)]
        elif retrieval is None or (unknown and self.when_unknown == "base"):
            generated = [self._plain(question)]
        else:
            generated = self._from_memory(question, retrieval)
        paths = [answer_path(g.text, g.candidates, retrieval) for g in generated if g.candidates is not None]
        facts = [*(fact for path in paths for fact in path), *(getattr(retrieval, "facts", ()) or ())]
        return Answer(
            text=", ".join(g.text for g in generated),
            evidence=tuple(dict.fromkeys(facts)),
            path=paths[0] if paths else (),
            retrieval=retrieval,
            prompt_tokens=length,
            seconds=time.perf_counter() - started,
            answerable=0.0 if retrieval is None else float(retrieval.answerable),
            sources=tuple(source for g in generated for source in g.sources),
            answers=tuple(g.text for g in generated),
            refused=refused,
        )

    @property
    def _refusal(self) -> str | None:
        return self.refusal or self.model.config.refusal

    def _plain(self, question: str) -> GeneratedAnswer:
        return GeneratedAnswer(generate_plain(self.model, prompt_ids(self.model, question), self.max_new_tokens))

    def _from_memory(self, question: str, retrieval: Any) -> list[GeneratedAnswer]:
        """One answer, or one for each node that ties with the best."""
        config = self.model.config
        refusal = None if self.all_answers else self._refusal
        trust = 0.0 if self.when_unknown == "answer" else config.trust
        found = candidates(retrieval, config.max_nodes, refusal, trust, config.min_answerability)
        scores = np.sort(np.array([node.score for node in retrieval.nodes], np.float32))[::-1][: config.max_nodes]
        ties = count_ties(scores, TIE_MARGIN, len(found.ids)) if self.all_answers else 1
        if ties <= 1:
            return [generate_answer(self.model, question, found, retrieval, self.max_new_tokens, self.schedule)]
        each = [
            generate_answer(self.model, question, one, retrieval, self.max_new_tokens)
            for one in isolate_ties(found, scores.tolist(), ties)
        ]
        return list({generated.text: generated for generated in each}.values())


def count_ties(relevance: np.ndarray, margin: float, max_ties: int) -> int:
    """Number of nodes, sorted by falling relevance, within ``margin`` of the best; at most ``max_ties``."""
    if not len(relevance):
        return 0
    return min(max_ties, int(np.count_nonzero(relevance >= relevance[0] - margin)))


def isolate_ties(found: Candidates, relevance: Sequence[float], ties: int) -> list[Candidates]:
    """For each of the first ``ties`` nodes, candidates with it on top and without the others."""
    made = []
    for i in range(ties):
        kept = [i, *(k for k, node in enumerate(found.ids) if k >= ties and node >= 0)]
        scores = np.array([relevance[k] for k in kept], np.float32)
        features = rank_features(scores, np.exp(np.clip(scores, -60, 0)), found.answerable)
        features[:, 3] = found.features[kept, 3] - found.features[i, 3]
        names, ids = tuple(found.names[k] for k in kept), tuple(found.ids[k] for k in kept)
        made.append(Candidates(names, features, found.answerable, ids))
    return made
