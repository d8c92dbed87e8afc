"""Differentiable state tracker: applies uncertain changes over a story, and gives the probability of an answer.

Alphabet here: S stories, T sentences, E names of a story (index 0 means "unknown"), all padded.

    where[a, l]   probability that a is in l            placed: a is in b from now on
    holds[a, b]   probability that a carries b          taken: a alone carries b; left: a carries b no more
    before[a, l, m]   probability that a was in m before it was last in l

A carried thing is where its carrier is. The answers alone train the network through it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from graphmem.state_tracking.tracker import COUNTS, NOTHING


@dataclass(frozen=True, slots=True)
class TrackedQuestion:
    """A question over a batch of stories, after so many sentences of one of them.

    ``first`` and ``second`` are names in the question (0: none), ``answers`` those in the answer ``word``, if it has
    some; ``text`` is the row of the question's text vector.
    """

    story: int
    after: int
    first: int
    second: int
    answers: tuple[int, ...]
    word: str
    text: int


def step(where: Tensor, holds: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """``where`` and ``holds`` [S, E, E] after a sentence with probabilities [S, E, E, 3] of placed, taken, left."""
    placed, taken, left = change.unbind(-1)
    stays = (1 - placed.sum(-1, keepdim=True)).clamp(min=0)  # [S, E, 1]
    where = stays * where + placed
    kept = (1 - taken.sum(1, keepdim=True)).clamp(min=0)  # [S, 1, E]: a thing has one carrier
    holds = (kept * holds + taken).clamp(max=1) * (1 - left.clamp(max=1))
    carried = holds.sum(1).clamp(max=1)[..., None]  # [S, E, 1]
    follows = torch.einsum("sab,sal->sbl", holds, where)
    return (1 - carried) * where + follows / holds.sum(1).clamp(min=1)[..., None], holds


def moved(before: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """``before`` [S, E, E, E] after ``where`` went from ``old`` to ``new``, both [S, E, E]."""
    came = new * (1 - old)  # [S, E, E]: is in l now and was not
    return (1 - came[..., None]) * before + came[..., None] * old[:, :, None, :]


def likelihoods(changes: Tensor, questions: Sequence[TrackedQuestion], history: bool) -> Tensor:
    """Probability of each answer under each kind of question, [questions, 5] in the order of ``QUESTIONS``.

    ``changes`` is [S, T, E, E, 3]; ``history`` tracks previous places too, which costs E times more.
    """
    count, steps, size = changes.shape[:3]
    where = torch.zeros(count, size, size)
    where[:, :, 0] = 1.0
    holds = torch.zeros(count, size, size)
    before = torch.zeros(count, size, size, size) if history else None
    rows: list[tuple[list[int], Tensor]] = []
    for time in range(steps + 1):
        places = [place for place, question in enumerate(questions) if question.after == time]
        if places:
            rows.append((places, _answers([questions[place] for place in places], where, holds, before)))
        if time < steps:
            new, holds = step(where, holds, changes[:, time])
            before = moved(before, where, new) if before is not None else None
            where = new
    order = torch.tensor([place for places, _ in rows for place in places]).argsort()
    return torch.cat([found for _, found in rows])[order]


def _answers(questions: Sequence[TrackedQuestion], where: Tensor, holds: Tensor, before: Tensor | None) -> Tensor:
    """[questions, 5] at one moment."""
    s, x, y = (torch.tensor([getattr(a, name) for a in questions]) for name in ("story", "first", "second"))
    single = torch.tensor([a.answers[0] if len(a.answers) == 1 else 0 for a in questions])
    place = where[s, x, single] * (single > 0)
    earlier = before[s, x, y, single] * (single > 0) * (y > 0) if before is not None else torch.zeros_like(place)
    yes, no = (torch.tensor([float(a.word == word and a.second > 0) for a in questions]) for word in ("yes", "no"))
    whether = yes * where[s, x, y] + no * (1 - where[s, x, y])
    held = holds[s, x]  # [questions, E]
    counts = _count(held) * torch.tensor([[float(a.word == word) for word in COUNTS] for a in questions])
    wanted = torch.tensor([[float(name in a.answers) for name in range(held.shape[1])] for a in questions])
    lists = torch.tensor([float(bool(a.answers) or a.word == NOTHING) for a in questions])
    listed = (wanted * held + (1 - wanted) * (1 - held)).prod(-1) * lists
    return torch.stack([place, earlier, whether, counts.sum(-1), listed], -1)


def _count(probabilities: Tensor) -> Tensor:
    """Probability of 0, 1, ... 10 of independent events [n, E]: the Poisson binomial distribution, [n, 11]."""
    counts = torch.eye(len(COUNTS))[:1].expand(len(probabilities), -1)
    for p in probabilities.unbind(-1):
        counts = counts * (1 - p[:, None]) + F.pad(counts[:, :-1], (1, 0)) * p[:, None]
    return counts


def loss(kinds: Tensor, answers: Tensor, floor: float) -> Tensor:
    """Mean -log probability of the answers [nats], marginalised over the kinds of question [questions, 5].

    ``floor`` is added to the probability of every answer, which bounds the loss of those not explained yet.
    """
    return -((kinds.softmax(-1) * answers).sum(-1) + floor).clamp(max=1).log().mean()
