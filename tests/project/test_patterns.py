"""Every pattern of the library takes linear time on hostile texts, by the steps of a backtracking matcher."""

from __future__ import annotations

import ast
import importlib
import re
import runpy
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from re import _constants as op  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MODULES: dict[str, Path] = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "packages.py"))).modules()
METHODS = ("match", "fullmatch", "search", "finditer", "findall", "sub", "subn", "split")
SIZE, MAX_RATIO, MAX_STEPS = 40, 2.7, 40_000
"""Repetitions of a hostile unit; most growth of the steps for twice as many; steps of a pattern that never ends."""
OFFLINE = (
    "graphmem.datasets",
    "graphmem.synthetic",
    "graphmem.training",
    "graphmem.experiments",
    "graphmem.evaluation",
)
"""Packages whose patterns see the project's own files alone."""


class TooMany(Exception):
    """More steps than a linear pattern can need."""


class Matcher:
    """Backtracking matcher of a parsed pattern that counts its steps, as the one of ``re`` would take them."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.tree, self.flags = parser.parse(pattern.pattern, pattern.flags), pattern.flags
        self.steps, self.text = 0, ""

    def count(self, method: str, text: str) -> int:
        """Steps of one call of a method."""
        self.steps, self.text, at = 0, text, 0
        anchored = method in ("match", "fullmatch")
        while at <= len(text):
            ends: list[int] = []
            done = lambda end, ends=ends: (method != "fullmatch" or end == len(text)) and not ends.append(end)
            found = self._sequence(list(self.tree), 0, at, done)
            if anchored or (found and method == "search"):
                break
            at = max(ends[-1], at + 1) if found else at + 1
        return self.steps

    def _step(self) -> None:
        self.steps += 1
        if self.steps > MAX_STEPS:
            raise TooMany

    def _sequence(self, items: list[Any], first: int, at: int, then: Callable[[int], bool]) -> bool:
        while first < len(items) and (test := self._single(*items[first])):  # without recursion
            self._step()
            if not (at < len(self.text) and test(self.text[at])):
                return False
            first, at = first + 1, at + 1
        if first == len(items):
            return then(at)
        return self._item(*items[first], at, lambda end: self._sequence(items, first + 1, end, then))

    def _item(self, kind: Any, value: Any, at: int, then: Callable[[int], bool]) -> bool:
        self._step()
        if kind is op.SUBPATTERN:
            return self._sequence(list(value[3]), 0, at, then)
        if kind is op.ATOMIC_GROUP:
            ends: list[int] = []
            return self._sequence(list(value), 0, at, lambda end: not ends.append(end)) and then(ends[0])
        if kind is op.BRANCH:
            return any(self._sequence(list(branch), 0, at, then) for branch in value[1])
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            low, high, inner = value
            return self._repeat(kind, low, high, list(inner), at, then)
        if kind is op.AT:
            return self._stands(value, at) and then(at)
        if kind in (op.ASSERT, op.ASSERT_NOT):
            return self._looks(value, at) == (kind is op.ASSERT) and then(at)
        raise NotImplementedError(f"{kind} is not simulated")

    def _looks(self, value: Any, at: int) -> bool:
        direction, inner = value
        start = at if direction > 0 else at - inner.getwidth()[0]
        return start >= 0 and self._sequence(list(inner), 0, start, lambda end: direction > 0 or end == at)

    def _repeat(self, kind: Any, low: int, high: int, inner: list[Any], at: int, then: Callable[[int], bool]) -> bool:
        test = self._single(*inner[0]) if len(inner) == 1 else None
        if test:
            ends, end = [at], at
            while end < len(self.text) and len(ends) <= high and test(self.text[end]):
                self._step()
                end += 1
                ends.append(end)
            ends = ends[low:]
            if kind is op.POSSESSIVE_REPEAT:
                ends = ends[-1:]
            for end in ends if kind is op.MIN_REPEAT else reversed(ends):
                self._step()
                if then(end):
                    return True
            return False

        def again(count: int, here: int) -> bool:
            more = lambda: (
                count < high
                and self._sequence(inner, 0, here, lambda end: (end > here or count < low) and again(count + 1, end))
            )
            self._step()
            if count < low:
                return more()
            return (then(here) or more()) if kind is op.MIN_REPEAT else (more() or then(here))

        return again(0, at)

    def _stands(self, where: Any, at: int) -> bool:
        text = self.text
        before, after = at > 0 and _is_word(text[at - 1]), at < len(text) and _is_word(text[at])
        if where in (op.AT_BOUNDARY, op.AT_NON_BOUNDARY):
            return (before != after) == (where is op.AT_BOUNDARY)
        if where in (op.AT_BEGINNING, op.AT_BEGINNING_STRING):
            return at == 0
        return at == len(text) or (where is op.AT_END and text[at:] == "\n")

    @classmethod
    def test(cls, kind: Any, value: Any, letter: str) -> bool:
        """Whether an item that is one character matches a letter."""
        test = cls(re.compile(""))._single(kind, value)
        return test is not None and test(letter)

    def _single(self, kind: Any, value: Any) -> Callable[[str], bool] | None:
        """The test of an item that is one character, else None."""
        fold = str.casefold if self.flags & re.IGNORECASE else str
        if kind is op.LITERAL:
            return lambda c: fold(c) == fold(chr(value))
        if kind is op.NOT_LITERAL:
            return lambda c: fold(c) != fold(chr(value))
        if kind is op.ANY:
            return lambda c: c != "\n"
        if kind is op.IN:
            tests = [_member(*item, fold) for item in value if item[0] is not op.NEGATE]
            negated = value[0][0] is op.NEGATE
            return lambda c: any(test(c) for test in tests) != negated
        return None


def _is_word(c: str) -> bool:
    return c.isalnum() or c == "_"


def _member(kind: Any, value: Any, fold: Callable[[str], str]) -> Callable[[str], bool]:
    if kind is op.LITERAL:
        return lambda c: fold(c) == fold(chr(value))
    if kind is op.RANGE:
        return lambda c: any(
            value[0] <= ord(x) <= value[1] for x in ({c, c.lower(), c.upper()} if fold is not str else c) if len(x) == 1
        )
    name = str(value)
    test = str.isspace if "SPACE" in name else str.isdigit if "DIGIT" in name else _is_word
    return (lambda c: not test(c)) if "NOT" in name else test


def example(items: Any, found: list[tuple[str, str]], prefix: str = "") -> str:
    """A short text that items of a pattern match; ``found`` gets what is before each repeat, and what it repeats."""
    text = ""
    for kind, value in items:
        if kind is op.LITERAL:
            text += chr(value)
        elif kind is op.IN or kind is op.ANY or kind is op.NOT_LITERAL:
            text += next((c for c in "a A1\n.,(-" if Matcher.test(kind, value, c)), "") or _literals(value)
        elif kind is op.BRANCH:
            text += [example(branch, found, prefix + text) for branch in value[1]][0]
        elif kind is op.SUBPATTERN:
            text += example(value[3], found, prefix + text)
        elif kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
            inner = example(value[2], found, prefix + text)
            found.append((prefix + text, inner))
            text += inner * max(value[0], 1)
        elif kind is op.ASSERT:
            text += example(value[1], found, prefix + text) if value[0] > 0 else ""
            prefix = example(value[1], [], "") + prefix if value[0] < 0 and not prefix else prefix
    return text


def _literals(value: Any) -> str:
    return next((chr(item[1]) for item in value if item[0] is op.LITERAL), "")


def repeats(tree: Any) -> bool:
    """Whether a pattern repeats anything without a bound."""
    for kind, value in tree:
        inner = (
            value[1] if kind is op.BRANCH else [part for part in _parts(value) if isinstance(part, parser.SubPattern)]
        )
        if kind in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT) and value[1] > 100:
            return True
        if any(map(repeats, inner)):
            return True
    return False


def _parts(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value,)


def hostile(tree: Any, size: int) -> Iterator[str]:
    """Texts that repeat a part of a pattern, or what stands beside it, after all that the pattern wants before it."""
    found: list[tuple[str, str]] = []
    whole = example(tree, found)
    parts = list(dict.fromkeys([" ", "a", "A", "1", ".", "A ", "a. ", *(inner for _, inner in found), whole]))[:12]
    for prefix, inner in dict.fromkeys(found):
        for part in dict.fromkeys([inner, " ", "a", *parts[-3:]]):
            yield prefix + part * size + "\0"
            yield prefix + inner + part * size + "x"
    for one, other in product(parts, parts):
        yield one + other * size + "x" if one >= other else (one + other) * size


def uses(tree: ast.Module, name: str) -> set[str]:
    """Methods of a pattern that a module calls; the searching ones where it passes the pattern on."""
    called = {
        node.attr for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name
    }  # fmt: skip
    return called & set(METHODS) or {"search", "finditer", "fullmatch"}


def patterns() -> Iterator[tuple[str, re.Pattern[str], set[str]]]:
    """Name, pattern and methods of every pattern that a module keeps or writes out in a call."""
    for name, path in MODULES.items():
        if name.startswith(OFFLINE):
            continue
        text = path.read_text(encoding="utf-8")
        if "import re\n" not in text:
            continue
        tree, module = ast.parse(text), importlib.import_module(name)
        for variable, value in vars(module).items():
            held = value if isinstance(value, (tuple, list)) else [value]
            for place, one in enumerate(held):
                if isinstance(one, re.Pattern):
                    yield f"{name}.{variable}[{place}]", one, uses(tree, variable)
        for node in ast.walk(tree):
            call = node.func if isinstance(node, ast.Call) else None
            if isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name) and call.value.id == "re":
                first = node.args[0] if node.args else None  # type: ignore[attr-defined]
                if call.attr in METHODS and isinstance(first, ast.Constant):
                    yield f"{name}:{node.lineno}", re.compile(first.value), {call.attr}  # type: ignore[attr-defined]


def worst(pattern: re.Pattern[str], methods: set[str]) -> str | None:
    """A text on which the steps of a pattern grow faster than the text; None where there is none."""
    matcher = Matcher(pattern)
    sys.setrecursionlimit(max(50_000, sys.getrecursionlimit()))  # a repeated group is one call in another
    if not repeats(matcher.tree):
        return None
    for method in {"search" if method not in ("match", "fullmatch", "search") else method for method in methods} | (
        {"finditer"} if methods - {"match", "fullmatch", "search"} else set()
    ):
        for once, twice in zip(hostile(matcher.tree, SIZE), hostile(matcher.tree, 2 * SIZE), strict=True):
            try:
                many = matcher.count(method, twice)
                few = matcher.count(method, once) if many > 9 * len(twice) else many
            except TooMany:
                return f"{method}: {once[:24]!r}, no end"
            if many > MAX_RATIO * few:
                return f"{method}: {once[:24]!r}..., {few} to {many} steps"
    return None


ALL = list(patterns())


@pytest.mark.parametrize(("name", "pattern", "methods"), ALL, ids=[name for name, *_ in ALL])
def test_a_pattern_takes_linear_time(name: str, pattern: re.Pattern[str], methods: set[str]) -> None:
    assert worst(pattern, methods) is None, f"{name} {pattern.pattern!r}"
