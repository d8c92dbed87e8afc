"""Questions made from templates, each with the operation that it wants and the end of the scale that it asks for.

The templates, the comparatives with their directions, the classes of things and what is said of them stand in
``graphmem/data/templates/operations.json``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from graphmem.core.splits import held
from graphmem.synthetic.names import NameGenerator
from graphmem.synthetic.templates import load

HELD_PARTS: Final = 3
"""One of so many frames and adjectives is held out."""
_SLOT = re.compile(r"\{(\w+)\}")
_ADJECTIVE, _ATTRIBUTE = frozenset({"comp", "sup"}), frozenset({"attr_comp", "attr_sup"})
_AMOUNT, _QUANTIFIER = frozenset({"more", "most"}), frozenset({"quant_more", "quant_most"})
_ORDER, _SPAN = frozenset({"earlier", "first_of_all"}), frozenset({"longer", "longest"})
_STARTS = frozenset({"start", "started"})
_POOLS: Final = ("person", "city", "country", "company", "school", "film")


@dataclass(frozen=True, slots=True)
class OperationQuestion:
    """A question and what it asks for.

    Attributes:
        operation: one of ``graphmem.questions.operation.OPERATIONS``.
        larger, later: 1 where the larger number, the later date is wanted, 0 for the other end, None where that is not
            known or makes no sense.
        source: the set that the question is of.
        certain: whether the label is known to be right; some sets show only answers.
        unseen: whether its frame or its adjective is one of those that are held out.
    """

    question: str
    operation: str
    larger: float | None = None
    later: float | None = None
    source: str = "templates"
    certain: bool = True
    unseen: str = ""


class OperationQuestions:
    """Generator of questions from templates; names are invented."""

    def __init__(self, rng: Random, size: int = 300) -> None:
        made = NameGenerator(rng)
        self.rng, self.lists = rng, load("operations")
        self.names = {kind: made.names(kind, size) for kind in _POOLS}
        self.words: list[str] = load("names")["words"]["N"]

    def make(self, operation: str) -> OperationQuestion:
        """One question that wants an operation."""
        frame = self.rng.choice(self.lists["frames"][operation])
        slots = set(_SLOT.findall(frame))
        drawn = _Draw(self, slots, persons="who " in f"{frame.lower()} " and self.rng.random() < 0.8)
        unseen = "frame" if held(frame, HELD_PARTS) else ""
        if drawn.adjective is not None and slots & (_ADJECTIVE | _ATTRIBUTE) and _is_held(drawn.adjective):
            unseen = "adjective" if not unseen else "both"
        question = drawn.fill(frame)
        return OperationQuestion(question[:1].upper() + question[1:], operation, *drawn.ends, unseen=unseen)


def _is_held(adjective: Sequence[Any]) -> bool:
    return held(f"{adjective[0]} {adjective[1]}", HELD_PARTS)


class _Draw:
    """What fills the slots of one frame."""

    def __init__(self, maker: OperationQuestions, slots: set[str], persons: bool) -> None:
        self.rng, self.lists, self.maker = maker.rng, maker.lists, maker
        self.adjective: Sequence[Any] | None = None
        self.ends: tuple[float | None, float | None] = (None, None)
        kinds = (self._scale(slots) or "patoe").replace("*", "")
        self.kind = "p" if persons and "p" in kinds else self.rng.choice(kinds)
        (self.one, self.many), (self.one2, _) = self.rng.sample(self.lists["classes"][self.kind], 2)
        relations = self.lists["relations"][self.kind]
        (self.r, self.rs), (self.r2, _) = self.rng.sample(relations, 2)
        predicates = self.rng.sample(self.lists["predicates"][self.kind], 2)
        self.p, self.q = ([self._named(word) for word in predicate] for predicate in predicates)
        self.subject = self._named(self.rng.choice(self.lists["names"][self.kind]))

    def _scale(self, slots: set[str]) -> str:
        """Draw what is compared, keep the ends of its scale; return the kinds of things that have it."""
        choose, lists = self.rng.choice, self.lists
        self.values: dict[str, str] = {}
        kinds = ""
        if slots & (_ADJECTIVE | {"base"}):
            self.adjective = choose(lists["adjectives"])
            base, comp, sup, larger, later, kinds = self.adjective
            self.values = {"base": base, "comp": comp, "sup": sup}
            self.ends = (larger, later) if slots & _ADJECTIVE else (None, None)
        elif slots & _ATTRIBUTE:
            self.adjective = choose([row for row in lists["adjectives"] if "*" in row[5]])
            _, comp, sup, larger, *_ = self.adjective
            self.values, self.ends = {"attr_comp": comp, "attr_sup": sup}, (larger, None)
        elif slots & _AMOUNT:
            more, most, larger = choose(lists["degrees"])
            self.values, self.ends = {"more": more, "most": most}, (larger, None)
        elif slots & _QUANTIFIER:
            more, most, larger = choose(lists["quantifiers"])
            self.values, self.ends = {"quant_more": more, "quant_most": most}, (larger, None)
        elif slots & _ORDER:
            earlier, first, later = choose(lists["orders"])
            self.values, self.ends = {"earlier": earlier, "first_of_all": first}, (later, later)
        elif slots & _SPAN:
            longer, longest, larger, later = choose(lists["spans"])
            self.values, self.ends = {"longer": longer, "longest": longest}, (larger, later)
        elif slots & _STARTS:
            start, started, later = choose(lists["starts"])
            self.values, self.ends = {"start": start, "started": started}, (None, later)
        elif "ordinal" in slots:
            ordinal, later = choose(lists["ordinals"])
            self.values, self.ends = {"ordinal": ordinal}, (None, later)
        return kinds or self._verbs(slots)

    def _verbs(self, slots: set[str]) -> str:
        """Draw the verb whose amount or time is compared; return the kinds of things that do it."""
        choose, lists = self.rng.choice, self.lists
        if slots & {"measures", "measure", "measured"}:
            one, base, past, kinds = choose(lists["measures"])
            self.values |= {"measures": one, "measure": base, "measured": past}
        elif slots & {"moment", "begin", "begin0"}:
            past, base, kinds = choose([row for row in lists["moments"] if row[1] or "moment" in slots])
            self.values |= {"moment": past, "begin": base or "", "begin0": base or ""}
        elif "lasts" in slots:
            lasts, kinds = choose(lists["durations"])
            self.values |= {"lasts": lasts}
        else:
            kinds = ""
        return str(kinds)

    def _named(self, pattern: str) -> str:
        """A pattern with invented names."""
        pools, choose = self.maker.names, self.rng.choice
        made: Mapping[str, Callable[[], str]] = {
            "person": lambda: choose(pools["person"]), "first": lambda: choose(pools["person"]).split()[0],
            "last": lambda: choose(pools["person"]).split()[-1], "city": lambda: choose(pools["city"]),
            "country": lambda: choose(pools["country"]), "company": lambda: choose(pools["company"]),
            "school": lambda: choose(pools["school"]), "title": lambda: choose(pools["film"]),
            "word": lambda: choose(self.maker.words), "thing": lambda: f"the {choose(self.maker.words)}",
            "number": lambda: str(self.rng.randint(1, 40)), "year": lambda: str(self.rng.randint(1930, 2025)),
            "one": lambda: self.one, "many": lambda: self.many,
        }  # fmt: skip
        return _SLOT.sub(lambda slot: made[slot[1]](), pattern)

    def _said(self, form: str, predicate: Sequence[str], subject: str = "") -> str:
        """A predicate in one of the forms of its auxiliary."""
        found = self.lists["auxiliaries"][predicate[0]][form]
        text = found if isinstance(found, str) else self.rng.choice(found)
        for place, word in zip("234", predicate[1:], strict=False):
            text = text.replace(f"{{{place}}}", word)
        pronoun = self.rng.choice(self.lists["pronouns"][self.kind])
        return str(text.replace("{x}", subject).replace("{p}", pronoun))

    def _slot(self, slot: str) -> str:
        """What fills one slot."""
        if slot in self.values:
            return self.values[slot]
        if slot in self.lists["fillers"]:
            return str(self.rng.choice(self.lists["fillers"][slot]))
        if slot in ("one", "many", "one2", "r", "rs", "r2"):
            return str(getattr(self, slot))
        forms = {"P": "one", "Ps": "many", "notP": "not_one", "notPs": "not_many", "base_P": "base", "tag": "tag"}
        if slot in forms:
            return self._said(forms[slot], self.p)
        if slot in ("Q", "Qs", "notQ", "notQs"):
            return self._said(forms[slot.replace("Q", "P")], self.q)
        if slot in ("askP", "ask_notP"):
            return self._said("ask" if slot == "askP" else "ask_not", self.p, self.subject)
        if slot == "ask_groupP":
            return self._said("ask_many", self.p, self._named(self.rng.choice(self.lists["groups"])))
        if slot == "group":
            return self._named(self.rng.choice(self.lists["groups"]))
        if slot in ("a", "b", "c"):
            return self.subject if slot == "a" else self._named(self.rng.choice(self.lists["names"][self.kind]))
        if slot == "who":
            return "who" if self.kind == "p" else self.rng.choice(("which", "which one", f"which {self.one}"))
        if slot in ("amount", "attr"):
            return str(self.rng.choice(self.lists[f"{slot}s" if slot == "amount" else "attributes"]))
        return self._named(f"{{{slot}}}")

    def fill(self, frame: str) -> str:
        """The frame with every slot filled."""
        return _SLOT.sub(lambda slot: self._slot(slot[1]), frame)
