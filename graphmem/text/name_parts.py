"""Names by a part of them: ``Ada`` of Ada Lovelace, ``Mr. Smith`` of John Smith."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cache
from itertools import chain, islice, pairwise
from typing import TYPE_CHECKING, Any

from graphmem.core.names import fold, fold_long, shortened
from graphmem.core.paths import DATA
from graphmem.text.name_matching import MAX_CHARACTERS, POSSESSIVE, NameMatch, trimmed_words
from graphmem.text.word_classes import STOP_WORDS, is_calendar, ordinary_words

if TYPE_CHECKING:
    from nicknames import NickNamer

MAX_PART, MAX_PARTS, MIN_LETTERS = 4, 48, 3
"""Words of a part of a name, parts of a text that are looked up, and letters of a word that is a part by itself."""

Run = tuple[tuple[int, int], str]
"""The span of some words, and the words in folded form."""

NICKNAME = 0.9
"""Share of the score of a part that is another form of a first name."""

MAX_READINGS = 16
"""Nodes that a part is looked up for."""


def match_parts(text: str, store: Any, relation_words: Collection[str] = ()) -> list[NameMatch]:
    """Parts of names in a text, in its order, none overlapping, each with every node that it may mean.

    A part is a whole run of capitalised words, without words of the language or titles before it: "Project Falcon" is
    no part of Project Kestrel. In a text without capitals it is any words that no relation's name contains. What no
    name has is read without a final s ("tobys wife"), with two letters for an umlaut or one for two, then as a short or
    a full form of a first name, at a lower score, then as the most similar word that some name has, then as the
    beginning of one name ("Lew" of Lewis Hart).
    """
    text = text[:MAX_CHARACTERS]
    words = trimmed_words(text)
    cased = [not text[a:b].islower() and not text[a:b].isdigit() for a, b in words]
    capitals = any(own and any(map(str.isalpha, text[a:b])) for own, (a, b) in zip(cased[1:], words[1:], strict=True))
    runs = _capital_runs(text, words, cased) if capitals else _any_runs(text, words, relation_words)
    phrases = {span: phrase for span, phrase in islice(runs, MAX_PARTS)}
    similar = store.similar_words([phrase for phrase in phrases.values() if " " not in phrase])
    ends = {phrase for (start, _), phrase in phrases.items() if len(phrase) > MIN_LETTERS and (start or not capitals)}
    bare = {phrase: phrase[:-1] for phrase in ends if phrase[-1] == "s"}
    first = {span: _first_names(phrase, capitals or is_possessive(text, span)) for span, phrase in phrases.items()}
    long = {span: fold_long(text[slice(*span)]) for span in phrases}
    short = {phrase: shortened(phrase) for phrase in phrases.values()}
    every = chain(phrases.values(), bare.values(), long.values(), *short.values(), *similar.values(), *first.values())
    found = store.named_with(list(dict.fromkeys(every)), limit=MAX_READINGS)
    names = _names(store, found)
    long_names = _names(store, found, fold_long)
    kept: list[NameMatch] = []
    for span, phrase in phrases.items():
        as_written = [phrase, bare.get(phrase, phrase)]
        nodes, share = _first_reading(as_written, found, names), 1.0
        if not nodes:
            either = dict.fromkeys(chain.from_iterable(found[form] for form in (long[span], *short[phrase])))
            nodes = _readings(long[span], tuple(either), long_names)
        if not nodes:
            begins = (_readings(form, found[form], names, first=True) for form in first[span])
            nodes, share = tuple(dict.fromkeys(chain.from_iterable(begins))), NICKNAME
        if not nodes:
            nodes, share = _first_reading(similar.get(phrase, ()), found, names), 1.0
        if not nodes and (words[0][0] < span[0] if capitals else is_possessive(text, span)):
            nodes, share = _begun(phrase, store), NICKNAME
        start, end = _with_title(text, words, span)
        if nodes and all(end <= other.start or start >= other.end for other in kept):
            kept.append(NameMatch(start, end, text[start:end], nodes, (span[1] - span[0]) * 1.5 * share))
    return sorted(kept, key=lambda match: match.start)


def _first_reading(
    forms: Sequence[str], found: Mapping[str, Sequence[int]], names: Mapping[int, list[tuple[str, ...]]]
) -> tuple[int, ...]:
    return next((nodes for form in forms if (nodes := _readings(form, found[form], names))), ())


def _begun(phrase: str, store: Any) -> tuple[int, ...]:
    """The one node whose first name begins with a word that is no first name itself."""
    if " " in phrase or other_first_names(phrase):
        return ()
    found = store.named_with([f"{phrase}*"], limit=MAX_READINGS)
    names = _names(store, found).items()
    begun = [node for node, own in names if any(len(name) > 1 and name[0].startswith(phrase) for name in own)]
    return tuple(begun) if len(begun) == 1 and len(found[f"{phrase}*"]) < MAX_READINGS else ()


def is_possessive(text: str, span: tuple[int, int]) -> bool:
    """Whether a possessive ends a span."""
    return POSSESSIVE.match(text[span[1] : span[1] + 2]) is not None


def _first_names(phrase: str, is_sure: bool) -> list[str]:
    """A phrase with the other forms of the first name that it begins with; none for a word that may be no name."""
    first, _, rest = phrase.partition(" ")
    forms = [first, first[:-1]] if first.endswith("s") and not rest else [first]
    sure = [form for form in forms if is_sure or form not in ordinary_words()]
    return [f"{name} {rest}".strip() for form in sure for name in sorted(other_first_names(form))]


def other_first_names(name: str) -> frozenset[str]:
    """Full forms of a short first name, and short forms of a full one, folded: Tobias for ``toby``."""
    names = _nicknames()
    return frozenset(map(fold, names.canonicals_of(name) | names.nicknames_of(name))) - {name}


@cache
def _nicknames() -> NickNamer:
    from nicknames import NickNamer

    return NickNamer()


def _capital_runs(text: str, words: Sequence[tuple[int, int]], cased: Sequence[bool]) -> Iterator[Run]:
    """Runs of capitalised words with nothing between them, each also without words before it that may be no name."""
    at = 0
    while at < len(words):
        stop = at + 1
        while cased[at] and stop < len(words) and cased[stop] and text[words[stop - 1][1] : words[stop][0]].isspace():
            stop += 1
        for start in range(at, stop) if cased[at] else ():
            inside = [fold(text[a:b]) for a, b in words[start : min(stop, start + MAX_PART)]]
            if stop - start <= MAX_PART and _is_part(inside):
                yield (words[start][0], words[stop - 1][1]), " ".join(inside)
            if start and inside[0] not in STOP_WORDS and inside[0] not in titles():
                break
        at = stop


def _any_runs(text: str, words: Sequence[tuple[int, int]], relation_words: Collection[str]) -> Iterator[Run]:
    """Runs of words that are neither words of the language nor of a relation, the longest first.

    What is followed by a number is no part: "issue #9" is no part of issue #8.
    """
    folded = [fold(text[a:b]) for a, b in words]
    own = [_is_part([word]) and word not in STOP_WORDS and word not in relation_words for word in folded]
    for count in range(MAX_PART, 0, -1):
        for at in range(len(words) - count + 1):
            if all(own[at : at + count]) and not _number_follows(text, words[at + count - 1 : at + count + 1]):
                yield (words[at][0], words[at + count - 1][1]), " ".join(folded[at : at + count])


def _number_follows(text: str, words: Sequence[tuple[int, int]]) -> bool:
    """Whether the second word has a digit, and nothing but space stands before it."""
    return any(text[a[1] : b[0]].isspace() and any(map(str.isdigit, text[slice(*b)])) for a, b in pairwise(words))


def _is_part(inside: Sequence[str]) -> bool:
    own = [word for word in inside if word not in STOP_WORDS and word not in titles() and not is_calendar(word)]
    return len(inside) <= MAX_PART and sum(map(len, own)) >= MIN_LETTERS and not all(word.isdigit() for word in own)


def _names(
    store: Any, found: Mapping[str, Sequence[int]], form: Callable[[str], str] = fold
) -> dict[int, list[tuple[str, ...]]]:
    """Words of every name and alias of the nodes found, folded."""
    ids = sorted({node for nodes in found.values() for node in nodes})
    return {
        node.id: [_split(form(name)) for name in (node.name, *node.aliases)]
        for node in store.nodes(ids)
        if node.kind != "literal"
    }


def _readings(
    phrase: str, nodes: Sequence[int], names: Mapping[int, list[tuple[str, ...]]], *, first: bool = False
) -> tuple[int, ...]:
    """Nodes that a part most likely means: those whose name begins or ends with it, without longer names of these.

    With ``first`` only those whose name begins with it.
    """
    part = _split(phrase)
    at_edge = {
        node: name
        for node in nodes
        for name in names.get(node, ())
        if len(name) > len(part) and part in (name[: len(part)], *(() if first else (name[-len(part) :],)))
    } | {node: name for node in nodes for name in names.get(node, ()) if name == part}
    longer = {a for a in at_edge for b in at_edge if a != b and _contains(at_edge[a], at_edge[b])}
    return tuple(node for node in at_edge if node not in longer)


def _split(folded: str) -> tuple[str, ...]:
    return tuple(folded.replace(".", " ").replace(",", " ").split())


def _contains(long: tuple[str, ...], short: tuple[str, ...]) -> bool:
    if len(short) >= len(long):
        return False
    return any(long[at : at + len(short)] == short for at in range(len(long) - len(short) + 1))


def _with_title(text: str, words: Sequence[tuple[int, int]], span: tuple[int, int]) -> tuple[int, int]:
    """A span with the title before it: "Mr. Smith"."""
    before = [word for word in words if word[1] <= span[0]]
    titled = before and fold(text[slice(*before[-1])]) in titles()
    return (before[-1][0] if titled else span[0]), span[1]


@cache
def titles() -> frozenset[str]:
    """Titles that stand before names, folded and without a full stop."""
    return frozenset(json.loads((DATA / "titles.json").read_text(encoding="utf-8")))
