"""LearnedReader: turns text into candidate facts with a frozen model, a trained reader and a text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from graphmem.core.parallel import parallel_map
from graphmem.core.times import Time
from graphmem.core.types import Fact
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.reading.alias_patterns import ALSO_KNOWN, is_change, other_names
from graphmem.reading.candidates import CandidateFact, check_text, mark_competition
from graphmem.reading.hidden_states import TokenStates, token_states
from graphmem.reading.mention_spans import MentionSpan, is_owner, pairs_of, placed, with_pronouns
from graphmem.reading.network import FACTUALITY, ExtractionNetwork, PairIndex, PairScores, decode_tags
from graphmem.reading.relation_classifier import RelationClassifier, RelationVocabulary
from graphmem.reading.temporal_expressions import TimeSpan, find_times, valid_interval
from graphmem.text.lexicon import religion_noun
from graphmem.text.relation_synonyms import candidate_relations
from graphmem.text.sentences import Stretch, sentences
from graphmem.text.windows import OVERLAP, WINDOW, Window, windows


class FactExtractor:
    """The ``Reader`` that ships: one forward pass of the frozen model a window, no generation.

    Args:
        model: a causal language model, with or without a memory attached.
        tokenizer: its fast tokenizer.
        vectors: encodes relation names and the words around pairs.
        network: the trained reader.
        lexicon: try the relations of the lexicon too, beside those that are given.
    """

    def __init__(
        self, model: Any, tokenizer: Any, vectors: EmbeddingCache, network: ExtractionNetwork, *, lexicon: bool = True
    ) -> None:
        self.model, self.tokenizer, self.network, self.lexicon = model, tokenizer, network, lexicon
        self._vectors, self._namer = vectors, RelationClassifier(network, vectors, half=_half(model))

    def read(
        self, text: str, *, relations: Sequence[str] = (), context: str = "", now: Time | None = None,
        surprise: bool = True,
    ) -> list[CandidateFact]:  # fmt: skip
        """Return what ``text`` says, in its order.

        Args:
            text: anything; of empty text nothing is read.
            relations: names that the live graph uses; the lexicon's are tried too.
            context: what was said before. It is read so that "she" can mean somebody, but gives no facts.
            now: what "today" means.
            surprise: measure how surprised the model is, with its memory on; without, every surprise is 0 and only
                the lower layers run, which is about twice as fast.

        Raises:
            InvalidValue: ``text`` is no text, or longer than ``MAX_CHARACTERS``.
        """
        check_text(text)
        before = f"{context[-OVERLAP:]} " if context.strip() else ""
        whole = before + text
        own_names = list(dict.fromkeys(relations))
        names = RelationVocabulary(candidate_relations(own_names) if self.lexicon else own_names, len(own_names))
        found: dict[tuple[Stretch, Stretch, str], CandidateFact] = {}
        model = self.model if surprise else getattr(self.model, "base", self.model)

        def candidates(window: Window) -> list[CandidateFact]:
            """What one window says, by characters of the whole text."""
            piece, own = whole[window.start : window.end], max(window.own, len(before)) - window.start
            states = token_states(model, self.tokenizer, [piece], self.network.config.layers, surprise=surprise)
            return [
                _shifted(candidate, window.start - len(before))
                for candidate in self._window(piece, own, states[0], names, now)
            ]

        for read in parallel_map(candidates, windows(whole)):
            for moved in read:
                found.setdefault((moved.subject_span, moved.object_span, moved.fact.relation), moved)
        return sorted(found.values(), key=_place)

    @torch.no_grad()
    def spelled_out(self, text: str, context: str) -> str:
        """``text`` with its pronouns replaced by the names they stand for in ``context``, where that is likely."""
        before = f"{context[-WINDOW:]} "
        whole = before + text[:WINDOW]
        state = token_states(self.model, self.tokenizer, [whole], self.network.config.layers, surprise=False)[0]
        mentions, states = self.mentions(whole, state)
        heads = self._heads(with_pronouns(whole, mentions, state), states)
        for mention in sorted(heads, key=lambda mention: -mention.start):
            if mention.start >= len(before):
                name = whole[heads[mention].start : heads[mention].end]
                owner = "'s" if is_owner(whole, mention) else ""
                whole = f"{whole[: mention.start]}{name}{owner}{whole[mention.end :]}"
        return whole[len(before) :] + text[WINDOW:]

    @torch.no_grad()
    def mentions(self, text: str, state: TokenStates) -> tuple[list[MentionSpan], torch.Tensor]:
        """Names, literals and pronouns of one window, and the reader's states [1, T, W]."""
        states = self.network.encode(state.hidden[None], torch.ones(1, len(state.hidden), dtype=torch.bool))
        return placed(text, decode_tags(self.network.tags(states)[0], start=1), state), states

    @torch.no_grad()
    def _window(
        self, text: str, own: int, state: TokenStates, names: RelationVocabulary, now: Time | None
    ) -> list[CandidateFact]:
        """Candidates of one window's text; those that end at or before ``own`` were read before."""
        mentions, states = self.mentions(text, state)
        pairs = pairs_of(text, mentions)
        if not pairs:
            return []
        scores = self.network.pairs(states, PairIndex.of([(0, a.span, b.span) for a, b in pairs]))
        spoken = scores.mood.softmax(-1)  # [P, 5]
        kept = [i for i in range(len(pairs)) if 1 - float(spoken[i, 0]) >= self.network.config.fact_threshold]
        kept = [i for i in kept if max(pairs[i][0].end, pairs[i][1].end) > own]
        heads = self._heads(mentions, states)
        kept_scores = PairScores(scores.features[kept], scores.mood[kept], scores.same[kept])
        drafts = self._namer(text, [pairs[i] for i in kept], mentions, kept_scores, names)
        found = []
        for draft, row in zip(drafts, kept, strict=True):
            subject, value = draft.ends
            subject_head, value_head = heads.get(subject, subject), heads.get(value, value)
            if draft.relation and subject_head.kind != "pronoun" and value_head.kind != "pronoun":
                fact = Fact(
                    text[subject_head.start : subject_head.end], draft.relation, _called(text, value_head),
                    confidence=float(1 - spoken[row, 0]),
                )  # fmt: skip
                found.append(
                    CandidateFact(
                        fact,
                        FACTUALITY[1 + int(spoken[row, 1:].argmax())],
                        spoken[row].numpy(),
                        (subject.start, subject.end),
                        (value.start, value.end),
                        value.kind,
                        _surprise(state, draft.first, draft.second),
                        scores.features[row].numpy(),
                        draft.known,
                        sure=draft.sure,
                        others=draft.others,
                        spotted=min(m.span.probability for m in (subject_head, value_head)),
                    )  # fmt: skip
                )
        found = _with_sentences(text, _with_aliases(text, mentions, found), state)
        return mark_competition(_timed(text, found, find_times(text, now)))

    def _heads(self, mentions: Sequence[MentionSpan], states: torch.Tensor) -> dict[MentionSpan, MentionSpan]:
        """What each pronoun stands for: the likeliest earlier name, if any is likely; its span is as sure as that."""
        heads: dict[MentionSpan, MentionSpan] = {}
        for place, mention in enumerate(mentions):
            if mention.kind != "pronoun":
                continue
            earlier = [m for m in mentions[max(0, place - 24) : place] if m.kind == "entity"]
            if earlier:
                index = PairIndex.of([(0, m.span, mention.span) for m in earlier])
                same = self.network.pairs(states, index).same.sigmoid()
                if float(same.max()) >= 0.3:
                    head = earlier[int(same.argmax())]
                    sure = min(head.span.probability, float(same.max()))
                    heads[mention] = replace(head, span=replace(head.span, probability=sure))
        return heads


def _called(text: str, mention: MentionSpan) -> str:
    """The name of what a mention means: its words, or a faith's noun for its adjective."""
    return religion_noun(text, mention.start, mention.end) or text[mention.start : mention.end]


def _half(model: Any) -> bool:
    """Whether a model computes in bfloat16: what runs beside it may do so too."""
    parameters = getattr(getattr(model, "base", model), "parameters", None)
    first = next(iter(parameters()), None) if callable(parameters) else None
    return first is not None and first.dtype == torch.bfloat16


def _with_aliases(text: str, mentions: Sequence[MentionSpan], found: Sequence[CandidateFact]) -> list[CandidateFact]:
    """Pairs that give one thing two names say just that."""
    pairs = other_names(text, [(m.start, m.end) for m in mentions if m.kind == "entity"])
    changed = {name for a, b in pairs if is_change(text[a[1] : b[0]]) for name in (a, b)}
    rest = [c for c in found if tuple(sorted((c.subject_span, c.object_span))) not in pairs]
    rest = [c for c in rest if c.object_kind != "literal" or c.subject_span not in changed]  # a date tells when
    return rest + [
        CandidateFact(Fact(text[slice(*a)], ALSO_KNOWN, text[slice(*b)]), subject_span=a, object_span=b)
        for a, b in pairs
    ]


def _surprise(state: TokenStates, first: MentionSpan, second: MentionSpan) -> float:
    if state.surprise is None:
        return 0.0
    return float(state.surprise[first.span.first : second.span.last + 1].mean())


def _with_sentences(text: str, found: Sequence[CandidateFact], state: TokenStates) -> list[CandidateFact]:
    """Give each candidate what the model made of its sentence."""
    bounds, means, kept = sentences(text), dict[Stretch, np.ndarray](), list[CandidateFact]()
    for candidate in found:
        place = next(((a, b) for a, b in bounds if a < _place(candidate) <= b), (0, len(text)))
        if place not in means:
            first, last = state.token_span(*place)
            means[place] = state.hidden[first : last + 1].mean(0).numpy()
        kept.append(replace(candidate, sentence=means[place]))
    return kept


def _timed(text: str, found: Sequence[CandidateFact], times: Sequence[TimeSpan]) -> list[CandidateFact]:
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
    return {"mood": "doubted", "moods": np.array([mood == "doubted" for mood in FACTUALITY], np.float32)}


def _place(candidate: CandidateFact) -> int:
    return max(candidate.subject_span[1], candidate.object_span[1])


def _shifted(candidate: CandidateFact, by: int) -> CandidateFact:
    (a, b), (c, d) = candidate.subject_span, candidate.object_span
    return replace(candidate, subject_span=(a + by, b + by), object_span=(c + by, d + by))
