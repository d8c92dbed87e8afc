"""How a question is answered: when to read again, what to say where the memory does not know, and lists of answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from graphmem.core.validation import require
from graphmem.fusion.candidates import Candidates, candidates, rank_features
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.memory_tokens import MemoryTokens, collate
from graphmem.generation.attribution import TokenSource, token_sources

WhenUnknown = Literal["speak", "trust", "refuse", "base"]
WHEN_UNKNOWN: tuple[WhenUnknown, ...] = ("speak", "trust", "refuse", "base")
"""Where the memory holds no answer: let the readings decide, believe it all the same, say the refusal, or let the base
answer alone."""

REFUSAL = "I don't know."
MIN_CONFIDENCE = 0.9
"""Confidence below which a question is refused, where refusing was asked for; chosen on WikiMovies' dev questions."""

TIED = 1.0
"""Nats of relevance within which a node is as good an answer as the best; chosen on WikiMovies' dev questions."""


@dataclass(frozen=True, slots=True)
class RetrievalSchedule:
    """When the memory is read again while an answer is being written.

    Attributes:
        rereads: most searches after the first, an answer; 0 reads at the prompt alone.
        entropy: the next token's entropy, in nats, from which on the model is unsure enough to search again.
        apart: fewest tokens between two searches.
        window: characters at the end of the answer so far that are put to the memory with the question.
    """

    rereads: int = 0
    entropy: float = 3.0
    apart: int = 8
    window: int = 160

    def __post_init__(self) -> None:
        require(self.rereads >= 0, "rereads", self.rereads, "at least 0")
        require(self.entropy >= 0, "entropy", self.entropy, "at least 0 nats")
        require(self.apart >= 1, "apart", self.apart, "at least 1 token")
        require(self.window >= 1, "window", self.window, "at least 1 character")


_ONCE = RetrievalSchedule()


@dataclass(frozen=True, slots=True)
class Said:
    """One answer, where its tokens were read, and among which candidates; None where the memory was not read."""

    text: str
    sources: tuple[TokenSource, ...] = ()
    found: Candidates | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """What is put before the model: a refusal beside the candidates or none, from when on the memory is believed, below
    what it is not heard at all, and whether all tied answers are wanted."""

    refusal: str | None
    trust: float
    silent: float
    all_answers: bool


def speak(
    model: Any, question: str, ids: Tensor, retrieval: Any, limit: int, offer: Offer, policy: RetrievalSchedule
) -> list[Said]:
    """What the model says to one question: one answer, or one for each node that is as relevant as the best.

    Args:
        model: a ``GraphMemoryModel``.
        question: as asked.
        ids: int64 [1, T], its prompt.
        retrieval: what the memory found; None reads nothing.
        limit: most tokens of an answer.
        offer: what is put before the model.
        policy: when to search again.
    """
    if retrieval is None:
        return [Said(plain(model, ids, limit))]
    refusal = None if offer.all_answers else offer.refusal
    seen = candidates(retrieval, model.config.nodes, refusal, offer.trust, offer.silent)
    relevance = np.sort(np.array([node.score for node in retrieval.nodes], np.float32))[::-1][: model.config.nodes]
    count = tied(relevance, TIED, len(seen.ids)) if offer.all_answers else 1
    if count <= 1:
        return [say_one(model, question, ids, seen, retrieval, limit, policy)]
    each = [
        say_one(model, question, ids, alone, retrieval, limit) for alone in one_each(seen, relevance.tolist(), count)
    ]
    return list({said.text: said for said in each}.values())


def _text(model: Any, tokens: Sequence[int]) -> str:
    return str(model.tokenizer.decode(tokens, skip_special_tokens=True)).strip()


def plain(model: Any, ids: Tensor, limit: int) -> str:
    """What the base says to one prompt, int64 [1, T], without the memory."""
    return _text(model, model.greedy(ids, None, limit))


def say_one(
    model: Any, question: str, ids: Tensor, seen: Candidates, retrieval: Any, limit: int, policy: RetrievalSchedule = _ONCE
) -> Said:  # fmt: skip
    """One answer, read from these candidates alone; arguments as in ``speak``. ``retrieval`` may be None."""
    readings = [_Reading.of(model, seen, retrieval)]
    if not policy.rereads:
        out = model.greedy(ids, readings[0].session, limit)
        return Said(_text(model, out), readings[0].explain(model, out), seen)

    def again(said: list[int]) -> MemoryContext | None:
        found = model.memory.retrieve(f"{question} {_text(model, said)[-policy.window :]}", top_k=model.config.nodes)
        readings.append(_Reading.of(model, candidates(found, model.config.nodes), found, len(said)))
        return readings[-1].session

    out = speak_and_reread(model.base, ids, readings[0].session, policy, again, model.names.stop, limit)
    ends = [*(active_context.start for active_context in readings[1:]), len(out)]
    parts = [r.explain(model, out[r.start : end]) for r, end in zip(readings, ends, strict=True)]
    return Said(_text(model, out), tuple(source for part in parts for source in part), seen)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One search of an answer, and the token from which on it was read."""

    session: MemoryContext | None
    tokens: MemoryTokens
    found: Candidates
    retrieval: Any
    start: int

    @classmethod
    def of(cls, model: Any, found: Candidates, retrieval: Any, start: int = 0) -> _Reading:
        tokens = collate(model.names, [found])
        return cls(model.session_of(tokens, trace=True), tokens, found, retrieval, start)

    def explain(self, model: Any, out: Sequence[int]) -> tuple[TokenSource, ...]:
        if self.session is None or not self.session.trace:
            return ()
        spoken = [model.tokenizer.decode([token]) for token in out]
        return token_sources(self.session.trace, self.tokens.node[0], self.found, spoken, self.retrieval)


def entropy(logits: Tensor) -> float:
    """Nats, of next-token logits [V]."""
    logs = logits.float().log_softmax(-1)
    return float(-(logs.exp() * logs).sum())


@torch.inference_mode()
def speak_and_reread(
    base: Any, ids: Tensor, session: MemoryContext | None, policy: RetrievalSchedule, again: Callable[[list[int]], MemoryContext | None],
    stop: int, limit: int,
) -> list[int]:  # fmt: skip
    """Greedy decoding of one row that searches again where the next token is unsure.

    Args:
        base: the attached base model.
        ids: int64 [1, T], the prompt.
        session: what was found at the prompt.
        policy: its budget.
        again: searches with the tokens said so far; None keeps what was found before.
        stop: token that ends the answer.
        limit: most tokens.
    """
    said: list[int] = []
    whole, new, cache, since, left = ids, ids, None, policy.apart, policy.rereads
    while len(said) < limit:
        if session is not None and session.standing is not None:
            session.standing.whole(whole)
        with active_context(session):
            out = base(input_ids=new, past_key_values=cache, use_cache=True)
        cache, scores = out.past_key_values, out.logits[0, -1]
        if left and said and since >= policy.apart and entropy(scores) > policy.entropy:
            found = again(said)
            left, since = left - 1, 0
            if found is not None and hasattr(cache, "crop"):
                session = found
                cache.crop(-new.shape[1])  # the last position is read once more, beside what was found now
                continue
        token = int(scores.argmax())
        if token == stop:
            break
        said.append(token)
        since += 1
        new = torch.tensor([[token]], device=ids.device)
        whole = torch.cat([whole, new], 1)
    return said


def tied(relevance: np.ndarray, cut: float, most: int) -> int:
    """How many of the nodes, sorted by falling relevance, stand within ``cut`` of the best; at most ``most``."""
    if not len(relevance):
        return 0
    return min(most, int(np.count_nonzero(relevance >= relevance[0] - cut)))


def one_each(seen: Candidates, relevance: Sequence[float], count: int) -> list[Candidates]:
    """For each of the first ``count`` nodes, candidates that have it first and none of the others beside it."""
    made = []
    for i in range(count):
        kept = [i, *(k for k, node in enumerate(seen.ids) if k >= count and node >= 0)]
        scores = np.array([relevance[i], *(relevance[k] for k in kept[1:])], np.float32)
        features = rank_features(scores, np.exp(np.clip(scores, -60, 0)), seen.answerable)
        features[:, 3] = seen.features[kept, 3] - seen.features[i, 3]
        names, ids = tuple(seen.names[k] for k in kept), tuple(seen.ids[k] for k in kept)
        made.append(Candidates(names, features, seen.answerable, ids))
    return made
