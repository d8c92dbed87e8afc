"""Long texts: stories hidden in ordinary passages, cut into windows."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from graphmem.core.splits import passage_split
from graphmem.datasets.babi import Question, Story
from graphmem.datasets.plain_text import passage_sentences, passage_texts


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence and how many tokens of the base model it has."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class LongText:
    """A story hidden in a long text, and what is asked at its end.

    Attributes:
        story: what is hidden.
        question: the last of its questions; the story ends where it is asked.
        lines: all sentences in order, the story's among those of the passages.
        tokens: of the whole.
    """

    story: Story
    question: Question
    lines: tuple[Sentence, ...]
    tokens: int

    def windows(self, size: int) -> list[str]:
        """Pieces of whole sentences, one a line, of at most ``size`` tokens (a longer one alone)."""
        pieces: list[list[str]] = [[]]
        used = 0
        for line in self.lines:
            if used + line.tokens > size and pieces[-1]:
                pieces.append([])
                used = 0
            pieces[-1].append(line.text)
            used += line.tokens
        return ["\n".join(piece) for piece in pieces]


@lru_cache(maxsize=1)
def passages() -> tuple[tuple[str, ...], ...]:
    """Sentences of the shipped passages that no state reader was trained beside or calibrated on."""
    return tuple(tuple(passage_sentences(text)) for text in passage_texts("test", passage_split))


def _some(characters: int) -> Iterator[tuple[str, ...]]:
    every = passages()
    for passage in random.Random(0).sample(every, len(every)):
        if characters <= 0:
            return
        characters -= sum(map(len, passage))
        yield passage


class Filler:
    """Ordinary sentences with their token counts, in passages of random order.

    Args:
        tokenizer: of the base model.
        characters: use so many characters of passages only, drawn by a fixed seed; None uses all. The same passages
            then stand around every story, in other orders, and a text longer than they are has them again and again.
    """

    def __init__(self, tokenizer: Any, characters: int | None = None) -> None:
        self._tokenizer = tokenizer
        chosen = passages() if characters is None else tuple(_some(characters))
        counts = iter(self.counts([text for passage in chosen for text in passage]))
        self.passages = [[Sentence(text, next(counts)) for text in passage] for passage in chosen]
        self.tokens = sum(line.tokens for passage in self.passages for line in passage)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, a space before it."""
        encoded = self._tokenizer([f" {text}" for text in texts], add_special_tokens=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def around(self, story: Story, tokens: int, rng: random.Random) -> LongText:
        """The story up to its last question in about ``tokens`` tokens of passages, at random places, in order.

        Beyond the passages that there are (about 0.4 million tokens) they come again in another order.
        """
        question = story.questions[-1]
        told = story.sentences[: question.after]
        own = [Sentence(text, count) for text, count in zip(told, self.counts(told), strict=True)]
        around, room = list[Sentence](), tokens - sum(line.tokens for line in own)
        while room > 0:
            for passage in rng.sample(self.passages, len(self.passages)):
                around += passage
                room -= sum(line.tokens for line in passage)
                if room <= 0:
                    break
        while around and room + around[-1].tokens <= 0:  # at most a part of a sentence longer
            room += around.pop().tokens
        places = sorted(rng.randrange(len(around) + 1) for _ in own)
        lines, last = list[Sentence](), 0
        for place, line in zip(places, own, strict=True):
            lines += [*around[last:place], line]
            last = place
        lines += around[last:]
        return LongText(story, question, tuple(lines), sum(line.tokens for line in lines))
