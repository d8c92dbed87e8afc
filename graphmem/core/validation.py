"""Checks of the fields of configuration dataclasses, and of the types of a public class's arguments."""

from __future__ import annotations

import ast
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from datetime import date
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from graphmem.core.errors import InvalidName, InvalidValue
from graphmem.core.types import Fact

C = TypeVar("C", bound=type)


def require(condition: bool, name: str, value: Any, expected: str) -> None:
    """Raise InvalidValue, with the offending value in the message, unless the condition holds."""
    if not condition:
        raise InvalidValue(f"{name} must be {expected}, not {value!r:.200}")


def require_counts(config: Any) -> None:
    """Raise InvalidValue unless every field of a dataclass is a whole number of at least 1."""
    for name in (field.name for field in fields(config)):
        value = getattr(config, name)
        require(isinstance(value, int) and value >= 1, name, value, "a whole number of at least 1")


def id_of(fact: Fact | int) -> int:
    """Id of a fact that is given itself or by its id; InvalidValue for a fact that is not stored."""
    if not isinstance(fact, Fact):
        return fact
    require(fact.id is not None, "fact", str(fact), "a stored fact, as facts() gives them")
    return fact.id  # type: ignore[return-value]


def _whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool) and abs(int(value)) < 1 << 63


def _is_list(value: Any) -> bool:
    return isinstance(value, (Sequence, np.ndarray)) and not isinstance(value, (str, bytes))


_KINDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "None": ("None", lambda value: value is None),
    "str": ("text", lambda value: isinstance(value, str)),
    "bool": ("True or False", lambda value: isinstance(value, bool)),
    "int": ("a whole number", _whole),
    "float": ("a number", lambda value: isinstance(value, (int, float, np.number)) and not isinstance(value, bool)),
    "Time": ("a time", lambda value: isinstance(value, (str, int, float, date)) and not isinstance(value, bool)),
    "os.PathLike[str]": ("a path", lambda value: isinstance(value, os.PathLike)),
    "TextEncoder": ("a text encoder", lambda value: hasattr(value, "encode") and hasattr(value, "fingerprint")),
    "Tagger": ("a function", callable),
    "np.ndarray": ("an array", _is_list),
    "Sequence": ("a list", _is_list),
    "Sequence[str]": ("a list of texts", lambda value: _is_list(value) and set(map(type, value)) <= {str, np.str_}),
    "Callable": ("a function", callable),
    "RankerName": ("text", lambda value: isinstance(value, str)),
    "Mapping": ("a mapping", lambda value: isinstance(value, Mapping)),
}
"""By the words of an annotation: what a value must be, in words and as a test."""
_NAMES = frozenset("name subject relation object keep absorb aliases kind".split())


def typed(cls: C) -> C:
    """Class whose public methods check the types of their arguments by the annotations, before they do anything.

    Every wrong type raises InvalidValue (InvalidName for a name), a whole number beyond 64 bits too. Annotations of
    other classes are compared by the name of the value's class.
    """
    for name, method in list(vars(cls).items()):
        inner = method.__func__ if isinstance(method, classmethod) else method
        if inspect.isfunction(inner) and (not name.startswith("_") or name == "__init__"):
            checked = _checked(inner)
            setattr(cls, name, classmethod(checked) if isinstance(method, classmethod) else checked)
    return cls


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    tests = {p.name: (p, *_kinds(str(p.annotation))) for p in parameters if p.annotation is not p.empty}
    positional = [p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    rest = next((p for p in parameters if p.kind is p.VAR_POSITIONAL), None)

    @wraps(function)
    def method(self: Any, *args: Any, **options: Any) -> Any:
        given = [(p.name, value) for p, value in zip(positional, args, strict=False)]
        given += [(rest.name, value) for value in args[len(positional) :]] if rest else []
        for name, value in (*given, *options.items()):
            if name in tests and tests[name][2] and not any(test(value) for test in tests[name][2]):
                error = InvalidName if name in _NAMES else InvalidValue
                raise error(f"{name} must be {tests[name][1]}, not {type(value).__name__}: {value!r:.80}")
        return function(self, *args, **options)

    return method


def _is_a(name: str) -> Callable[[Any], bool]:
    return lambda value: any(kind.__name__ == name for kind in type(value).__mro__)


def _union(node: ast.expr) -> list[str]:
    """The parts of an annotation that ``|`` joins."""
    if isinstance(node, ast.BinOp):
        return [*_union(node.left), *_union(node.right)]
    return [ast.unparse(node)]


def _kinds(annotation: str) -> tuple[str, list[Callable[[Any], bool]]]:
    """The words and tests of an annotation; no tests where one of its parts is unknown."""
    words, tests = [], list[Callable[[Any], bool]]()
    for part in _union(ast.parse(annotation, mode="eval").body):
        known = _KINDS.get(part) or _KINDS.get(part.split("[")[0])
        if known is None and (part == "Any" or not part.isidentifier()):
            return "", []
        word, test = known or (f"a {part}", _is_a(part))
        words.append(word)
        tests.append(test)
    return " or ".join(words), tests
