"""Mention spans: characters of a text that name something, from tagged tokens."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from graphmem.reading.hidden_states import TokenStates
from graphmem.reading.network import Span
from graphmem.reading.relation_context import may_be_related
from graphmem.text.sentences import Stretch, sentences
from graphmem.text.word_classes import is_name, is_pronoun

_MAX_PAIRS = 600
_PERSONAL = re.compile(r"\b(?:he|him|his|she|her|they|them|their|it|its)\b", re.IGNORECASE)
_POSSESSIVE, _NEXT = frozenset("his their its".split()), re.compile(r"\s+(\w+)")
_JOINING = frozenset("in on at to from by with and or for of as when where before after until again now then".split())
_OPENING, _CLOSING = " \t\n\"'“‘([{,;:-", " \t\n\"'”’,;:!?-"


@dataclass(frozen=True, slots=True)
class MentionSpan:
    """Characters ``start`` to ``end`` of a text name something."""

    start: int
    end: int
    kind: str
    span: Span


def align_spans(text: str, spans: Sequence[Span], state: TokenStates) -> list[MentionSpan]:
    """Tagged tokens as spans of whole words, in order, without overlaps."""
    found: list[MentionSpan] = []
    for span in spans:
        start, end = _whole_words(text, state.offsets[span.first][0], state.offsets[span.last][1])
        words, kind = text[start:end], span.kind
        if is_pronoun(words):
            kind = "pronoun"
        elif kind == "literal" and is_name(words):
            kind = "entity"  # "11th Mississippi Monument" is no number
        visible = any(letter.isprintable() and letter not in " \ufffd" for letter in words)
        if visible and not (found and start < found[-1].end):
            found.append(MentionSpan(start, end, kind, span))
    return found


def add_pronouns(text: str, mentions: Sequence[MentionSpan], state: TokenStates) -> list[MentionSpan]:
    """Mentions and the personal pronouns outside them, which are a closed class and need no tagger.

    Interrogatives ("who") have no antecedent and are left out.
    """
    words = {mention: text[mention.start : mention.end] for mention in mentions}
    mentions = [m for m in mentions if _PERSONAL.fullmatch(words[m]) or not is_pronoun(words[m])]
    free = [m.span() for m in _PERSONAL.finditer(text)]
    free = [(a, b) for a, b in free if not any(m.start < b and a < m.end for m in mentions)]
    more = [MentionSpan(a, b, "pronoun", Span(*state.token_span(a, b), "pronoun")) for a, b in free]
    return sorted([*mentions, *more], key=lambda mention: mention.start)


def is_possessive(text: str, mention: MentionSpan) -> bool:
    """Whether a pronoun is possessive: "her mother", not "saw her in Rome"."""
    after = _NEXT.match(text, mention.end)
    word = text[mention.start : mention.end].casefold()
    return word in _POSSESSIVE or (word == "her" and after is not None and after[1].casefold() not in _JOINING)


def _whole_words(text: str, start: int, end: int) -> Stretch:
    """Move the ends of a span to the ends of its words, and off quotes, punctuation and a possessive."""
    while start > 0 and _inside_word(text, start):
        start -= 1
    while end < len(text) and _inside_word(text, end):
        end += 1
    while start < end and text[start] in _OPENING:
        start += 1
    while start < end and (text[end - 1] in _CLOSING or (text[end - 1] == "." and _full_stop(text, start, end))):
        end -= 1
    if text[start:end].endswith(("'s", "’s")):
        end -= 2
    if end < len(text) and text[end] == ")" and text.count("(", start, end) > text.count(")", start, end):
        end += 1
    return start, end


def _inside_word(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    return before.isalnum() and after.isalnum() and before.isascii() and after.isascii()


def _full_stop(text: str, start: int, end: int) -> bool:
    """Whether a last dot ends the sentence, and not an initial or an abbreviation."""
    word = (text[start : end - 1].split() or [""])[-1]
    return "." not in word and not (len(word) == 1 and word.isupper()) and (len(word) > 3 or end == len(text.rstrip()))


def candidate_pairs(text: str, mentions: Sequence[MentionSpan]) -> list[tuple[MentionSpan, MentionSpan]]:
    """Pairs of mentions that may be related, see ``may_be_related``; neighbours first where there are too many."""
    bounds = [end for _, end in sentences(text[: mentions[-1].end])] if mentions else []
    number = [sum(m.start >= bound for bound in bounds) for m in mentions]
    topic = next((place for place, m in enumerate(mentions) if m.kind == "entity"), -1)
    found = [
        (b - a, mentions[a], mentions[b])
        for a in range(len(mentions))
        for b in range(a + 1, len(mentions))
        if may_be_related(number, a, b, topic)
    ]
    found.sort(key=lambda item: item[0])
    return [(a, b) for _, a, b in found[:_MAX_PAIRS]]
