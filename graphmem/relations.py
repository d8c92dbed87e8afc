"""Which relations mean the same, and under which name a graph keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache

from graphmem.graph import normalise
from graphmem.lexicon import Relation, load_lexicon


def synonym_groups(relations: Sequence[Relation]) -> list[int]:
    """Number the groups of relations that say the same: one names the other as a paraphrase, or shares statements.

    Returns:
        For each relation the position of the first relation of its group.
    """
    group = list(range(len(relations)))

    def root(number: int) -> int:
        while group[number] != number:
            number = group[number]
        return number

    owner: dict[tuple[str, str, str], int] = {}
    for number, relation in enumerate(relations):
        names = {normalise(text) for text in (relation.relation, *relation.paraphrases)}
        keys = [(relation.subject, relation.object, text) for text in (*names, *relation.statements)]
        for key in keys:
            first = root(owner.setdefault(key, number))
            if first != root(number):
                group[max(first, root(number))] = min(first, root(number))
    return [root(number) for number in range(len(relations))]


@cache
def _lexicon() -> tuple[tuple[Relation, ...], tuple[int, ...]]:
    relations = load_lexicon()
    return tuple(relations), tuple(synonym_groups(relations))


@cache
def synonyms(name: str) -> frozenset[str]:
    """Normalised names under which the lexicon knows the same relation as ``name``, itself among them."""
    wanted, found = normalise(name), {normalise(name)}
    relations, groups = _lexicon()
    inside = {
        groups[number]
        for number, relation in enumerate(relations)
        if wanted in (normalise(relation.relation), *map(normalise, relation.paraphrases))
    }
    for number, relation in enumerate(relations):
        if groups[number] in inside:
            found |= {normalise(text) for text in (relation.relation, relation.noun, *relation.paraphrases)}
    return frozenset(found)


def candidate_relations(live: Iterable[str]) -> list[str]:
    """Names that a reader may choose from: the live graph's, then those of the lexicon that mean something else."""
    own = list(dict.fromkeys(live))
    covered = frozenset().union(*(synonyms(name) for name in own)) if own else frozenset()
    relations, groups = _lexicon()
    rest = []
    for number, relation in enumerate(relations):
        if groups[number] == number and normalise(relation.relation) not in covered:
            rest.append(relation.relation)
    return own + rest


@cache
def lexicon_functional() -> dict[str, bool]:
    """Whether each of the lexicon's relations has one object a subject at a time, by normalised name."""
    return {normalise(relation.relation): relation.functional for relation in _lexicon()[0]}
