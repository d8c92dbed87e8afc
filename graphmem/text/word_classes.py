"""Word classes: stop words, pronouns and calendar words."""

from __future__ import annotations

import json
from functools import cache

from graphmem.core.paths import DATA

STOP_WORDS = frozenset(
    """a about above after again all also am an and any are as at be because been before being below between both but by
    came can come city could country created date day did do does doing done down during each fall few find first for
    from further get give had has have having he her here hers him his how i if in into is it its just kind know last
    least list made make many me more most much my name named new no nor not now number of off old on once one only or
    other our out over own part people person place please same say she should show small so some such take tell than
    that the their them then there these they thing things this those through time to too two type types under until up
    us use very was way we were what when where which while who whom whose why will with word words work works would
    year years you your""".split()
)
"""Function words and the most frequent words of questions: names only with a capital, as the film ``It``."""

_PRONOUNS = frozenset(
    "i me you he him she her it we us they them his hers its their theirs this that these those who which whom one "
    "what nobody somebody everybody anybody everyone someone anyone nothing something everything all here there "
    "now".split()
)
_CALENDAR = frozenset(
    "january february march april june july august september october november december sept monday tuesday wednesday "
    "thursday friday saturday sunday spring summer autumn winter century million billion thousand hundred euro euros "
    "dollar dollars pound pounds about around over nearly early late between before after since until "
    "one two three four five six seven eight nine ten eleven twelve".split()
)


@cache
def ordinary_words() -> frozenset[str]:
    """Frequent English words, and first names that are words as well: without a capital they may be no names."""
    return frozenset(json.loads((DATA / "ordinary_words.json").read_text(encoding="utf-8")))


def is_pronoun(words: str) -> bool:
    """Whether a mention is a pronoun, not a description such as "the company"."""
    return words.casefold() in _PRONOUNS


def is_calendar(word: str) -> bool:
    """Whether a word is a month, a weekday or another word of a time."""
    return word.casefold() in _CALENDAR


def is_name(words: str) -> bool:
    """Whether words that contain a number are a name, as "20 Fenchurch Street" is and "2 May 1908" is not."""
    stripped = (word.strip("'\"“”‘’().,:;") for word in words.split())
    return any(len(w) > 3 and w.isalpha() and w.istitle() and w.casefold() not in _CALENDAR for w in stripped)
