"""Streams of texts about a world, with what a memory should do about each: training data of the write gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from graphmem.core.types import Triple
from graphmem.synthetic.verbalizer import SyntheticText, Verbalizer
from graphmem.text.lexicon import Relation

_WEIGHTS: Final = {"new": 32, "duplicate": 8, "paraphrase": 14, "change": 18, "ending": 10, "rumour": 10, "chatter": 8}
_TRIES = 20


@dataclass(frozen=True, slots=True)
class LabelledEvent:
    """A text that a memory receives, and what it should do with each of its triples.

    Attributes:
        labels: ``skip``, ``add``, ``update`` or ``retire`` for each triple.
        trust: of its source, 0..1.
        reason: new, duplicate, paraphrase, change, ending, rumour or chatter.
        removed: facts that end here.
        added: facts that begin here.
    """

    passage: SyntheticText
    labels: tuple[str, ...]
    trust: float
    reason: str
    removed: tuple[Triple, ...] = ()
    added: tuple[Triple, ...] = ()


Draft = tuple[SyntheticText, tuple[str, ...], float, tuple[Triple, ...], tuple[Triple, ...]]
"""An event without its reason: text, labels, trust, removed and added facts."""


class EventStream:
    """Generator of events; it keeps the facts that hold, at first those of ``known``."""

    def __init__(self, verbalizer: Verbalizer, known: Sequence[Triple]) -> None:
        self.verbalizer, self.rng = verbalizer, verbalizer.rng
        self._values: dict[tuple[str, str], list[str]] = {}
        self._current: dict[Triple, None] = {}
        self._order: list[Triple] = []
        self._stated: list[SyntheticText] = []
        self._unused = [triple for triple in verbalizer.triples if triple not in set(known)]
        self.rng.shuffle(self._unused)
        self._apply((), tuple(known))

    def event(self) -> LabelledEvent:
        """Return the next event."""
        reason = self.rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        draft: Draft | None = getattr(self, f"_{reason}")()
        if draft is None:
            reason, draft = "chatter", self._chatter()
        text, labels, trust, removed, added = draft
        self._apply(removed, added)
        if text.kind == "statement" and "add" in labels:
            self._stated.append(text)
        return LabelledEvent(text, labels, round(trust, 3), reason, removed, added)

    def _apply(self, removed: tuple[Triple, ...], added: tuple[Triple, ...]) -> None:
        for triple in removed:
            self._current.pop(triple, None)
            self._values[triple[:2]].remove(triple[2])
        for triple in added:
            self._current[triple] = None
            self._values.setdefault(triple[:2], []).append(triple[2])
            self._order.append(triple)

    def _any_current(self) -> Triple | None:
        drawn = (self.rng.choice(self._order) for _ in range(_TRIES if self._order else 0))
        return next((triple for triple in drawn if triple in self._current), None)

    def _relation(self, triple: Triple) -> Relation:
        return self.verbalizer.relations[triple[1]]

    def _clashes(self, triple: Triple) -> bool:
        return self._relation(triple).functional and bool(self._values.get(triple[:2]))

    def _with_others(self, first: Triple, others: list[Triple], counts: Sequence[int]) -> SyntheticText:
        more = self.rng.sample(others, min(len(others), self.rng.choice(counts)))
        return self.verbalizer.state([first, *more])

    def _skipped(self, text: SyntheticText, low: float = 0.6, high: float = 1.0) -> Draft:
        return text, ("skip",) * len(text.triples), self.rng.uniform(low, high), (), ()

    def _new(self) -> Draft | None:
        while self._unused:
            first = self._unused.pop()
            if first not in self._current and not self._clashes(first):
                break
        else:
            return None
        own = [t for t in self.verbalizer.about[first[0]] if t != first]
        text = self._with_others(first, [t for t in own if t in self._current or not self._clashes(t)], (0, 0, 1, 2))
        added: list[Triple] = []
        for triple in text.triples:
            taken = self._relation(triple).functional and any(triple[:2] == other[:2] for other in added)
            if triple not in self._current and not taken:
                added.append(triple)
        labels = tuple("add" if triple in added else "skip" for triple in text.triples)
        return text, labels, self.rng.uniform(0.6, 1.0), (), tuple(added)

    def _duplicate(self) -> Draft | None:
        valid = [p for p in self._stated[-30:] if all(triple in self._current for triple in p.triples)]
        if valid and self.rng.random() < 0.7:
            return self._skipped(self.rng.choice(valid))
        if (triple := self._any_current()) is None:
            return None
        return self._skipped(self.verbalizer.single(self._relation(triple).statements[0], triple, "statement"))

    def _paraphrase(self) -> Draft | None:
        if (triple := self._any_current()) is None:
            return None
        own = [t for t in self.verbalizer.about[triple[0]] if t != triple and t in self._current]
        return self._skipped(self._with_others(triple, own, (0, 0, 1)))

    def _change(self) -> Draft | None:
        for _ in range(_TRIES):
            old = self._any_current()
            other = self.verbalizer.other_object(old) if old else None
            if old is None or other is None or (new := (old[0], old[1], other)) in self._current:
                continue
            verbalizer, relation, text = self.verbalizer, self._relation(old), None
            if self.rng.random() < 0.65 and relation.updates:
                template = verbalizer.dated(self.rng.choice(relation.updates), 0.35)
                text = verbalizer.single(template, new, "update", old[2])
            elif relation.functional:
                if self.rng.random() < 0.6:
                    text = verbalizer.single(verbalizer.framed_by("corrections", relation) + ".", new, "statement")
                elif relation.updates:  # a plain statement changes what is expected to change in time
                    text = verbalizer.state([new])
            if text is not None:
                return text, ("update",), self.rng.uniform(0.6, 1.0), (old,), (new,)
        return None

    def _ending(self) -> Draft | None:
        for _ in range(_TRIES):
            if (triple := self._any_current()) is None:
                return None
            relation, negated = self._relation(triple), self.rng.random() < 0.2
            if negated or relation.ends:
                template = self.verbalizer.denial(relation) if negated else self.rng.choice(relation.ends)
                text = self.verbalizer.single(template, triple, "negation" if negated else "end")
                return text, ("retire",), self.rng.uniform(0.6, 1.0), (triple,), ()
        return None

    def _rumour(self) -> Draft | None:
        triple = self.rng.choice(self.verbalizer.triples)
        other = self.verbalizer.other_object(triple)
        claim = (triple[0], triple[1], other) if other and self.rng.random() < 0.7 else triple
        if self.rng.random() < 0.3:  # a plain statement, by a source that is not to be trusted
            return self._skipped(self.verbalizer.state([claim]), 0.0, 0.2)
        template = self.verbalizer.framed_by("rumours", self._relation(claim))
        return self._skipped(self.verbalizer.single(template, claim, "hearsay"), 0.0, 0.6)

    def _chatter(self) -> Draft:
        if self.rng.random() >= 0.35:
            return self._skipped(self.verbalizer.chatter(), 0.3)
        triple = self.rng.choice(self.verbalizer.triples)
        template = self.verbalizer.question(self._relation(triple))
        return self._skipped(self.verbalizer.single(template, triple, "question"), 0.3)
