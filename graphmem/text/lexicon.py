"""Relations with the words people use for them: questions, statements, changes and endings."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.paths import DATA
from graphmem.core.splits import Split, data_split

_SLOT = re.compile(r"\{(\w*)\}")
_SLOTS = {  # field -> the slots that each of its templates holds, exactly once each
    "questions": {"s"},
    "inverse_questions": {"o"},
    "statements": {"s", "o"},
    "updates": {"s", "old", "o"},
    "ends": {"s", "o"},
}
_LEAST = {"paraphrases": 1, "questions": 4, "inverse_questions": 2, "statements": 5, "updates": 0, "ends": 0}
_CLAUSE = re.compile(r"\b(who|whom|whose|that|which|where)\b")
_THINGS = frozenset("building painting king ring spring string thing wing clothing meeting recording beginning".split())
_APPOSED = re.compile(
    r"\b(with|in|on|from|featuring|containing|by|at|under) the (?!cuisine)\w+( \w+)?$|\b(number|version)$"
)
_OPEN_END = frozenset(
    "of in by to from at with on for as under about after into over near through against between beside along behind "
    "within via inside during around before towards named called a an coloured".split()
)


@dataclass(frozen=True, slots=True)
class Relation:
    """One kind of fact: the types it joins and the templates that say, ask, change and end it.

    Templates hold the slots ``{s}`` (subject), ``{o}`` (object) and, in ``updates``, ``{old}`` (the former object).
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
        """Return the noun phrase for what the relation leads to: "the mother of X", or "the person born in X"."""
        noun = self.inverse_noun if direction else self.noun
        article = "" if noun.split()[0].lower() in ("the", "a", "an") else "the "
        if noun.endswith((" a", " an")):
            noun = noun.rsplit(" ", 1)[0] + (" an" if argument[:1].lower() in tuple("aeiou") else " a")
        return f"{article}{noun}{'' if _takes_argument(noun, direction) else ' of'} {argument}"


def _takes_argument(noun: str, direction: int) -> bool:
    """Whether a noun phrase runs straight on into its argument, without "of"."""
    *before, last = noun.split()
    participle = bool(before and direction) and last.endswith("ing") and last not in _THINGS
    apposed = bool(direction) and bool(_APPOSED.search(noun))
    return participle or apposed or last in _OPEN_END or bool(_CLAUSE.search(noun))


def load_lexicon(path: str | Path | None = None) -> list[Relation]:
    """Return the relations of one JSON-lines file, or of all ``lexicon*.jsonl`` that ship, first of each name kept.

    Raises:
        InvalidValue: a line is no JSON, lacks a field, or a template lacks or has foreign slots; says file and line.
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
    """Read and check one line of a lexicon; ``where`` names it in errors.

    Raises:
        InvalidValue: see ``load_lexicon``.
    """
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
    if name == "functional":
        valid = isinstance(value, bool)
    elif name in _LEAST:
        valid = isinstance(value, list) and all(isinstance(item, str) and item.strip() for item in value)
    else:
        valid = isinstance(value, str) and bool(value.strip())
    if not valid:
        raise InvalidValue(f"{where}: {name} cannot be {value!r}")
    if name in _LEAST and len(value) < _LEAST[name]:
        raise InvalidValue(f"{where}: {name} has {len(value)} entries, {_LEAST[name]} at least")
    for template in value if name in _SLOTS else ():
        slots = _SLOT.findall(template)
        if set(slots) != _SLOTS[name] or len(slots) != len(_SLOTS[name]):
            wanted = " ".join("{" + slot + "}" for slot in sorted(_SLOTS[name]))
            raise InvalidValue(f"{where}: {name} must hold {wanted} once each and nothing else: {template!r}")


def split_relations(split: Split, relations: Sequence[Relation] | None = None) -> list[Relation]:
    """Return those relations (all that ship when None) whose name falls into ``split``; "test" is never trained on."""
    return [r for r in (load_lexicon() if relations is None else relations) if data_split(r.relation) == split]
