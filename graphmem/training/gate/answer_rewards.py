"""What the write gate is for: the answers that its graph gives later.

    stream of read texts -> the gate draws actions -> graph at the end -> questions about what is true -> reward

The gate learns from the reward by a score-function estimate (Williams 1992, REINFORCE): of K plays of one stream, each
decision is made likelier by as much as the answers to the questions about its own subject and relation came out better
than in the other plays (leave-one-out baseline; Kool et al. 2019). Decisions about other things are taken to have no
part in an answer; that is what keeps the estimate quiet enough for streams of a hundred texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphmem.reading.candidates import CandidateFact
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.training.gate.baselines import by_rules
from graphmem.training.gate.simulation import Priors, SimulatedGraph, ended_beside
from graphmem.training.gate.streams import ExtractedStream
from graphmem.writing.config import WriteGateConfig
from graphmem.writing.gate_features import ACTIONS, Action, GraphContext, gate_features
from graphmem.writing.gate_rules import allowed_actions, select_action
from graphmem.writing.write_gate import WriteGate

Key = tuple[str, str]
"""Subject and relation: what a question asks about."""
Policy = Callable[[CandidateFact, GraphContext, LabelledEvent], Action]
"""What is done about a candidate of an event, given what is held near it."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A stream of read texts and the questions asked at its end.

    Attributes:
        heard: the stream.
        priors: how functional and changeable relations sound.
        truth: for every subject and relation that has an answer at the end, its answers.
        told: keys that the texts speak of; some have no answer any more.
        misread: other keys that only the reader found in the texts; most have no answer.
    """

    heard: ExtractedStream
    priors: Priors
    truth: dict[Key, frozenset[str]]
    told: tuple[Key, ...]
    misread: tuple[Key, ...]

    @classmethod
    def of(cls, heard: ExtractedStream, priors: Priors) -> Asked:
        """Ask about everything that the texts speak of, and everything that they were taken to speak of."""
        stage = SimulatedGraph(heard.world, priors)
        told: dict[Key, None] = {}
        read: dict[Key, None] = {}
        for event, found in zip(heard.events, heard.found, strict=True):
            told |= dict.fromkeys((s, r) for s, r, _ in (*event.passage.triples, *event.added, *event.removed))
            meant = stage.meant(found, event.passage.triples)
            read |= dict.fromkeys((c.fact.subject, c.fact.relation) for c in meant)
            for triple in event.removed:
                stage.remove(triple)
            for triple in event.added:
                stage.add(triple, event.trust)
        keys = [*told, *(key for key in read if key not in told)]
        truth = {key: frozenset(stage.answers(*key)) for key in dict.fromkeys([*keys, *_held_keys(stage)])}
        return cls(heard, priors, truth, tuple(told), tuple(key for key in read if key not in told))

    def reward(self, stage: SimulatedGraph, key: Key) -> float:
        """How well a graph answers a question, see ``answer_score``."""
        return answer_score(stage.answers(*key), self.truth.get(key, frozenset()))


def _held_keys(stage: SimulatedGraph) -> Iterator[Key]:
    for subject, relation, _ in stage.triples():
        yield subject, relation


def answer_score(given: Collection[str], truth: Collection[str]) -> float:
    """F1 of the values that are held with those that are true, 0..1; 1 where there are none and none is held.

    So a right value counts, and what is missing and what is false cost, each when it is asked for.
    """
    given, truth = set(given), set(truth)
    if not given and not truth:
        return 1.0
    return 2 * len(given & truth) / (len(given) + len(truth))


def run(asked: Asked, policy: Policy) -> SimulatedGraph:
    """Play a stream: every candidate sees the graph that the policy's own earlier actions have made."""
    stage = SimulatedGraph(asked.heard.world, asked.priors)
    for event, found in zip(asked.heard.events, asked.heard.found, strict=True):
        meant = stage.meant(found, event.passage.triples)
        for candidate in sorted(meant, key=lambda c: c.mood == "ended"):  # a new value goes before the end of the old
            near = stage.near(candidate.fact, ended_beside(candidate, meant))
            stage.act(policy(candidate, near, event), candidate.fact, near, event.trust)
    return stage


# ---------------------------------------------------------------- learning


@dataclass(slots=True)
class Played:
    """One play: the graph at the end, and every decision with a choice.

    Attributes:
        stage: the graph.
        numbers, views: what the gate saw, n arrays.
        masks: which of ``ACTIONS`` were open, n rows.
        actions: positions in ``ACTIONS`` of what was done.
        keys: what each decision is about.
    """

    numbers: list[np.ndarray]
    views: list[np.ndarray]
    masks: list[list[bool]]
    actions: list[int]
    keys: list[Key]
    stage: SimulatedGraph | None = None


def sampled(gate: WriteGate, asked: Asked, draw: Iterable[float], config: WriteGateConfig) -> Played:
    """Play a stream with actions drawn from the gate's probabilities among those that its rules leave open."""
    play, chance = Played([], [], [], [], []), iter(draw)

    def policy(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
        open_to = allowed_actions(candidate, near, event.trust, config)
        if len(open_to) == 1:
            return open_to[0]
        numbers, view = gate_features(candidate, near, event.trust), np.asarray(candidate.features, np.float32)
        mask = [action in open_to for action in ACTIONS]
        with torch.no_grad():
            logits = gate(torch.from_numpy(numbers)[None], torch.from_numpy(view)[None])[0].double()
        share = logits.masked_fill(~torch.tensor(mask), -torch.inf).softmax(-1).cumsum(-1)
        action = min(int((share < next(chance)).sum()), len(ACTIONS) - 1)
        action = action if mask[action] else ACTIONS.index(open_to[-1])  # a draw of exactly 1
        play.numbers.append(numbers)
        play.views.append(view)
        play.masks.append(mask)
        play.actions.append(action)
        play.keys.append((candidate.fact.subject, candidate.fact.relation))
        return ACTIONS[action]

    play.stage = run(asked, policy)
    return play


def answer_loss(
    gate: WriteGate, asked: Asked, samples: int, *, seed: int, config: WriteGateConfig | None = None
) -> Tensor:
    """A loss whose gradient estimates that of the later answers' mean loss (1 - F1), a scalar.

    Args:
        gate: draws the actions, and gets the gradient.
        asked: one stream with its questions.
        samples: K, at least 2 plays.
        seed: of the draws.
        config: the rules' thresholds.
    """
    rng, config = np.random.default_rng(seed), config or WriteGateConfig()
    plays = [sampled(gate, asked, _draws(rng), config) for _ in range(samples)]
    rewards = _rewards(asked, plays)  # one dict a play
    advantages = [
        rewards[k][key] - sum(rewards[j][key] for j in range(samples) if j != k) / (samples - 1)
        for k, play in enumerate(plays)
        for key in play.keys
    ]
    if not any(advantages):
        return torch.zeros(())
    numbers = torch.from_numpy(np.stack([row for play in plays for row in play.numbers]))
    views = torch.from_numpy(np.stack([row for play in plays for row in play.views]))
    masks = torch.tensor([row for play in plays for row in play.masks])
    actions = torch.tensor([action for play in plays for action in play.actions])
    logits = gate(numbers, views).masked_fill(~masks, -1e9).log_softmax(-1)  # [n, 4]
    chosen = logits.gather(1, actions[:, None]).squeeze(1)  # [n]
    return -(torch.tensor(advantages, dtype=torch.float32) * chosen).mean()


def _draws(rng: np.random.Generator) -> Iterator[float]:
    while True:
        yield float(rng.random())


def _rewards(asked: Asked, plays: Sequence[Played]) -> list[dict[Key, float]]:
    """Of each play, the reward for every key that any play decided about."""
    keys = {key for play in plays for key in play.keys}
    return [{key: asked.reward(play.stage, key) for key in keys} for play in plays if play.stage is not None]


# ---------------------------------------------------------------- scores


def decided(gate: WriteGate, config: WriteGateConfig | None = None) -> Policy:
    """What a gate decides, with its rules and threshold, as the library does."""
    config = config or WriteGateConfig()

    def policy(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
        open_to = allowed_actions(candidate, near, event.trust, config)
        return select_action(gate.probabilities(candidate, near, event.trust), open_to, config.threshold)[0]

    return policy


def everything(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
    """A baseline: whatever was read and is not held is added."""
    return "skip" if near.same(candidate.fact) else "add"


def rules(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
    """A baseline: the strongest action that the rules around the gate allow."""
    return by_rules(candidate, near, event.trust)


def labelled(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
    """The ceiling: what is right, as far as the reader found it."""
    labels = dict(zip(event.passage.triples, event.labels, strict=True))
    label = labels.get((candidate.fact.subject, candidate.fact.relation, candidate.fact.object), "skip")
    if near.same(candidate.fact) is not None:
        return "retire" if label == "retire" else "skip"
    return {"update": "update" if near.rival(candidate.fact) else "add", "add": "add"}.get(label, "skip")  # type: ignore[return-value]


def answer_report(asked: Sequence[Asked], gates: Mapping[str, WriteGate]) -> dict[str, dict[str, float]]:
    """Of each way to decide: share of questions answered exactly; of what the texts tell, of what was misread, of all.

    ``score`` is the mean of ``answer_score`` over all questions.
    """
    ways: dict[str, Policy] = {"write everything": everything, "rules alone": rules, "labels": labelled}
    ways |= {name: decided(gate) for name, gate in gates.items()}
    return {name: _scores(asked, policy) for name, policy in ways.items()}


def _scores(asked: Sequence[Asked], policy: Policy) -> dict[str, float]:
    right: dict[str, list[float]] = {"told": [], "misread": [], "score": []}
    for stream in asked:
        stage = run(stream, policy)
        for kind, keys in (("told", stream.told), ("misread", stream.misread)):
            right[kind] += [set(stage.answers(*key)) == stream.truth[key] for key in keys]
            right["score"] += [stream.reward(stage, key) for key in keys]
    right["all"] = right["told"] + right["misread"]
    return {name: round(float(np.mean(values)), 4) for name, values in right.items()}


def questions_of(asked: Sequence[Asked]) -> dict[str, int]:
    """How many questions there are of each kind."""
    return {"told": sum(len(a.told) for a in asked), "misread": sum(len(a.misread) for a in asked)}
