"""Time scope of a question: the time that it asks about, named by a date, by an event or holder, or not at all.

``temporal_form`` finds the words that set a time, ``time_expressions`` the dates in them, the search the names.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphmem.questions.temporal_form import TemporalForm, TemporalPhrase
from graphmem.questions.time_expressions import DAY, TimeSpan, find_times

MAX_UNANCHORED, MIN_UNANCHORED = 2, 0.98
"""Most words, and least probability, of a phrase that sets a time though it names none ("before that")."""


@dataclass(frozen=True, slots=True)
class TimeScope:
    """Time that a question asks about.

    Attributes:
        at: moment of asking, in microseconds since 1970 UTC.
        relation: how it lies to the time named, one of ``temporal_form.TAGS``; ``none`` for the moment of asking.
        first, after: interval of the time named, in microseconds, the end exclusive; None where no date is named.
        nodes: the event or holder named instead; with neither, what holds at the moment of asking is meant.
        phrase: characters of the words that set the time.
        asks: one of ``temporal_form.WANTED``.
    """

    at: int
    relation: str = "none"
    first: int | None = None
    after: int | None = None
    nodes: tuple[int, ...] = ()
    phrase: tuple[int, int] = (0, 0)
    asks: str = "other"

    @property
    def is_set(self) -> bool:
        """Whether another time than the moment of asking is asked about."""
        return self.relation != "none"


def time_scope(form: TemporalForm, query: str, mentions: Sequence[Any], at: int) -> TimeScope:
    """The time scope of a query with this form.

    Args:
        mentions: names that the memory knows in the query (``NameMatch``); a date within a longer name is no time.
        at: moment of asking, in microseconds since 1970 UTC.
    """
    asked = TimeScope(at, asks=form.asks)
    times = find_times(query, at)
    names = [m for m in mentions if not any(time.start <= m.start and m.end <= time.end for time in times)]
    times = [time for time in times if not any(_meet(time, name) for name in names)]
    phrases = _joined(form.phrases, query, [*times, *names])
    scopes = [scope for phrase in phrases if (scope := _scope(asked, phrase, query, times, names)) is not None]
    return max(scopes, key=lambda scope: (scope.first is not None, bool(scope.nodes)), default=asked)


def _joined(phrases: Sequence[TemporalPhrase], query: str, anchors: Sequence[Any]) -> list[TemporalPhrase]:
    """Phrases with the dates and names that they meet or that follow them, and joined to those that follow these."""
    found: list[TemporalPhrase] = []
    for phrase in sorted(phrases, key=lambda phrase: phrase.start):
        start, end = phrase.start, phrase.end
        for anchor in sorted(anchors, key=lambda anchor: anchor.start):
            if anchor.start < end and start < anchor.end:
                start, end = min(start, anchor.start), max(end, anchor.end)
            elif end <= anchor.start and not query[end : anchor.start].strip():
                end = anchor.end
        last = found[-1] if found else None
        if last is not None and not query[last.end : start].strip():
            found[-1] = replace(last, end=max(last.end, end), probability=max(last.probability, phrase.probability))
        else:
            found.append(replace(phrase, start=start, end=end))
    return found


def _scope(
    asked: TimeScope, phrase: TemporalPhrase, query: str, times: Sequence[TimeSpan], names: Sequence[Any]
) -> TimeScope | None:  # fmt: skip
    """The scope that one phrase sets; None where it names nothing, or the moment of asking itself."""
    inside = [time for time in times if _meet(time, phrase)]
    around = [] if inside else [name for name in names if _meet(name, phrase)]
    relation = phrase.relation
    if relation != "at" and any((phrase.start, phrase.end) == (one.start, one.end) for one in (*inside, *around)):
        return None  # no word beside the date or name says how the time lies to it
    found = replace(asked, relation=relation, phrase=(phrase.start, phrase.end))
    if inside:
        first, after = min(time.first for time in inside), max(time.after for time in inside)
        is_now = relation in ("at", "until", "since") and len(inside) == 1 and first <= asked.at < after
        return None if is_now and after - first <= DAY else replace(found, first=first, after=after)
    if relation not in ("before", "after", "until"):
        return None
    if around:
        relation = "before" if relation == "until" else relation
        return replace(found, relation=relation, nodes=tuple(dict.fromkeys(n for one in around for n in one.nodes)))
    words = query[phrase.start : phrase.end].split()
    sure = relation == "before" and len(words) <= MAX_UNANCHORED and phrase.probability >= MIN_UNANCHORED
    return found if sure else None


def _meet(one: Any, other: Any) -> bool:
    """Whether two spans share a character."""
    return bool(one.start < other.end and other.start < one.end)


def without_phrase(retrieval: Any, scope: TimeScope) -> Any:
    """The retrieval with a query that does not speak of the time, and without the names and dates in those words."""
    start, end = scope.phrase
    query = retrieval.query
    left, right = query[:start].rstrip(" ,;("), query[end:].lstrip(" ,;:)")
    lead = re.match(r"[.?!\s]*", right)
    joint = "" if not left or (lead and lead[0]) else " "
    shift = len(left) + len(joint) - (len(query) - len(right))
    kept = []
    for mention in retrieval.seeds.mentions:
        if mention.end <= start:
            kept.append(mention)
        elif mention.start >= end:
            kept.append(replace(mention, start=mention.start + shift, end=mention.end + shift))
    nodes = {node for mention in kept for node in mention.nodes}
    seeds = retrieval.seeds
    if seeds.mentions:
        chosen = [at for at, node in enumerate(seeds.nodes.tolist()) if node in nodes]
        seeds = replace(seeds, nodes=seeds.nodes[chosen], weights=seeds.weights[chosen], mentions=tuple(kept))
    return replace(retrieval, query=left + joint + right, seeds=seeds)
