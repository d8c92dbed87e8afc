"""Relation lexicon: types, templates of questions and statements, and derived names."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.paths import DATA
from graphmem.core.splits import Split, data_split

_SLOT = re.compile(r"\{(\w*)\}")
_SLOTS = {  # field -> slots of each of its templates, exactly once each
    "questions": ["s"], "inverse_questions": ["o"], "statements": ["o", "s"], "updates": ["o", "old", "s"],
    "ends": ["o", "s"],
}  # fmt: skip
_MIN_ENTRIES = {"paraphrases": 1, "questions": 4, "inverse_questions": 2, "statements": 5, "updates": 0, "ends": 0}
_CLAUSE = re.compile(r"\b(who|whom|whose|that|which|where)\b")
_THINGS = frozenset("building painting king ring spring string thing wing clothing meeting recording beginning".split())
_APPOSED = re.compile(
    r"\b(with|in|on|from|featuring|containing|by|at|under) the (?!cuisine)\w+( \w+)?$|\b(number|version)$"
)
OPEN_ENDINGS = frozenset(
    "of in by to from at with on for as under about after into over near through against between beside along behind "
    "within via inside during around before towards named called a an coloured".split()
)


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation: its types, and templates of questions, statements, updates and endings.

    Templates hold the slots ``{s}`` (subject), ``{o}`` (object) and, in ``updates``, ``{old}`` (the previous object).
    ``functional`` means one object per subject at a time.
    """

    relation: str
    inverse: str
    subject: str
    object: str
    functional: bool
    noun: str
    inverse_noun: str
    paraphrases: tuple[str, ...]
    questions: tuple[str, ...]
    inverse_questions: tuple[str, ...]
    statements: tuple[str, ...]
    updates: tuple[str, ...]
    ends: tuple[str, ...]

    @property
    def symmetric(self) -> bool:
        """Whether the relation is its own inverse, as with spouses."""
        return normalise(self.relation) == normalise(self.inverse)

    def phrase(self, argument: str, direction: int) -> str:
        """Noun phrase of the relation's other end: "the mother of X", or "the person born in X" for direction 1."""
        noun = self.inverse_noun if direction else self.noun
        article = "" if noun.split()[0].lower() in ("the", "a", "an") else "the "
        if noun.endswith((" a", " an")):
            noun = noun.rsplit(" ", 1)[0] + (" an" if argument[:1].lower() in tuple("aeiou") else " a")
        return f"{article}{noun}{'' if _takes_argument(noun, direction) else ' of'} {argument}"


def _takes_argument(noun: str, direction: int) -> bool:
    """Whether the argument follows a noun phrase directly, without "of"."""
    *before, last = noun.split()
    participle = bool(before and direction) and last.endswith("ing") and last not in _THINGS
    apposed = bool(direction) and bool(_APPOSED.search(noun))
    return participle or apposed or last in OPEN_ENDINGS or bool(_CLAUSE.search(noun))


def load_lexicon(path: str | Path | None = None) -> list[Relation]:
    """Relations of one JSON-lines file, or of all shipped ``lexicon*.jsonl``; the first of each name.

    Raises:
        InvalidValue: a line is not JSON, lacks a field, or a template has the wrong slots; names file and line.
    """
    paths = [Path(path)] if path is not None else sorted(DATA.glob("lexicon*.jsonl"))
    found: dict[str, Relation] = {}
    for file in paths:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            if line.strip():
                relation = parse_relation(line, f"{file.name}:{number}")
                found.setdefault(normalise(relation.relation), relation)
    return list(found.values())


def parse_relation(line: str, where: str = "relation") -> Relation:
    """Relation of one line of a lexicon, checked as in ``load_lexicon``; ``where`` names it in errors."""
    try:
        row = json.loads(line)
    except json.JSONDecodeError as error:
        raise InvalidValue(f"{where}: not a JSON object ({error}); write one relation a line") from None
    names = [field.name for field in fields(Relation)]
    if not isinstance(row, dict) or set(row) != set(names):
        wrong = sorted(set(row) ^ set(names)) if isinstance(row, dict) else type(row).__name__
        raise InvalidValue(f"{where}: fields missing or unknown: {wrong}; a relation has exactly {names}")
    for name, value in row.items():
        _check_field(name, value, where)
    values: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in row.items()}
    return Relation(**values)


def _check_field(name: str, value: Any, where: str) -> None:
    expected = bool if name == "functional" else list if name in _MIN_ENTRIES else str
    texts: Any = () if name == "functional" else value if name in _MIN_ENTRIES else (value,)
    if not isinstance(value, expected) or not all(isinstance(text, str) and text.strip() for text in texts):
        raise InvalidValue(f"{where}: {name} cannot be {value!r}")
    if len(texts) < _MIN_ENTRIES.get(name, 0):
        raise InvalidValue(f"{where}: {name} has {len(texts)} entries; at least {_MIN_ENTRIES[name]} are needed")
    for template in texts if name in _SLOTS else ():
        if sorted(_SLOT.findall(template)) != _SLOTS[name]:
            wanted = " ".join("{" + slot + "}" for slot in _SLOTS[name])
            raise InvalidValue(f"{where}: {name} must hold {wanted} once each and nothing else: {template!r}")


def split_relations(split: Split, relations: Sequence[Relation] | None = None) -> list[Relation]:
    """Relations (the shipped lexicon when None) whose name falls into a split; "test" is never trained on."""
    return [r for r in (load_lexicon() if relations is None else relations) if data_split(r.relation) == split]


@cache
def _derived_names() -> tuple[dict[str, str], frozenset[str], re.Pattern[str], re.Pattern[str]]:
    data = json.loads((DATA / "derived_names.json").read_text(encoding="utf-8"))
    inside, after = "|".join(data["heads"]), "|".join([*data["heads"], *data["plural heads"]])
    patterns = re.compile(rf"\s+(?:{after})\b"), re.compile(rf"\s(?:{inside})$")
    return data["nouns"], frozenset(data["without suffix"]), *patterns


def religion_noun(text: str, start: int, end: int) -> str | None:
    """Noun of the religion whose adjective is ``text[start:end]``, where a word such as "faith" is in or after it.

    "Methodism" for "Methodist" before "faith", or for "Methodist faith"; else None: "the Methodist Church" is a name.
    """
    nouns, without_suffix, head_after, head_inside = _derived_names()
    words = text[start:end]
    head = head_inside.search(words)
    adjective = words[: head.start()] if head else words
    if not head and not head_after.match(text, end):
        return None
    has_suffix = bool(re.match(r"[A-Z]\w{2,}ist$", adjective)) and adjective not in without_suffix
    return nouns.get(adjective) or (f"{adjective[:-3]}ism" if has_suffix else None)
