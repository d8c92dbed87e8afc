"""What a question names, and which passages that leads to: the sparse walk behind passage search.

``named`` finds titles in the question, ``links`` the titled passages that a passage names, each with the words around
the name: the text that a gate compares with the question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from graphmem.core.names import normalise
from graphmem.core.types import Node
from graphmem.text.fuzzy_matching import alike
from graphmem.text.name_matching import MAX_CHARACTERS, name_spans
from graphmem.text.stop_words import STOP_WORDS

LEAST_LIKE = 0.4
"""Share of three-letter groups in common from which a title is taken for a misspelt or shortened name."""

MOST_NAMED = 20
"""Passages of one title that a search starts from."""

BEFORE, AFTER = 8, 4
"""Words around a name that say what it has to do with the passage."""

_NAME = re.compile(
    r"[^\W\d_a-zß-öø-ÿ][\w'’.\-]*(?:,? (?:(?:of|the|and|de|von|van|la|le|du|in|to|bin|ibn) )*"
    r"\(?[^\W_a-zß-öø-ÿ][\w'’.\-]*\)?)*"
)
_SENTENCE = re.compile(r"(?<=[^\s.][^\s.][.!?])[\"”')\]]*\s+(?=[\"“'(\[]?[^\W_a-zß-öø-ÿ])|(?<=[。！？])")


@dataclass(frozen=True, slots=True)
class Named:
    """A stretch of the question that is, or is like, a title.

    Attributes:
        start, end: where it stands.
        nodes: ids of the nodes it names.
        passages: ids of the passages of that title.
        sure: 1 for a title as it is, less for one without its parenthesis and for one that is only alike.
    """

    start: int
    end: int
    nodes: tuple[int, ...]
    passages: tuple[int, ...]
    sure: float


@dataclass(frozen=True, slots=True)
class Link:
    """A passage that another one names: ids of both, the words around the name, and how many share its title."""

    origin: int
    target: int
    around: str
    rivals: int


Order = Callable[[Sequence[int]], Sequence[int]]
"""Puts passages in the order of their promise; of too many under one title the first are taken."""


def named(question: str, store: Any, order: Order = list, as_of: int | None = None) -> list[Named]:
    """Titles that the question holds, longest first, then titles that are like its other names."""
    question = question[:MAX_CHARACTERS]
    spans = {span: normalise(question[slice(*span)]) for span in dict.fromkeys(name_spans(question))}
    titled = store.titled([name for name in spans.values() if name], as_of)
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        free = all(end <= other[0] or start >= other[1] for other in kept)
        if free and spans[start, end] in titled and _stands_out(question, start, end):
            kept.append((start, end))
    found = {span: _first(titled[spans[span]], order) for span in sorted(kept)}
    passages = store.passages_by_id([passage for pairs in found.values() for _, passage in pairs])
    exact = [_exact(span, spans[span], pairs, passages) for span, pairs in found.items()]
    return [*exact, *_alike(question, kept, store)]


def _first(pairs: Sequence[tuple[int, int]], order: Order) -> list[tuple[int, int]]:
    nodes = {passage: node for node, passage in pairs}
    return [(nodes[passage], passage) for passage in order(list(nodes))[:MOST_NAMED]]


def _stands_out(question: str, start: int, end: int) -> bool:
    """A name has a capital, a digit or no such letters at all; one common word that begins the sentence is none."""
    words = question[start:end].split()
    if not any(not word[:1].islower() or not word.isascii() for word in words):
        return False
    if len(words) == 1 and words[0].casefold().strip(".,;:!?'’") in STOP_WORDS:
        return start > 0 and words[0][:1].isupper()
    return True


def _exact(span: tuple[int, int], name: str, found: Sequence[tuple[int, int]], passages: dict[int, Node]) -> Named:
    live = [(node, passage) for node, passage in found if passage in passages]
    full = [pair for pair in live if normalise(title_of(passages[pair[1]])) == name]
    chosen = full or live
    nodes = tuple(dict.fromkeys(node for node, _ in chosen))
    return Named(*span, nodes, tuple(dict.fromkeys(passage for _, passage in chosen)), 1.0 if full else 0.8)


def _alike(question: str, taken: Sequence[tuple[int, int]], store: Any) -> Iterator[Named]:
    free = list(question)
    for start, end in taken:
        free[start:end] = "\n" * (end - start)
    for match in _NAME.finditer("".join(free)):
        words = match.group().split()
        while words and words[0].casefold() in STOP_WORDS:
            words = words[1:]
        name = " ".join(words).strip(" ,.?'’")
        found = store.search_passages(name, limit=MOST_NAMED, where="title") if name else []
        passages = store.passages_by_id([passage for passage, _ in found])
        likeness = {passage: alike(name, title_of(node)) for passage, node in passages.items()}
        best = max(likeness, key=lambda passage: likeness[passage], default=None)
        if best is not None and likeness[best] >= LEAST_LIKE:
            yield Named(*match.span(), (), (best,), 0.7 * likeness[best])


def title_of(passage: Node) -> str:
    """The title of a passage's document; empty where it has none."""
    return str(passage.attributes.get("title") or "")


def links(passages: Sequence[Node], store: Any, as_of: int | None = None) -> list[Link]:
    """Links out of some passages to the titled passages that they name, in the order in which they are named."""
    texts = {passage.id: passage.text for passage in passages}
    mentioned = store.mentioned(list(texts), as_of)
    ends = list(dict.fromkeys(node for _, node in mentioned))
    under: dict[int, list[int]] = {}
    for node, passage in store.passages_of(ends, as_of):
        under.setdefault(node, []).append(passage)
    names = dict(zip(under, store.names(list(under)), strict=True))
    found = []
    for origin, node in mentioned:
        rivals = under.get(node, [])
        around = words_around(texts[origin], names[node]) if rivals else ""
        found += [Link(origin, target, around, len(rivals)) for target in rivals[:MOST_NAMED] if target != origin]
    return found


def words_around(text: str, name: str) -> str:
    """The words beside the first place where a text holds a name, within the sentence; the name itself is ``it``."""
    at = re.search(r"\s+".join(map(re.escape, name.split())), text, re.IGNORECASE)
    if at is None:
        return "it"
    bounds = [match.end() for match in _SENTENCE.finditer(text)]
    begin = max((bound for bound in bounds if bound <= at.start()), default=0)
    end = min((bound for bound in bounds if bound >= at.end()), default=len(text))
    before, after = text[begin : at.start()].split()[-BEFORE:], text[at.end() : end].split()[:AFTER]
    return " ".join([*before, "it", *after])
