"""Frames of everyday sentences: what can be said of a relation, by status, with slots for names, values and times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from random import Random
from typing import Any, Final, Literal

from graphmem.core.splits import held
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import Relation

Status = Literal[
    "asserted", "past", "begun", "planned", "negated", "reported", "uncertain", "replaced", "corrected", "resumed",
    "ended",
]  # fmt: skip
"""What a sentence says of a fact: that it holds, held and is over, began, is planned, is not so, is so as somebody
says, may be so, took the place of another, is to be corrected, holds again, or has ended."""
STATUSES: Final[tuple[Status, ...]] = (
    "asserted", "past", "begun", "planned", "negated", "reported", "uncertain", "replaced", "corrected", "resumed",
    "ended",
)  # fmt: skip
Wordings = Literal["all", "train", "held"]
"""Which frames are used: all, those that may be trained on, or those held out."""
_OTHER_FACTUALITY: Final[dict[str, str]] = {
    "planned": "planned", "negated": "negated", "reported": "reported", "uncertain": "uncertain",
}  # fmt: skip
_TYPES: Final = {"company": "firm", "organisation": "club"}
_PLAIN_SUBJECTS: Final = frozenset(("person", "firm", "club", "city", "software"))
_CLAUSES: Final = ("{", "the ", "[the ", "we ", "there ", "nobody ", "everyone ", "people ")
_PIECE = re.compile(r"(\{[^{}]+\}|\^[\w']+|\[|\])")
_VERB_FIRST = re.compile(r"(?:no longer |now |never |always )?\[?\^")
_MARKS = re.compile(r"[\[\]^]")
_PLURALS: Final = {
    "is": "are", "was": "were", "has": "have", "does": "do", "goes": "go", "isn't": "aren't", "wasn't": "weren't",
    "hasn't": "haven't", "doesn't": "don't",
}  # fmt: skip
_FIRST: Final = {"is": "am", "was": "was", "isn't": "am not", "wasn't": "wasn't"}


@dataclass(frozen=True, slots=True)
class Family:
    """A relation of everyday texts with its frames.

    Attributes:
        name: of the relation; that of the lexicon where it has one.
        subjects: types of its subject, ``objects``: of its object.
        many: whether a subject can have several objects at once.
        shared: whether several subjects can have the same object.
        nouns: labels of the relation in lists of fields.
        frames: wordings by status; those under ``note`` assert it without a sentence.
        plain: whether verbs are not marked, so that only names may fill the slots.
    """

    name: str
    subjects: tuple[str, ...]
    objects: tuple[str, ...]
    many: bool
    shared: bool
    nouns: tuple[str, ...]
    frames: dict[str, tuple[str, ...]]
    plain: bool = False


def factuality(status: str) -> str:
    """Factuality of a status: ``planned``, ``negated``, ``reported``, ``uncertain``, or ``asserted`` for the rest."""
    return _OTHER_FACTUALITY.get(status, "asserted")


@cache
def families(wordings: Wordings = "all") -> tuple[Family, ...]:
    """Every relation with the frames of a set of wordings."""
    rows: dict[str, Any] = {**load("everyday_people"), **load("everyday_things")}
    return tuple(
        Family(
            name, tuple(row["s"]), tuple(row["o"]), bool(row.get("many")), bool(row.get("shared")),
            tuple(row["nouns"]), {
                status: chosen(row[status], wordings)
                for status in (*STATUSES, "note") if status in row
            },
        )
        for name, row in rows.items()
    )  # fmt: skip


def chosen(frames: Sequence[str], wordings: Wordings) -> tuple[str, ...]:
    """Return the frames that belong to a set of wordings, by the hash of their words.

    A wording that two relations share is held out from both.
    """
    return tuple(f for f in frames if wordings == "all" or held(_MARKS.sub("", f)) == (wordings == "held"))


class Phrasebook:
    """Every wording of a set: relations with their frames, and sentences around them.

    Args:
        wordings: which set.
        relations: relations of the lexicon whose statements, changes and endings are mixed in.
    """

    def __init__(self, wordings: Wordings, relations: Sequence[Relation] = ()) -> None:
        self.wordings = wordings
        self.families = families(wordings)
        self.lexicon = [family for family in (_plain(r, wordings) for r in relations) if family is not None]
        self.questions = {r.relation: r.questions for r in relations}
        self.subject_types = [type for family in self.families for type in family.subjects]
        self._words: dict[tuple[str, ...], list[str]] = {}

    def words(self, *keys: str) -> list[str]:
        """Return a list of ``everyday_style.json``, as far as it belongs to the set; the whole list if nothing does."""
        if keys not in self._words:
            found: Any = load("everyday_style")
            for key in keys:
                found = found[key]
            self._words[keys] = list(chosen(found, self.wordings) or found)
        return self._words[keys]

    def family(self, rng: Random, status: Status, type: str) -> Family | None:
        """Return a random relation with frames of a status for subjects of a type; None if there is none."""
        found = [f for f in self.families if f.frames.get(status) and type in f.subjects]
        if self.lexicon and rng.random() < 0.12:
            others = [f for f in self.lexicon if f.frames.get(status) and type in f.subjects]
            found = others or found
        return rng.choice(found) if found else None

    def of(self, type: str) -> list[Family]:
        """Return the relations of a type of subject that have labels for lists of fields."""
        return [family for family in self.families if type in family.subjects and family.nouns]


def _plain(relation: Relation, wordings: Wordings) -> Family | None:
    """A relation of the lexicon as a family whose frames take names alone; None where its subject has no place here."""
    subject, object = (_TYPES.get(type, type) for type in (relation.subject, relation.object))
    templates: dict[str, tuple[str, ...]] = {
        "asserted": relation.statements, "replaced": relation.updates, "ended": relation.ends,
    }  # fmt: skip
    kept = {
        status: chosen([t[:-1] for t in found if t.endswith(".") and t.startswith("{")], wordings)
        for status, found in templates.items()
    }
    if subject not in _PLAIN_SUBJECTS or not any(kept.values()):
        return None
    return Family(relation.relation, (subject,), (object,), False, False, (relation.noun,), kept, plain=True)


def is_clause(frame: str) -> bool:
    """Whether a frame can follow "she says that": no question, no request, no entry of a list."""
    return frame.startswith(_CLAUSES) and frame[-1:] != "?" and not frame.startswith(("{s} -", "{s}:", "{s},", "{s} ("))


def pieces(frame: str) -> list[str]:
    """Return a frame as its words, slots (``{s}``), verbs (``^has``) and brackets, in order.

    Brackets stand around the words that name the relation; a marked verb agrees with the subject.
    """
    return [piece for piece in _PIECE.split(frame.replace("^[", "[^")) if piece]


def inflected(verb: str, person: str) -> str:
    """Return a verb of the third person singular as it stands after a subject.

    Args:
        verb: ``works``, ``has``, ``was``; forms of the past stay as they are.
        person: ``one`` (he, a name), ``many`` (we, you, they, two names) or ``I``.
    """
    if person == "one":
        return verb
    if person == "I" and verb in _FIRST:
        return _FIRST[verb]
    if verb in _PLURALS:
        return _PLURALS[verb]
    if verb.endswith("ies"):
        return verb[:-3] + "y"
    if verb.endswith(("ches", "shes", "sses", "xes", "oes")):
        return verb[:-2]
    return verb[:-1] if verb.endswith("s") and not verb.endswith("ss") else verb


def predicate(frame: str) -> str | None:
    """Return what follows the subject of a frame that begins with it and names it nowhere else; None for others."""
    rest = frame.removeprefix("{s} ")
    return (
        rest
        if rest != frame and _VERB_FIRST.match(rest.replace("^[", "[^")) and "{s" not in rest and "{h" not in rest
        else None
    )
