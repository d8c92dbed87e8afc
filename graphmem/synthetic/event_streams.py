"""What a memory hears over time, and what it should do: the training ground of the write gate."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Final

from graphmem.core.types import Triple
from graphmem.synthetic.verbalizer import LabelledEvent, SyntheticText, Verbalizer

_WEIGHTS: Final = {"new": 32, "duplicate": 8, "paraphrase": 14, "change": 18, "ending": 10, "rumour": 10, "chatter": 8}
_TRIES = 20

Made = tuple[
    SyntheticText, tuple[str, ...], float, tuple[Triple, ...], tuple[Triple, ...]
]  # labels, trust, removed, added


class EventStream:
    """Makes one event after another and keeps the facts that a perfect memory would hold.

    Args:
        teller: puts facts into words.
        rng: where chance comes from.
        known: the facts held at first.
    """

    def __init__(self, teller: Verbalizer, rng: Random, known: Sequence[Triple]) -> None:
        self.teller, self.rng = teller, rng
        self.held: dict[tuple[str, str], list[str]] = {}
        self.current: dict[Triple, None] = {}
        self.order: list[Triple] = []
        self.heard: list[SyntheticText] = []
        self.fresh = [triple for triple in teller.triples if triple not in set(known)]
        rng.shuffle(self.fresh)
        self._apply((), tuple(known))

    def event(self) -> LabelledEvent:
        """Return the next event and take it in."""
        reason = self.rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
        made = getattr(self, f"_{reason}")()
        if made is None:
            reason, made = "chatter", self._chatter()
        passage, labels, trust, removed, added = made
        subjects = {triple[0] for triple in passage.triples}
        before = self._view(subjects)
        self._apply(removed, added)
        if passage.kind == "statement" and "add" in labels:
            self.heard.append(passage)
        return LabelledEvent(passage, labels, round(trust, 3), reason, before, self._view(subjects), removed, added)

    def _view(self, subjects: set[str]) -> dict[tuple[str, str], tuple[str, ...]]:
        relations = self.teller.relations
        keys = ((subject, relation) for subject in sorted(subjects) for relation in relations)
        return {key: tuple(self.held[key]) for key in keys if self.held.get(key)}

    def _apply(self, removed: tuple[Triple, ...], added: tuple[Triple, ...]) -> None:
        for triple in removed:
            self.current.pop(triple, None)
            self.held[triple[:2]].remove(triple[2])
        for triple in added:
            self.current[triple] = None
            self.held.setdefault(triple[:2], []).append(triple[2])
            self.order.append(triple)

    def _any_held(self) -> Triple | None:
        tries = (self.rng.choice(self.order) for _ in range(_TRIES if self.order else 0))
        return next((triple for triple in tries if triple in self.current), None)

    def _sure(self) -> float:
        return self.rng.uniform(0.6, 1.0)

    def _clashes(self, triple: Triple) -> bool:
        return self.teller.relations[triple[1]].functional and bool(self.held.get(triple[:2]))

    # ---------------------------------------------------------------- one maker for each reason

    def _new(self) -> Made | None:
        while self.fresh:
            first = self.fresh.pop()
            if first not in self.current and not self._clashes(first):
                break
        else:
            return None
        own = [t for t in self.teller.about[first[0]] if t != first and (t in self.current or not self._clashes(t))]
        more = self.rng.sample(own, min(len(own), self.rng.choice((0, 0, 1, 2))))
        passage = self.teller.state(self.rng, [first, *more])
        labels: list[str] = []
        added: list[Triple] = []
        for triple in passage.triples:
            fresh = triple not in self.current and not any(triple[:2] == t[:2] and self._functional(t) for t in added)
            labels.append("add" if fresh else "skip")
            added += [triple] * fresh
        return passage, tuple(labels), self._sure(), (), tuple(added)

    def _functional(self, triple: Triple) -> bool:
        return self.teller.relations[triple[1]].functional

    def _duplicate(self) -> Made | None:
        still = [p for p in self.heard[-30:] if all(triple in self.current for triple in p.triples)]
        if still and self.rng.random() < 0.7:
            passage = self.rng.choice(still)
        elif (triple := self._any_held()) is not None:
            passage = self.teller.canonical(triple)
        else:
            return None
        return passage, ("skip",) * len(passage.triples), self._sure(), (), ()

    def _paraphrase(self) -> Made | None:
        triple = self._any_held()
        if triple is None:
            return None
        own = [t for t in self.teller.about[triple[0]] if t != triple and t in self.current]
        more = self.rng.sample(own, min(len(own), self.rng.choice((0, 0, 1))))
        passage = self.teller.state(self.rng, [triple, *more])
        return passage, ("skip",) * len(passage.triples), self._sure(), (), ()

    def _change(self) -> Made | None:
        for _ in range(_TRIES):
            old = self._any_held()
            other = self.teller.other_object(self.rng, old) if old else None
            if old is None or other is None or (old[0], old[1], other) in self.current:
                continue
            relation, new = self.teller.relations[old[1]], (old[0], old[1], other)
            passage = self.teller.change(self.rng, new, old[2]) if self.rng.random() < 0.65 else None
            if passage is None and relation.functional:
                passage = self.teller.correction(self.rng, new) if self.rng.random() < 0.6 else self._plain_change(new)
            if passage is not None:
                return passage, ("update",), self._sure(), (old,), (new,)
        return None

    def _plain_change(self, new: Triple) -> SyntheticText | None:
        """State the new fact plainly, where its relation changes in time anyway."""
        return self.teller.state(self.rng, [new]) if self.teller.relations[new[1]].updates else None

    def _ending(self) -> Made | None:
        for _ in range(_TRIES):
            triple = self._any_held()
            if triple is None:
                return None
            if self.rng.random() < 0.2:
                return self.teller.wrap(self.rng, triple, "negation"), ("retire",), self._sure(), (triple,), ()
            passage = self.teller.end(self.rng, triple)
            if passage is not None:
                return passage, ("retire",), self._sure(), (triple,), ()
        return None

    def _rumour(self) -> Made | None:
        triple = self.rng.choice(self.teller.triples)
        other = self.teller.other_object(self.rng, triple)
        claim = (triple[0], triple[1], other) if other and self.rng.random() < 0.7 else triple
        if self.rng.random() < 0.3:  # said flatly, by a source that is not to be trusted
            passage, trust = self.teller.state(self.rng, [claim]), self.rng.uniform(0.0, 0.2)
        else:
            passage, trust = self.teller.wrap(self.rng, claim, "hearsay"), self.rng.uniform(0.0, 0.6)
        return passage, ("skip",) * len(passage.triples), trust, (), ()

    def _chatter(self) -> Made:
        if self.teller.triples and self.rng.random() < 0.35:
            passage = self.teller.wrap(self.rng, self.rng.choice(self.teller.triples), "question")
        else:
            passage = self.teller.chatter(self.rng)
        return passage, ("skip",) * len(passage.triples), self.rng.uniform(0.3, 1.0), (), ()
