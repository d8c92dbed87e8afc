"""Fits the write gate to labelled decisions and, where wanted, to the answers that its decisions lead to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.text.lexicon import Relation
from graphmem.training.gate.answer_rewards import Asked, answer_loss
from graphmem.training.gate.baselines import Case, tensors
from graphmem.writing.gate_features import ACTIONS, FEATURES
from graphmem.writing.write_gate import WriteGate


@dataclass(frozen=True, slots=True)
class Fitting:
    """How a gate is fitted.

    Attributes:
        epochs: passes over the decisions.
        rate: learning rate.
        decay: weight decay.
        noise: standard deviation of what is added to the reader's view, in standard deviations of that.
        balance: rare actions count for more, by this power of how rare they are; 0: all count the same.
        averaged: share of the epochs, the last ones, whose weights are averaged; 0 takes the last weights.
        answers: weight of the later answers' loss beside that of the decisions; 0 leaves it out.
        samples: K, how often a stream is played between two steps of the answers' loss.
    """

    epochs: int = 60
    rate: float = 2e-3
    decay: float = 0.02
    noise: float = 1.0
    balance: float = 0.0
    averaged: float = 0.5
    answers: float = 3.0
    samples: int = 4


def fit_priors(gate: WriteGate, relations: Sequence[Relation], vectors: EmbeddingCache, steps: int = 400) -> None:
    """Teach the gate how functional and how changeable a relation sounds."""
    texts, wanted = [], []
    for relation in relations:
        for text in (relation.relation, relation.noun, *relation.paraphrases):
            texts.append(text)
            wanted.append([float(relation.functional), float(bool(relation.updates or relation.ends))])
    x, y = torch.from_numpy(vectors(texts)), torch.tensor(wanted)
    optimiser = torch.optim.AdamW(gate.priors.parameters(), lr=0.05, weight_decay=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(gate.priors(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def fit_gate(
    gate: WriteGate, cases: Sequence[Case], seed: int, how: Fitting | None = None, asked: Sequence[Asked] = ()
) -> None:
    """Fit the four-way decision.

    Args:
        gate: fitted in place.
        cases: labelled decisions.
        seed: of order and noise.
        how: the settings.
        asked: streams with questions about what is true at their end, for ``how.answers``. The decisions alone are
            learned in the first half of the epochs, so that the samples begin where they make sense.
    """
    how = how or Fitting()
    torch.manual_seed(seed)
    numbers, views, labels = tensors(cases)
    counts = torch.bincount(labels, minlength=len(ACTIONS)).float()
    weight = (counts.sum() / counts.clamp(min=1)) ** how.balance
    parameters = [p for part in (gate.view, gate.layers) for p in part.parameters()]
    optimiser = torch.optim.AdamW(parameters, lr=how.rate, weight_decay=how.decay)
    mean = [torch.zeros_like(p) for p in parameters]
    last = how.epochs - round(how.averaged * how.epochs)
    gate.train()
    for epoch in range(how.epochs):
        batches = torch.randperm(len(labels)).split(128)
        answering = how.answers > 0 and bool(asked) and epoch >= how.epochs // 2
        for place, rows in enumerate(batches):
            seen, view = blurred(numbers[rows], views[rows], how.noise)
            loss = F.cross_entropy(gate(seen, view), labels[rows], weight / weight.mean())
            if answering and place % _EVERY == 0:
                stream = asked[int(torch.randint(len(asked), ()))]
                loss = loss + how.answers * answer_loss(gate, stream, how.samples, seed=int(torch.randint(2**31, ())))
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
        if epoch >= last:
            for total, p in zip(mean, parameters, strict=True):
                total += p.detach() / (how.epochs - last)
    if last < how.epochs:
        for total, p in zip(mean, parameters, strict=True):
            p.data.copy_(total)
    gate.eval()


_EVERY = 4
"""Batches of decisions to one step with the answers' loss."""


def blurred(numbers: Tensor, views: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """Make a gate that works in an empty graph and with any reader.

    Whether names are known is drawn by chance, and what other facts of the relation tell is sometimes missing, for a
    young graph knows none; sometimes the view and the surprise are missing, as from readers that have none.
    """
    numbers = numbers.clone()
    known = [FEATURES.index("subject known"), FEATURES.index("object known")]
    drawn = torch.rand(len(numbers), 2)
    numbers[:, known] = torch.where(drawn < 0.5, (drawn < 0.25).float(), numbers[:, known])
    numbers[:, [FEATURES.index("casts")]] *= torch.rand(len(numbers), 1) < 0.7
    blind, calm = torch.rand(len(numbers), 1) < 0.15, torch.rand(len(numbers), 1) < 0.3
    numbers[:, [FEATURES.index("surprise")]] *= ~(blind | calm)
    hidden = blind | (torch.rand(len(numbers), 1) < 0.2)
    return numbers, torch.where(hidden, 0.0, views + torch.randn_like(views) * noise * views.std())


def calibrate(gate: WriteGate, cases: Sequence[Case]) -> float:
    """Set the temperature that makes the probabilities right on held-out cases; returns it."""
    numbers, views, labels = tensors(cases)
    gate.temperature.fill_(1.0)
    with torch.no_grad():
        logits = gate(numbers, views)
    options = torch.linspace(0.5, 4.0, 71)
    losses = torch.stack([F.cross_entropy(logits / value, labels) for value in options])
    gate.temperature.fill_(float(options[losses.argmin()]))
    return float(gate.temperature)
