"""Stories as numbers, for training the state reader: weak labels of names, pairs of names, pronouns, questions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch

from graphmem.core.names import normalise
from graphmem.datasets.babi import Question, Story
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.state_tracking.extractor import (
    EncodedSentence,
    Place,
    PlaceCache,
    Word,
    antecedents,
    as_pair,
    as_question,
    meaning,
    words_of,
)
from graphmem.state_tracking.network import BACK
from graphmem.training.state_tracking.soft_tracker import Asked

_FUNCTION = frozenset("the a an is was were are in to of before carrying what where how many objects who".split())


@dataclass(frozen=True, slots=True)
class Row:
    """A pair of names in a sentence, its phrase, and the pronouns' guesses that it rests on."""

    sentence: int
    first: int
    second: int
    phrase: int
    guesses: tuple[int, ...] = ()


@dataclass
class Prepared:
    """One story as numbers; phrases, guesses and questions are rows of shared tables."""

    story: Story
    names: list[str]
    rows: list[Row] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)


@dataclass
class Tables:
    """Distinct texts: of pairs, of questions, and what pronouns' guesses are made from."""

    phrases: dict[Place, int] = field(default_factory=dict)
    questions: dict[str, int] = field(default_factory=dict)
    guesses: dict[tuple[Place, Place, int], int] = field(default_factory=dict)


def row_of(table: dict[Any, int], key: Any) -> int:
    """The key's row, made when it is new."""
    return table.setdefault(key, len(table))


# ---------------------------------------------------------------- weak labels


def names_of(stories: Sequence[Story]) -> set[str]:
    """Words that questions ask about or answers hold, beyond the words that every question has."""
    found: set[str] = set()
    for story in stories:
        for question in story.questions:
            for text in (question.text, question.answer):
                found |= {word.text.casefold() for word in words_of(text)}
    return found - _FUNCTION


def told_of(text: str, names: set[str]) -> EncodedSentence:
    """A sentence with its names and pronouns, by a list of names."""
    return EncodedSentence(text, tuple(w for w in words_of(text) if w.text.casefold() in names or w.refers_back))


def prepare(story: Story, names: set[str], tables: Tables) -> Prepared:
    """A story as numbers."""
    told = [told_of(text, names) for text in story.sentences]
    asked = [told_of(question.text, names) for question in story.questions]
    own = list(dict.fromkeys(normalise(w.text) for t in [*told, *asked] for w in t.words if not w.refers_back))
    made = Prepared(story, own)
    place = {name: i + 1 for i, name in enumerate(own)}
    for number, sentence in enumerate(told):
        before = told[max(0, number - BACK) : number]
        for a in sentence.words:
            for b in sentence.words:
                if a is not b:
                    phrase = row_of(tables.phrases, as_pair(sentence, a, b))
                    made.rows += _rows(number, sentence, before, (a, b), phrase, place, tables)
    made.asked = [_asked(question, place, tables) for question in story.questions]
    return made


def _rows(
    number: int, told: EncodedSentence, before: Sequence[EncodedSentence], pair: tuple[Word, Word], phrase: int, place: dict[str, int],
    tables: Tables,
) -> Iterator[Row]:  # fmt: skip
    meant = [_meant(told, word, before, place, tables) for word in pair]
    for first, guess in meant[0]:
        for second, other in meant[1]:
            if first != second:
                yield Row(number, first, second, phrase, (*guess, *other))


def _meant(
    told: EncodedSentence, word: Word, before: Sequence[EncodedSentence], place: dict[str, int], tables: Tables
) -> list[tuple[int, tuple[int, ...]]]:
    if not word.refers_back:
        return [(place[normalise(word.text)], ())]
    rows = antecedents(told, word, before)
    return [(place[normalise(name)], (row_of(tables.guesses, (a, b, back)),)) for name, a, b, back in rows]


def _asked(question: Question, place: dict[str, int], tables: Tables) -> Asked:
    words = [word for word in words_of(question.text) if normalise(word.text) in place]
    ids = [place[normalise(word.text)] for word in words]
    answers = [normalise(part) for part in question.answer.split(",")]
    known = tuple(place[a] for a in answers) if all(a in place for a in answers) else ()
    first, second = [*ids, 0, 0][:2]
    kind = row_of(tables.questions, as_question(question.text, words))
    return Asked(0, question.after, first, second, known, question.answer, kind)


def focused(prepared: Prepared, names: set[str]) -> Iterator[Prepared]:
    """For each question a shorter story: its supporting sentences, and those that name nothing but what they name."""
    told = [{w.text.casefold() for w in told_of(text, names).words} for text in prepared.story.sentences]
    for question, asked in zip(prepared.story.questions, prepared.asked, strict=True):
        near = {w.text.casefold() for w in told_of(question.text, names).words}
        near = near.union(*(told[sentence] for sentence in question.support))
        wanted = [s for s in range(question.after) if s in question.support or told[s] <= near]
        kept = {sentence: place for place, sentence in enumerate(wanted)}
        sentences = tuple(prepared.story.sentences[sentence] for sentence in kept)
        rows = [replace(r, sentence=kept[r.sentence]) for r in prepared.rows if r.sentence in kept]
        story = Story(prepared.story.task, sentences, (replace(question, after=len(kept)),))
        yield Prepared(story, prepared.names, rows, [replace(asked, after=len(kept))])


@dataclass(frozen=True)
class Vectors:
    """The tables encoded: phrases [n, 2K], questions [n, K], guesses [n, 2K + BACK + 1]."""

    phrases: torch.Tensor
    questions: torch.Tensor
    guesses: torch.Tensor

    @classmethod
    def of(cls, tables: Tables, encoder: Any) -> Vectors:
        """Encode every text once."""
        places, texts = PlaceCache(encoder, limit=200_000), EmbeddingCache(encoder)
        guesses = meaning(places, list(tables.guesses)) if tables.guesses else np.zeros((1, 2 * encoder.dim + BACK + 1))
        arrays = places(list(tables.phrases)), texts(list(tables.questions)), guesses.astype(np.float32)
        return cls(*(torch.from_numpy(array) for array in arrays))
