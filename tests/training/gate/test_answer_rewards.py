"""The later answers' reward, and that following its estimated gradient raises it."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch

from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact
from graphmem.reading.network import FACTUALITY
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.synthetic.verbalizer import SyntheticText
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import split_relations
from graphmem.training.gate.answer_rewards import StreamQuestions, answer_loss, answer_score
from graphmem.training.gate.scores import always_add, answer_report, gate_policy, oracle
from graphmem.training.gate.simulation import ExtractedStream, run_policy
from graphmem.writing.write_gate import WriteGate

TRUSTED = 0.9


def priors(relation: str) -> tuple[float, float]:
    return 0.5, 0.5


def candidate(triple: tuple[str, str, str], factuality: str = "asserted", probability: float = 1.0) -> CandidateFact:
    probabilities = np.array([label == factuality for label in FACTUALITY], np.float32)
    features = np.full(4, probability, np.float32)
    return CandidateFact(
        Fact(*triple, confidence=probability),
        factuality,
        probabilities,
        features=features,
        relation_probability=probability,
    )


def stream_of(seed: int = 0, misread: bool = True) -> ExtractedStream:
    """A stream with every fact found, and with a misread one of lower probability for each text."""
    relations = split_relations("train")[:12]
    world = World.sample(seed, entities=40, relations=relations)
    rng, found = Random(seed), []
    events = world.stream(seed, 40)
    labels = {"ending": "ended", "rumour": "uncertain", "chatter": "uncertain"}
    for event in events:
        read = [candidate(triple, labels.get(event.reason, "asserted")) for triple in event.passage.triples]
        if misread and event.passage.triples:
            wrong = (event.passage.triples[0][0], rng.choice(relations).relation, rng.choice(world.names))
            read.append(candidate(wrong, probability=0.6))
        found.append(tuple(read))
    return ExtractedStream(world, tuple(events), tuple(found))


@pytest.mark.parametrize(
    ("given", "truth", "score"),
    [
        ([], [], 1.0),
        (["Oslo"], ["Oslo"], 1.0),
        (["Oslo"], [], 0.0),
        ([], ["Oslo"], 0.0),
        (["Rome"], ["Oslo"], 0.0),
        (["Oslo", "Rome"], ["Oslo"], 2 / 3),
        (["Oslo"], ["Oslo", "Rome"], 2 / 3),
    ],
)
def test_answer_score(given: list[str], truth: list[str], score: float) -> None:
    assert answer_score(given, truth) == pytest.approx(score)


def test_questions_are_about_the_end_of_the_stream() -> None:
    relation = next(r for r in split_relations("train") if r.functional and r.updates)
    world = World(
        ["Ada", "Oslo", "Rome"], [relation.subject, *[relation.object] * 2], [("Ada", relation.relation, "Oslo")],
        [relation],
    )  # fmt: skip
    first, second = (("Ada", relation.relation, place) for place in ("Oslo", "Rome"))
    events = (
        LabelledEvent(SyntheticText("One.", (), (first,), "statement"), ("add",), TRUSTED, "new", (), (first,)),
        LabelledEvent(
            SyntheticText("Two.", (), (second,), "update"), ("update",), TRUSTED, "change", (first,), (second,)
        ),
    )
    other = ("Rome", relation.relation, "Ada")
    questions = StreamQuestions.of(
        ExtractedStream(world, events, ((candidate(first),), (candidate(second), candidate(other)))), priors
    )
    assert questions.stated == (("Ada", relation.relation),)
    assert questions.misread == (("Rome", relation.relation),)
    assert questions.truth[questions.stated[0]] == {"Rome"}
    right, everything = (run_policy(questions.stream, priors, policy) for policy in (oracle, always_add))
    assert right.answers(*questions.stated[0]) == ["Rome"]
    assert [questions.reward(right, key) for key in (*questions.stated, *questions.misread)] == [1.0, 1.0]
    assert questions.reward(everything, questions.stated[0]) == pytest.approx(2 / 3)
    assert questions.reward(everything, questions.misread[0]) == 0.0


def test_a_symmetric_fact_answers_either_way() -> None:
    relation = next(r for r in split_relations("train") if r.symmetric)
    world = World(["Ada", "Ben"], [relation.subject] * 2, [("Ada", relation.relation, "Ben")], [relation])
    fact = ("Ada", relation.relation, "Ben")
    event = LabelledEvent(SyntheticText("One.", (), (fact,), "statement"), ("add",), TRUSTED, "new", (), (fact,))
    graph = run_policy(ExtractedStream(world, (event,), ((candidate(fact),),)), priors, oracle)
    assert graph.answers("Ben", relation.relation) == ["Ada"]


def test_following_the_estimate_raises_the_reward() -> None:
    """Without labels, the gate learns from answers alone to skip improbable facts."""
    train, test = (StreamQuestions.of(stream_of(seed), priors) for seed in (1, 2))
    torch.manual_seed(0)
    gate = WriteGate(features=4, text_width=4, width=16)
    before = answer_report([test], {"gate": gate})
    optimizer = torch.optim.AdamW([*gate.view.parameters(), *gate.layers.parameters()], lr=0.02)
    for step in range(40):
        optimizer.zero_grad()
        answer_loss(gate, train, 3, seed=step).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    after = answer_report([test], {"gate": gate.eval()})
    assert after["gate"]["score"] > before["gate"]["score"] + 0.05
    assert after["gate"]["score"] > after["always add"]["score"] + 0.05
    assert after["oracle"]["score"] >= after["gate"]["score"]


def test_no_choice_gives_no_gradient() -> None:
    stream = stream_of(3)
    distrusted = tuple(replace(event, trust=0.0) for event in stream.events)  # the rules leave nothing open
    questions = StreamQuestions.of(replace(stream, events=distrusted), priors)
    gate = WriteGate(features=4, text_width=4)
    assert float(answer_loss(gate, questions, 2, seed=0)) == 0.0
    graph = run_policy(questions.stream, priors, gate_policy(gate.eval()))
    assert set(graph.triples()) == set(stream.world.known)
