"""Alias patterns: "also known as", "changed its name to", initials in brackets."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphmem.core.names import normalise
from graphmem.core.types import ALSO_KNOWN, Fact
from graphmem.text.sentences import Stretch

_HOW = r"(?:also|better|commonly|formerly|previously|originally|sometimes|often|now|simply|professionally|widely)"
_ALIAS = re.compile(
    rf"^(?:[\s,(]*(?:(?:is|was|were|are|has been)\s+)?(?:{_HOW}\s+)*"
    r"(?:known(?:\s+simply)?\s+as|referred\s+to\s+as|a\.?k\.?a\.?|abbreviated(?:\s+(?:as|to))?"
    r"|(?:has\s+)?changed\s+(?:its|his|her|their)\s+name\s+to|(?:was\s+|has\s+been\s+)?re-?named(?:\s+(?:to|as|itself))?"
    r"|re-?branded(?:\s+(?:to|as|itself\s+as))?)"
    rf"|(?:\s*[,(]\s*|\s+(?:is|was|are|were)\s+)(?:{_HOW}\s+)*called)"
    r"[\s\"“'‘]*(?:the\s+)?$",
    re.IGNORECASE,
)
_FORMERLY = re.compile(r"^[\s,(]*(?:formerly|previously|née|originally)\s+(?:the\s+)?$", re.IGNORECASE)
_UNCERTAIN = re.compile(r"\b(?:not|never|if|whether|rumou?r\w*|allegedly|maybe|perhaps)\b", re.IGNORECASE)


def find_aliases(text: str, names: Sequence[Stretch]) -> list[tuple[Stretch, Stretch]]:
    """Pairs of neighbouring names of which the text says that the second is another name of the first.

    ``names`` are spans of entity mentions, in order. Questions give no aliases.
    """
    found = []
    for first, second in zip(names, names[1:], strict=False):
        link, start = text[first[1] : second[0]], text.rfind(".", 0, first[0]) + 1
        is_question = "?" in text[second[1] :].split(".", 1)[0]
        if is_question or _UNCERTAIN.search(text[start : first[0]]) or _UNCERTAIN.search(link):
            continue
        short, full = text[slice(*second)], text[slice(*first)]
        explicit = _ALIAS.match(link) or _FORMERLY.match(link)
        if (explicit or link.strip() == "(" and _is_acronym(short, full)) and normalise(short) != normalise(full):
            found.append((first, second))
    return found


def is_renaming(link: str) -> bool:
    """Whether the words between two names say that one replaced the other: "changed its name to"."""
    return re.search(r"\bname\b|\bre-?(?:nam|brand)ed\b", link, re.IGNORECASE) is not None


def _is_acronym(short: str, full: str) -> bool:
    """Whether ``short`` consists of the initials of ``full``: "BBC"."""
    words = [word for word in re.findall(r"\w+", full) if word[0].isupper()]
    return len(short) >= 2 and short.isupper() and [w[0] for w in words] == list(short)


def is_alias(fact: Fact) -> bool:
    """Whether a fact only gives another name."""
    return normalise(fact.relation) == ALSO_KNOWN
