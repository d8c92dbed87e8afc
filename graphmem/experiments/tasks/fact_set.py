"""What is asked in an experiment: facts to write, questions about them, and what a method gets to answer each."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any

from graphmem.core.types import Triple
from graphmem.datasets.webnlg import FactText

Pair = tuple[str | None, str]
"""A text to learn: (question, answer), or (None, statement)."""

MOST_FACTS, QUICK_FACTS = 50, 15
"""Facts of a retrieval that every reading method gets: in the full form, and in the quick one."""


@dataclass(frozen=True, slots=True)
class Item:
    """One question.

    Attributes:
        question: its first phrasing.
        answers: every right one.
        paraphrases: other phrasings.
        old: what was right before an edit.
        gold: the facts that answer it.
        hops: how many.
        kind: of question, within its data set ("one fact", "2 hops", ...); each kind is scored apart.
        stage: 0 for facts that are written first, 1 for those that come later.
        fresh: whether no answer of it was ever an answer in graphmem's training.
    """

    question: str
    answers: tuple[str, ...]
    paraphrases: tuple[str, ...] = ()
    old: tuple[str, ...] = ()
    gold: tuple[Triple, ...] = ()
    hops: int = 1
    kind: str = "one fact"
    stage: int = 0
    fresh: bool = True


@dataclass(frozen=True)
class FactSet:
    """Facts, and what is asked about them.

    Attributes:
        name: of the data set.
        facts: all that the memory holds at the end, by the stage in which they are written.
        items: the questions.
        pairs: texts by which a fact may be learnt by heart: never a phrasing that is asked.
        learnt: facts that the model trained on facts is trained on, where all would be too many.
        changes: (fact before, fact after), applied after ``facts``.
        names: names of the graph that a text may be checked for.
        passages: texts about what the graph holds.
    """

    name: str
    facts: tuple[tuple[Triple, ...], tuple[Triple, ...]]
    items: tuple[Item, ...]
    pairs: Callable[[Triple], Sequence[Pair]]
    learnt: tuple[Triple, ...] | None = None
    changes: tuple[tuple[Triple, Triple], ...] = ()
    names: tuple[str, ...] = ()
    passages: tuple[FactText, ...] = ()

    @property
    def all_facts(self) -> tuple[Triple, ...]:
        """Facts of both stages, before any change."""
        return self.facts[0] + self.facts[1]

    def taught(self, stage: int) -> list[Triple]:
        """Facts of a stage that the model trained on facts is trained on."""
        chosen = None if self.learnt is None else set(self.learnt)
        return [fact for fact in self.facts[stage] if chosen is None or fact in chosen]

    def about(self) -> Mapping[str, list[Triple]]:
        """Facts that hold at the end, by subject."""
        gone = {before for before, _ in self.changes}
        found: dict[str, list[Triple]] = defaultdict(list)
        for triple in (*(f for f in self.all_facts if f not in gone), *(after for _, after in self.changes)):
            found[triple[0]].append(triple)
        return found


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as a method gets it.

    Attributes:
        question: the text.
        facts: those that the memory found for it, best first; at most as many as the run allows.
        found: the retrieval itself.
        gold: the facts that answer it (only the rival that is given them looks).
        seconds: that the retrieval took.
    """

    question: str
    facts: tuple[Triple, ...] = ()
    found: Any = field(default=None, repr=False)
    gold: tuple[Triple, ...] = ()
    seconds: float = 0.0

    @property
    def best(self) -> str:
        """The name of the retrieval's first node; empty where nothing was found."""
        nodes: Any = getattr(self.found, "nodes", ())
        return nodes[0].name if len(nodes) else ""


class LookUp:
    """Asks a memory, once for each text: every method gets the same facts, found in the same seconds.

    Args:
        memory: what is asked.
        top: nodes of a retrieval.
        most: facts of a retrieval that are handed on.

    Attributes:
        known: what was found, by question.
    """

    def __init__(self, memory: Any, top: int = 32, most: int = MOST_FACTS) -> None:
        self.memory, self.top, self.most = memory, top, most
        self.known: dict[str, Asked] = {}

    def __call__(self, questions: Sequence[str], gold: Sequence[tuple[Triple, ...]] = ()) -> list[Asked]:
        """What the memory finds for each question; ``gold`` is handed on with it."""
        found = [self._one(question) for question in questions]
        return [replace(a, gold=g) for a, g in zip(found, gold, strict=True)] if gold else found

    def _one(self, question: str) -> Asked:
        if question not in self.known:
            if not self.known:
                self.memory.retrieve(question, top_k=self.top)  # vectors are made and modules loaded here, untimed
            began = time.perf_counter()
            found = self.memory.retrieve(question, top_k=self.top)
            seconds = time.perf_counter() - began
            facts = tuple((f.subject, f.relation, f.object) for f in found.facts[: self.most])
            self.known[question] = Asked(question, facts, found, (), seconds)
        return self.known[question]


def plain_pairs(triple: Triple) -> list[Pair]:
    """A fact as a statement and as a plain question, for relations without templates."""
    subject, relation, object = triple
    return [(None, f"{subject} {relation} {object}."), (f"What is the {relation} of {subject}?", object)]


def pairs_of(facts: FactSet, triples: Sequence[Triple]) -> list[Pair]:
    """Texts by which these facts may be learnt."""
    return [pair for triple in triples for pair in facts.pairs(triple)]


def fingerprint_of(facts: FactSet) -> str:
    """A hash of what is written and asked, so that parts made of other data are made anew."""
    asked = [(item.question, item.answers, item.paraphrases) for item in facts.items]
    text = json.dumps([facts.facts, facts.changes, asked, [passage.text for passage in facts.passages]])
    return blake2b(text.encode(), digest_size=8).hexdigest()
