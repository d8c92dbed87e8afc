"""Question answering: one answer or all of them, refusal, and descriptions of a topic."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch

from graphmem.core import arguments
from graphmem.core.names import fold
from graphmem.core.times import Time, to_micros
from graphmem.core.validation import require
from graphmem.fusion.candidates import Candidates, candidates, rank_features
from graphmem.fusion.config import REFUSAL
from graphmem.generation.attribution import Answer, answer_path
from graphmem.generation.decoding import (
    RetrievalSchedule,
    answer_room,
    generate_answer,
    generate_plain,
    prompt_ids,
)
from graphmem.generation.description import describe_topic, requested_topic
from graphmem.generation.evidence_answers import evidence_answer
from graphmem.generation.explanation import explain_facts, explain_reading
from graphmem.generation.read_lists import read_list
from graphmem.generation.set_answers import MORE, contradicted, set_answer
from graphmem.reasoning.sets.completion import completed
from graphmem.reasoning.topics import all_are_sets
from graphmem.reasoning.weighing import Weighed
from graphmem.retrieval.answerability import confidence

WhenUnknown = Literal["refuse", "answer", "base", "attend"]
WHEN_UNKNOWN: tuple[WhenUnknown, ...] = ("refuse", "answer", "base", "attend")

MIN_CONFIDENCE = 0.9
"""Confidence of a retrieval below which ``when_unknown`` applies where no evidence is read; chosen on WikiMovies' dev
questions."""

TIE_MARGIN = 1.0
"""Nats of relevance within which a node ties with the best; chosen on WikiMovies' dev questions."""


@dataclass(frozen=True, slots=True)
class AskOptions:
    """Options of ``GraphMemoryModel.ask``; wrong types and values raise ``InvalidValue``.

    ``revise`` gets what the evidence says and returns what is answered from; conversations add their turns to it.
    ``sets``: whether operations on sets are computed.
    """

    max_new_tokens: int = 64
    as_of: Time | None = None
    refusal: str | None = None
    when_unknown: WhenUnknown = "refuse"
    min_confidence: float | None = None
    all_answers: bool = False
    schedule: RetrievalSchedule | None = None
    at: Time | None = None
    revise: Callable[[Weighed], Weighed] | None = None
    sets: bool = True

    def __post_init__(self) -> None:
        known = isinstance(self.when_unknown, str) and self.when_unknown in WHEN_UNKNOWN
        require(known, "when_unknown", self.when_unknown, f"one of {', '.join(WHEN_UNKNOWN)}")
        if self.min_confidence is not None:
            arguments.number(self.min_confidence, "min_confidence", "a probability, 0..1", 0, 1)
        arguments.text(self.refusal, "refusal", optional=True)
        arguments.whole(self.max_new_tokens, "max_new_tokens")
        arguments.moment(self.as_of, "as_of")
        arguments.moment(self.at, "at")
        arguments.flag(self.all_answers, "all_answers")
        arguments.instance(self.schedule, (RetrievalSchedule, type(None)), "schedule", "a RetrievalSchedule or None")


@torch.inference_mode()
def answer_question(model: Any, question: str, options: AskOptions) -> Answer:
    """Answer a question, see ``GraphMemoryModel.ask``."""
    arguments.text(question, "question", blank=False)
    started, contexts = time.perf_counter(), model.contexts
    prompt = prompt_ids(model, question)
    room = answer_room(model, prompt, options.max_new_tokens)
    options = replace(options, max_new_tokens=room, refusal=options.refusal or model.config.refusal)
    retrieval = None if contexts.disabled else contexts.retrieve(question, options.as_of)
    done = lambda made: replace(made, prompt_tokens=len(prompt), seconds=time.perf_counter() - started)
    if retrieval is None:
        return done(base_answer(model, prompt, None, options))
    reader, unclear = getattr(model.memory, "evidence_reader", None), getattr(retrieval, "unclear", ())
    as_of = to_micros(options.as_of)
    if unclear and (reader is None or requested_topic(retrieval) is not None):
        return done(ask_back(unclear, retrieval))
    if (description := describe_topic(model, retrieval, room, options.as_of)) is not None:
        explained = explain_facts("describe", description.text, description.path, as_of)
        return done(replace(description, explanation=explained))
    if reader is None:
        return done(retrieval_answer(model, question, prompt, retrieval, options))
    made = read_answer(model, reader, question, retrieval, options)
    if made.status == "not_known" and options.when_unknown in ("base", "attend"):
        if options.when_unknown == "base":
            return done(base_answer(model, prompt, retrieval, options))
        return done(retrieval_answer(model, question, prompt, retrieval, options))
    return done(made)


def read_answer(model: Any, reader: Any, question: str, retrieval: Any, options: AskOptions) -> Answer:
    """The answer of an ``EvidenceReader``: from a set where the question wants one, else from single evidence.

    What is less likely than ``min_confidence`` is not known, unless ``when_unknown`` is "answer".
    """
    unclear = getattr(retrieval, "unclear", ())
    as_of = None if options.as_of is None else to_micros(options.as_of)
    at = to_micros(options.at)
    sets = options.sets and (all_are_sets(retrieval) or all(is_kind(name, readings) for name, readings in unclear))
    counted = set_answer(reader, retrieval, as_of, at) if sets else None
    least = None if options.when_unknown == "answer" else options.min_confidence
    if counted is not None and (least is None or counted.confidence >= least):
        return counted
    weighed = reader.read(retrieval, as_of, at)
    if options.revise is not None:
        weighed = options.revise(weighed)
    scope = reader.scope(retrieval, as_of if at is None else at)
    whole = True
    if not scope.is_set:
        weighed, whole = completed(weighed, retrieval.store, scope.at)
    if (
        not unclear
        and (listed := read_list(reader.form(retrieval.query), retrieval, weighed, least, scope.at)) is not None
    ):
        return listed
    made = evidence_answer(
        model, question, retrieval, weighed, max_new_tokens=options.max_new_tokens,
        min_confidence=0.0 if options.when_unknown == "answer" and weighed.answers else options.min_confidence,
        all_answers=options.all_answers, refusal=options.refusal,
    )  # fmt: skip
    if made is None:
        return ask_back(unclear, retrieval)
    if weighed.asks_verdict > 0.5 and not unclear:
        floor = max(made.confidence, least or 0.0)
        if (denied := contradicted(reader, retrieval, as_of, floor)) is not None:
            return denied
    explained = explain_reading(made, weighed, scope, retrieval.query, retrieval.store, as_of)
    if whole or made.status != "answered":
        return replace(made, explanation=explained)
    return replace(made, text=f"{made.text} {MORE}", explanation=replace(explained, complete=False))


def is_kind(name: str, readings: Sequence[str]) -> bool:
    """Whether a part of several names is the kind of thing that all of them are, as "depot" of "Omaha depot".

    It is where no name writes it with a capital: then it does not have to be one of them that is meant. A set of them
    may be asked for.
    """
    parts = {_singular(word) for word in name.split()}
    written = [[word for word in reading.split() if _singular(word) in parts] for reading in readings]
    return all(words and all(word[:1].islower() for word in words) for words in written)


def _singular(word: str) -> str:
    return fold(word).removesuffix("s")


def base_answer(model: Any, prompt: Sequence[int], retrieval: Any, options: AskOptions) -> Answer:
    """The base's own answer, without the memory."""
    text = generate_plain(model, prompt, options.max_new_tokens)
    known = 0.0 if retrieval is None else float(retrieval.answerable)
    return Answer(text, (), (), retrieval, 0, 0.0, known, (), (text,), status="from_base")


def ask_back(unclear: Sequence[tuple[str, Sequence[str]]], retrieval: Any) -> Answer:
    """The question that an unclear name is answered with."""
    name, readings = unclear[0]
    text = f"{name} may mean {', '.join(readings[:-1])} or {readings[-1]}; say which one."
    return Answer(text, (), (), retrieval, 0, 0.0, 0.0, (), (text,), True, "ambiguous")


def retrieval_answer(model: Any, question: str, prompt: Sequence[int], retrieval: Any, options: AskOptions) -> Answer:
    """The answer that the memory layers generate from a retrieval alone, without reading the evidence."""
    config, least = model.config, MIN_CONFIDENCE if options.min_confidence is None else options.min_confidence
    unknown = confidence(retrieval) < least
    if unknown and options.when_unknown == "refuse":
        text = options.refusal or REFUSAL
        return Answer(text, (), (), retrieval, 0, 0.0, float(retrieval.answerable), (), (text,), True, "not_known")
    if unknown and options.when_unknown == "base":
        return base_answer(model, prompt, retrieval, options)
    trust = 0.0 if options.when_unknown == "answer" else config.trust
    offered = None if options.all_answers else options.refusal
    found = candidates(retrieval, config.max_nodes, offered, trust, config.min_answerability)
    scores = np.sort(np.array([node.score for node in retrieval.nodes], np.float32))[::-1][: config.max_nodes]
    ties = min(len(found.ids), int(np.sum(scores >= scores[:1] - TIE_MARGIN))) if options.all_answers else 1
    each = isolate_ties(found, scores.tolist(), ties) if ties > 1 else [found]
    again = options.schedule if len(each) == 1 else None
    made = [generate_answer(model, question, one, retrieval, options.max_new_tokens, again) for one in each]
    generated = list({one.text: one for one in made}.values())
    paths = [answer_path(g.text, g.candidates, retrieval) for g in generated if g.candidates is not None]
    facts = [*(fact for path in paths for fact in path), *(getattr(retrieval, "facts", ()) or ())]
    answers, sources = tuple(g.text for g in generated), tuple(source for g in generated for source in g.sources)
    path = tuple(paths[0]) if paths else ()
    return Answer(
        ", ".join(answers), tuple(dict.fromkeys(facts)), path, retrieval, 0, 0.0, float(retrieval.answerable), sources,
        answers, explanation=explain_facts("search", answers[0] if answers else "", path, to_micros(options.as_of)),
    )  # fmt: skip


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
