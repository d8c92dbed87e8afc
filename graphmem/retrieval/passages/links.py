"""Titles in a question, and links between passages: the sparse graph behind passage search."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from graphmem.core.names import normalise
from graphmem.core.types import Node
from graphmem.text.fuzzy_matching import name_similarity
from graphmem.text.name_matching import MAX_CHARACTERS, name_spans
from graphmem.text.word_classes import STOP_WORDS

MIN_SIMILARITY = 0.6
"""Similarity of the letters from which a title counts as the misspelt or shortened name."""

MAX_FUZZY = 16
"""Names of a question, in its order, that are compared with titles; each costs a search."""

MAX_PER_TITLE = 20
"""Maximum number of passages of one title."""

WORDS_BEFORE, WORDS_AFTER = 8, 4
"""Words around a name that form the context of a link."""

PASSED_OVER = STOP_WORDS | frozenset(
    """act acted acting actor actors actress award direct directed director directors english film films genre genres
    language languages movie movies play played released screenwriter star starred stars story tag tags topic write
    writer writers written wrote""".split()
)
"""Words that are not searched for, and begin no name in a question: the features that the reranker was trained with."""

_NAME = re.compile(
    r"[^\W\d_a-zß-öø-ÿ][\w'’.\-]*(?:,? (?:(?:of|the|and|de|von|van|la|le|du|in|to|bin|ibn) )*"
    r"\(?[^\W_a-zß-öø-ÿ][\w'’.\-]*\)?)*"
)
_SENTENCE = re.compile(r"(?<=[^\s.][^\s.][.!?])[\"”')\]]*\s+(?=[\"“'(\[]?[^\W_a-zß-öø-ÿ])|(?<=[。！？])")


@dataclass(frozen=True, slots=True)
class TitleMatch:
    """A span of the question, in characters, that matches a title.

    Attributes:
        nodes: ids of the nodes of that name; empty for a fuzzy match.
        passages: ids of the passages of that title.
        confidence: 1 for the exact title, less for one without its parenthesis and for a fuzzy match.
    """

    start: int
    end: int
    nodes: tuple[int, ...]
    passages: tuple[int, ...]
    confidence: float


@dataclass(frozen=True, slots=True)
class Link:
    """A link from a passage to a passage whose title it contains, by ids.

    Attributes:
        context: the words around the title in the origin, the title itself masked.
        same_title: number of passages of that title.
    """

    origin: int
    target: int
    context: str
    same_title: int


Order = Callable[[Sequence[int]], Sequence[int]]
"""Sorts passages of one title, the most promising first."""


def match_titles(question: str, store: Any, order: Order = list, as_of: int | None = None) -> list[TitleMatch]:
    """Exact titles in the question, in their order, then fuzzy matches of its other names."""
    question = question[:MAX_CHARACTERS]
    spans = {span: normalise(question[slice(*span)]) for span in dict.fromkeys(name_spans(question))}
    titled = store.titled([name for name in spans.values() if name], as_of)
    kept: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0] - span[1], span[0])):
        free = all(end <= other[0] or start >= other[1] for other in kept)
        if free and spans[start, end] in titled and _is_name(question, start, end):
            kept.append((start, end))
    found = {span: _first(titled[spans[span]], order) for span in sorted(kept)}
    passages = store.passages_by_id([passage for pairs in found.values() for _, passage in pairs])
    exact = [_exact(span, spans[span], pairs, passages) for span, pairs in found.items()]
    return [*exact, *_fuzzy(question, kept, store)]


def _first(pairs: Sequence[tuple[int, int]], order: Order) -> list[tuple[int, int]]:
    nodes = {passage: node for node, passage in pairs}
    return [(nodes[passage], passage) for passage in order(list(nodes))[:MAX_PER_TITLE]]


def _is_name(question: str, start: int, end: int) -> bool:
    """Whether a span has a capital, a digit or another script; a stop word at the start of the question is no name."""
    words = question[start:end].split()
    if len(words) == 1 and words[0].casefold().strip(".,;:!?'’") in PASSED_OVER:
        return start > 0 and words[0][:1].isupper()
    return any(not word[:1].islower() or not word.isascii() for word in words)


def _exact(span: tuple[int, int], name: str, found: Sequence[tuple[int, int]], passages: dict[int, Node]) -> TitleMatch:
    live = [(node, passage) for node, passage in found if passage in passages]
    full = [pair for pair in live if normalise(title_of(passages[pair[1]])) == name]
    chosen = full or live
    nodes = tuple(dict.fromkeys(node for node, _ in chosen))
    return TitleMatch(*span, nodes, tuple(dict.fromkeys(passage for _, passage in chosen)), 1.0 if full else 0.8)


def _fuzzy(question: str, taken: Sequence[tuple[int, int]], store: Any) -> Iterator[TitleMatch]:
    free = list(question)
    for start, end in taken:
        free[start:end] = "\n" * (end - start)
    for match in islice(_NAME.finditer("".join(free)), MAX_FUZZY):
        words = match.group().split()
        while words and words[0].casefold() in PASSED_OVER:
            words = words[1:]
        name = " ".join(words).strip(" ,.?'’")
        found = store.search_passages(name, limit=MAX_PER_TITLE, where="title") if name else []
        passages = store.passages_by_id([passage for passage, _ in found])
        similarity = {passage: name_similarity(name, title_of(node)) for passage, node in passages.items()}
        best = max(similarity, key=lambda passage: similarity[passage], default=None)
        if best is not None and similarity[best] >= MIN_SIMILARITY:
            yield TitleMatch(*match.span(), (), (best,), 0.7 * similarity[best])


def title_of(passage: Node) -> str:
    """Title of a passage's document; empty where it has none."""
    return str(passage.attributes.get("title") or "")


def find_links(passages: Sequence[Node], store: Any, as_of: int | None = None) -> list[Link]:
    """Links out of some passages, in the order in which the titles are mentioned."""
    texts = {passage.id: passage.text for passage in passages}
    mentioned = store.mentioned(list(texts), as_of)
    ends = list(dict.fromkeys(node for _, node in mentioned))
    titled: dict[int, list[int]] = {}
    for node, passage in store.passages_of(ends, as_of):
        titled.setdefault(node, []).append(passage)
    names = dict(zip(titled, store.names(list(titled)), strict=True))
    found = []
    for origin, node in mentioned:
        targets = titled.get(node, [])
        context = link_context(texts[origin], names[node]) if targets else ""
        found += [Link(origin, target, context, len(targets)) for target in targets[:MAX_PER_TITLE] if target != origin]
    return found


def link_context(text: str, name: str) -> str:
    """Words around the first occurrence of a name in a text, within its sentence; the name itself becomes ``it``."""
    at = re.search(r"\s+".join(map(re.escape, name.split())), text, re.IGNORECASE)
    if at is None:
        return "it"
    bounds = [match.end() for match in _SENTENCE.finditer(text)]
    begin = max((bound for bound in bounds if bound <= at.start()), default=0)
    end = min((bound for bound in bounds if bound >= at.end()), default=len(text))
    before, after = text[begin : at.start()].split()[-WORDS_BEFORE:], text[at.end() : end].split()[:WORDS_AFTER]
    return " ".join([*before, "it", *after])
