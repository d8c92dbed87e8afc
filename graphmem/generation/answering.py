"""Question answering: one answer or all of them, refusal, and descriptions of a topic."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import torch

from graphmem.core import arguments
from graphmem.core.times import Time
from graphmem.core.validation import require
from graphmem.fusion.candidates import Candidates, candidates, rank_features
from graphmem.fusion.config import REFUSAL
from graphmem.generation.attribution import Answer, answer_path
from graphmem.generation.decoding import (
    GeneratedAnswer,
    RetrievalSchedule,
    answer_room,
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


@torch.inference_mode()
def answer_question(
    model: Any, question: str, max_new_tokens: int, as_of: Time | None, refusal: str | None, when_unknown: WhenUnknown,
    min_confidence: float, all_answers: bool, schedule: RetrievalSchedule | None,
) -> Answer:  # fmt: skip
    """Answer a question, see ``GraphMemoryModel.ask``."""
    known = isinstance(when_unknown, str) and when_unknown in WHEN_UNKNOWN
    require(known, "when_unknown", when_unknown, f"one of {', '.join(WHEN_UNKNOWN)}")
    arguments.number(min_confidence, "min_confidence", "a probability, 0..1", 0, 1)
    arguments.text(question, "question", blank=False)
    arguments.text(refusal, "refusal", optional=True)
    arguments.whole(max_new_tokens, "max_new_tokens")
    arguments.moment(as_of, "as_of")
    arguments.flag(all_answers, "all_answers")
    arguments.instance(schedule, (RetrievalSchedule, type(None)), "schedule", "a RetrievalSchedule or None")
    started, contexts, config = time.perf_counter(), model.contexts, model.config
    prompt, refusal = prompt_ids(model, question), refusal or config.refusal
    max_new_tokens = answer_room(model, prompt, max_new_tokens)
    retrieval = None if contexts.disabled else contexts.retrieve(question, as_of)
    if unclear := getattr(retrieval, "unclear", ()):
        asked = asked_back(unclear)
        return Answer(asked, (), (), retrieval, len(prompt), time.perf_counter() - started, 0.0, (), (asked,), True)
    description = describe_topic(model, retrieval, max_new_tokens, as_of)
    if description is not None:
        return replace(description, prompt_tokens=len(prompt), seconds=time.perf_counter() - started)
    unknown = retrieval is not None and confidence(retrieval) < min_confidence
    refused = unknown and when_unknown == "refuse"
    if refused:
        generated = [GeneratedAnswer(refusal or REFUSAL)]
    elif retrieval is None or (unknown and when_unknown == "base"):
        generated = [GeneratedAnswer(generate_plain(model, prompt, max_new_tokens))]
    else:
        trust = 0.0 if when_unknown == "answer" else config.trust
        offered = None if all_answers else refusal
        found = candidates(retrieval, config.max_nodes, offered, trust, config.min_answerability)
        scores = np.sort(np.array([node.score for node in retrieval.nodes], np.float32))[::-1][: config.max_nodes]
        ties = min(len(found.ids), int(np.sum(scores >= scores[:1] - TIE_MARGIN))) if all_answers else 1
        each = isolate_ties(found, scores.tolist(), ties) if ties > 1 else [found]
        again = schedule if len(each) == 1 else None
        made = [generate_answer(model, question, one, retrieval, max_new_tokens, again) for one in each]
        generated = list({one.text: one for one in made}.values())
    paths = [answer_path(g.text, g.candidates, retrieval) for g in generated if g.candidates is not None]
    facts = [*(fact for path in paths for fact in path), *(getattr(retrieval, "facts", ()) or ())]
    answers, sources = tuple(g.text for g in generated), tuple(source for g in generated for source in g.sources)
    return Answer(
        ", ".join(answers), tuple(dict.fromkeys(facts)), paths[0] if paths else (), retrieval, len(prompt),
        time.perf_counter() - started, 0.0 if retrieval is None else float(retrieval.answerable), sources, answers,
        refused,
    )  # fmt: skip


def asked_back(unclear: Sequence[tuple[str, Sequence[str]]]) -> str:
    """The question that an unclear name is answered with."""
    name, readings = unclear[0]
    return f"{name} may mean {', '.join(readings[:-1])} or {readings[-1]}; say which one."


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
