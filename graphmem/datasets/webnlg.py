"""WebNLG: texts with their mentions and triples."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.types import Triple
from graphmem.datasets.files import read_rows
from graphmem.text.word_classes import is_name

_ARTICLE = re.compile(r"^(the|a|an)\s+", re.IGNORECASE)
_NUMBER = re.compile(r"^[\d$€£.,:–-]+|\d{4}$|^\W*\d")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|_")


@dataclass(frozen=True, slots=True)
class GoldText:
    """A text with the names in it and the facts that it states, by those names.

    ``same`` maps other names of an entity, in the text and in the data set's triples, to the name that ``facts`` use.
    """

    text: str
    names: tuple[str, ...]
    facts: tuple[Triple, ...]
    same: Mapping[str, str] = field(default_factory=dict)

    def named(self, name: str) -> str:
        """Return a name in the form in which it is compared."""
        return self.same.get(plain(name), plain(name))


def plain(name: str) -> str:
    """Return a name without its article and possessive, in the form in which it is compared."""
    name = re.sub(r"^(the|a|an) ", "", normalise(name))
    return re.sub(r"\s*['’]s?$", "", name).rstrip(" .,;")


def webnlg_texts(path: Path, count: int, seed: int, categories: Sequence[str] = ()) -> tuple[list[GoldText], list[str]]:
    """Return a sample of a WebNLG file, of some categories or of all, and all the file's relations in words."""
    every = read_rows(path)
    rows = [row for row in every if not categories or row["category"] in categories]
    return webnlg_rows(Random(seed).sample(rows, min(count, len(rows))), every)


def held_out_categories(rows: Sequence[Any], count: int, seed: int) -> list[str]:
    """Return the categories of ``rows`` that are left out of training, drawn by ``seed``."""
    categories = sorted({row["category"] for row in rows})
    return sorted(Random(seed).sample(categories, min(count, len(categories) - 1)))


def webnlg_rows(rows: Sequence[Any], every: Sequence[Any]) -> tuple[list[GoldText], list[str]]:
    """Return rows as texts, and the relations of ``every`` row. Facts with a name that is not marked are left out."""
    relations = sorted({words_of(relation) for row in every for _, relation, _ in row["triples"]})
    return [_gold(row) for row in rows], relations


def _gold(row: Any) -> GoldText:
    """Return a row as a text, its facts by the first full name that the text gives each entity."""
    ways: dict[str, list[str]] = {}
    names, end = [], 0
    for mention in row["mentions"]:
        place = surface_span(row["text"], mention["surface"], end)
        end = place[1] if place else end
        surface = row["text"][slice(*place)] if place else mention["surface"]
        if mention["type"] in ("name", "description"):
            names.append(surface)
        again = mention["entity"] in ways
        if mention_kind(mention, surface, again) != "pronoun":
            ways.setdefault(mention["entity"], []).append(surface)
    facts = [(ways[s][0], words_of(r), ways[o][0]) for s, r, o in row["triples"] if s in ways and o in ways]
    unqualified = lambda entity: re.sub(r"\s*\([^()]*\)$", "", entity)  # "Arion (comics)"
    same = {plain(label): plain(known[0]) for name, known in ways.items() for label in (name, unqualified(name))}
    same |= {plain(way): plain(known[0]) for known in reversed(ways.values()) for way in known}
    return GoldText(row["text"], tuple(names), tuple(facts), same)


def surface_span(text: str, surface: str, after: int) -> tuple[int, int] | None:
    """Return the span of a surface (with blanks around punctuation) in the text, without article and possessive."""
    words = [word for word in _ARTICLE.sub("", surface.strip()).split() if word not in ("``", "''")]
    while words and words[-1] in ("'s", "’s", "'", ",", "."):
        words = words[:-1]
    if not words:
        return None
    match = re.compile(r'["\s]*'.join(map(re.escape, words)), re.IGNORECASE).search(text, after)
    return match.span() if match else None


def mention_kind(mention: Any, surface: str, again: bool) -> str:
    """Return ``literal`` (numbers, dates), ``pronoun`` ("the airport" of one named before too) or ``entity``."""
    if mention["type"] in ("pronoun", "demonstrative"):
        return "pronoun"
    alike = set(normalise(surface).split()) & set(normalise(mention["entity"]).split())
    if again and mention["type"] == "description" and (surface[:1].islower() or not alike):
        return "pronoun"
    return "literal" if _NUMBER.search(surface) and not is_name(surface) else "entity"


def words_of(relation: str) -> str:
    """Return ``runwayLength`` as "runway length"."""
    return " ".join(_CAMEL.sub(" ", relation).split()).lower()


@dataclass(frozen=True, slots=True)
class FactText:
    """A text about facts of a graph.

    Attributes:
        mentions: (start, end) of each name of the graph in it, in characters, in order.
        gold: the facts that it states.
        topic: the name that it is about.
    """

    text: str
    mentions: tuple[tuple[int, int], ...]
    gold: tuple[Triple, ...]
    topic: str

    @property
    def names(self) -> set[str]:
        """Subjects and objects of its facts."""
        return {name for subject, _, object in self.gold for name in (subject, object)}


def fact_texts(path: Path) -> list[FactText]:
    """All texts of a file of JSON lines with ``text`` and ``triples``; raises ``InvalidValue`` for other files."""
    try:
        return [fact_text(row) for row in read_rows(path) if row["triples"] and row["text"]]
    except (KeyError, TypeError) as error:
        raise InvalidValue(f"cannot read {path} as JSON lines of text and triples: {error!r}") from error


def fact_text(row: Mapping[str, Any]) -> FactText:
    """A row as a text with the positions of its facts' names; relations become words."""
    spaced = lambda name: " ".join(str(name).replace("_", " ").split())
    gold: tuple[Triple, ...] = tuple((spaced(s), words_of(r), spaced(o)) for s, r, o in row["triples"])
    names = dict.fromkeys(name for s, _, o in gold for name in (s, o))
    return FactText(row["text"], name_spans(row["text"], names), gold, gold[0][0] if gold else "")


def name_spans(text: str, names: Iterable[str]) -> tuple[tuple[int, int], ...]:
    """(start, end) of every occurrence of one of the names as whole words, ignoring case."""
    matches = (re.finditer(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) for name in names if name)
    return tuple(sorted({match.span() for found in matches for match in found}))


def draw_fact_texts(texts: Sequence[FactText], count: int, rng: Random) -> tuple[FactText, ...]:
    """Up to ``count`` texts that hold at least two of their facts' names; one text a set of facts."""
    distinct = lambda text: len({text.text[a:b].casefold() for a, b in text.mentions})
    usable = {text.gold: text for text in rng.sample(texts, len(texts)) if distinct(text) >= 2}
    return tuple(rng.sample(list(usable.values()), min(count, len(usable))))
