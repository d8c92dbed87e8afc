"""Training examples of the state network: stories as tensors with weak labels, and ordinary text as negatives."""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count, permutations
from typing import Any

import numpy as np
import torch

from graphmem.core.names import normalise
from graphmem.core.splits import Split, passage_split
from graphmem.datasets.babi import Question, Story
from graphmem.datasets.plain_text import passage_sentences, passage_texts
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.state_tracking.extractor import (
    WORD,
    EncodedSentence,
    Place,
    SpanStateCache,
    Word,
    antecedent_features,
    antecedents,
    mask_pair,
    mask_question,
    replace_words,
    words_of,
)
from graphmem.state_tracking.network import CONTEXT
from graphmem.training.state_tracking.soft_tracker import TrackedQuestion

_FUNCTION_WORDS = frozenset("the a an is was were are in to of before carrying what where how many objects who".split())


@dataclass(frozen=True, slots=True)
class Row:
    """A pair of names in a sentence, its masked phrase, and the antecedents that its pronouns are resolved to."""

    sentence: int
    first: int
    second: int
    phrase: int
    resolved: tuple[int, ...] = ()


@dataclass
class EncodedStory:
    """One story as numbers; phrases, antecedents and questions are rows of shared tables."""

    story: Story
    names: list[str]
    rows: list[Row] = field(default_factory=list)
    questions: list[TrackedQuestion] = field(default_factory=list)


def _rows() -> dict[Any, int]:
    return defaultdict(count().__next__)  # a new key gets the next row


@dataclass
class Tables:
    """Distinct phrases of pairs, question texts, and pairs of pronoun and antecedent, each with its row."""

    phrases: dict[Place, int] = field(default_factory=_rows)
    questions: dict[str, int] = field(default_factory=_rows)
    antecedents: dict[tuple[Place, Place, int], int] = field(default_factory=_rows)


def names_of(stories: Sequence[Story]) -> set[str]:
    """Content words of questions and answers, the weak label of names."""
    texts = (text for story in stories for question in story.questions for text in (question.text, question.answer))
    return {word.text.casefold() for text in texts for word in words_of(text)} - _FUNCTION_WORDS


def encode_sentence(text: str, names: set[str]) -> EncodedSentence:
    """A sentence with its pronouns and its names, by a list of names."""
    return EncodedSentence(text, tuple(w for w in words_of(text) if w.text.casefold() in names or w.is_pronoun))


def encode_story(story: Story, names: set[str], tables: Tables) -> EncodedStory:
    """A story as numbers."""
    sentences = [encode_sentence(text, names) for text in story.sentences]
    questions = [encode_sentence(question.text, names) for question in story.questions]
    words = (w for sentence in [*sentences, *questions] for w in sentence.words if not w.is_pronoun)
    own = list(dict.fromkeys(normalise(word.text) for word in words))
    place = {name: i + 1 for i, name in enumerate(own)}
    made = EncodedStory(story, own, questions=[_question(question, place, tables) for question in story.questions])
    for number, sentence in enumerate(sentences):
        before = sentences[max(0, number - CONTEXT) : number]
        for pair in permutations(sentence.words, 2):
            phrase = tables.phrases[mask_pair(sentence, *pair)]
            resolved = [_resolutions(sentence, word, before, place, tables) for word in pair]
            made.rows += [
                Row(number, first, second, phrase, (*one, *two))
                for first, one in resolved[0]
                for second, two in resolved[1]
                if first != second
            ]
    return made


def _resolutions(
    sentence: EncodedSentence, word: Word, before: Sequence[EncodedSentence], place: dict[str, int], tables: Tables
) -> list[tuple[int, tuple[int, ...]]]:
    """Names that a word may stand for, each with the row of its antecedent."""
    if not word.is_pronoun:
        return [(place[normalise(word.text)], ())]
    rows = antecedents(sentence, word, before)
    return [(place[normalise(name)], (tables.antecedents[a, b, back],)) for name, a, b, back in rows]


def _question(question: Question, place: dict[str, int], tables: Tables) -> TrackedQuestion:
    words = [word for word in words_of(question.text) if normalise(word.text) in place]
    answers = [normalise(part) for part in question.answer.split(",")]
    known = tuple(place[a] for a in answers) if all(a in place for a in answers) else ()
    first, second = [*(place[normalise(word.text)] for word in words), 0, 0][:2]
    text = tables.questions[mask_question(question.text, words)]
    return TrackedQuestion(0, question.after, first, second, known, question.answer, text)


def focused(encoded: EncodedStory, names: set[str]) -> Iterator[EncodedStory]:
    """For each question a shorter story: its supporting sentences, and those with no other names than these."""
    words = [{w.text.casefold() for w in encode_sentence(text, names).words} for text in encoded.story.sentences]
    for question, tracked in zip(encoded.story.questions, encoded.questions, strict=True):
        near = {w.text.casefold() for w in encode_sentence(question.text, names).words}
        near = near.union(*(words[sentence] for sentence in question.support))
        wanted = [s for s in range(question.after) if s in question.support or words[s] <= near]
        kept = {sentence: place for place, sentence in enumerate(wanted)}
        sentences = tuple(encoded.story.sentences[sentence] for sentence in kept)
        rows = [replace(r, sentence=kept[r.sentence]) for r in encoded.rows if r.sentence in kept]
        story = Story(encoded.story.task, sentences, (replace(question, after=len(kept)),))
        yield EncodedStory(story, encoded.names, rows, [replace(tracked, after=len(kept))])


@dataclass(frozen=True)
class Vectors:
    """The tables encoded: phrases [n, 2K], questions [n, K], antecedents [n, 2K + CONTEXT + 1]."""

    phrases: torch.Tensor
    questions: torch.Tensor
    antecedents: torch.Tensor

    @classmethod
    def of(cls, tables: Tables, encoder: Any) -> Vectors:
        """Encode every text once."""
        states, texts = SpanStateCache(encoder, limit=200_000), EmbeddingCache(encoder)
        pairs = list(tables.antecedents)
        features = antecedent_features(states, pairs) if pairs else np.zeros((1, 2 * encoder.dim + CONTEXT + 1))
        arrays = states(list(tables.phrases)), texts(list(tables.questions)), features.astype(np.float32)
        return cls(*(torch.from_numpy(array) for array in arrays))


def with_other_names(
    text: str, names: set[str], pools: tuple[list[str], list[str]], rng: random.Random
) -> EncodedSentence:
    """A sentence with other names, some of two words, in place of its own; ``pools`` come from ``name_pools``."""
    new: dict[Word, str] = {}
    for word in encode_sentence(text, names).words:
        new[word] = word.text
        if not word.is_pronoun and rng.random() < 0.8:
            pool = pools[not word.text[0].isupper()]
            new[word] = " ".join(rng.choice(pool) for _ in range(1 + (rng.random() < 0.2)))
    changed, spans = replace_words(text, new)
    return EncodedSentence(changed, tuple(Word(*spans[word], name) for word, name in new.items()))


def name_pools(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Names to put into stories: capitalised words within sentences, and nouns after "the"."""
    upper = {w for text in texts for w in re.findall(r"(?<=[a-z,] )[A-Z][a-z]{2,9}\b", text)}
    lower = {w for text in texts for w in re.findall(r"\bthe ([a-z]{3,10})(?= (?:of|in|and|at|was|is)\b)", text)}
    return sorted(upper), sorted(lower)


def plain_sentences(split: Split, count: int, seed: int) -> list[str]:
    """Sentences of ordinary text, from the passages of one split."""
    found = list(dict.fromkeys(s for text in passage_texts(split, passage_split) for s in passage_sentences(text)))
    random.Random(seed).shuffle(found)
    return found[:count]


def plain_pairs(texts: Sequence[str], rng: random.Random, each: int = 2) -> Iterator[Place]:
    """Masked pairs of words in ordinary sentences, one of them a capitalised word or a pronoun."""
    for text in texts:
        words = words_of(text)
        subjects = [word for word in words if word.text[:1].isupper() or word.is_pronoun]
        for first in rng.sample(subjects, min(each, len(subjects))):
            second = rng.choice(words)
            if first is not second:
                pair = (first, second) if rng.random() < 0.5 else (second, first)
                yield mask_pair(EncodedSentence(text, tuple(dict.fromkeys(pair))), *pair)


def plain_labels(text: str) -> list[float]:
    """Name labels of the words of an ordinary sentence, by their capitals: 1, 0 (a word after a name), -1 (unknown).

    Other words without a capital may be names of things in a story ("the milk"); a word right after a name rarely is.
    """
    words = WORD.findall(text)
    labels, capital = [-1.0] * len(words), [word[:1].isupper() for word in words]
    for place in range(1, len(words)):
        if capital[place]:
            labels[place] = 1.0
        elif capital[place - 1] and words[place].isalpha():
            labels[place] = 0.0
    return labels
