"""Answer rewards: the write gate learns from the answers that its graph gives later.

    stream of extracted texts -> actions drawn from the gate -> graph at the end -> questions about it -> reward

The gate learns by a score-function estimate (Williams 1992, REINFORCE) with a leave-one-out baseline (Kool et al.
2019): of K rollouts of one stream, the probability of each decision is raised by how much better the questions about
its own subject and relation were answered than in the other rollouts. Decisions about other subjects are taken to have
no part in an answer, which keeps the variance low enough for streams of a hundred texts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from graphmem.reading.candidates import CandidateFact
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.training.gate.simulation import ExtractedStream, Priors, SimulatedGraph, apply_event, run_policy
from graphmem.writing.gate_features import ACTIONS, Action, GraphContext, gate_features
from graphmem.writing.gate_rules import WriteGateConfig, allowed_actions
from graphmem.writing.write_gate import WriteGate

Key = tuple[str, str]
"""Subject and relation: what a question is about."""


@dataclass(frozen=True, slots=True)
class StreamQuestions:
    """A stream of extracted texts and the questions at its end.

    ``truth`` holds the answers of every key that has some at the end. ``stated`` keys are stated by the texts, though
    some have no answer any more; ``misread`` ones are found by the extractor alone, and most have no answer.
    """

    stream: ExtractedStream
    priors: Priors
    truth: dict[Key, frozenset[str]]
    stated: tuple[Key, ...]
    misread: tuple[Key, ...]

    @classmethod
    def of(cls, stream: ExtractedStream, priors: Priors) -> StreamQuestions:
        """Questions about everything that the texts state or were taken to state."""
        graph = SimulatedGraph(stream.world, priors)
        stated: dict[Key, None] = {}
        extracted: dict[Key, None] = {}
        for event, found in zip(stream.events, stream.found, strict=True):
            stated |= dict.fromkeys((s, r) for s, r, _ in (*event.passage.triples, *event.added, *event.removed))
            linked = graph.link(found, event.passage.triples)
            extracted |= dict.fromkeys((c.fact.subject, c.fact.relation) for c in linked)
            apply_event(graph, event)
        misread = [key for key in extracted if key not in stated]
        keys = dict.fromkeys([*stated, *misread, *((s, r) for s, r, _ in graph.triples())])
        truth = {key: frozenset(graph.answers(*key)) for key in keys}
        return cls(stream, priors, truth, tuple(stated), tuple(misread))

    def reward(self, graph: SimulatedGraph, key: Key) -> float:
        """How well a graph answers a question, see ``answer_score``."""
        return answer_score(graph.answers(*key), self.truth.get(key, frozenset()))


def answer_score(given: Collection[str], truth: Collection[str]) -> float:
    """F1 of the held values against the true ones, 0..1; 1 where both are empty."""
    given, truth = set(given), set(truth)
    if not given and not truth:
        return 1.0
    return 2 * len(given & truth) / (len(given) + len(truth))


class Choice(NamedTuple):
    """A decision with more than one allowed action, with its subject and relation as ``key``.

    ``numbers`` [32] and ``view`` [W] are the gate's inputs, ``mask`` marks the allowed ``ACTIONS``, and ``action`` is
    the index of the one taken.
    """

    numbers: np.ndarray
    view: np.ndarray
    mask: list[bool]
    action: int
    key: Key


def sample_rollout(
    gate: WriteGate, questions: StreamQuestions, rng: np.random.Generator, config: WriteGateConfig
) -> tuple[list[Choice], SimulatedGraph]:
    """A pass over a stream with actions drawn from the gate's probabilities of the allowed ones, and its graph."""
    choices: list[Choice] = []

    def policy(candidate: CandidateFact, near: GraphContext, event: LabelledEvent) -> Action:
        allowed = allowed_actions(candidate, near, event.trust, config)
        if len(allowed) == 1:
            return allowed[0]
        numbers, view = gate_features(candidate, near, event.trust), np.asarray(candidate.features, np.float32)
        mask = [action in allowed for action in ACTIONS]
        with torch.no_grad():
            logits = gate(torch.from_numpy(numbers)[None], torch.from_numpy(view)[None])[0].double()
        shares = logits.masked_fill(~torch.tensor(mask), -torch.inf).softmax(-1).cumsum(-1)
        action = min(int((shares < float(rng.random())).sum()), len(ACTIONS) - 1)
        action = action if mask[action] else ACTIONS.index(allowed[-1])  # rounding at a draw near 1
        choices.append(Choice(numbers, view, mask, action, (candidate.fact.subject, candidate.fact.relation)))
        return ACTIONS[action]

    return choices, run_policy(questions.stream, questions.priors, policy)


def answer_loss(
    gate: WriteGate, questions: StreamQuestions, samples: int, *, seed: int, config: WriteGateConfig | None = None
) -> Tensor:
    """A scalar whose gradient estimates that of the mean loss (1 - F1) of the answers.

    ``samples``: K, at least 2 rollouts of the stream; ``seed``: of the draws.
    """
    rng, config = np.random.default_rng(seed), config or WriteGateConfig()
    rollouts = [sample_rollout(gate, questions, rng, config) for _ in range(samples)]
    advantages = list(_advantages(questions, rollouts))
    if not any(advantages):
        return torch.zeros(())
    numbers, views, masks, actions, _ = zip(*(choice for choices, _ in rollouts for choice in choices), strict=True)
    logits = gate(torch.from_numpy(np.stack(numbers)), torch.from_numpy(np.stack(views)))
    logits = logits.masked_fill(~torch.tensor(masks), -1e9).log_softmax(-1)  # [n, 4]
    chosen = logits.gather(1, torch.tensor(actions)[:, None]).squeeze(1)  # [n]
    return -(torch.tensor(advantages, dtype=torch.float32) * chosen).mean()


def _advantages(questions: StreamQuestions, rollouts: Sequence[tuple[list[Choice], SimulatedGraph]]) -> Iterator[float]:
    """Of each decision, the reward of its key less the mean of the other rollouts."""
    keys = {choice.key for choices, _ in rollouts for choice in choices}
    rewards = [{key: questions.reward(graph, key) for key in keys} for _, graph in rollouts]
    for own, (choices, _) in zip(rewards, rollouts, strict=True):
        for *_, key in choices:
            others = sum(other[key] for other in rewards) - own[key]
            yield own[key] - others / (len(rollouts) - 1)
