"""The WikiMovies graph and the questions over it that ship with the package (MetaQA, CC BY 3.0)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import networkx

from graphmem.core.paths import DATA
from graphmem.core.splits import Split, data_split
from graphmem.core.types import Triple
from graphmem.datasets.files import read_lines, read_rows


@dataclass(frozen=True, slots=True)
class Question:
    """A question, its topic entity, every right answer, and the number of facts on the path between them."""

    question: str
    topic: str
    answers: tuple[str, ...]
    hops: int


@cache
def load_facts() -> tuple[Triple, ...]:
    """Return all 129,233 facts, in the file's order."""
    return tuple((s, r, o) for s, r, o in (line.split("\t") for line in read_lines(DATA / "wikimovies.tsv.gz")))


@cache
def load_questions(split: Split | None = None) -> tuple[Question, ...]:
    """Return the questions whose topic belongs to the split; all 34,520 when None."""
    return tuple(
        Question(row["question"], row["topic"], tuple(row["answers"]), row["hops"])
        for row in read_rows(DATA / "wikimovies_questions.jsonl.gz")
        if split is None or data_split(row["topic"]) == split
    )


@cache
def trained_answers() -> frozenset[str]:
    """Return every name that is an answer of a training question."""
    return frozenset(answer for question in load_questions("train") for answer in question.answers)


def held_out(hops: int, *, never_answered: bool = False) -> list[Question]:
    """Return test questions of so many hops; with ``never_answered``, those that share no answer with training."""
    found = [question for question in load_questions("test") if question.hops == hops]
    return [q for q in found if not trained_answers().intersection(q.answers)] if never_answered else found


def neighbourhood(topics: Iterable[str], *, at_least: int = 10_000, hub: int = 400) -> list[Triple]:
    """Return a connected part of the graph in which the topics' questions of up to three hops keep their answers.

    All facts of every node within two steps of a topic are kept, not stepping through hubs (years, genres,
    languages) of more than ``hub`` facts; then the ball is widened until it holds ``at_least`` facts, and the
    largest connected part of it is returned.
    """
    facts = load_facts()
    touching: dict[str, list[int]] = defaultdict(list)
    for position, (subject, _, object_) in enumerate(facts):
        touching[subject].append(position)
        touching[object_].append(position)
    kept: set[int] = set()
    frontier = {topic for topic in topics if topic in touching}
    seen, steps = set(frontier), 0
    while frontier and (steps < 3 or len(kept) < at_least):
        fresh = {p for name in frontier if len(touching[name]) <= hub or steps == 0 for p in touching[name]}
        kept |= fresh
        frontier = {name for p in fresh for name in (facts[p][0], facts[p][2])} - seen
        seen |= frontier
        steps += 1
    found = [facts[p] for p in sorted(kept)]
    graph = networkx.Graph((subject, object_) for subject, _, object_ in found)
    largest: set[str] = max(networkx.connected_components(graph), key=len, default=set())
    return [fact for fact in found if fact[0] in largest]


COVERED = re.compile("direct|writ|act|star|role|genre|kind|lang|tag|releas|year|cast|film|movie|appear")
"""Words of relations that WikiMovies holds, or may seem to hold."""
