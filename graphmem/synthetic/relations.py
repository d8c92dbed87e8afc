"""Relations for training texts: more templates for those of the lexicon, and relations of ordinary nouns and verbs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from graphmem.core.splits import data_split
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import Relation


def with_more_templates(relations: Sequence[Relation]) -> list[Relation]:
    """Return the same relations with more statements, changes and endings."""
    return [_with_more_templates(relation) for relation in relations]


def _with_more_templates(relation: Relation) -> Relation:
    frames, name, short = load("frames"), relation.relation, len(relation.noun.split()) <= 3
    by_noun = {key: [t.replace("{n}", relation.noun) for t in frames[key]] for key in ("noun_changes", "noun_endings")}
    changes = frames["changes"].get(name) or by_noun["noun_changes"]
    return replace(
        relation, statements=(*relation.statements, *frames["statements"].get(name, ())),
        updates=(*relation.updates, *(changes if relation.functional and short else ())),
        ends=(*relation.ends, *(by_noun["noun_endings"] if short else ())),
    )  # fmt: skip


def plain_relations(rng: Random, count: int) -> list[Relation]:
    """Return relations of ordinary nouns and verbs ("second tutor", "admires"), so that any word may name a relation.

    Five times each of "is in" (a room) and "has" (an object) come first, then those of all verbs, of 40 invented
    verbs and of ``count`` nouns, as far as their names belong to the training split.
    """
    words = load("frames")["plain_relations"]
    verbs = [_verb_relation(verb, rng) for verb in words["verbs"]]
    names = {
        f"{rng.choice(words['adjectives'])} {noun}" if rng.random() < 0.5 else noun
        for noun in words["nouns"] for _ in range(2)
    }  # fmt: skip
    nouns = [_relation("noun", {"n": name}, rng) for name in rng.sample(sorted(names), min(count, len(names)))]
    parts = ("onsets", "vowels", "codas", "endings")
    invented = [_verb_relation("".join(rng.choice(words[part]) for part in parts), rng) for _ in range(40)]
    everyday = [_from_row(row) for row in words["everyday"] for _ in range(5)]
    return [*everyday, *(r for r in (*verbs, *invented, *nouns) if data_split(r.relation) == "train")]


def _verb_relation(verb: str, rng: Random) -> Relation:
    head, _, rest = verb.partition(" ")
    tail = f" {rest}" if rest else ""
    third, past = _inflected(head)
    return _relation("verb", {"bare": head + tail, "now": third + tail, "then": past + tail}, rng)


def _relation(kind: str, words: Mapping[str, str], rng: Random) -> Relation:
    """Return a relation between random types by the templates of ``noun`` or ``verb``, with words in their slots."""
    frames = load("frames")["plain_relations"]
    row = json.dumps(frames[kind])
    for slot, word in words.items():
        row = row.replace(f"{{{slot}}}", word)
    types = {"subject": rng.choice(frames["types"]), "object": rng.choice(frames["types"])}
    return _from_row({**json.loads(row), **types, "functional": False})


def _from_row(row: Mapping[str, Any]) -> Relation:
    fields: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in row.items()}
    return Relation(**fields)


def _inflected(verb: str) -> tuple[str, str]:
    """Return a regular verb in the third person and in the past."""
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return verb[:-1] + "ies", verb[:-1] + "ied"
    third = verb + ("es" if verb.endswith(("s", "sh", "ch", "x")) else "s")
    return third, verb + ("d" if verb.endswith("e") else "ed")
