"""Introductions of Wikipedia articles that ship with the package (2WikiMultiHopQA, Apache-2.0)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from graphmem.core.paths import DATA
from graphmem.core.splits import Split, data_split
from graphmem.datasets.files import read_rows
from graphmem.text.sentences import sentences

COMMON_NAME = "Jordan"  # stands for every entity in ``entity_sentences``
_KINDS = "film|band|album|song|series|movie|company|group|team|club|novel|book|village|town|city|river"
_REFERENCE = re.compile(rf"(He|She|It|They|The ({_KINDS}))\b")
_MAX_SENTENCES = 6


def passages(split: Split | None = None, split_of: Callable[[str], Split] = data_split) -> Iterator[tuple[str, str]]:
    """Yield (title, text) of each of the 6,119 passages, or of those whose title ``split_of`` puts into ``split``."""
    for row in read_rows(DATA / "plain_text.jsonl.gz"):
        if split is None or split_of(row["title"]) == split:
            yield row["title"], row["text"]


def passage_texts(split: Split | None = None, split_of: Callable[[str], Split] = data_split) -> list[str]:
    """Return the texts of ``passages``."""
    return [text for _, text in passages(split, split_of)]


def passage_sentences(text: str) -> list[str]:
    """Return the sentences of a text, stripped."""
    return [text[start:end].strip() for start, end in sentences(text)]


def entity_sentences(title: str, text: str) -> list[str]:
    """Return at most six sentences of a passage that name its entity, the entity renamed to ``COMMON_NAME``."""
    lines = (" ".join(line.split()) for line in passage_sentences(text))
    renamed = (_renamed(title, line) for line in lines if 25 < len(line) < 300)
    return [line for line in renamed if line is not None][:_MAX_SENTENCES]


def entity_passages(split: Split) -> list[list[str]]:
    """Return ``entity_sentences`` of each passage of a split that has at least three of them."""
    found = (entity_sentences(title, text) for title, text in passages(split))
    return [lines for lines in found if len(lines) >= 3]


def _renamed(title: str, sentence: str) -> str | None:
    """Put the common name in the place of the title, or of what refers to it; None where neither occurs."""
    base = re.sub(r"\s*\(.*\)$", "", title)
    words = base.split()
    for form in (base, *(words[-1:] if len(words) in (2, 3) else ())):
        if len(form) > 3 and re.search(rf"\b{re.escape(form)}\b", sentence):
            return re.sub(rf"\b{re.escape(form)}\b", COMMON_NAME, sentence)
    return f"{COMMON_NAME}{sentence[found.end() :]}" if (found := _REFERENCE.match(sentence)) else None
