"""Fact extractor: text to candidate facts with a frozen model, a trained network and a text encoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from graphmem.core.parallel import parallel_map
from graphmem.core.times import Time
from graphmem.core.types import ALSO_KNOWN, Fact
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.reading.alias_patterns import find_aliases, is_renaming
from graphmem.reading.candidates import CandidateFact, check_text, mark_competition
from graphmem.reading.extraction import Candidate, candidate_of
from graphmem.reading.hidden_states import TokenStates, token_states
from graphmem.reading.mention_spans import MentionSpan, add_pronouns, align_spans, candidate_pairs, is_possessive
from graphmem.reading.network import FACTUALITY, ExtractionNetwork, PairScores, decode_tags, pair_index
from graphmem.reading.relation_classifier import RelationClassifier
from graphmem.reading.temporal_expressions import TimeSpan, find_times, valid_interval
from graphmem.text.lexicon import religion_noun
from graphmem.text.relation_synonyms import candidate_relations
from graphmem.text.sentences import Stretch, is_question, sentence_at, sentences
from graphmem.text.windows import OVERLAP, WINDOW, Window, windows

_MAX_ANTECEDENTS, _MIN_COREFERENCE = 24, 0.3


class FactExtractor:
    """Extractor over a frozen language model: one forward pass of the frozen model per window, no generation.

    ``model`` is a causal language model, with or without a memory attached, ``vectors`` encodes relation names and the
    words around pairs. ``lexicon`` adds the lexicon's relations to those that are given.
    """

    def __init__(
        self, model: Any, tokenizer: Any, vectors: EmbeddingCache, network: ExtractionNetwork, *, lexicon: bool = True
    ) -> None:
        self.model, self.tokenizer, self.network, self.lexicon = model, tokenizer, network, lexicon
        self._classifier = RelationClassifier(network, vectors, half=_is_bfloat16(model))

    def read(
        self, text: str, *, relations: Sequence[str] = (), context: str = "", now: Time | None = None,
        surprise: bool = True,
    ) -> list[CandidateFact]:  # fmt: skip
        """Candidate facts of ``text``, in order.

        Args:
            text: any text.
            relations: names that the graph uses; the lexicon's are added.
            context: the text before this one; it resolves pronouns, but gives no facts.
            now: the day of "today".
            surprise: measure the model's surprise, with its memory on; without, every surprise is 0 and only the lower
                layers run, which is about twice as fast.

        Raises:
            InvalidValue: ``text`` is not a string, or longer than ``MAX_CHARACTERS``.
        """
        check_text(text)
        before = f"{context[-OVERLAP:]} " if context.strip() else ""
        whole = before + text
        in_graph = list(dict.fromkeys(relations))
        names = candidate_relations(in_graph) if self.lexicon else in_graph
        found: dict[tuple[Stretch, Stretch, str], CandidateFact] = {}
        model = self.model if surprise else getattr(self.model, "base", self.model)

        def candidates(window: Window) -> list[CandidateFact]:
            """Candidates of one window, by characters of the whole text."""
            piece, own = whole[window.start : window.end], max(window.own, len(before)) - window.start
            states = token_states(model, self.tokenizer, [piece], self.network.config.layers, surprise=surprise)
            by = window.start - len(before)
            return [_shifted(c, by) for c in self._window(piece, own, states[0], (names, len(in_graph)), now)]

        for part in parallel_map(candidates, windows(whole)):
            for candidate in part:
                found.setdefault((candidate.subject_span, candidate.object_span, candidate.fact.relation), candidate)
        return sorted(found.values(), key=lambda candidate: candidate.end)

    @torch.no_grad()
    def resolve_pronouns(self, text: str, context: str) -> str:
        """``text`` with its pronouns replaced by their likely antecedents in ``context``."""
        before = f"{context[-WINDOW:]} "
        whole = before + text[:WINDOW]
        state = token_states(self.model, self.tokenizer, [whole], self.network.config.layers, surprise=False)[0]
        mentions, states = self.mentions(whole, state)
        antecedents = self._antecedents(add_pronouns(whole, mentions, state), states)
        for mention, antecedent in sorted(antecedents.items(), key=lambda item: -item[0].start):
            if mention.start >= len(before):
                name = whole[antecedent.start : antecedent.end] + ("'s" if is_possessive(whole, mention) else "")
                whole = f"{whole[: mention.start]}{name}{whole[mention.end :]}"
        return whole[len(before) :] + text[WINDOW:]

    @torch.no_grad()
    def mentions(self, text: str, state: TokenStates) -> tuple[list[MentionSpan], torch.Tensor]:
        """Entity, literal and pronoun mentions of one window, and the network's states [1, T, W]."""
        states = self.network.encode(state.hidden[None], torch.ones(1, len(state.hidden), dtype=torch.bool))
        return align_spans(text, decode_tags(self.network.tags(states)[0], start=1), state), states

    @torch.no_grad()
    def _window(
        self, text: str, own: int, state: TokenStates, vocabulary: tuple[list[str], int], now: Time | None
    ) -> list[CandidateFact]:
        """Candidates of one window's text; those that end at or before ``own`` belong to an earlier window."""
        mentions, states = self.mentions(text, state)
        pairs = candidate_pairs(text, mentions)
        if not pairs:
            return []
        scores = self.network.pairs(states, pair_index([(0, a.span, b.span) for a, b in pairs]))
        factuality = scores.factuality.softmax(-1)  # [P, 5]
        kept = [i for i in range(len(pairs)) if 1 - float(factuality[i, 0]) >= self.network.config.fact_threshold]
        kept = [i for i in kept if max(pairs[i][0].end, pairs[i][1].end) > own]
        antecedents = self._antecedents(mentions, states)
        kept_scores = PairScores(scores.features[kept], scores.factuality[kept], scores.coreference[kept])
        found = []
        drafts = self._classifier(text, [pairs[i] for i in kept], mentions, kept_scores, *vocabulary)
        for draft, row in zip(drafts, kept, strict=True):
            ends = subject, value = draft.ends
            names = [antecedents.get(end, end) for end in ends]
            if not draft.relation or "pronoun" in (names[0].kind, names[1].kind):
                continue
            value_name = religion_noun(text, names[1].start, names[1].end) or text[names[1].start : names[1].end]
            name, confidence = text[names[0].start : names[0].end], float(1 - factuality[row, 0])
            tokens = slice(draft.first.span.first, draft.second.span.last + 1)
            found.append(CandidateFact(
                Fact(name, draft.relation, value_name, confidence=confidence),
                FACTUALITY[1 + int(factuality[row, 1:].argmax())], factuality[row].numpy(),
                (subject.start, subject.end), (value.start, value.end), value.kind,
                0.0 if state.surprise is None else float(state.surprise[tokens].mean()),
                scores.features[row].numpy(), draft.is_known,
                relation_probability=draft.probability, alternatives=draft.alternatives,
                span_probability=min(name.span.probability for name in names), probability=confidence,
            ))  # fmt: skip
        found = _with_aliases(text, mentions, found)
        return mark_competition(_with_sentences(text, found, state, find_times(text, now)))

    def _antecedents(self, mentions: Sequence[MentionSpan], states: torch.Tensor) -> dict[MentionSpan, MentionSpan]:
        """The likeliest earlier name of each pronoun, if any is likely, with the lower of both probabilities."""
        found: dict[MentionSpan, MentionSpan] = {}
        for place, mention in enumerate(mentions):
            earlier = [m for m in mentions[max(0, place - _MAX_ANTECEDENTS) : place] if m.kind == "entity"]
            if mention.kind != "pronoun" or not earlier:
                continue
            index = pair_index([(0, m.span, mention.span) for m in earlier])
            probability, best = self.network.pairs(states, index).coreference.sigmoid().max(0)
            if float(probability) >= _MIN_COREFERENCE:
                name = earlier[int(best)]
                both = min(name.span.probability, float(probability))
                found[mention] = replace(name, span=replace(name.span, probability=both))
        return found


@dataclass(frozen=True, slots=True)
class GraphExtractor:
    """The shipped ``Extractor``: a ``FactExtractor`` with the relations of one graph and the text before.

    ``surprise``: see ``FactExtractor.read``.
    """

    extractor: FactExtractor
    relations: Sequence[str] = ()
    context: str = ""
    surprise: bool = True

    def extract(self, text: str, at: Time | None = None) -> list[Candidate]:
        """Candidate facts of ``text``, in order; ``at`` is the day of "today".

        Raises:
            InvalidValue: ``text`` is not a string, or too long. InvalidTime: ``at`` cannot be read.
        """
        found = self.extractor.read(
            text, relations=self.relations, context=self.context, now=at, surprise=self.surprise
        )  # fmt: skip
        bounds = sentences(text)
        return [candidate_of(one, sentence_at(bounds, one.end) or (0, len(text))) for one in found]


def _is_bfloat16(model: Any) -> bool:
    parameters = getattr(getattr(model, "base", model), "parameters", None)
    first = next(iter(parameters()), None) if callable(parameters) else None
    return first is not None and first.dtype == torch.bfloat16


def _with_aliases(text: str, mentions: Sequence[MentionSpan], found: Sequence[CandidateFact]) -> list[CandidateFact]:
    """The candidates, with alias candidates for the pairs that are two names of one entity."""
    pairs = find_aliases(text, [(m.start, m.end) for m in mentions if m.kind == "entity"])
    renamed = {name for a, b in pairs if is_renaming(text[a[1] : b[0]]) for name in (a, b)}
    rest = [c for c in found if tuple(sorted((c.subject_span, c.object_span))) not in pairs]
    rest = [c for c in rest if c.object_kind != "literal" or c.subject_span not in renamed]  # the date of a renaming
    return rest + [
        CandidateFact(Fact(text[slice(*a)], ALSO_KNOWN, text[slice(*b)]), subject_span=a, object_span=b)
        for a, b in pairs
    ]


def _with_sentences(
    text: str, found: Sequence[CandidateFact], state: TokenStates, times: Sequence[TimeSpan]
) -> list[CandidateFact]:
    """The candidates with their sentence, its mean hidden state and the validity interval."""
    bounds, means, kept = sentences(text), dict[Stretch, np.ndarray](), []
    taken = [c.object_span for c in found]
    probabilities = np.array([label == "uncertain" for label in FACTUALITY], np.float32)
    uncertain: dict[str, Any] = {"factuality": "uncertain", "factuality_probabilities": probabilities}  # in a question
    for candidate in found:
        place = next(((a, b) for a, b in bounds if a < candidate.end <= b), (0, len(text)))
        if place not in means:
            first, last = state.token_span(*place)
            means[place] = state.hidden[first : last + 1].mean(0).numpy()
        ends = [c.end for c in found if place[0] < c.end <= place[1]]
        start, stop = valid_interval(place, candidate.end, ends, times, taken)
        if candidate.factuality == "ended":
            start, stop = None, stop or start
        words = text[slice(*place)].strip()
        fact = replace(candidate.fact, text=words, valid_from=start, valid_to=stop)
        kept.append(replace(candidate, fact=fact, sentence=means[place], **(uncertain if is_question(words) else {})))
    return kept


def _shifted(candidate: CandidateFact, by: int) -> CandidateFact:
    (a, b), (c, d) = candidate.subject_span, candidate.object_span
    return replace(candidate, subject_span=(a + by, b + by), object_span=(c + by, d + by))
