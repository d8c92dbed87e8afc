"""Answerability: whether a query names entities of the memory, and the answer probability that it needs."""

from __future__ import annotations

import re
from typing import Any

from graphmem.core.names import normalise_relation
from graphmem.questions.unknown_names import unknown_names
from graphmem.text.longer_names import stands_alone
from graphmem.text.word_classes import STOP_WORDS

PARTIAL_NAME, NO_NAME, UNREACHABLE = 0.8, 0.95, 2.0
"""Minimum answer probability where a query names no entity of the memory; see ``answerability_threshold``.

Chosen on WikiMovies' dev half and everyday questions, such that none of 300 WikiMovies, 200 PopQA, 200 zsRE and 400
questions of synthetic worlds is lost."""

MAX_RELATION_FACTS = 3
"""Facts, best first, whose relation words may be capitalised in a query without being names."""

_WORD, _WORDS = re.compile(r"\w{3,}"), re.compile(r"\w+")


def confidence(retrieval: Any) -> float:
    """Probability that the memory holds the answer, halved where the query names no entity of it.

    A search that starts from similar nodes only finds the answer to another question with high probability.
    """
    strategy = getattr(getattr(retrieval, "seeds", None), "strategy", None)
    return float(retrieval.answerable) * (0.5 if strategy in ("hybrid", "none") else 1.0)


def answerability_threshold(retrieval: Any, minimum: float) -> float:
    """Answer probability from which on the memory is used.

    ``minimum`` where the query names entities of the memory, and nothing else; ``NO_NAME`` where it names something
    unknown as well, a known name is a part of a longer one, or all are in lower case though the query has capitals.
    Where it names none: ``UNREACHABLE`` with an unknown name, ``PARTIAL_NAME`` where it shares a word with the name of
    a seed, else ``NO_NAME``.
    """
    seeds = getattr(retrieval, "seeds", None)
    if seeds is None:
        return minimum
    unknown = unknown_names(retrieval.query, retrieval.store, seeds.mentions)
    if seeds.mentions:
        named = not unknown and _stand_alone(retrieval) and not _are_lower_case(retrieval)
        return minimum if named else max(minimum, NO_NAME)
    if unknown:
        return UNREACHABLE
    return max(minimum, PARTIAL_NAME if _shares_word(retrieval) else NO_NAME)


def _stand_alone(retrieval: Any) -> bool:
    """Whether no name that was found is a part of a longer one, where words of the best facts' relations are no names.

    "Wolves" is a part of "Wolves of the North"; "Nokia" is none of "President of Nokia" where a relation is so called.
    """
    query, mentions = retrieval.query, retrieval.seeds.mentions
    if all(stands_alone(query, mention, mentions) for mention in mentions):
        return True
    facts = list(retrieval.facts)[:MAX_RELATION_FACTS]
    relation = {word for fact in facts for word in _WORDS.findall(normalise_relation(fact.relation))}
    query = _WORDS.sub(lambda m: m.group().lower() if m.group().lower() in relation else m.group(), query)
    return all(stands_alone(query, mention, mentions) for mention in mentions)


def _are_lower_case(retrieval: Any) -> bool:
    """Whether all matches are in lower case although their names are not, in a query that begins with a capital."""
    query, mentions = retrieval.query, retrieval.seeds.mentions
    if not query.lstrip()[:1].isupper() or not all(query[m.start : m.end].islower() for m in mentions):
        return False
    return not any(name[:1].islower() for m in mentions for name in retrieval.store.names(m.nodes))


def _shares_word(retrieval: Any) -> bool:
    """Whether the query has a word of the name of a seed."""
    query = set(_WORD.findall(retrieval.query.casefold())) - STOP_WORDS
    names = retrieval.store.names(retrieval.seeds.nodes)
    return any(query.intersection(_WORD.findall(name.casefold())) for name in names)
