"""Whether a query speaks of what the memory knows: how far to believe what was found for it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from graphmem.text.stop_words import STOP_WORDS

PARTLY, UNNAMED, NEVER = 0.8, 0.95, 2.0
"""Least probability of holding the answer where a query does not name what the memory knows, see ``least_sure``; chosen
on unrelated questions of WikiMovies' dev half and everyday ones beside it and beside invented worlds, such that none of
300 WikiMovies, 200 PopQA, 200 zsRE and 400 questions of invented worlds is lost."""

FIRST_FACTS = 3
"""Facts, best first, whose relations may be written with capitals in a query."""

_WORD, _WORDS = re.compile(r"\w{3,}"), re.compile(r"\w+")
_JOINING = frozenset("of the a an and in at on for to de la le von van der du".split())
_JOINTS = rf"(?:(?:{'|'.join(sorted(_JOINING))})\s+)*"
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z\u00c0-\u00de]\w+(?: [A-Z\u00c0-\u00de]\w+)*")
_ABBREVIATION = re.compile(rf"[A-Z]{{2,5}}\s+(?:{'|'.join(sorted(_JOINING))})\s")
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
    letters ("sport") beside a name that is not known ("Which sport does Ann Lee play?"). Nor is a title named by a word
    in small letters, where the writer uses capitals ("What is frozen water called?" beside the film "Frozen"). Words
    with a capital that a relation found for the query has are no names ("the President of Nokia").
    """
    seeds = getattr(retrieval, "seeds", None)
    if seeds is None:
        return True
    query = retrieval.query
    unknown = unknown_names(query, seeds.mentions)
    if seeds.mentions:
        if all(_merely_a_word(query, mention, retrieval.store) for mention in seeds.mentions):
            return False
        if unknown or not all(stands_alone(query, mention, seeds.mentions) for mention in seeds.mentions):
            query = _without_titles(query, retrieval)
            unknown = unknown_names(query, seeds.mentions)
        known = not unknown or any(not query[m.start : m.end].islower() for m in seeds.mentions)
        return known and all(stands_alone(query, mention, seeds.mentions) for mention in seeds.mentions)
    asked = set(_WORD.findall(query.casefold())) - STOP_WORDS
    names = [set(_WORD.findall(name.casefold())) for name in retrieval.store.names(seeds.nodes)]
    if unknown:
        return any(words <= name for words in unknown for name in names)
    return any(asked & name for name in names)


def least_sure(retrieval: Any, silent: float) -> float:
    """Probability of holding the answer from which on a memory is heard.

    ``silent`` where the query names what it knows, ``PARTLY`` where it only shares a word with a name, ``UNNAMED``
    where it names nothing at all, and never where it names somebody the memory does not know.
    """
    seeds = getattr(retrieval, "seeds", None)
    if names_something(retrieval):
        return silent if seeds is None or seeds.mentions else max(silent, PARTLY)
    unknown = not seeds.mentions and unknown_names(retrieval.query, ())  # type: ignore[union-attr]
    return NEVER if unknown else max(silent, UNNAMED)


def _without_titles(query: str, retrieval: Any) -> str:
    """The query with small letters where a word with a capital is one of a relation of the facts found first."""
    told = {word for fact in list(retrieval.facts)[:FIRST_FACTS] for word in _WORDS.findall(fact.relation.casefold())}
    return _WORDS.sub(lambda m: m.group().lower() if m.group().lower() in told else m.group(), query)


def _merely_a_word(query: str, mention: Any, store: Any) -> bool:
    """Whether a mention is in small letters although its name is not, in a query that begins with a capital."""
    words = query[mention.start : mention.end]
    if not query.lstrip()[:1].isupper() or not words.islower():
        return False
    return not any(name[:1].islower() for name in store.names(mention.nodes))


def unknown_names(query: str, mentions: Sequence[Any]) -> list[set[str]]:
    """Words of each name in a query that no mention covers: runs of capitalised words, but not its first word, and no
    abbreviation."""
    inside = [(mention.start, mention.end) for mention in mentions]
    runs = [m for m in _NAME.finditer(query) if not any(m.start() < end and m.end() > start for start, end in inside)]
    words = ({w.casefold() for w in _WORD.findall(m.group()) if not w.isupper()} - STOP_WORDS for m in runs)
    return [run for run in words if run]


def stands_alone(query: str, mention: Any, mentions: Sequence[Any]) -> bool:
    """Whether a mention is no part of a longer name: no capital stands beside it, with at most "of the" between.

    A capital of another mention does no harm, unless the two read as one name ("Wild Boy", "Anna of Austria"). The
    first word of a sentence has its capital for nothing, and so says nothing. Nor does an abbreviation before "of" or
    "in" make a name: "the CEO of Nokia".
    """
    before, after = _BEFORE.search(query[: mention.start]), _AFTER.match(query[mention.end :])
    if before and _ABBREVIATION.match(before.group()):
        before = None
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
