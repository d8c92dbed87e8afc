"""The WikiMovies graph and the questions over it that ship with the package (MetaQA, CC BY 3.0)."""

from __future__ import annotations

import gzip
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from graphmem.core.paths import DATA
from graphmem.core.splits import Split, data_split
from graphmem.core.types import Triple


@dataclass(frozen=True, slots=True)
class Question:
    """A question, the entity it starts from, every right answer, and how many facts lie between."""

    question: str
    topic: str
    answers: tuple[str, ...]
    hops: int


@cache
def load_facts() -> tuple[Triple, ...]:
    """All 129,233 facts, in the file's order."""
    with gzip.open(DATA / "wikimovies.tsv.gz", "rt", encoding="utf-8") as lines:
        return tuple((s, r, o) for s, r, o in (line.rstrip("\n").split("\t") for line in lines))


@cache
def load_questions(split: Split | None = None) -> tuple[Question, ...]:
    """Questions whose topic belongs to the split; all 34,520 when None."""
    with gzip.open(DATA / "wikimovies_questions.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    return tuple(
        Question(row["question"], row["topic"], tuple(row["answers"]), row["hops"])
        for row in rows
        if split is None or data_split(row["topic"]) == split
    )


@cache
def trained_answers() -> frozenset[str]:
    """Every name that is an answer of some training question."""
    return frozenset(answer for question in load_questions("train") for answer in question.answers)


def held_out(hops: int, *, never_answered: bool = False) -> list[Question]:
    """Test questions of so many hops; with ``never_answered``, those with no answer that training ever had."""
    found = [question for question in load_questions("test") if question.hops == hops]
    return [q for q in found if not trained_answers().intersection(q.answers)] if never_answered else found


def neighbourhood(topics: Iterable[str], *, at_least: int = 10_000, hub: int = 400) -> list[Triple]:
    """A connected part of the graph in which the topics' questions of up to three hops keep their answers.

    All facts of every node within two steps of a topic are kept, not stepping through hubs (years, genres,
    languages) of more than ``hub`` facts; then the ball is widened until it holds ``at_least`` facts, and the
    largest connected part of it is returned.

    Args:
        topics: names to start from.
        at_least: facts wanted at least.
        hub: nodes with more facts than this are not stepped through.
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
    return _largest_part([facts[p] for p in sorted(kept)])


def _largest_part(facts: Sequence[Triple]) -> list[Triple]:
    import networkx

    graph = networkx.Graph()
    graph.add_edges_from((subject, object_) for subject, _, object_ in facts)
    largest: set[str] = max(networkx.connected_components(graph), key=len, default=set())
    return [fact for fact in facts if fact[0] in largest]


COVERED = re.compile("direct|writ|act|star|role|genre|kind|lang|tag|releas|year|cast|film|movie|appear")
"""Words of relations that WikiMovies holds, or may be taken to hold."""
