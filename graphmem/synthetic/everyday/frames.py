"""Frames of everyday sentences: what can be said of a relation, by status, with slots for names, values and times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from graphmem.core.splits import held
from graphmem.synthetic.templates import load

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
_PIECE = re.compile(r"(\{[^{}]+\}|\^[\w']+|\[|\])")
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
    """Every relation with the frames of a set of wordings; frames are held out by the hash of relation and words."""
    rows: dict[str, Any] = {**load("everyday_people"), **load("everyday_things")}
    return tuple(
        Family(
            name, tuple(row["s"]), tuple(row["o"]), bool(row.get("many")), bool(row.get("shared")),
            tuple(row["nouns"]), {
                status: chosen(row[status], wordings, name)
                for status in (*STATUSES, "note") if status in row
            },
        )
        for name, row in rows.items()
    )  # fmt: skip


def chosen(frames: Sequence[str], wordings: Wordings, key: str) -> tuple[str, ...]:
    """Return the frames that belong to a set of wordings; ``key`` names their list."""
    return tuple(frame for frame in frames if wordings == "all" or held(f"{key} {frame}") == (wordings == "held"))


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
    return rest if rest != frame and rest.startswith(("^", "[^")) and "{s" not in rest and "{h" not in rest else None
