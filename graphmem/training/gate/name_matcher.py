"""Teaches the write gate's matcher which names mean the same."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import numpy as np
import torch
from torch.nn import functional as F

from graphmem.core.names import normalise
from graphmem.writing.entity_linking import name_features
from graphmem.writing.write_gate import WriteGate


def fit_matcher(gate: WriteGate, names: Sequence[str], seed: int, steps: int = 600) -> dict[str, float]:
    """Teach the gate which names mean the same: real names spelt otherwise, against other real names."""
    rng = Random(seed)
    rows, labels = zip(*(_name_pair(names, rng) for _ in range(12_000)), strict=True)
    x, y = torch.from_numpy(np.stack(rows)).float(), torch.tensor(labels, dtype=torch.float32)
    weights = torch.zeros(x.shape[1], requires_grad=True)
    optimiser = torch.optim.AdamW([weights], lr=0.1, weight_decay=0.001)
    for _ in range(steps):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(x[:10_000] @ weights, y[:10_000]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    gate.names.copy_(weights.detach())
    sure = (x[10_000:] @ weights).sigmoid() >= 0.85
    right = y[10_000:].bool()
    return {"precision": float(right[sure].float().mean()), "recall": float(sure[right].float().mean())}


def _name_pair(names: Sequence[str], rng: Random) -> tuple[np.ndarray, float]:
    name = rng.choice(names)
    words = name.split()
    chance, rivals = rng.random(), rng.choice((0, 0, 0, 1, 2, 5))
    if chance < 0.25:  # the same, spelt otherwise
        other = rng.choice((name.upper(), name.replace(" ", "-"), f"the {name}", name.replace("'", ""), f"Mr. {name}"))
        return name_features(other, name, rivals=rivals, recent=rng.random() < 0.2), 1.0
    if chance < 0.35 and len(name) > 7:  # a slip of the pen in a long name
        place = rng.randrange(1, len(name) - 1)
        slip = name[:place] + name[place + 1 :] if rng.random() < 0.5 else name[:place] + name[place] + name[place:]
        return name_features(slip, name, rivals=rivals), 1.0
    if chance < 0.55 and len(words) > 1:  # a part of it: the same if nobody else has it, or if just spoken of
        recent = rng.random() < 0.4
        sure = rivals == 0 or recent
        return name_features(rng.choice((words[0], words[-1])), name, rivals=rivals, recent=recent), float(sure)
    if chance < 0.62 and len(words) > 1:
        initials = " ".join([words[0][0] + ".", *words[1:]])
        return name_features(initials, name, rivals=rivals), float(rivals == 0)
    other = rng.choice(names)
    if chance < 0.8 and len(words) > 1:  # somebody else of the same name in part
        other = " ".join(rng.choice(((words[0], other.split()[-1]), (other.split()[0], words[-1]))))
    elif chance < 0.9:
        other = f"{name} {rng.choice(('II', '2', 'III', 'Jr', 'Returns'))}" if rng.random() < 0.7 else f"{name}s"
    return name_features(other, name, rivals=rivals, recent=rng.random() < 0.3), float(
        normalise(other) == normalise(name)
    )
