"""The openings of Wikipedia articles that ship with the package (2WikiMultiHopQA, Apache-2.0)."""

from __future__ import annotations

import gzip
import json
import re

from graphmem.core.paths import DATA
from graphmem.core.splits import Split, data_split
from graphmem.text.sentences import sentences

NAME = "Jordan"
_KINDS = "film|band|album|song|series|movie|company|group|team|club|novel|book|village|town|city|river"
_LEAD = re.compile(rf"(He|She|It|They|The ({_KINDS}))\b")
_PLAIN = DATA / "plain_text.jsonl.gz"
_MOST = 6


def renamed(title: str, text: str) -> str | None:
    """A sentence with the common name instead of the title's, or of what refers to it; None where it is not named."""
    base = re.sub(r"\s*\(.*\)$", "", title)
    words = base.split()
    for form in (base, *(words[-1:] if len(words) in (2, 3) else ())):
        if len(form) > 3 and re.search(rf"\b{re.escape(form)}\b", text):
            return re.sub(rf"\b{re.escape(form)}\b", NAME, text)
    return f"{NAME}{text[found.end() :]}" if (found := _LEAD.match(text)) else None


def said_of(title: str, text: str) -> list[str]:
    """The sentences of a passage that name its thing, by the common name."""
    lines = (" ".join(text[a:b].split()) for a, b in sentences(text))
    found = (renamed(title, line) for line in lines if 25 < len(line) < 300)
    return [line for line in found if line is not None][:_MOST]


def held_passages(part: Split) -> list[list[str]]:
    """Sentences of every passage of a part that name its thing, at least three each."""
    with gzip.open(_PLAIN, "rt", encoding="utf-8") as file:
        rows = [row for row in map(json.loads, file) if data_split(row["title"]) == part]
    told = (said_of(row["title"], row["text"]) for row in rows)
    return [lines for lines in told if len(lines) >= 3]
