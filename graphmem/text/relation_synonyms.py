"""Which relations mean the same, and under which name a graph keeps them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Final

from graphmem.core.names import normalise
from graphmem.text.lexicon import Relation, load_lexicon

LITERAL_TYPES: Final = frozenset({"year", "date", "number"})
"""Types of objects that are no things."""
_ELSEWHERE: Final = """
born in: place of birth|birthplace|birth place
died in: place of death|death place
date of birth: birth date
date of death: death date
buried in: place of burial|burial place
lives in: residence|home location
nationality: country of citizenship|citizenship|citizen of
educated at: alma mater|alumni of|education
has occupation: occupation|profession|job title
works in: work location
adheres to: religion|religion or worldview|religious affiliation|faith
speaks: languages spoken|languages spoken, written or signed|known languages
mother tongue: native language
belongs to organisation: affiliation
has child: child|children
position played: position|position played on team|position played on team / speciality
sport played: sport
plays sport: sport
sport of team: sport
plays for: member of sports team|team|current team|club
musical genre: genre|music genre
has genre: genre
country of origin: origin
creator of character: creator
founded by: founder
founding year: inception|founding date|foundation year
located in: location|located in the administrative territorial entity
in country: country
headquarters: headquarters location|head office
chief executive: chief executive officer|CEO
chairperson: chair
leader: director / manager|leader name
original network: original broadcaster|broadcast by|network
game developer: developer
software developer: developer
written by: author|writer
performer: artist|sung by
directed by: director
screenplay by: screenwriter
produced by: producer
release year: release date|publication date
published by: publisher
in language: language|original language of film or TV show
starred actors: cast member|starring
owner: owned by
part of: is part of
"""
"""Names under which other schemas know relations of the lexicon, Wikidata's and DBpedia's among them."""


@cache
def other_schema_names() -> dict[str, tuple[str, ...]]:
    """What other schemas call each relation of the lexicon, by its name here.

    They keep the lexicon's name from standing beside a graph's own name of the same relation. Scores do not count them
    as the same name, see ``synonyms``.
    """
    lines = (line.partition(": ") for line in _ELSEWHERE.strip().splitlines())
    return {name: tuple(others.split("|")) for name, _, others in lines}


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
    given = frozenset(map(normalise, own))
    relations, groups = _lexicon()
    rest = []
    for number, relation in enumerate(relations):
        elsewhere = map(normalise, other_schema_names().get(relation.relation, ()))
        if groups[number] == number and normalise(relation.relation) not in covered and given.isdisjoint(elsewhere):
            rest.append(relation.relation)
    return own + rest


@cache
def lexicon_functional() -> dict[str, bool]:
    """Whether each of the lexicon's relations has one object a subject at a time, by normalised name."""
    return {normalise(relation.relation): relation.functional for relation in _lexicon()[0]}


@cache
def _tells_literals() -> dict[str, bool]:
    told: dict[str, bool] = {}
    for relation in _lexicon()[0]:
        for name in (relation.relation, *other_schema_names().get(relation.relation, ())):
            told.setdefault(normalise(name), relation.object in LITERAL_TYPES)
    return told


def has_literal_objects(name: str) -> bool | None:
    """Whether a relation's objects are dates and numbers, as far as the lexicon knows the relation; else None."""
    return _tells_literals().get(normalise(name))
