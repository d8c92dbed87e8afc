"""LearnedReader: turns text into candidate facts with a frozen model, a trained reader and a text encoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from graphmem.dates import TimeSpan, find_times, valid_interval
from graphmem.encoder import TextCache
from graphmem.errors import InvalidValue
from graphmem.graph import Fact, Time
from graphmem.hidden import TokenStates, token_states
from graphmem.reader import MOODS, FactReader, PairIndex, PairScores, Span, decode_tags
from graphmem.relations import candidate_relations
from graphmem.renaming import ALSO_KNOWN, other_names
from graphmem.surroundings import Stretch, blanked, relation_words, sentences
from graphmem.windows import SHARED, WINDOW, Window, windows

MAX_CHARACTERS = 2_000_000
"""Longest text read at once; more than this is handed in piece by piece."""
_BATCH = 4
_PAIRS = 600
_LIVE_BONUS = 1.5
_PRONOUNS = frozenset(
    "i me you he him she her it we us they them his hers its their theirs this that these those who which whom one "
    "what nobody somebody everybody anybody everyone someone "
    "anyone nothing something everything all here there now".split()
)
_OPENING, _CLOSING = " \t\n\"'“‘([{,;:-", " \t\n\"'”’,;:!?-"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A fact as a text speaks of it, before anything was decided.

    Attributes:
        fact: by the names that the text uses; ``confidence`` is the reader's own.
        mood: ``stated``, ``ended``, ``denied`` or ``doubted``, see ``reader.MOODS``.
        moods: probability of each mood, ``none`` first, float32 [5].
        subject_span, object_span: where the two stand, in characters.
        object_kind: ``entity`` or ``literal``.
        surprise: mean negative log-likelihood of the tokens from one mention to the other, in nats.
        features: the reader's view of the pair, float32 [W]; None from readers that have none.
        named: whether the relation is a known one; else the words of the text name it.
        heard: subject and object as the text has them, before they were resolved.
        sentence: mean hidden state of the frozen model over its sentence, float32 [2D]; None from other readers.
    """

    fact: Fact
    mood: str = "stated"
    moods: np.ndarray | None = None
    subject_span: Stretch = (0, 0)
    object_span: Stretch = (0, 0)
    object_kind: str = "entity"
    surprise: float = 0.0
    features: np.ndarray | None = None
    named: bool = True
    heard: tuple[str, ...] = ()
    sentence: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Mention:
    """Characters ``start`` to ``end`` of a text name something."""

    start: int
    end: int
    kind: str
    span: Span


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Relations to choose from; the first ``live`` of them are those of the graph."""

    names: list[str]
    live: int


class LearnedReader:
    """The ``Reader`` that ships: one forward pass of the frozen model a window, no generation.

    Args:
        model: a causal language model, with or without a memory attached.
        tokenizer: its fast tokenizer.
        vectors: encodes relation names and the words around pairs.
        network: the trained reader.
        lexicon: try the relations of the lexicon too, beside those that are given.
    """

    def __init__(
        self, model: Any, tokenizer: Any, vectors: TextCache, network: FactReader, *, lexicon: bool = True
    ) -> None:
        self.model, self.tokenizer, self.network, self.lexicon = model, tokenizer, network, lexicon
        self._vectors = vectors

    def read(
        self, text: str, *, relations: Sequence[str] = (), context: str = "", now: Time | None = None
    ) -> list[Candidate]:
        """Return what ``text`` says, in its order.

        Args:
            text: anything; of empty text nothing is read.
            relations: names that the live graph uses; the lexicon's are tried too.
            context: what was said before. It is read so that "she" can mean somebody, but gives no facts.
            now: what "today" means.

        Raises:
            InvalidValue: ``text`` is no text, or longer than ``MAX_CHARACTERS``.
        """
        check_text(text)
        before = f"{context[-SHARED:]} " if context.strip() else ""
        whole = before + text
        own_names = list(dict.fromkeys(relations))
        names = Vocabulary(candidate_relations(own_names) if self.lexicon else own_names, len(own_names))
        found: dict[tuple[Stretch, Stretch, str], Candidate] = {}
        for batch in _grouped(windows(whole), _BATCH):
            pieces = [whole[window.start : window.end] for window in batch]
            states = token_states(self.model, self.tokenizer, pieces, self.network.config.layers)
            for window, piece, state in zip(batch, pieces, states, strict=True):
                own = max(window.own, len(before)) - window.start
                for candidate in self._window(piece, own, state, names, now):
                    moved = _shifted(candidate, window.start - len(before))
                    found.setdefault((moved.subject_span, moved.object_span, moved.fact.relation), moved)
        return sorted(found.values(), key=_place)

    @torch.no_grad()
    def spelled_out(self, text: str, context: str) -> str:
        """``text`` with its pronouns replaced by the names they stand for in ``context``, where that is likely."""
        before = f"{context[-WINDOW:]} "
        whole = before + text[:WINDOW]
        state = token_states(self.model, self.tokenizer, [whole], self.network.config.layers, surprise=False)[0]
        mentions, states = self.mentions(whole, state)
        heads = self._heads(mentions, states)
        for mention in sorted(heads, key=lambda mention: -mention.start):
            if mention.start >= len(before):
                name = whole[heads[mention].start : heads[mention].end]
                whole = f"{whole[: mention.start]}{name}{whole[mention.end :]}"
        return whole[len(before) :] + text[WINDOW:]

    @torch.no_grad()
    def mentions(self, text: str, state: TokenStates) -> tuple[list[Mention], torch.Tensor]:
        """Names, literals and pronouns of one window, and the reader's states [1, T, W]."""
        states = self.network.encode(state.hidden[None], torch.ones(1, len(state.hidden), dtype=torch.bool))
        return _placed(text, decode_tags(self.network.tags(states)[0], start=1), state), states

    @torch.no_grad()
    def _window(self, text: str, own: int, state: TokenStates, names: Vocabulary, now: Time | None) -> list[Candidate]:
        """Candidates of one window's text; those that end at or before ``own`` were read before."""
        mentions, states = self.mentions(text, state)
        pairs = _pairs(text, mentions)
        if not pairs:
            return []
        scores = self.network.pairs(states, PairIndex.of([(0, a.span, b.span) for a, b in pairs]))
        spoken = scores.mood.softmax(-1)  # [P, 5]
        kept = [i for i in range(len(pairs)) if 1 - float(spoken[i, 0]) >= self.network.config.fact_threshold]
        kept = [i for i in kept if max(pairs[i][0].end, pairs[i][1].end) > own]
        heads = self._heads(mentions, states)
        kept_scores = PairScores(scores.features[kept], scores.mood[kept], scores.same[kept])
        drafts = self._named(text, [pairs[i] for i in kept], mentions, kept_scores, names)
        found = []
        for (first, second, relation, sure, backwards), row in zip(drafts, kept, strict=True):
            subject, value = (second, first) if backwards else (first, second)
            subject_head, value_head = heads.get(subject, subject), heads.get(value, value)
            if relation and subject_head.kind != "pronoun" and value_head.kind != "pronoun":
                fact = Fact(
                    text[subject_head.start : subject_head.end], relation, text[value_head.start : value_head.end],
                    confidence=float(1 - spoken[row, 0]),
                )  # fmt: skip
                mood = MOODS[1 + int(spoken[row, 1:].argmax())]
                found.append(
                    Candidate(
                        fact,
                        mood,
                        spoken[row].numpy(),
                        (subject.start, subject.end),
                        (value.start, value.end),
                        value.kind,
                        _surprise(state, first, second),
                        scores.features[row].numpy(),
                        sure,
                    )  # fmt: skip
                )
        found = _with_sentences(text, _with_aliases(text, mentions, found), state)
        return _timed(text, found, find_times(text, now))

    def _heads(self, mentions: Sequence[Mention], states: torch.Tensor) -> dict[Mention, Mention]:
        """What each pronoun stands for: the likeliest earlier name, if any is likely."""
        heads: dict[Mention, Mention] = {}
        for place, mention in enumerate(mentions):
            if mention.kind != "pronoun":
                continue
            earlier = [m for m in mentions[max(0, place - 24) : place] if m.kind == "entity"]
            if earlier:
                index = PairIndex.of([(0, m.span, mention.span) for m in earlier])
                same = self.network.pairs(states, index).same.sigmoid()
                if float(same.max()) >= 0.3:
                    heads[mention] = earlier[int(same.argmax())]
        return heads

    def _named(
        self, text: str, pairs: Sequence[tuple[Mention, Mention]], mentions: Sequence[Mention], scores: PairScores,
        vocabulary: Vocabulary,
    ) -> list[tuple[Mention, Mention, str, bool, bool]]:  # fmt: skip
        """For each pair its relation, whether that is a known one, and whether the later mention is the subject."""
        if not pairs:
            return []
        names = vocabulary.names
        places = [(m.start, m.end) for m in mentions]
        around = [[p for p in places if p not in ((a.start, a.end), (b.start, b.end))] for a, b in pairs]
        stretches = [((a.start, a.end), (b.start, b.end)) for a, b in pairs]
        phrases = [blanked(text, *both, others) for both, others in zip(stretches, around, strict=True)]
        around_pairs = torch.from_numpy(self._vectors.encoder.encode(phrases))  # too varied to be worth remembering
        logits = self.network.relations(scores.features, around_pairs, self._tensor(names))  # [P, 2R]
        known = torch.arange(len(names)) < vocabulary.live
        logits = logits + _LIVE_BONUS * torch.cat([known, known])  # a graph rather says what it said before
        for row, (a, b) in enumerate(pairs):  # a number or a date is never the subject
            logits[row, : len(names)] -= 50.0 * (a.kind == "literal")
            logits[row, len(names) :] -= 50.0 * (b.kind == "literal")
        sure, best = logits.softmax(-1).max(-1)
        drafts = []
        for row, (a, b) in enumerate(pairs):
            backwards, place = divmod(int(best[row]), len(names))
            if float(sure[row]) >= self.network.config.relation_threshold:
                drafts.append((a, b, names[place], True, bool(backwards)))
                continue
            entities = _nameable(text, a, b)
            own = relation_words(text, *stretches[row], around[row]) if entities else ""
            name = own or (names[place] if entities else "")  # no name: the pair is dropped
            drafts.append((a, b, name, not own, bool(backwards) and not own))
        return drafts

    def _tensor(self, texts: Sequence[str]) -> torch.Tensor:
        return torch.from_numpy(np.asarray(self._vectors(texts), dtype=np.float32))


def _with_aliases(text: str, mentions: Sequence[Mention], found: Sequence[Candidate]) -> list[Candidate]:
    """Pairs that give one thing two names say just that."""
    pairs = other_names(text, [(m.start, m.end) for m in mentions if m.kind == "entity"])
    rest = [c for c in found if tuple(sorted((c.subject_span, c.object_span))) not in pairs]
    return rest + [
        Candidate(Fact(text[slice(*a)], ALSO_KNOWN, text[slice(*b)]), subject_span=a, object_span=b) for a, b in pairs
    ]


def is_pronoun(words: str) -> bool:
    """Whether a mention is one of the pronouns, and not a description such as "the company"."""
    return words.casefold() in _PRONOUNS


def _nameable(text: str, a: Mention, b: Mention) -> bool:
    """Whether the words between two mentions may name a new relation: not for numbers, nor for "It rained all day"."""
    if "literal" in (a.kind, b.kind):
        return False
    return "pronoun" not in (a.kind, b.kind) or not all(text[m.start].islower() for m in (a, b) if m.kind == "entity")


def check_text(text: Any) -> str:
    """Return ``text``, or say why it cannot be read.

    Raises:
        InvalidValue: not text, or longer than ``MAX_CHARACTERS``.
    """
    if not isinstance(text, str):
        raise InvalidValue(f"only text can be read, not {type(text).__name__}: {text!r:.80}")
    if len(text) > MAX_CHARACTERS:
        raise InvalidValue(
            f"the text has {len(text)} characters, {MAX_CHARACTERS} at most are read at once; "
            "hand it in piece by piece, or as an iterable to read_stream"
        )
    return text


def _grouped(items: Sequence[Window], size: int) -> Iterator[Sequence[Window]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _placed(text: str, spans: Sequence[Span], state: TokenStates) -> list[Mention]:
    found: list[Mention] = []
    for span in spans:
        start, end = state.offsets[span.first][0], state.offsets[span.last][1]
        start, end = _whole_words(text, start, end)
        kind = "pronoun" if is_pronoun(text[start:end]) else span.kind
        visible = any(letter.isprintable() and letter not in " \ufffd" for letter in text[start:end])
        if visible and not (found and start < found[-1].end):
            found.append(Mention(start, end, kind, span))
    return found


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


def _pairs(text: str, mentions: Sequence[Mention]) -> list[tuple[Mention, Mention]]:
    """Pairs of mentions of one sentence, neighbours first where there are too many."""
    bounds = [end for _, end in sentences(text[: mentions[-1].end])] if mentions else []
    number = [sum(m.start >= bound for bound in bounds) for m in mentions]
    found = [
        (b - a, mentions[a], mentions[b])
        for a in range(len(mentions))
        for b in range(a + 1, len(mentions))
        if number[a] == number[b]
    ]
    found.sort(key=lambda item: item[0])
    return [(a, b) for _, a, b in found[:_PAIRS]]


def _surprise(state: TokenStates, first: Mention, second: Mention) -> float:
    if state.surprise is None:
        return 0.0
    return float(state.surprise[first.span.first : second.span.last + 1].mean())


def _with_sentences(text: str, found: Sequence[Candidate], state: TokenStates) -> list[Candidate]:
    """Give each candidate what the model made of its sentence."""
    bounds, means, kept = sentences(text), dict[Stretch, np.ndarray](), list[Candidate]()
    for candidate in found:
        place = next(((a, b) for a, b in bounds if a < _place(candidate) <= b), (0, len(text)))
        if place not in means:
            first, last = state.token_span(*place)
            means[place] = state.hidden[first : last + 1].mean(0).numpy()
        kept.append(replace(candidate, sentence=means[place]))
    return kept


def _timed(text: str, found: Sequence[Candidate], times: Sequence[TimeSpan]) -> list[Candidate]:
    """Give each fact its sentence and its valid time."""
    bounds, timed = sentences(text), []
    taken = [c.object_span for c in found]
    for candidate in found:
        end = _place(candidate)
        sentence = next(((a, b) for a, b in bounds if a < end <= b), (0, len(text)))
        ends = [_place(c) for c in found if sentence[0] < _place(c) <= sentence[1]]
        start, stop = valid_interval(sentence, end, ends, times, taken)
        if candidate.mood == "ended":
            start, stop = None, stop or start
        words = text[sentence[0] : sentence[1]].strip()
        fact = replace(candidate.fact, text=words, valid_from=start, valid_to=stop)
        timed.append(replace(candidate, fact=fact, **_asked(words)))
    return timed


def _asked(sentence: str) -> dict[str, Any]:
    """A question states nothing and denies nothing, however it sounds."""
    if not sentence.rstrip("\"'”’) ").endswith(("?", "？", "؟")):
        return {}
    return {"mood": "doubted", "moods": np.array([mood == "doubted" for mood in MOODS], np.float32)}


def _place(candidate: Candidate) -> int:
    return max(candidate.subject_span[1], candidate.object_span[1])


def _shifted(candidate: Candidate, by: int) -> Candidate:
    (a, b), (c, d) = candidate.subject_span, candidate.object_span
    return replace(candidate, subject_span=(a + by, b + by), object_span=(c + by, d + by))
