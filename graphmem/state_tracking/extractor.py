"""StateReader: reads from sentences where things are and who has what, as changes of a graph.

A small network over a frozen text encoder, trained on answers alone (see ``training.states``). For each sentence:

    vector ──▶ does it tell of a change?                       (most text does not, and is left at that)
    token states ──▶ which words name somebody or something?
    the sentence with one pair of names as X and Y ──▶ what does it change between the two?
    a pronoun ──▶ whom of the sentences before does it mean?

Two relations are kept, by these names in the graph: ``is in`` (one place at a time) and ``carries`` (a thing has one
carrier at a time, a carrier has any number). Which words tell of which change is learned; there is no list of verbs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
import torch

from graphmem.core.names import normalise
from graphmem.core.validation import require
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.state_tracking.network import BACK, CHANGES, QUESTIONS, SHIPPED, StateNetwork, load_states
from graphmem.text.sentences import Stretch, sentences

PLACE, HOLDS = "is in", "carries"
_SEVERAL = frozenset("they them".split())
_PRONOUNS = _SEVERAL | frozenset("he she it him her".split())
_ARTICLES = frozenset("the a an".split())
_WORD = re.compile(r"\w[\w'’-]*")
_MOST = 6
"""Names of a sentence that are paired at most."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """``what`` (one of ``CHANGES``) happened between ``first`` and ``second``, with the sentence that says so."""

    what: str
    first: str
    second: str
    sentence: str
    sure: float


@dataclass(frozen=True, slots=True)
class Word:
    """A stretch of a sentence that names something, or refers back to a name."""

    start: int
    end: int
    text: str

    @property
    def refers_back(self) -> bool:
        """Whether it is a pronoun."""
        return self.text.casefold() in _PRONOUNS


@dataclass(frozen=True, slots=True)
class EncodedSentence:
    """A sentence with the words in it that matter, and how sure it is that it tells of a change, 0..1."""

    text: str
    words: tuple[Word, ...]
    sure: float = 1.0


class StateChangeExtractor:
    """Reads sentences one after another.

    Args:
        network: trained ``StateNetwork``.
        encoder: the text encoder it was trained with; it must give token states and offsets.
        threshold: least certainty of a change to be told of, 0..1: the chance that the sentence tells of one times
            the chance that it is this one. By default what the network was calibrated to.
        remembered: sentences whose reading is kept in case they come again; what each says by itself never changes.
    """

    def __init__(
        self, network: StateNetwork, encoder: Any, *, threshold: float | None = None, remembered: int = 10_000
    ) -> None:
        threshold = network.least if threshold is None else threshold
        require(0.0 <= threshold <= 1.0, "threshold", threshold, "a probability, 0..1")
        self.remembered, self._known = remembered, dict[str, EncodedSentence | None]()
        self.network, self.encoder, self.threshold = network.eval(), encoder, threshold
        self._places, self._vectors = PlaceCache(encoder), EmbeddingCache(encoder, max_texts=20_000)

    @classmethod
    def shipped(cls, encoder: Any) -> StateChangeExtractor:
        """The reader with the weights of the package.

        Raises:
            WeightsMismatch: they were trained with another encoder.
        """
        return cls(load_states(SHIPPED, encoder.fingerprint), encoder)

    def read(
        self, text: str, before: Sequence[EncodedSentence] = ()
    ) -> Iterator[tuple[EncodedSentence, list[StateChange]]]:
        """Every sentence that tells of changes, with them, in order.

        Args:
            text: any length.
            before: the last sentences that told of a change, so that "she" can mean somebody of theirs.
        """
        recent = list(before)[-BACK:]
        for _, told in self.told([text[a:b].strip() for a, b in sentences(text)]):
            changes = list(self.changes(told, recent))
            if changes:
                recent = [*recent, told][-BACK:]
                yield told, changes

    def told(self, texts: Sequence[str]) -> Iterator[tuple[int, EncodedSentence]]:
        """Those of the sentences that seem to tell of a change, with their places and the names in them."""
        if len(self._known) > self.remembered:
            self._known = {}
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        for start in range(0, len(new), 256):
            self._known.update(self._told(new[start : start + 256]))
        for place, text in enumerate(texts):
            if (told := self._known[text]) is not None:
                yield place, told

    @torch.no_grad()
    def _told(self, texts: Sequence[str]) -> dict[str, EncodedSentence | None]:
        vectors, states, _ = self.encoder.encode_both(texts)
        chances = self.network.tells(torch.from_numpy(vectors))[:, 0].sigmoid()
        found: dict[str, EncodedSentence | None] = dict.fromkeys(texts)
        kept = [row for row in range(len(texts)) if float(chances[row]) >= self.threshold]
        offsets = self.encoder.offsets([texts[row] for row in kept])
        for row, spans in zip(kept, offsets, strict=True):
            words = tuple(self._words(texts[row], states[row], spans))
            found[texts[row]] = EncodedSentence(texts[row], words, float(chances[row]))
        return found

    def _words(self, text: str, states: np.ndarray, offsets: Sequence[tuple[int, int]]) -> Iterator[Word]:
        vectors = word_vectors(text, states, offsets)
        spans = [match.span() for match in _WORD.finditer(text)]
        if not spans:
            return
        chances = self.network.names(torch.from_numpy(vectors))[:, 0].sigmoid()
        found: list[Word] = []
        for (a, b), chance in zip(spans, chances.tolist(), strict=True):
            word = Word(a, b, text[a:b])
            if chance < 0.5 and not word.refers_back:
                continue
            if found and text[found[-1].end : a].isspace() and not (word.refers_back or found[-1].refers_back):
                found[-1] = Word(found[-1].start, b, text[found[-1].start : b])
            else:
                found.append(word)
        yield from found[:_MOST]

    @torch.no_grad()
    def changes(self, told: EncodedSentence, before: Sequence[EncodedSentence]) -> Iterator[StateChange]:
        """What a sentence changes; pronouns are taken for whom they mean in the sentences before."""
        pairs = list(permutations(told.words, 2))
        if not pairs:
            return
        phrases = [as_pair(told, a, b) for a, b in pairs]
        chances = self.network.change(torch.from_numpy(self._places(phrases))).softmax(-1)
        for (a, b), row in zip(pairs, chances, strict=True):
            chance, which = row.max(-1)
            sure = float(chance) * told.sure
            if int(which) and sure >= self.threshold:
                for first in self._meant(told, a, before):
                    for second in self._meant(told, b, before):
                        if normalise(first) != normalise(second):
                            yield StateChange(CHANGES[int(which)], first, second, told.text, round(sure, 4))

    def _meant(self, told: EncodedSentence, word: Word, before: Sequence[EncodedSentence]) -> list[str]:
        """Names that a word stands for: its own, those that "they" means, or the one that "she" means."""
        if not word.refers_back:
            return [word.text]
        rows = list(antecedents(told, word, before))
        if not rows:
            return []
        features = meaning(self._places, [row[1:] for row in rows])
        chances = self.network.means(torch.from_numpy(features))[:, 0].sigmoid().tolist()
        likely = [(chance, row[0]) for row, chance in zip(rows, chances, strict=True) if chance >= 0.5]
        if word.text.casefold() not in _SEVERAL:
            likely = sorted(likely, key=lambda found: -found[0])[:1]
        return list(dict.fromkeys(name for _, name in likely))

    @torch.no_grad()
    def names_in(self, question: str) -> list[Word]:
        """What a question names, in order."""
        states, _ = self.encoder.encode_tokens([question])
        return [w for w in self._words(question, states[0], self.encoder.offsets([question])[0]) if not w.refers_back]

    @torch.no_grad()
    def kind_of(self, question: str, names: Sequence[Word]) -> str:
        """Which of ``QUESTIONS`` is asked, given the names in it, in order."""
        phrase = as_question(question, names)
        return QUESTIONS[int(self.network.question(torch.from_numpy(self._vectors([phrase]))).argmax(-1))]


Place = tuple[str, tuple[Stretch, ...]]
"""A text, and where in it the token states are wanted."""


class PlaceCache:
    """Token states at given places of texts, side by side; those of texts that come again are remembered.

    Args:
        encoder: gives token states and offsets.
        limit: this many are kept; when they are full, the cache starts anew.
    """

    def __init__(self, encoder: Any, limit: int = 20_000) -> None:
        self.encoder, self.limit = encoder, limit
        self._known: dict[Place, np.ndarray] = {}

    def __call__(self, places: Sequence[Place]) -> np.ndarray:
        """Float32 [n, P * K], for texts with P places each."""
        if len(self._known) > self.limit:
            self._known = {}
        new = list(dict.fromkeys(place for place in places if place not in self._known))
        for start in range(0, len(new), 256):
            part = new[start : start + 256]
            states, _ = self.encoder.encode_tokens([text for text, _ in part])
            offsets = self.encoder.offsets([text for text, _ in part])
            for place, rows, spans in zip(part, states, offsets, strict=True):
                self._known[place] = np.concatenate([_state_at(rows, spans, stretch) for stretch in place[1]])
        return np.stack([self._known[place] for place in places])


def _state_at(states: np.ndarray, offsets: Sequence[Stretch], stretch: Stretch) -> np.ndarray:
    inside = [i for i, (a, b) in enumerate(offsets) if i < len(states) and a < stretch[1] and b > stretch[0] and b > a]
    return states[inside].mean(0) if inside else np.zeros(states.shape[-1], np.float32)


def meaning(places: PlaceCache, rows: Sequence[tuple[Place, Place, int]]) -> np.ndarray:
    """What is known of a pronoun and what it may mean: both token states and how far back, [n, 2K + BACK + 1]."""
    states = places([place for row in rows for place in row[:2]]).reshape(len(rows), -1)
    return np.concatenate([states, np.eye(BACK + 1, dtype=np.float32)[[row[2] for row in rows]]], 1)


def as_pair(told: EncodedSentence, first: Word, second: Word) -> Place:
    """The sentence with ``first`` as X, ``second`` as Y and other names as Z, and where X and Y stand."""
    return _marked(told, {first: "X", second: "Y"})


def as_question(question: str, names: Sequence[Word]) -> str:
    """The question with its names as X and Y, in their order."""
    marks = {word: mark for word, mark in zip(names, "XYZZZZ", strict=False)}
    return _marked(EncodedSentence(question, tuple(names)), marks)[0]


def antecedents(
    told: EncodedSentence, pronoun: Word, before: Sequence[EncodedSentence]
) -> Iterator[tuple[str, Place, Place, int]]:
    """Names that a pronoun may mean: the name, where it stands, where the pronoun stands, how many sentences back."""
    own = _marked(told, {pronoun: pronoun.text})
    for back, earlier in enumerate([told, *reversed(before)][: BACK + 1]):
        for word in earlier.words:
            if not word.refers_back and (back or word.end <= pronoun.start):
                yield word.text, _marked(earlier, {word: "X"}), own, back


def _marked(told: EncodedSentence, marks: dict[Word, str]) -> Place:
    """The text with marks instead of the words, other names as Z, and where the marked words stand, in their order."""
    parts, last, length = list[str](), 0, 0
    spans: dict[Word, Stretch] = {}
    for word in sorted(told.words, key=lambda word: word.start):
        gap, new = told.text[last : word.start], marks.get(word, word.text if word.refers_back else "Z")
        spans[word] = (length + len(gap), length + len(gap) + len(new))
        parts += [gap, new]
        length, last = spans[word][1], word.end
    return "".join(parts) + told.text[last:], tuple(spans[word] for word in marks)


def word_vectors(text: str, states: np.ndarray, offsets: Sequence[tuple[int, int]]) -> np.ndarray:
    """Mean token state of each word of a text, float32 [words, K]."""
    rows = [_state_at(states, offsets, match.span()) for match in _WORD.finditer(text)]
    return np.stack(rows) if rows else np.zeros((0, states.shape[-1]), np.float32)


def words_of(text: str) -> list[Word]:
    """All words of a text but articles."""
    found = [Word(*match.span(), match.group()) for match in _WORD.finditer(text)]
    return [word for word in found if word.text.casefold() not in _ARTICLES]
