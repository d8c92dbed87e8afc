"""Closed word classes: pronouns and calendar words."""

from __future__ import annotations

_PRONOUNS = frozenset(
    "i me you he him she her it we us they them his hers its their theirs this that these those who which whom one "
    "what nobody somebody everybody anybody everyone someone "
    "anyone nothing something everything all here there now".split()
)
_CALENDAR = frozenset(
    "january february march april june july august september october november december sept monday tuesday wednesday "
    "thursday friday saturday sunday spring summer autumn winter century million billion thousand hundred euro euros "
    "dollar dollars pound pounds about around over nearly early late between before after since until "
    "one two three four five six seven eight nine ten eleven twelve".split()
)


def is_pronoun(words: str) -> bool:
    """Whether a mention is a pronoun, not a description such as "the company"."""
    return words.casefold() in _PRONOUNS


def is_name(words: str) -> bool:
    """Whether words that contain a number are a name, as "20 Fenchurch Street" is and "2 May 1908" is not."""
    stripped = (word.strip("'\"“”‘’().,:;") for word in words.split())
    return any(len(w) > 3 and w.isalpha() and w.istitle() and w.casefold() not in _CALENDAR for w in stripped)
