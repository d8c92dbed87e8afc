"""Long texts: stories hidden in ordinary passages, cut into windows."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from graphmem.core.splits import passage_split
from graphmem.datasets.babi import Question, Story
from graphmem.datasets.plain_text import passage_sentences, passage_texts


class Sentence(NamedTuple):
    """A sentence and how many tokens of the base model it has."""

    text: str
    tokens: int


@dataclass(frozen=True, slots=True)
class LongText:
    """A story hidden in a long text, and the last of its questions; the story ends where it is asked.

    ``lines`` are all sentences in order, the story's among those of the passages.
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
def passages() -> list[list[str]]:
    """Sentences of the shipped passages that were held out of the state extractor's training and calibration."""
    return [list(passage_sentences(text)) for text in passage_texts("test", passage_split)]


class Filler:
    """Ordinary sentences with their token counts, in passages drawn by a fixed seed up to ``characters``, or in all.

    Every story gets the same passages in another order; longer texts repeat them.
    """

    def __init__(self, tokenizer: Any, characters: int | None = None) -> None:
        self._tokenizer = tokenizer
        chosen, used = passages(), 0
        if characters is not None:
            drawn, chosen = random.Random(0).sample(chosen, len(chosen)), []
            while drawn and used < characters:
                chosen.append(drawn.pop(0))
                used += sum(map(len, chosen[-1]))
        counts = iter(self.counts([text for passage in chosen for text in passage]))
        self.passages = [[Sentence(text, next(counts)) for text in passage] for passage in chosen]
        self.tokens = sum(line.tokens for passage in self.passages for line in passage)

    def counts(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, a space before it."""
        encoded = self._tokenizer([f" {text}" for text in texts], add_special_tokens=False)
        return [len(ids) for ids in encoded["input_ids"]]

    def around(self, story: Story, tokens: int, rng: random.Random) -> LongText:
        """The story up to its last question in about ``tokens`` tokens of passages, at random places, in order.

        Texts longer than all passages (about 0.4 million tokens) repeat them in another order.
        """
        question = story.questions[-1]
        lines_of_story = story.sentences[: question.after]
        own = list(map(Sentence, lines_of_story, self.counts(lines_of_story)))
        around, room = list[Sentence](), tokens - sum(line.tokens for line in own)
        while room > 0:
            for passage in rng.sample(self.passages, len(self.passages)):
                around += passage
                room -= sum(line.tokens for line in passage)
                if room <= 0:
                    break
        while around and room + around[-1].tokens <= 0:  # at most a part of a sentence too long
            room += around.pop().tokens
        places = sorted(rng.randrange(len(around) + 1) for _ in own)
        for place, line in reversed(list(zip(places, own, strict=True))):
            around.insert(place, line)
        return LongText(story, question, tuple(around), sum(line.tokens for line in around))
