"""Answerability: whether a query names entities of the memory, and the answer probability that it needs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from graphmem.core.names import normalise_relation
from graphmem.text.word_classes import STOP_WORDS

PARTIAL_NAME, NO_NAME, UNREACHABLE = 0.8, 0.95, 2.0
"""Minimum answer probability where a query names no entity of the memory; see ``answerability_threshold``.

Chosen on WikiMovies' dev half and everyday questions, such that none of 300 WikiMovies, 200 PopQA, 200 zsRE and 400
questions of synthetic worlds is lost."""

MAX_RELATION_FACTS = 3
"""Facts, best first, whose relation words may be capitalised in a query without being names."""

_WORD, _WORDS = re.compile(r"\w{3,}"), re.compile(r"\w+")
_JOINING = frozenset("of the a an and in at on for to de la le von van der du".split())
_JOINTS = rf"(?:(?:{'|'.join(sorted(_JOINING))})\s+)*"
_NAME = re.compile(r"(?<=[\w,;:] )[A-Z\u00c0-\u00de]\w+(?: [A-Z\u00c0-\u00de]\w+)*")
_ABBREVIATION = re.compile(rf"[A-Z]{{2,5}}\s+(?:{'|'.join(sorted(_JOINING))})\s")
_AFTER = re.compile(rf"\s+{_JOINTS}(\w)")
_LOOK_BACK = 200
"""Characters before a name in which the word before it is looked for."""


def confidence(retrieval: Any) -> float:
    """Probability that the memory holds the answer, halved where the query names no entity of it.

    A search that starts from similar nodes only finds the answer to another question with high probability.
    """
    strategy = getattr(getattr(retrieval, "seeds", None), "strategy", None)
    return float(retrieval.answerable) * (0.5 if strategy in ("hybrid", "none") else 1.0)


def names_something(retrieval: Any) -> bool:
    """Whether the query names an entity of the memory: exactly, misspelt, or by a word of a seed's name.

    The rules, by example:

    - "Wolves" in "Wolves of the North" is part of another name.
    - "sport" in "Which sport does Ann Lee play?" is a word next to an unknown name.
    - "frozen" in "What is frozen water called?" is not the film "Frozen": the query uses capitals elsewhere.
    - "President" in "the President of Nokia" is no name where a retrieved relation has that word.
    """
    seeds = getattr(retrieval, "seeds", None)
    if seeds is None:
        return True
    query = retrieval.query
    unknown = unknown_names(query, seeds.mentions)
    if seeds.mentions:
        if all(_is_lower_case_word(query, mention, retrieval.store) for mention in seeds.mentions):
            return False
        if unknown or not all(stands_alone(query, mention, seeds.mentions) for mention in seeds.mentions):
            facts = list(retrieval.facts)[:MAX_RELATION_FACTS]
            relation = {word for fact in facts for word in _WORDS.findall(normalise_relation(fact.relation))}
            query = _WORDS.sub(lambda m: m.group().lower() if m.group().lower() in relation else m.group(), query)
            unknown = unknown_names(query, seeds.mentions)
        known = not unknown or any(not query[m.start : m.end].islower() for m in seeds.mentions)
        return known and all(stands_alone(query, mention, seeds.mentions) for mention in seeds.mentions)
    query_words = set(_WORD.findall(query.casefold())) - STOP_WORDS
    names = [set(_WORD.findall(name.casefold())) for name in retrieval.store.names(seeds.nodes)]
    if unknown:
        return any(words <= name for words in unknown for name in names)
    return any(query_words & name for name in names)


def answerability_threshold(retrieval: Any, minimum: float) -> float:
    """Answer probability from which on the memory is used.

    ``minimum`` where the query names an entity of the memory, ``PARTIAL_NAME`` where it only shares a word with a name,
    ``NO_NAME`` where it names nothing, ``UNREACHABLE`` where it names something unknown.
    """
    seeds = getattr(retrieval, "seeds", None)
    if names_something(retrieval):
        return minimum if seeds is None or seeds.mentions else max(minimum, PARTIAL_NAME)
    unknown = not seeds.mentions and unknown_names(retrieval.query, ())  # type: ignore[union-attr]
    return UNREACHABLE if unknown else max(minimum, NO_NAME)


def _is_lower_case_word(query: str, mention: Any, store: Any) -> bool:
    """Whether a match is in lower case although its name is not, in a query that begins with a capital."""
    words = query[mention.start : mention.end]
    if not query.lstrip()[:1].isupper() or not words.islower():
        return False
    return not any(name[:1].islower() for name in store.names(mention.nodes))


def unknown_names(query: str, mentions: Sequence[Any]) -> list[set[str]]:
    """Words of each unmatched name: runs of capitalised words, without the query's first word and abbreviations."""
    inside = [(mention.start, mention.end) for mention in mentions]
    runs = [m for m in _NAME.finditer(query) if not any(m.start() < end and m.end() > start for start, end in inside)]
    words = ({w.casefold() for w in _WORD.findall(m.group()) if not w.isupper()} - STOP_WORDS for m in runs)
    return [run for run in words if run]


def stands_alone(query: str, mention: Any, mentions: Sequence[Any]) -> bool:
    """Whether a match is not part of a longer name: no capital stands next to it, with at most "of the" between.

    A capital of another match is allowed, unless the two read as one name ("Wild Boy", "Anna of Austria"); so are the
    first word of the query and an abbreviation before "of" or "in" ("the CEO of Nokia").
    """
    before, after = _word_before(query, mention.start), _AFTER.match(query, mention.end)
    neighbours = [(before, query[before : mention.start])] if before else []
    neighbours = [(at, joint) for at, joint in neighbours if not _ABBREVIATION.match(joint)]
    neighbours += [(after.start(1), after.group())] if after else []
    return all(
        not query[at].isupper() or (_separates(joint) and any(m.start <= at < m.end for m in mentions))
        for at, joint in neighbours
    )


def _word_before(text: str, stop: int) -> int | None:
    """Start of the word before a place, past joining words such as "of the"; None where none stands there."""
    found, end, first = None, stop, max(0, stop - _LOOK_BACK)
    while end > first and text[end - 1].isspace():
        while end > first and text[end - 1].isspace():
            end -= 1
        start = end
        while start > first and (text[start - 1].isalnum() or text[start - 1] in "_."):
            start -= 1
        word = text[start:end].lstrip(".")
        if not word:
            break
        found = end - len(word)
        if word not in _JOINING or (start > first and not text[start - 1].isspace()):
            break
        end = start
    return found


def _separates(joint: str) -> bool:
    """Whether the words between two known names keep them apart: "and", "in", but not "of", "in the" or nothing."""
    words = set(_WORDS.findall(joint.casefold())) & _JOINING
    return bool(words) and ("and" in words or not words & {"of", "the", "de", "von", "van"})
