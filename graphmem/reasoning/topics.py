"""Topics of a question about a set: the names in it, the words that are nodes, and the words of several nodes' names.

"Which dogs does Toby treat?" has the topics Tobias Renn (a name) and dog (a node, found by its lemma); "which depots
are open" has the nodes whose names end in "depot".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from graphmem.core.names import fold, normalise_relation
from graphmem.core.types import ALSO_KNOWN
from graphmem.reasoning.member_sets import MAX_MEMBERS
from graphmem.text.name_matching import MAX_CHARACTERS, trimmed_words
from graphmem.text.word_classes import STOP_WORDS

TopicKind = Literal["name", "word", "part"]

MAX_TOPICS = 24
"""Topics of a question; what it names beyond them is set aside."""

MAX_WORDS = 3
"""Words of the longest topic that is no name."""


@dataclass(frozen=True, slots=True)
class Topic:
    """What a question is about.

    Attributes:
        text, start, end: the words, and their characters in the question.
        nodes: what they mean; several for an unclear name and for a part of several names.
        kind: ``name``; ``word``, a word that is the name of a node; ``part``, a word that names of nodes begin or end
            with.
        several: whether several of the nodes have facts of their own, and not only one under several names.
        weak: whether it may mean no node: a name that was found by its likeness, or a word without the capital that
            its node has.
    """

    text: str
    start: int
    end: int
    nodes: tuple[int, ...]
    kind: TopicKind
    several: bool = False
    weak: bool = False


def topics_of(retrieval: Any, store: Any, index: Any) -> list[Topic]:
    """Topics of the question of a retrieval, in its order, none overlapping; at most ``MAX_TOPICS``.

    ``index`` is the adjacency of the facts that count, ``store`` finds the names that it holds; words that are nodes
    without facts are no topics.
    """
    query, seeds = retrieval.query[:MAX_CHARACTERS], retrieval.seeds
    exact = seeds.strategy == "exact"
    names = [Topic(m.text, m.start, m.end, m.nodes, "name") for m in seeds.mentions]
    taken = [(topic.start, topic.end) for topic in names if exact]
    words = list(_words(query, store, index, taken))
    if not exact:  # a word that is a node is no part of a longer name or misspelt one
        names = [name for name in names if not any(_inside(name, word) for word in words)]
        taken = [(topic.start, topic.end) for topic in names]
        words = [word for word in words if not _overlaps(word, taken)]
    parts = list(_parts(query, store, index, [*taken, *((word.start, word.end) for word in words)]))
    numbered = [one for name in names if name.nodes for one in _numbered(query, name, store)]
    kept = [_described(topic, store, index) for topic in [*numbered, *words, *parts][:MAX_TOPICS]]
    return sorted(kept, key=lambda topic: topic.start)


def all_are_sets(retrieval: Any) -> bool:
    """Whether each unclear name of a question means all of its nodes: a plural, or one that the question numbers.

    "Family holidays" are all nodes of that name, "the 2014 and the 2019 family holiday" two; "Dr Berg" is one of two.
    """
    unclear = {text for text, _ in getattr(retrieval, "unclear", ())}
    names = [Topic(m.text, m.start, m.end, m.nodes, "name") for m in retrieval.seeds.mentions if m.text in unclear]
    found = {
        name.text
        for name in names
        if is_plural(name.text) or _numbered(retrieval.query, name, retrieval.store) != [name]
    }
    return found == unclear


def is_plural(text: str) -> bool:
    """Whether a text without capitals ends in another form of its last word's lemma, as a name of several things."""
    last = fold(text).split()[-1:]
    return text.islower() and any(lemma(word) != word for word in last)


def _numbered(query: str, topic: Topic, store: Any) -> list[Topic]:
    """A topic of several nodes as one topic for each number of the question that ends one of their names only.

    "The 2014 and the 2019 family holiday" and "issues 412 and 518" name two.
    """
    if len(topic.nodes) < 2:
        return [topic]
    ends: dict[str, list[int]] = {}
    for node, name in zip(topic.nodes, store.names(topic.nodes), strict=True):
        ends.setdefault(fold(name).split()[-1].lstrip("#"), []).append(node)
    words = [(start, end, fold(query[start:end]).lstrip("#")) for start, end in trimmed_words(query)]
    found = [
        (start, end, ends[word][0]) for start, end, word in words if word.isdigit() and len(ends.get(word, ())) == 1
    ]
    return [Topic(query[start:end], start, end, (node,), "name") for start, end, node in found] or [topic]


def _described(topic: Topic, store: Any, index: Any) -> Topic:
    """A topic with what its nodes and their names say of it."""
    arcs = index.expand(np.asarray(topic.nodes, np.int64), 64)
    hidden = [at for at, name in enumerate(index.relations) if normalise_relation(name) == ALSO_KNOWN]
    own = len(np.unique(arcs.origin[~np.isin(arcs.relation >> 1, hidden)]))
    words = {form for word in fold(topic.text).split() for form in (word, lemma(word))}
    named = {word for name in store.names(topic.nodes) for word in fold(name).split()}
    unlike = topic.kind == "name" and topic.text.islower() and not words & named
    cased = topic.kind == "word" and topic.text.islower() and all(name.istitle() for name in store.names(topic.nodes))
    weak = unlike or cased
    return replace(topic, several=own > 1, weak=weak)


def _words(query: str, store: Any, index: Any, taken: Sequence[tuple[int, int]]) -> Iterator[Topic]:
    """Words and phrases that are names of nodes as they stand or by the lemma of the last word, the longest first."""
    spans = trimmed_words(query)
    forms: dict[tuple[int, int], list[str]] = {}
    for count in range(MAX_WORDS, 0, -1):
        for at in range(len(spans) - count + 1):
            span = (spans[at][0], spans[at + count - 1][1])
            inside = [fold(query[a:b]) for a, b in spans[at : at + count]]
            if not _overlaps_span(span, taken) and not {inside[0], inside[-1]} & STOP_WORDS:
                forms[span] = list(dict.fromkeys([" ".join(inside), " ".join([*inside[:-1], lemma(inside[-1])])]))
    found = store.resolve_folded(list(dict.fromkeys(form for own in forms.values() for form in own)))
    used = list(taken)
    for span, own in forms.items():
        nodes = [node for form in own for node in found.get(form, ())]
        if nodes and not _overlaps_span(span, used) and index.degree(np.asarray(nodes, np.int64)).any():
            used.append(span)
            yield Topic(query[slice(*span)], *span, tuple(dict.fromkeys(nodes)), "word")


def _parts(query: str, store: Any, index: Any, taken: Sequence[tuple[int, int]]) -> Iterator[Topic]:
    """Words that begin or end the names of several nodes with facts of their own."""
    for start, end in trimmed_words(query):
        word = fold(query[start:end])
        if _overlaps_span((start, end), taken) or word in STOP_WORDS or len(word) < 3:
            continue
        forms = list(dict.fromkeys([lemma(word), word]))
        found = store.named_with(forms, limit=MAX_MEMBERS)
        nodes = list(dict.fromkeys(node for form in forms for node in found[form]))
        named = zip(nodes, store.names(nodes), strict=True)
        own = [node for node, name in named if {*forms} & {*fold(name).split()[:1], *fold(name).split()[-1:]}]
        subjects = subjects_of(own, index)
        if len(subjects) > 1:
            yield Topic(query[start:end], start, end, tuple(subjects), "part")


def subjects_of(nodes: Sequence[int], index: Any) -> list[int]:
    """The nodes that are subjects of facts."""
    arcs = index.expand(np.asarray(nodes, np.int64), 64)
    return [nodes[at] for at in np.unique(arcs.origin[arcs.relation % 2 == 0]).tolist()]


@lru_cache(maxsize=16_384)
def lemma(word: str) -> str:
    """The lemma of an English word."""
    import simplemma

    return str(simplemma.lemmatize(word, lang="en")).casefold()


def _inside(inner: Topic, outer: Topic) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _overlaps(topic: Topic, spans: Sequence[tuple[int, int]]) -> bool:
    return _overlaps_span((topic.start, topic.end), spans)


def _overlaps_span(span: tuple[int, int], spans: Sequence[tuple[int, int]]) -> bool:
    return any(span[0] < end and start < span[1] for start, end in spans)
