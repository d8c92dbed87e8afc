"""Whether a query speaks of what the memory knows: how far to believe what was found for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from graphmem.mentions import COMMON

_WORD = re.compile(r"\w{3,}")
_JOINTS = r"(?:(?:of|the|an?|and|in|at|on|for|to|de|la|le|von|van|der|du)\s+)*"
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
    inside a longer one ("Wolves" in "Wolves of the North") names something else.
    """
    seeds = getattr(retrieval, "seeds", None)
    if seeds is None:
        return True
    if seeds.mentions:
        return all(stands_alone(retrieval.query, mention, seeds.mentions) for mention in seeds.mentions)
    asked = set(_WORD.findall(retrieval.query.casefold())) - COMMON
    names = retrieval.store.names(seeds.nodes)
    return any(asked & set(_WORD.findall(name.casefold())) for name in names)


def stands_alone(query: str, mention: Any, mentions: Sequence[Any]) -> bool:
    """Whether a mention is no part of a longer name: no capital stands beside it, with at most "of the" between.

    The first word of a sentence has its capital for nothing, and so says nothing.
    """
    before, after = _BEFORE.search(query[: mention.start]), _AFTER.match(query[mention.end :])
    beside = [before.start(1)] if before and before.start(1) > 0 else []
    beside += [mention.end + after.start(1)] if after else []
    return all(
        not query[at].isupper() or any(other.start <= at < other.end for other in mentions) for at in beside
    )  # fmt: skip
