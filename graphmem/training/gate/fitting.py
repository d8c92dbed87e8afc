"""Fitting of the write gate: relation priors, name matcher, decisions and, where wanted, the answers they lead to."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graphmem.core.names import normalise
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.text.lexicon import Relation
from graphmem.training.gate.answer_rewards import StreamQuestions, answer_loss
from graphmem.training.gate.scores import tensors
from graphmem.training.gate.simulation import Case
from graphmem.writing.entity_linking import MIN_MATCH, name_features
from graphmem.writing.gate_features import FEATURES
from graphmem.writing.write_gate import WriteGate

_ANSWER_EVERY = 4
"""Batches of decisions to one step with the answers' loss."""
_PAIRS, _TRAIN_PAIRS = 12_000, 10_000


_RATE, _DECAY, _NOISE, _AVERAGED = 2e-3, 0.02, 1.0, 0.5
"""Learning rate, weight decay, standard deviation of noise on the extractor's features (in their own), and the share of
the epochs, the last ones, whose weights are averaged."""


def _fit_logits(logits: torch.nn.Module, x: Tensor, y: Tensor, *, rate: float, decay: float, steps: int) -> None:
    """Full-batch logistic regression with AdamW."""
    optimizer = torch.optim.AdamW(logits.parameters(), lr=rate, weight_decay=decay)
    for _ in range(steps):
        optimizer.zero_grad()
        F.binary_cross_entropy_with_logits(logits(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def fit_priors(gate: WriteGate, relations: Sequence[Relation], vectors: EmbeddingCache, steps: int = 400) -> None:
    """Fit how functional and how changeable a relation is, from its text."""
    texts, labels = [], []
    for relation in relations:
        for text in (relation.relation, relation.noun, *relation.paraphrases):
            texts.append(text)
            labels.append([float(relation.functional), float(bool(relation.updates or relation.ends))])
    x = torch.from_numpy(vectors(texts))
    _fit_logits(gate.priors, x, torch.tensor(labels), rate=0.05, decay=0.05, steps=steps)


def fit_matcher(gate: WriteGate, names: Sequence[str], seed: int, steps: int = 600) -> dict[str, float]:
    """Fit which names are the same: real names in other spellings, against other real names."""
    rng = Random(seed)
    rows, labels = zip(*(_name_pair(names, rng) for _ in range(_PAIRS)), strict=True)
    x, y = torch.from_numpy(np.stack(rows)).float(), torch.tensor(labels, dtype=torch.float32)[:, None]
    weights = torch.nn.Linear(x.shape[1], 1, bias=False)
    torch.nn.init.zeros_(weights.weight)
    _fit_logits(weights, x[:_TRAIN_PAIRS], y[:_TRAIN_PAIRS], rate=0.1, decay=0.001, steps=steps)
    gate.names.copy_(weights.weight.detach()[0])
    accepted, right = weights(x[_TRAIN_PAIRS:]).sigmoid() >= MIN_MATCH, y[_TRAIN_PAIRS:].bool()
    return {"precision": float(right[accepted].float().mean()), "recall": float(accepted[right].float().mean())}


def _name_pair(names: Sequence[str], rng: Random) -> tuple[np.ndarray, float]:
    """Features of a name and a variant of it, or another name, and whether they are the same."""
    name = rng.choice(names)
    words = name.split()
    kind, rivals = rng.random(), rng.choice((0, 0, 0, 1, 2, 5))
    if kind < 0.25:  # another spelling
        other = rng.choice((name.upper(), name.replace(" ", "-"), f"the {name}", name.replace("'", ""), f"Mr. {name}"))
        return name_features(other, name, rivals=rivals, recent=rng.random() < 0.2), 1.0
    if kind < 0.35 and len(name) > 7:  # a typing error in a long name
        place = rng.randrange(1, len(name) - 1)
        slip = name[:place] + name[place + 1 :] if rng.random() < 0.5 else name[:place] + name[place] + name[place:]
        return name_features(slip, name, rivals=rivals), 1.0
    if kind < 0.55 and len(words) > 1:  # a part of it: the same if no other node has it, or if recently mentioned
        recent = rng.random() < 0.4
        same = rivals == 0 or recent
        return name_features(rng.choice((words[0], words[-1])), name, rivals=rivals, recent=recent), float(same)
    if kind < 0.62 and len(words) > 1:
        initials = " ".join([words[0][0] + ".", *words[1:]])
        return name_features(initials, name, rivals=rivals), float(rivals == 0)
    other = rng.choice(names)
    if kind < 0.8 and len(words) > 1:  # another person with a part of the name
        other = " ".join(rng.choice(((words[0], other.split()[-1]), (other.split()[0], words[-1]))))
    elif kind < 0.9:
        other = f"{name} {rng.choice(('II', '2', 'III', 'Jr', 'Returns'))}" if rng.random() < 0.7 else f"{name}s"
    same = normalise(other) == normalise(name)
    return name_features(other, name, rivals=rivals, recent=rng.random() < 0.3), float(same)


def fit_gate(
    gate: WriteGate, cases: Sequence[Case], seed: int, *, questions: Sequence[StreamQuestions] = (), epochs: int = 60,
    answers: float = 3.0, samples: int = 4,
) -> None:  # fmt: skip
    """Fit the four-way decision of a gate in place.

    ``questions`` are streams for the answers' loss of weight ``answers``, with ``samples`` rollouts a step. The first
    half of the epochs fits the decisions alone, so that the rollouts start from a useful gate.
    """
    torch.manual_seed(seed)
    numbers, views, labels = tensors(cases)
    parameters = [p for part in (gate.view, gate.layers) for p in part.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=_DECAY)
    mean = [torch.zeros_like(p) for p in parameters]
    last = epochs - round(_AVERAGED * epochs)
    gate.train()
    for epoch in range(epochs):
        for place, rows in enumerate(torch.randperm(len(labels)).split(128)):
            loss = F.cross_entropy(gate(*augment(numbers[rows], views[rows], _NOISE)), labels[rows])
            if questions and epoch >= epochs // 2 and place % _ANSWER_EVERY == 0:
                stream = questions[int(torch.randint(len(questions), ()))]
                draw = int(torch.randint(2**31, ()))
                loss = loss + answers * answer_loss(gate, stream, samples, seed=draw)
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        if epoch >= last:
            for total, p in zip(mean, parameters, strict=True):
                total += p.detach() / (epochs - last)
    for total, p in zip(mean, parameters, strict=True):
        p.data.copy_(total)
    gate.eval()


def augment(numbers: Tensor, views: Tensor, noise: float) -> tuple[Tensor, Tensor]:
    """Random changes of the inputs [n, 32] and [n, W], for a gate that works in a new graph and with any extractor.

    Whether names are known is drawn at random, and role agreement is sometimes missing, for a new graph knows none;
    sometimes the extractor's features and the surprise are missing, as from extractors that have none.
    """
    numbers = numbers.clone()
    known = [FEATURES.index("subject known"), FEATURES.index("object known")]
    drawn = torch.rand(len(numbers), 2)
    numbers[:, known] = torch.where(drawn < 0.5, (drawn < 0.25).float(), numbers[:, known])
    numbers[:, [FEATURES.index("role agreement")]] *= torch.rand(len(numbers), 1) < 0.7
    no_features, no_surprise = torch.rand(len(numbers), 1) < 0.15, torch.rand(len(numbers), 1) < 0.3
    numbers[:, [FEATURES.index("surprise")]] *= ~(no_features | no_surprise)
    hidden = no_features | (torch.rand(len(numbers), 1) < 0.2)
    return numbers, torch.where(hidden, 0.0, views + torch.randn_like(views) * noise * views.std())


def calibrate(gate: WriteGate, cases: Sequence[Case]) -> float:
    """Set the temperature with the lowest loss on held-out cases, and return it."""
    numbers, views, labels = tensors(cases)
    gate.temperature.fill_(1.0)
    with torch.no_grad():
        logits = gate(numbers, views)
    options = torch.linspace(0.5, 4.0, 71)
    losses = torch.stack([F.cross_entropy(logits / value, labels) for value in options])
    gate.temperature.fill_(float(options[losses.argmin()]))
    return float(gate.temperature)
