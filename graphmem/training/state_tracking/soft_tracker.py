"""A soft tracker of states: runs uncertain changes over a story, and says how likely an answer is.

Alphabet here: S stories, T sentences, E names of a story (one more place, 0, means "not known"), all padded.

    where[a, l]   probability that a is in l            placed: a is in b from now on
    holds[a, b]   probability that a carries b          taken: a carries b, nobody else does; left: a carries b no more
    before[a, l, m]   probability that a was in m before it was last in l

What is carried is where its carrier is. All of it is differentiable, so that answers alone train the reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

COUNTS = ("none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


@dataclass(frozen=True, slots=True)
class Asked:
    """A question over a batch of stories.

    Attributes:
        story, after: which story, after how many of its sentences.
        first, second: names asked about; 0 where there is none.
        answers: names in the answer, if these are all it holds.
        word: the answer as it stands.
        kind: row of the question's text vector.
    """

    story: int
    after: int
    first: int
    second: int
    answers: tuple[int, ...]
    word: str
    kind: int


def step(where: Tensor, holds: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """One sentence on.

    Args:
        where, holds: [S, E, E].
        change: [S, E, E, 3], probabilities of placed, taken and left between each pair.

    Returns:
        the two anew.
    """
    placed, taken, left = change.unbind(-1)
    stays = (1 - placed.sum(-1, keepdim=True)).clamp(min=0)  # [S, E, 1]
    where = stays * where + placed
    kept = (1 - taken.sum(1, keepdim=True)).clamp(min=0)  # [S, 1, E]: taken by one is not with another
    holds = (kept * holds + taken).clamp(max=1) * (1 - left.clamp(max=1))
    carried = holds.sum(1).clamp(max=1)[..., None]  # [S, E, 1]
    follows = torch.einsum("sab,sal->sbl", holds, where)
    return (1 - carried) * where + follows / holds.sum(1).clamp(min=1)[..., None], holds


def moved(before: Tensor, old: Tensor, new: Tensor) -> Tensor:
    """``before`` [S, E, E, E] after ``where`` went from ``old`` to ``new``, both [S, E, E]."""
    came = new * (1 - old)  # [S, E, E]: is in l now and was not
    return (1 - came[..., None]) * before + came[..., None] * old[:, :, None, :]


def likelihoods(changes: Tensor, asked: Sequence[Asked], history: bool) -> Tensor:
    """Probability of each answer under each kind of question.

    Args:
        changes: [S, T, E, E, 3].
        asked: the questions.
        history: whether to keep track of where things were before; costs E times more.

    Returns:
        [questions, 5], in the order of ``QUESTIONS``.
    """
    count, steps, size = changes.shape[:3]
    where = torch.zeros(count, size, size)
    where[:, :, 0] = 1.0
    holds = torch.zeros(count, size, size)
    before = torch.zeros(count, size, size, size) if history else None
    rows: list[tuple[list[int], Tensor]] = []
    for time in range(steps + 1):
        places = [place for place, question in enumerate(asked) if question.after == time]
        if places:
            rows.append((places, _answers([asked[place] for place in places], where, holds, before)))
        if time < steps:
            new, holds = step(where, holds, changes[:, time])
            before = moved(before, where, new) if before is not None else None
            where = new
    order = torch.tensor([place for places, _ in rows for place in places]).argsort()
    return torch.cat([found for _, found in rows])[order]


def _answers(asked: Sequence[Asked], where: Tensor, holds: Tensor, before: Tensor | None) -> Tensor:
    """[questions, 5] at one moment."""
    s, x, y = (torch.tensor([getattr(a, name) for a in asked]) for name in ("story", "first", "second"))
    single = torch.tensor([a.answers[0] if len(a.answers) == 1 else 0 for a in asked])
    place = where[s, x, single] * (single > 0)
    earlier = before[s, x, y, single] * (single > 0) * (y > 0) if before is not None else torch.zeros_like(place)
    yes, no = (torch.tensor([float(a.word == word and a.second > 0) for a in asked]) for word in ("yes", "no"))
    whether = yes * where[s, x, y] + no * (1 - where[s, x, y])
    held = holds[s, x]  # [questions, E]
    number = (_count(held) * _one_hot([COUNTS.index(a.word) if a.word in COUNTS else -1 for a in asked])).sum(-1)
    wanted = torch.zeros_like(held)
    for row, question in enumerate(asked):
        wanted[row, list(question.answers)] = 1.0
    lists = torch.tensor([float(bool(a.answers) or a.word == "nothing") for a in asked])
    listed = (wanted * held + (1 - wanted) * (1 - held)).prod(-1) * lists
    return torch.stack([place, earlier, whether, number, listed], -1)


def _one_hot(places: Sequence[int]) -> Tensor:
    """Rows of the unit matrix [n, 11]; -1 gives zeros."""
    return torch.cat([torch.eye(len(COUNTS)), torch.zeros(1, len(COUNTS))])[list(places)]


def _count(chances: Tensor) -> Tensor:
    """Probability of 0, 1, ... 10 of independent things [n, E]: the Poisson binomial distribution, [n, 11]."""
    counts = torch.eye(len(COUNTS))[:1].expand(len(chances), -1)
    for chance in chances.unbind(-1):
        counts = counts * (1 - chance[:, None]) + F.pad(counts[:, :-1], (1, 0)) * chance[:, None]
    return counts


def loss(kinds: Tensor, answers: Tensor, doubt: float) -> Tensor:
    """Mean -log of the chance of each answer [nats], over what might have been asked.

    Args:
        kinds: [questions, 5], logits of the kinds of question.
        answers: [questions, 5], from ``likelihoods``.
        doubt: a chance that is given to every answer unexplained, so that what cannot be explained yet does not press.
    """
    return -((kinds.softmax(-1) * answers).sum(-1) + doubt).clamp(max=1).log().mean()
