"""Facts, questions about them, and what a method gets to answer each."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import blake2b
from typing import Any

from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets.webnlg import FactText
from graphmem.datasets.wikimovies import trained_answers

Pair = tuple[str | None, str]
"""A training text: (question, answer), or (None, statement)."""

MAX_FACTS, QUICK_FACTS = 50, 15
"""Facts of a retrieval that every method with retrieval gets: in the full form, and in the quick one."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    Attributes:
        question: its first phrasing.
        answers: every right one.
        paraphrases: other phrasings.
        old: answers that were right before an edit.
        gold: the facts that answer it.
        kind: of question, within its data set ("one fact", "2 hops", ...); each kind is scored separately.
        stage: 0 for facts that are written first, 1 for those written later.
        unseen: no answer of it was ever an answer in graphmem's training.
    """

    question: str
    answers: tuple[str, ...]
    paraphrases: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    gold: tuple[Triple, ...] = ()
    kind: str = "one fact"
    stage: int = 0
    unseen: bool = True


@dataclass(frozen=True)
class FactSet:
    """Facts and the questions about them.

    Attributes:
        name: of the data set.
        facts: by the stage in which they are written.
        items: the questions.
        pairs: training texts of a fact: never a phrasing that is asked.
        training_facts: facts that LoRA is trained on, where all would be too many.
        changes: (fact before, fact after), applied after ``facts``.
        names: names of the graph, for the precision of free text.
        passages: texts about the facts.
    """

    name: str
    facts: tuple[tuple[Triple, ...], tuple[Triple, ...]]
    items: tuple[Item, ...]
    pairs: Callable[[Triple], Sequence[Pair]]
    training_facts: tuple[Triple, ...] | None = None
    changes: tuple[tuple[Triple, Triple], ...] = ()
    names: tuple[str, ...] = ()
    passages: tuple[FactText, ...] = ()

    @property
    def all_facts(self) -> tuple[Triple, ...]:
        """Facts of both stages, before any change."""
        return self.facts[0] + self.facts[1]

    def training_facts_of(self, stage: int) -> list[Triple]:
        """Facts of a stage that LoRA is trained on."""
        chosen = None if self.training_facts is None else set(self.training_facts)
        return [fact for fact in self.facts[stage] if chosen is None or fact in chosen]

    def training_pairs(self, triples: Sequence[Triple]) -> list[Pair]:
        """Training texts of these facts."""
        return [pair for triple in triples for pair in self.pairs(triple)]

    def fingerprint(self) -> str:
        """A hash of facts, changes, questions and passages."""
        questions = [(item.question, item.answers, item.paraphrases) for item in self.items]
        text = json.dumps([self.facts, self.changes, questions, [passage.text for passage in self.passages]])
        return blake2b(text.encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Query:
    """A question as a method gets it.

    Attributes:
        facts: those retrieved for it, best first; at most as many as the run allows.
        retrieval, seconds: the retrieval itself, and how long it took.
        gold: the facts that answer it, for the baseline that is given them.
    """

    question: str
    facts: tuple[Triple, ...] = ()
    retrieval: Any = field(default=None, repr=False)
    gold: tuple[Triple, ...] = ()
    seconds: float = 0.0

    @property
    def best_node(self) -> str:
        """Name of the retrieval's first node; empty where nothing was found."""
        nodes: Any = getattr(self.retrieval, "nodes", ())
        return nodes[0].name if len(nodes) else ""


TOP_K = 32
"""Nodes of a retrieval."""


class CachedRetriever:
    """Retrieves once for each question, so that every method gets the same facts found in the same seconds.

    ``max_facts`` bounds the facts of a retrieval; ``write_seconds`` is what writing the memory took.
    """

    def __init__(self, memory: Any, max_facts: int = MAX_FACTS, write_seconds: float | None = None) -> None:
        self.memory, self.max_facts, self.write_seconds = memory, max_facts, write_seconds
        self.queries: dict[str, Query] = {}

    def __call__(self, questions: Sequence[str], gold: Sequence[tuple[Triple, ...]] = ()) -> list[Query]:
        """A query for each question, with its gold facts where they are given."""
        found = [self._query(question) for question in questions]
        return [replace(query, gold=g) for query, g in zip(found, gold, strict=True)] if gold else found

    def _query(self, question: str) -> Query:
        if question not in self.queries:
            if not self.queries:
                self.memory.retrieve(question, top_k=TOP_K)  # encodes the nodes and loads the modules, untimed
            started = time.perf_counter()
            found = self.memory.retrieve(question, top_k=TOP_K)
            seconds = time.perf_counter() - started
            facts = tuple((f.subject, f.relation, f.object) for f in found.facts[: self.max_facts])
            self.queries[question] = Query(question, facts, found, (), seconds)
        return self.queries[question]


def never_trained(answers: Sequence[str]) -> bool:
    """Whether no answer was ever an answer in graphmem's training."""
    return _trained_answers().isdisjoint(map(normalise, answers))


@cache
def _trained_answers() -> frozenset[str]:
    return frozenset(map(normalise, trained_answers()))


def plain_pairs(triple: Triple) -> list[Pair]:
    """A fact as a statement and as a plain question, for relations without templates."""
    subject, relation, object = triple
    return [(None, f"{subject} {relation} {object}."), (f"What is the {relation} of {subject}?", object)]
