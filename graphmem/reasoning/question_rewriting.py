"""Rewriting of questions in their context: what a question leaves open is filled from former turns.

Each completion names a topic of the former turns before the question ("Ada Lovelace: where was she born?"), or puts it
in the place of the former question's topic ("And Bob?"). The evidence decides which one is meant: each is searched for,
the best units are read with it, and the one with the highest log-odds of an answer about its topic is taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphmem.core.types import Node
from graphmem.reasoning.evidence_reader import EvidenceReader, excluded, named_in_full
from graphmem.reasoning.weighing import Weighed, answers_of, kind_of, weigh
from graphmem.retrieval.evidence import EvidenceUnit
from graphmem.text.answer_matching import contains

MAX_TOPICS = 4
"""Topics of former turns of which completions are read."""

MAX_UNITS, MAX_CHAINS = 14, 4
"""Units that are read to choose a completion, and chains among them."""

STEP_BACK = 0.4
"""Nats by which a topic is less likely than the one mentioned after it."""

CERTAIN = 0.03
"""Probability of needing the context below which no completion is read; none that it does not is lower."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A question that stands for itself.

    Attributes:
        text: the question.
        topic: name from the former turns that was filled in; empty for the question as it was asked.
        prior: log-probability before the evidence is read.
    """

    text: str
    topic: str = ""
    prior: float = 0.0


@dataclass(frozen=True)
class About:
    """Test whether a unit of evidence is about a topic: an end of its facts, or a name in its passage."""

    nodes: frozenset[int]
    names: tuple[str, ...]
    store: Any

    @classmethod
    def of(cls, topic: str, store: Any) -> About | None:
        """The test for the node with this name; None where the memory has no such node."""
        node: Node | None = store.resolve(topic)
        return None if node is None else cls(frozenset({node.id}), (node.name, *node.aliases), store)

    def __call__(self, unit: EvidenceUnit) -> bool:
        if unit.passage is None:
            return any(end in self.nodes for edge in unit.edges for end in (edge.src, edge.dst))
        if contains(f"{unit.text} {unit.passage.text}", self.names):
            return True
        mentioned = self.store.mentioned([unit.passage.id]) if unit.passage.id >= 0 else ()
        return any(node in self.nodes for _, node in mentioned)


def completions(question: str, topics: Sequence[str], refers: float) -> list[Completion]:
    """Completions of a question by topics, the latest first, and the question itself, with their priors.

    Args:
        refers: probability that the question needs its context, see ``TurnForm``.
    """
    found = [Completion(question, prior=math.log(1 - min(refers, 1 - CERTAIN)))]
    if refers >= CERTAIN:
        for back, topic in enumerate(topics[:MAX_TOPICS]):
            prior = math.log(refers) - STEP_BACK * back
            found.append(Completion(f"{topic}: {question}", topic, prior))
    return found


def replaced(former: str, topic: str, topics: Sequence[str]) -> list[Completion]:
    """The former question with each of some topics in the place of its own."""
    at = former.casefold().find(topic.casefold()) if topic else -1
    if at < 0:
        return []
    others = [name for name in topics if name.casefold() != topic.casefold()]
    return [
        Completion(former[:at] + name + former[at + len(topic) :], name, -STEP_BACK * back)
        for back, name in enumerate(others[:MAX_TOPICS])
    ]


def best_completion(
    reader: EvidenceReader, retrieve: Callable[[str], Any], found: Sequence[Completion]
) -> tuple[Completion, float]:
    """The completion that the evidence answers best, and its score: log-odds of an answer, with its prior.

    ``retrieve`` searches the memory. A single completion is not read; its score is its prior.
    """
    if len(found) == 1:
        return found[0], found[0].prior
    scored = [(one.prior + log_odds(reader, retrieve(one.text), one.topic), one) for one in found]
    score, best = max(scored, key=lambda pair: pair[0])
    return best, score


def log_odds(reader: EvidenceReader, retrieval: Any, topic: str) -> float:
    """Log-odds that the evidence about a topic answers the query of a retrieval, from its best units."""
    units = reader.search.find(retrieval)
    about = About.of(topic, reader.search.store) if topic else None
    ranked = sorted((unit for unit in units if about is None or about(unit)), key=lambda unit: -unit.score)
    chains = [unit for unit in ranked if kind_of(unit) == 1][:MAX_CHAINS]
    kept = [*chains, *[unit for unit in ranked if kind_of(unit) != 1][: MAX_UNITS - len(chains)]]
    if not kept:
        return -8.0
    readings = reader.read_units(retrieval, kept)
    weighed = weigh(kept, readings, 0.0, excluded(retrieval), named_in_full(retrieval))
    verdict = max(reading.relevance + math.log(max(1e-4, 1 - reading.verdict[0])) for reading in readings)
    answer = weighed.answers[0].weight if weighed.answers else -8.0
    form = reader.form(retrieval.query)
    return max(-8.0, verdict if form is not None and form.operation == "verify" else answer)


def restricted(weighed: Weighed, topic: str, store: Any) -> Weighed:
    """What the evidence about a topic says; all of it where none of its units is about the topic."""
    about = About.of(topic, store) if topic else None
    if about is None:
        return weighed
    known: dict[str, bool] = {}
    is_kept = lambda unit: known.setdefault(unit.text, about(unit))
    supports = [support for answer in weighed.answers for support in answer.support if is_kept(support.unit)]
    return replace(weighed, answers=answers_of(supports)) if supports else weighed
