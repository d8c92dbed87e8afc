"""Ordinary text beside stories: sentences that tell of no change, and what their capitals say about names."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence

from graphmem.core.splits import Split, passage_split
from graphmem.datasets.plain_text import passage_sentences, passage_texts
from graphmem.state_tracking.extractor import EncodedSentence, Place, as_pair, words_of


def plain_sentences(part: Split, count: int, seed: int) -> list[str]:
    """Sentences of ordinary text: passages of one part only, so that the others stay unread."""
    found = list(dict.fromkeys(line for text in passage_texts(part, passage_split) for line in passage_sentences(text)))
    random.Random(seed).shuffle(found)
    return found[:count]


def plain_pairs(texts: Sequence[str], rng: random.Random, each: int = 2) -> Iterator[Place]:
    """Phrases of pairs of words in ordinary sentences, one of them a capitalised word or a pronoun."""
    for text in texts:
        words = words_of(text)
        subjects = [word for word in words if word.text[:1].isupper() or word.refers_back]
        for first in rng.sample(subjects, min(each, len(subjects))):
            second = rng.choice(words)
            if first is not second:
                pair = (first, second) if rng.random() < 0.5 else (second, first)
                yield as_pair(EncodedSentence(text, tuple(dict.fromkeys(pair))), *pair)


def plain_labels(text: str) -> list[float]:
    """Which words of an ordinary sentence are names, as far as capitals tell: 1, 0 (a word after a name), or -1.

    Other words without a capital may name things of a story ("the milk"); a word right after a name mostly does not.
    """
    words = [match.group() for match in re.finditer(r"\w[\w'’-]*", text)]
    labels, capital = [-1.0] * len(words), [word[:1].isupper() for word in words]
    for place in range(1, len(words)):
        if capital[place]:
            labels[place] = 1.0
        elif capital[place - 1] and words[place].isalpha():
            labels[place] = 0.0
    return labels


def pools_of(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Words to swap names for: capitalised ones within sentences, and what stands between "the" and "of" or "in"."""
    upper = {w for text in texts for w in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,9}\b", text)}
    lower = {w for text in texts for w in re.findall(r"\bthe ([a-z]{3,10})(?= (?:of|in|and|at|was|is)\b)", text)}
    return sorted(upper), sorted(lower)
