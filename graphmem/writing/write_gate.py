"""The write gate: a small learned module that decides what each candidate fact does to the graph.

    candidate + what the graph holds near it -> numbers -> probabilities of {skip, add, update, retire} -> one Edit

The module is learned; around it stand rules that no training can move: what is only asked or rumoured writes nothing,
a source that is trusted less than a held fact neither overwrites nor ends it, and a relation that is only guessed at
overwrites nothing.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import torch
from torch import Tensor, nn

from graphmem.core.errors import WeightsMismatch
from graphmem.core.types import Fact, normalise, to_micros
from graphmem.core.validation import GateConfig
from graphmem.reading.extractor import Candidate
from graphmem.reading.network import MOODS
from graphmem.text.relation_synonyms import tells_literals
from graphmem.writing.entity_linking import FEATURES as NAME_FEATURES
from graphmem.writing.entity_linking import NameMatcher, name_features

Action = Literal["skip", "add", "update", "retire"]
ACTIONS: Final[tuple[Action, ...]] = ("skip", "add", "update", "retire")
NUMBERS: Final = (
    "none", "stated", "ended", "denied", "doubted", "held", "once held", "conflict", "rivals", "functional",
    "functional conflict", "changeable", "novelty", "subject known", "object known", "surprise", "trust", "held trust",
    "trust gap", "says old is over", "later", "reader", "named", "relation", "joined", "spotted", "contested", "margin",
    "turned", "apart", "literal", "casts",
)  # fmt: skip
"""What the gate sees beside the reader's view of the pair."""
_PRIOR_WEIGHT = 5.0
_OVER = 0.2
"""Least probability that a fact ended or is denied, 0..1, at which one that seems repeated may be ended."""
_SURE = 0.5
"""Least probability of a relation, 0..1, at which a fact of it may take the place of another."""


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """What the graph holds near a candidate.

    Attributes:
        held: facts of the same subject and relation that hold now.
        past: whether the very fact was held once and is over.
        functional: how far the relation has one object a subject, 0..1, by this graph's counts and its text.
        changeable: how far the relation's value changes in time, 0..1, by its text.
        subject_known, object_known: whether the graph has such nodes.
        says_old: the held fact that the same text says is over, if any.
        joined: whether another relation joins the two things now, either way round.
        casts: whether the two play the parts in other facts of the relation that they play here (1), or each other's
            (-1), or neither is known to play any (0).
    """

    held: tuple[Fact, ...] = ()
    past: bool = False
    functional: float = 0.5
    changeable: float = 0.5
    subject_known: bool = False
    object_known: bool = False
    says_old: Fact | None = None
    joined: bool = False
    casts: float = 0.0

    def same(self, candidate: Fact) -> Fact | None:
        """The held fact that the candidate repeats."""
        wanted = normalise(candidate.object)
        return next((fact for fact in self.held if normalise(fact.object) == wanted), None)

    def rival(self, candidate: Fact) -> Fact | None:
        """The held fact that the candidate stands against: the one said to be over, else the latest."""
        if self.says_old is not None:
            return self.says_old
        others = [fact for fact in self.held if normalise(fact.object) != normalise(candidate.object)]
        return max(others, key=lambda fact: (fact.valid_from or "", fact.id or 0), default=None)


class WriteGate(nn.Module):
    """Probabilities of the four actions.

    Args:
        features: W, width of the reader's view of a pair.
        text_width: K of the text encoder.
        width: hidden width.
    """

    def __init__(self, features: int = 256, text_width: int = 384, width: int = 64) -> None:
        super().__init__()
        self.sizes = {"features": features, "text_width": text_width, "width": width}
        self.view = nn.Sequential(nn.LayerNorm(features), nn.Linear(features, 16), nn.Tanh())
        self.layers = nn.Sequential(nn.Linear(len(NUMBERS) + 16, width), nn.GELU(), nn.Linear(width, len(ACTIONS)))
        self.priors = nn.Linear(text_width, 2)
        self.temperature: Tensor
        self.names: Tensor
        self.register_buffer("temperature", torch.ones(()))
        self.register_buffer("names", torch.zeros(len(NAME_FEATURES)))

    def forward(self, numbers: Tensor, features: Tensor) -> Tensor:
        """Logits [n, 4] of ``ACTIONS`` from numbers [n, 32] and the reader's views [n, W]."""
        return self.layers(torch.cat([numbers, self.view(features)], dim=-1)) / self.temperature

    @torch.no_grad()
    def relation_priors(self, vectors: np.ndarray) -> np.ndarray:
        """How functional and how changeable relations sound, float32 [n, 2], from their text vectors [n, K]."""
        return self.priors(torch.from_numpy(np.asarray(vectors, dtype=np.float32))).sigmoid().numpy()

    @property
    def matcher(self) -> NameMatcher:
        """The learned judge of similar names."""
        return NameMatcher(self.names.double().numpy())

    @torch.no_grad()
    def probabilities(self, candidate: Candidate, near: Neighbourhood, trust: float) -> np.ndarray:
        """Calibrated probabilities of ``ACTIONS`` before any rule, float32 [4].

        Of a reader that shows no view of the pair (a plug-in) the word is taken: see ``taken_at_its_word``.
        """
        if candidate.features is None:
            return taken_at_its_word(candidate, near)
        numbers = torch.from_numpy(gate_numbers(candidate, near, trust))
        features = torch.from_numpy(np.asarray(candidate.features, np.float32))
        return self(numbers[None], features[None])[0].softmax(-1).numpy()


def gate_numbers(candidate: Candidate, near: Neighbourhood, trust: float) -> np.ndarray:
    """What the gate sees in numbers, float32 [32], in the order of ``NUMBERS``."""
    fact, held, rival = candidate.fact, near.same(candidate.fact), near.rival(candidate.fact)
    against = held or rival
    alike = max((float(name_features(fact.object, f.object)[4]) for f in near.held), default=0.0)
    believed = against.confidence if against else 0.0
    return np.array([
        *_moods(candidate),
        held is not None,
        near.past,
        rival is not None,
        np.log1p(len(near.held)),
        near.functional,
        near.functional * (rival is not None),
        near.changeable,
        0.0 if held else 1.0 - alike,
        near.subject_known,
        near.object_known,
        candidate.surprise / 5.0,
        trust,
        believed,
        (trust - believed) * (against is not None),
        near.says_old is not None,
        _order(fact.valid_from, rival.valid_from if rival else None),
        fact.confidence,
        candidate.named,
        candidate.sure,
        near.joined and held is None,
        candidate.spotted,
        candidate.contested,
        candidate.sure - max((other.probability for other in candidate.others), default=0.0),
        sum(other.probability for other in candidate.others if other.turned and other.relation == fact.relation),
        np.log1p(_apart(candidate.subject_span, candidate.object_span)) / 5.0,
        _literal_fits(fact.relation, candidate.object_kind),
        near.casts,
    ], dtype=np.float32)  # fmt: skip


def _apart(one: tuple[int, int], other: tuple[int, int]) -> int:
    """Characters between two stretches."""
    return max(0, max(one[0], other[0]) - min(one[1], other[1]))


def _literal_fits(relation: str, kind: str) -> float:
    """1 where a relation tells numbers or dates and the object is one, or tells neither; -1 where not; 0 unknown."""
    told = tells_literals(relation)
    return 0.0 if told is None else 1.0 if told == (kind == "literal") else -1.0


def casting(fact: Fact, subjects: Collection[str], objects: Collection[str]) -> float:
    """See ``Neighbourhood.casts``: from the normalised subjects and objects of other facts of the relation."""
    subject, value = normalise(fact.subject), normalise(fact.object)
    straight = (subject in subjects) + (value in objects)
    return float(np.sign(straight - (subject in objects) - (value in subjects)))


def _moods(candidate: Candidate) -> Sequence[float] | np.ndarray:
    """Probability of each of ``MOODS``; of readers that give none the mood is taken for certain."""
    return candidate.moods if candidate.moods is not None else [float(name == candidate.mood) for name in MOODS]


def _order(first: str | None, second: str | None) -> float:
    """1 if the first time is later, -1 if earlier, 0 if that is not known."""
    if first is None or second is None:
        return 0.0
    a, b = to_micros(first) or 0, to_micros(second) or 0
    return float(np.sign(a - b))


def taken_at_its_word(candidate: Candidate, near: Neighbourhood) -> np.ndarray:
    """Probabilities where only the graph can be asked: how functional the relation is says whether a value replaces."""
    if near.same(candidate.fact) is not None:
        share = {"retire": 0.9, "skip": 0.1} if candidate.mood in ("ended", "denied") else {"skip": 1.0}
    elif candidate.mood != "stated":
        share = {"skip": 1.0}
    else:
        update = 0.9 * near.functional if near.rival(candidate.fact) is not None else 0.0
        share = {"add": 0.9 - update, "update": update, "skip": 0.1}
    return np.array([share.get(action, 0.0) for action in ACTIONS], np.float32)


def allowed(candidate: Candidate, near: Neighbourhood, trust: float, config: GateConfig) -> tuple[Action, ...]:
    """The actions that the rules leave open; ``skip`` always is one."""
    held, rival = near.same(candidate.fact), near.rival(candidate.fact)
    if candidate.mood == "doubted" or trust < config.least_trust:
        return ("skip",)
    if candidate.mood in ("ended", "denied"):
        strong = held is not None and trust >= held.confidence - config.trust_margin
        return ("skip", "retire") if strong else ("skip",)
    if held is not None:  # said again; unless it may be over after all, which is left to what was learned
        over = sum(_moods(candidate)[MOODS.index(mood)] for mood in ("ended", "denied"))
        strong = trust >= held.confidence - config.trust_margin
        return ("skip", "retire") if strong and over >= _OVER else ("skip",)
    strong = rival is not None and trust >= rival.confidence - config.trust_margin
    if rival is not None and not strong and near.functional >= 0.5:
        return ("skip",)  # the lesser word against a fact that leaves no room beside it
    if candidate.sure < _SURE and near.says_old is None:
        return ("skip", "add") if rival is None or near.functional < 0.5 else ("skip",)  # it may be another relation
    return ("skip", "add", "update") if strong else ("skip", "add")


def choose(probabilities: np.ndarray, open_to: Sequence[Action], threshold: float) -> tuple[Action, float]:
    """The action taken and its probability among those that are open."""
    chances = {action: float(probabilities[ACTIONS.index(action)]) for action in open_to}
    total = sum(chances.values()) or 1.0
    writes = {action: chance / total for action, chance in chances.items() if action != "skip"}
    if not writes or sum(writes.values()) < threshold:
        return "skip", 1.0 - sum(writes.values())
    best = max(writes, key=lambda action: writes[action])
    return best, writes[best]


def blended(prior: float, single: int, subjects: int) -> float:
    """How functional a relation is: subjects with one object out of all, with the prior as five more subjects."""
    return (prior * _PRIOR_WEIGHT + single) / (_PRIOR_WEIGHT + subjects)


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a decision saw, as the journal keeps it."""

    values: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, candidate: Candidate, near: Neighbourhood, chances: np.ndarray, trust: float) -> Evidence:
        """Collect it."""
        seen = gate_numbers(candidate, near, trust).tolist()
        numbers = {name: round(value, 4) for name, value in zip(NUMBERS, seen, strict=True)}
        held = near.same(candidate.fact) or near.rival(candidate.fact)
        return cls({
            "mood": candidate.mood,
            "against": str(held) if held else None,
            "against_id": held.id if held else None,
            "probabilities": {a: round(float(p), 4) for a, p in zip(ACTIONS, chances, strict=True)},
            "subject_span": list(candidate.subject_span),
            "object_span": list(candidate.object_span),
            **{name.replace(" ", "_"): value for name, value in numbers.items()},
        })  # fmt: skip


def save_gate(gate: WriteGate, path: str | Path) -> None:
    """Write weights and sizes to one safetensors file."""
    from safetensors.torch import save_file

    metadata = {"kind": "graphmem-write-gate", "sizes": json.dumps(gate.sizes), "numbers": json.dumps(NUMBERS)}
    save_file({name: tensor.contiguous() for name, tensor in gate.state_dict().items()}, str(path), metadata=metadata)


@lru_cache(maxsize=4)
def load_gate(folder: str | Path) -> WriteGate:
    """Read ``gate.safetensors`` of a folder, in evaluation mode.

    Raises:
        WeightsMismatch: it holds no gate, or one that saw other numbers.
    """
    from safetensors import safe_open

    path = Path(folder) / "gate.safetensors"
    with safe_open(str(path), "pt") as file:
        metadata = file.metadata() or {}
        if metadata.get("kind") != "graphmem-write-gate" or json.loads(metadata["numbers"]) != list(NUMBERS):
            raise WeightsMismatch(
                f"{path} holds no gate of this version; train one: python -m graphmem.training.gate.train"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    gate = WriteGate(**json.loads(metadata["sizes"]))
    gate.load_state_dict(tensors)
    return gate.eval()
