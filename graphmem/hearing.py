"""Whether a query speaks of what the memory knows: how far to believe what was found for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from graphmem.mentions import COMMON

_WORD, _WORDS = re.compile(r"\w{3,}"), re.compile(r"\w+")
_JOINING = frozenset("of the a an and in at on for to de la le von van der du".split())
_JOINTS = rf"(?:(?:{'|'.join(sorted(_JOINING))})\s+)*"
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z\u00c0-\u00de]\w+(?: [A-Z\u00c0-\u00de]\w+)*")
_BEFORE, _AFTER = re.compile(rf"(\w)[\w.]*\s+{_JOINTS}$"), re.compile(rf"\s+{_JOINTS}(\w)")


def confidence(retrieval: Any) -> float:
    """Probability that the memory holds the answer: its own, halved where nothing that it knows was named.

    A search that starts from what is merely like the question finds an answer to another question, and is sure of it.
    """
    how = getattr(getattr(retrieval, "seeds", None), "how", None)
    return float(retrieval.answerable) * (0.5 if how in ("fused", "none") else 1.0)


def names_something(retrieval: Any) -> bool:
    """Whether the query names what the memory knows: wholly, nearly spelt, or by a word of a name it starts from.

    Questions of the world at large ("the capital of Japan") find something like themselves in any memory; those that
    name nothing at all ("where was she born") are about the memory, and it is surer of its answer to them. A known name
    inside a longer one ("Wolves" in "Wolves of the North") names something else, and so does a known word in small
    letters ("sport") beside a name that is not known ("Which sport does Ann Lee play?").
    """
    seeds = getattr(retrieval, "seeds", None)
    if seeds is None:
        return True
    query = retrieval.query
    unknown = unknown_names(query, seeds.mentions)
    if seeds.mentions:
        known = not unknown or any(not query[m.start : m.end].islower() for m in seeds.mentions)
        return known and all(stands_alone(query, mention, seeds.mentions) for mention in seeds.mentions)
    asked = set(_WORD.findall(query.casefold())) - COMMON
    names = [set(_WORD.findall(name.casefold())) for name in retrieval.store.names(seeds.nodes)]
    if unknown:
        return any(words <= name for words in unknown for name in names)
    return any(asked & name for name in names)


def unknown_names(query: str, mentions: Sequence[Any]) -> list[set[str]]:
    """Words of each name in a query that no mention covers: runs of capitalised words, but not its first word, and no
    abbreviation."""
    inside = [(mention.start, mention.end) for mention in mentions]
    runs = [m for m in _NAME.finditer(query) if not any(m.start() < end and m.end() > start for start, end in inside)]
    words = ({w.casefold() for w in _WORD.findall(m.group()) if not w.isupper()} - COMMON for m in runs)
    return [run for run in words if run]


def stands_alone(query: str, mention: Any, mentions: Sequence[Any]) -> bool:
    """Whether a mention is no part of a longer name: no capital stands beside it, with at most "of the" between.

    A capital of another mention does no harm, unless the two read as one name ("Wild Boy", "Anna of Austria"). The
    first word of a sentence has its capital for nothing, and so says nothing.
    """
    before, after = _BEFORE.search(query[: mention.start]), _AFTER.match(query[mention.end :])
    beside = [(before.start(1), before.group())] if before and before.start(1) > 0 else []
    beside += [(mention.end + after.start(1), after.group())] if after else []
    return all(
        not query[at].isupper() or (_apart(joint) and any(m.start <= at < m.end for m in mentions))
        for at, joint in beside
    )


def _apart(joint: str) -> bool:
    """Whether what stands between two known names leaves them two: "and", "in", but not "of", "in the" or nothing."""
    words = set(_WORDS.findall(joint.casefold())) & _JOINING
    return bool(words) and ("and" in words or not words & {"of", "the", "de", "von", "van"})
