"""Synonyms of relations: which names mean the same relation, and which of them a graph uses."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from graphmem.core.names import normalise_relation
from graphmem.core.paths import DATA
from graphmem.text.lexicon import Relation, load_lexicon

LITERAL_TYPES: Final = frozenset({"year", "date", "number"})
"""Types of objects that are literals."""


@dataclass(frozen=True, slots=True)
class _Entry:
    """A relation of the lexicon with its normalise_relationd names.

    Attributes:
        group: position of the first relation of its synonym group.
        synonyms: its name and paraphrases.
        other_schemas: its names in other schemas.
    """

    relation: Relation
    group: int
    name: str
    synonyms: frozenset[str]
    other_schemas: frozenset[str]


@cache
def _entries() -> tuple[_Entry, ...]:
    """The shipped lexicon, normalise_relationd once."""
    relations, others = load_lexicon(), other_schema_names()
    return tuple(
        _Entry(relation, group, normalise_relation(relation.relation), _synonyms_of(relation),
               frozenset(map(normalise_relation, others.get(relation.relation, ()))))
        for relation, group in zip(relations, synonym_groups(relations), strict=True)
    )  # fmt: skip


def _synonyms_of(relation: Relation) -> frozenset[str]:
    return frozenset(map(normalise_relation, (relation.relation, *relation.paraphrases)))


@cache
def other_schema_names() -> dict[str, list[str]]:
    """Names in other schemas (Wikidata, DBpedia) of relations of the lexicon, by the lexicon's name.

    A graph that uses one of them needs no second name for the relation. They do not count as ``synonyms``.
    """
    names: dict[str, list[str]] = json.loads((DATA / "relation_names.json").read_text(encoding="utf-8"))
    return names


def synonym_groups(relations: Sequence[Relation]) -> list[int]:
    """For each relation the position of the first one with its meaning: a paraphrase, or with a statement in common."""
    group = list(range(len(relations)))

    def root(number: int) -> int:
        while group[number] != number:
            number = group[number]
        return number

    owner: dict[tuple[str, str, str], int] = {}
    for number, relation in enumerate(relations):
        for text in (*_synonyms_of(relation), *relation.statements):
            first = root(owner.setdefault((relation.subject, relation.object, text), number))
            if first != root(number):
                group[max(first, root(number))] = min(first, root(number))
    return [root(number) for number in range(len(relations))]


@cache
def synonyms(name: str) -> frozenset[str]:
    """Normalised names of the same relation in the lexicon, the given one included."""
    wanted = normalise_relation(name)
    groups = {entry.group for entry in _entries() if wanted in entry.synonyms}
    same = [entry for entry in _entries() if entry.group in groups]
    return frozenset({wanted}).union(*(entry.synonyms | {normalise_relation(entry.relation.noun)} for entry in same))


def candidate_relations(live: Iterable[str]) -> list[str]:
    """Relation names to extract: those of the graph, then those of the lexicon with another meaning."""
    own = list(dict.fromkeys(live))
    covered = frozenset[str]().union(*map(synonyms, own))
    given = frozenset(map(normalise_relation, own))
    return own + [
        entry.relation.relation
        for number, entry in enumerate(_entries())
        if entry.group == number and entry.name not in covered and given.isdisjoint(entry.other_schemas)
    ]


@cache
def lexicon_functional() -> dict[str, bool]:
    """Whether each relation of the lexicon has one object a subject at a time, by normalise_relationd name."""
    return {entry.name: entry.relation.functional for entry in _entries()}


@cache
def has_literal_objects(name: str) -> bool | None:
    """Whether the objects of a relation are dates or numbers; None for a relation that the lexicon does not hold."""
    wanted = normalise_relation(name)
    same = (entry for entry in _entries() if wanted == entry.name or wanted in entry.other_schemas)
    return next((entry.relation.object in LITERAL_TYPES for entry in same), None)
