"""State-change extractor: where things are and who carries what, read from sentences as changes of a graph.

A small network over a frozen text encoder, trained on answers alone (``training.state_tracking``). For each sentence:

    sentence vector -> is there a change?                      (most sentences have none and are skipped)
    token states -> which words are names?
    the sentence with one pair of names as X and Y -> what changes between the two?
    pronoun -> its antecedent in the sentences before

Two relations are kept in the graph: ``is in`` (one place at a time) and ``carries`` (a thing has one carrier at a time,
a carrier any number of things). Which verbs express which change is learned; there is no list of verbs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any, Generic, TypeVar

import numpy as np
import torch

from graphmem.core.names import normalise
from graphmem.core.validation import require
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.state_tracking.network import CHANGES, CONTEXT, QUESTIONS, SHIPPED, StateNetwork, load_states
from graphmem.text.sentences import Stretch, sentences

K = TypeVar("K")
V = TypeVar("V")
IS_IN, CARRIES = "is in", "carries"
WORD = re.compile(r"\w[\w'’-]*")
_PLURAL = frozenset("they them".split())
_PRONOUNS = _PLURAL | frozenset("he she it him her".split())
_ARTICLES = frozenset("the a an".split())
_MAX_NAMES, _BATCH = 6, 256
"""Names of a sentence that are paired; texts encoded at once."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """``kind`` (one of ``CHANGES``) of change between ``subject`` and ``object``, with its sentence."""

    kind: str
    subject: str
    object: str
    sentence: str
    probability: float


@dataclass(frozen=True, slots=True)
class Word:
    """Characters of a sentence that are a name or a pronoun."""

    start: int
    end: int
    text: str

    @property
    def is_pronoun(self) -> bool:
        """Whether it is a personal pronoun."""
        return self.text.casefold() in _PRONOUNS


@dataclass(frozen=True, slots=True)
class EncodedSentence:
    """A sentence with its names and pronouns, and the probability, 0..1, that it expresses a change."""

    text: str
    words: tuple[Word, ...]
    probability: float = 1.0


class StateChangeExtractor:
    """Finds state changes, sentence by sentence.

    Args:
        network: trained ``StateNetwork``.
        encoder: the text encoder it was trained with, which must give token states and offsets.
        threshold: minimum probability of a change, 0..1: that the sentence has one times that it is this one. The
            network's calibrated threshold by default.
        cache_size: sentences whose encoding is kept.
    """

    def __init__(
        self, network: StateNetwork, encoder: Any, *, threshold: float | None = None, cache_size: int = 10_000
    ) -> None:
        threshold = network.threshold if threshold is None else threshold
        require(0.0 <= threshold <= 1.0, "threshold", threshold, "a probability, 0..1")
        self.network, self.encoder, self.threshold = network.eval(), encoder, threshold
        self._encoded = BatchCache(self._encode, cache_size)
        self._states, self._vectors = SpanStateCache(encoder), EmbeddingCache(encoder, max_texts=20_000)

    @classmethod
    def shipped(cls, encoder: Any) -> StateChangeExtractor:
        """The extractor with the weights of the package.

        Raises:
            WeightsMismatch: they were trained with another encoder.
        """
        return cls(load_states(SHIPPED, encoder.fingerprint), encoder)

    def read(
        self, text: str, before: Sequence[EncodedSentence] = ()
    ) -> Iterator[tuple[EncodedSentence, list[StateChange]]]:
        """Every sentence that expresses changes, with them, in order.

        ``before`` are the last sentences with a change, for the antecedents of pronouns.
        """
        recent = list(before)[-CONTEXT:]
        for sentence in self.encode([text[a:b].strip() for a, b in sentences(text)]):
            changes = list(self.changes(sentence, recent))
            if changes:
                recent = [*recent, sentence][-CONTEXT:]
                yield sentence, changes

    def encode(self, texts: Sequence[str]) -> Iterator[EncodedSentence]:
        """Those of the sentences that seem to express a change, with their names and pronouns."""
        yield from (sentence for sentence in self._encoded(texts) if sentence is not None)

    @torch.no_grad()
    def _encode(self, texts: Sequence[str]) -> list[EncodedSentence | None]:
        vectors, states, _ = self.encoder.encode_both(texts)
        probabilities = self.network.tells(torch.from_numpy(vectors))[:, 0].sigmoid().tolist()
        found: list[EncodedSentence | None] = [None] * len(texts)
        kept = [row for row, probability in enumerate(probabilities) if probability >= self.threshold]
        for row, spans in zip(kept, self.encoder.offsets([texts[row] for row in kept]), strict=True):
            words = tuple(self._words(texts[row], states[row], spans))
            found[row] = EncodedSentence(texts[row], words, probabilities[row])
        return found

    def _words(self, text: str, states: np.ndarray, offsets: Sequence[Stretch]) -> list[Word]:
        """Names and pronouns; neighbouring words of a name are joined."""
        text = text[: max((end for _, end in offsets), default=0)]  # words beyond have no token states
        spans = [match.span() for match in WORD.finditer(text)]
        if not spans:
            return []
        probabilities = self.network.names(torch.from_numpy(word_vectors(text, states, offsets)))[:, 0].sigmoid()
        found: list[Word] = []
        for (a, b), probability in zip(spans, probabilities.tolist(), strict=True):
            word = Word(a, b, text[a:b])
            if probability < 0.5 and not word.is_pronoun:
                continue
            if found and text[found[-1].end : a].isspace() and not (word.is_pronoun or found[-1].is_pronoun):
                found[-1] = Word(found[-1].start, b, text[found[-1].start : b])
            else:
                found.append(word)
        return found[:_MAX_NAMES]

    @torch.no_grad()
    def changes(self, sentence: EncodedSentence, before: Sequence[EncodedSentence]) -> Iterator[StateChange]:
        """Changes that a sentence expresses; pronouns are replaced by their antecedents."""
        pairs = list(permutations(sentence.words, 2))
        if not pairs:
            return
        phrases = [mask_pair(sentence, a, b) for a, b in pairs]
        rows = self.network.change(torch.from_numpy(self._states(phrases))).softmax(-1)
        for (a, b), row in zip(pairs, rows, strict=True):
            best, kind = row.max(-1)
            probability = float(best) * sentence.probability
            if not int(kind) or probability < self.threshold:
                continue
            for subject in self._names_of(sentence, a, before):
                for value in self._names_of(sentence, b, before):
                    if normalise(subject) != normalise(value):
                        yield StateChange(CHANGES[int(kind)], subject, value, sentence.text, round(probability, 4))

    def _names_of(self, sentence: EncodedSentence, word: Word, before: Sequence[EncodedSentence]) -> list[str]:
        """Names that a word stands for: its own text, or the antecedents of a pronoun (of a singular one, the best)."""
        if not word.is_pronoun:
            return [word.text]
        rows = list(antecedents(sentence, word, before))
        if not rows:
            return []
        features = antecedent_features(self._states, [row[1:] for row in rows])
        probabilities = self.network.means(torch.from_numpy(features))[:, 0].sigmoid().tolist()
        likely = [(p, row[0]) for row, p in zip(rows, probabilities, strict=True) if p >= 0.5]
        if word.text.casefold() not in _PLURAL:
            likely = sorted(likely, key=lambda found: -found[0])[:1]
        return list(dict.fromkeys(name for _, name in likely))

    @torch.no_grad()
    def names(self, question: str) -> list[Word]:
        """Names in a question, in order."""
        states, _ = self.encoder.encode_tokens([question])
        return [w for w in self._words(question, states[0], self.encoder.offsets([question])[0]) if not w.is_pronoun]

    @torch.no_grad()
    def question_kind(self, question: str, names: Sequence[Word]) -> str:
        """The kind of a question, one of ``QUESTIONS``, given the names in it, in order."""
        phrase = mask_question(question, names)
        return QUESTIONS[int(self.network.question(torch.from_numpy(self._vectors([phrase]))).argmax(-1))]


Place = tuple[str, tuple[Stretch, ...]]
"""A text, and the spans in it whose token states are wanted."""


class BatchCache(Generic[K, V]):
    """Cache of a function of many keys, which gets the new ones in batches; a full cache is emptied."""

    def __init__(self, compute: Callable[[list[K]], Iterable[V]], limit: int) -> None:
        self._compute, self.limit, self._known = compute, limit, dict[K, V]()

    def __call__(self, keys: Sequence[K]) -> list[V]:
        if len(self._known) > self.limit:
            self._known = {}
        new = list(dict.fromkeys(key for key in keys if key not in self._known))
        for start in range(0, len(new), _BATCH):
            part = new[start : start + _BATCH]
            self._known.update(zip(part, self._compute(part), strict=True))
        return [self._known[key] for key in keys]


class SpanStateCache:
    """Token states of ``encoder`` at given spans of texts, concatenated and cached."""

    def __init__(self, encoder: Any, limit: int = 20_000) -> None:
        self.encoder, self._rows = encoder, BatchCache(self._compute, limit)

    def __call__(self, places: Sequence[Place]) -> np.ndarray:
        """Float32 [n, P * K], for texts with P spans each."""
        return np.stack(self._rows(places))

    def _compute(self, places: Sequence[Place]) -> Iterator[np.ndarray]:
        texts = [text for text, _ in places]
        states, _ = self.encoder.encode_tokens(texts)
        for (_, wanted), rows, spans in zip(places, states, self.encoder.offsets(texts), strict=True):
            yield np.concatenate([_state_at(rows, spans, stretch) for stretch in wanted])


def _state_at(states: np.ndarray, offsets: Sequence[Stretch], stretch: Stretch) -> np.ndarray:
    inside = [i for i, (a, b) in enumerate(offsets) if i < len(states) and a < stretch[1] and b > stretch[0] and b > a]
    return states[inside].mean(0) if inside else np.zeros(states.shape[-1], np.float32)


def antecedent_features(states: SpanStateCache, rows: Sequence[tuple[Place, Place, int]]) -> np.ndarray:
    """Features of a name and a pronoun: both token states and the distance in sentences, [n, 2K + CONTEXT + 1]."""
    pairs = states([place for row in rows for place in row[:2]]).reshape(len(rows), -1)
    return np.concatenate([pairs, np.eye(CONTEXT + 1, dtype=np.float32)[[row[2] for row in rows]]], 1)


def mask_pair(sentence: EncodedSentence, first: Word, second: Word) -> Place:
    """The sentence with ``first`` as X, ``second`` as Y and other names as Z, and the spans of X and Y."""
    return _masked(sentence, {first: "X", second: "Y"})


def mask_question(question: str, names: Sequence[Word]) -> str:
    """The question with its names as X, Y and Z, in order."""
    marks = {word: mark for word, mark in zip(names, "XYZZZZ", strict=False)}
    return _masked(EncodedSentence(question, tuple(names)), marks)[0]


def antecedents(
    sentence: EncodedSentence, pronoun: Word, before: Sequence[EncodedSentence]
) -> Iterator[tuple[str, Place, Place, int]]:
    """Possible antecedents of a pronoun: the name, its place, the pronoun's place, and how many sentences back."""
    own = _masked(sentence, {pronoun: pronoun.text})
    for back, earlier in enumerate([sentence, *reversed(before)][: CONTEXT + 1]):
        for word in earlier.words:
            if not word.is_pronoun and (back or word.end <= pronoun.start):
                yield word.text, _masked(earlier, {word: "X"}), own, back


def _masked(sentence: EncodedSentence, marks: dict[Word, str]) -> Place:
    """The text with marks in place of words and Z in place of other names, and the spans of the marks, in order."""
    new = {word: marks.get(word, word.text if word.is_pronoun else "Z") for word in sentence.words}
    text, spans = replace_words(sentence.text, new)
    return text, tuple(spans[word] for word in marks)


def replace_words(text: str, new: dict[Word, str]) -> tuple[str, dict[Word, Stretch]]:
    """A text with words replaced, and the spans of the replacements."""
    parts, last, length = list[str](), 0, 0
    spans: dict[Word, Stretch] = {}
    for word in sorted(new, key=lambda word: word.start):
        gap = text[last : word.start]
        spans[word] = (length + len(gap), length + len(gap) + len(new[word]))
        parts += [gap, new[word]]
        length, last = spans[word][1], word.end
    return "".join(parts) + text[last:], spans


def word_vectors(text: str, states: np.ndarray, offsets: Sequence[Stretch]) -> np.ndarray:
    """Mean token state of each word of a text, float32 [words, K]."""
    rows = [_state_at(states, offsets, match.span()) for match in WORD.finditer(text)]
    return np.stack(rows) if rows else np.zeros((0, states.shape[-1]), np.float32)


def words_of(text: str) -> list[Word]:
    """All words of a text except articles."""
    found = [Word(*match.span(), match.group()) for match in WORD.finditer(text)]
    return [word for word in found if word.text.casefold() not in _ARTICLES]
