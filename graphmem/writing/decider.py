"""Puts candidates before the write gate: looks up what the graph holds near each, and turns actions into edits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from graphmem.core.edits import AddEdge, AddNode, Edit, Retire, SupersedeEdge, WriteDecision
from graphmem.core.history import recorded_facts
from graphmem.core.names import normalise
from graphmem.core.protocols import GraphStore
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.types import Fact
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.reading.alias_patterns import ALSO_KNOWN
from graphmem.reading.candidates import CandidateFact
from graphmem.writing.config import WriteGateConfig
from graphmem.writing.entity_linking import EntityLinker, LinkedEntity
from graphmem.writing.gate_features import Action, EvidenceRecord, GraphContext, role_agreement
from graphmem.writing.gate_rules import allowed_actions, blend_priors, select_action
from graphmem.writing.write_gate import WriteGate

Case = tuple[CandidateFact, LinkedEntity, LinkedEntity]


class RelationProfile(NamedTuple):
    """What a relation is like: how functional, how changeable, and the names on either side of it in the graph."""

    functional: float
    changeable: float
    subjects: Collection[str]
    objects: Collection[str]


_SAMPLE = 500
_SNIPPET = 160


class WriteDecider:
    """Decides about candidates in order; each sees what those before it in the same text will have written.

    Args:
        store: the live graph; it is only looked at.
        vectors: text vectors of relation names.
        gate: the learned gate.
        config: its thresholds.
    """

    def __init__(
        self, store: GraphStore, vectors: EmbeddingCache, gate: WriteGate, config: WriteGateConfig | None = None
    ) -> None:
        self._store, self._vectors, self._gate = store, vectors, gate
        self._config = config or WriteGateConfig()
        self._pending: dict[tuple[str, str], list[Fact]] = {}
        self._closed: set[int] = set()
        self._characters: dict[str, RelationProfile] = {}
        self._records: dict[int, list[Fact]] = {}

    def decide(
        self, cases: Sequence[Case], *, source: str | None = None, trust: float = 1.0, at: Time | None = None,
        told: Callable[[CandidateFact], bool] = lambda _: False,
    ) -> list[WriteDecision]:  # fmt: skip
        """One decision a candidate, what ended last. Reads the store, writes nothing.

        What was ``told`` before is no news: at most it strengthens what is held.
        """
        decisions: list[WriteDecision] = []
        seen: set[tuple[str, str, str, str]] = set()
        self._vectors([candidate.fact.relation for candidate, *_ in cases])  # in one go: many may be new
        ends = {self._key(case[0].fact): case[0] for case in cases if case[0].mood in ("ended", "denied")}
        order = sorted(range(len(cases)), key=lambda place: cases[place][0].mood == "ended")
        for candidate, subject, value in (
            cases[place] for place in order
        ):  # a new value goes before the end of the old
            fact = candidate.fact
            key = (*self._key(fact), normalise(fact.object), candidate.mood)
            if key in seen or normalise(fact.subject) == normalise(fact.object):
                continue  # said twice in one text, or a thing related to itself by a misreading
            seen.add(key)
            near = self._near(candidate, subject, value, ends.get(self._key(fact)))
            decisions.append(self._decide(candidate, near, source, trust, at, told(candidate)))
        return decisions

    def _decide(
        self,
        candidate: CandidateFact,
        near: GraphContext,
        source: str | None,
        trust: float,
        at: Time | None,
        told: bool,
    ) -> WriteDecision:
        chances = self._gate.probabilities(candidate, near, trust)
        open_to: tuple[Action, ...] = ("skip",) if told else allowed_actions(candidate, near, trust, self._config)
        action, gate = select_action(chances, open_to, self._config.threshold)
        evidence = dict(EvidenceRecord.of(candidate, near, chances, trust).values)
        held, rival = near.same(candidate.fact), near.rival(candidate.fact)
        fact = replace(candidate.fact, confidence=round(trust * min(1.0, candidate.fact.confidence), 4), source=source)
        if action == "skip" and candidate.mood == "stated" and held is not None and trust >= self._config.least_trust:
            evidence["repeats"] = held.id
            fact = replace(fact, valid_from=held.valid_from, valid_to=held.valid_to) if told else fact
        elif told:
            evidence["told_before"] = True
        elif action == "skip" and candidate.mood in ("stated", "doubted") and trust < self._config.least_trust:
            evidence["held_back"] = "the source is hardly trusted"
        elif action == "skip" and open_to == ("skip",) and rival is not None and candidate.mood == "stated":
            evidence["held_back"] = f"trusted less than what is held: {rival}"
        edit = self._edit(action, fact, held, rival, source, at)
        self._remember(action, fact, held, rival)
        return WriteDecision(action, round(gate, 4), round(candidate.surprise, 4), edit, fact, evidence)

    def aliases(
        self, said: Sequence[CandidateFact], cases: Sequence[Case], entities: EntityLinker, *, trust: float,
        source: str | None,
    ) -> list[WriteDecision]:  # fmt: skip
        """Names to keep beside a node's own: those that the text gives, and spellings that were matched to a node.

        A name that is some node's already is left where it is, whatever a text says.
        """
        pairs = {(entities.resolve(c.fact.subject).name, c.fact.object): c.fact for c in said if c.mood == "stated"}
        for candidate, *ends in cases:
            for end, name in zip(ends, candidate.heard, strict=False):
                if end.how == "similar" and end.node is not None:
                    pairs.setdefault((end.name, name), Fact(end.name, ALSO_KNOWN, name, candidate.fact.text))
        decisions = []
        for (name, other), fact in pairs.items():
            free = self._store.resolve(other) is None and trust >= self._config.least_trust
            edit = AddNode(name, aliases=(other,)) if free else None
            fact = replace(fact, subject=name, source=source, confidence=trust)
            evidence = {"mood": "alias", "trust": trust, "name taken or source distrusted": not free}
            decisions.append(WriteDecision("add" if free else "skip", 1.0, 0.0, edit, fact, evidence))
        return decisions

    # ---------------------------------------------------------------- what is near

    @staticmethod
    def _key(fact: Fact) -> tuple[str, str]:
        return normalise(fact.subject), normalise(fact.relation)

    def _near(
        self, candidate: CandidateFact, subject: LinkedEntity, value: LinkedEntity, ended: CandidateFact | None
    ) -> GraphContext:
        fact = candidate.fact
        held = [f for f in self._held(subject, fact.relation) if f.id not in self._closed]
        held += self._pending.get(self._key(fact), [])
        relation = self._character(fact.relation)
        over = None
        if ended is not None and ended is not candidate:
            over = next((f for f in held if normalise(f.object) == normalise(ended.fact.object)), None)
        return GraphContext(
            tuple(held), self._once(subject, value, fact.relation), relation.functional, relation.changeable,
            subject.node is not None, value.node is not None, over, self._joined(subject, value),
            role_agreement(fact, relation.subjects, relation.objects),
        )  # fmt: skip

    def _joined(self, subject: LinkedEntity, value: LinkedEntity) -> bool:
        """Whether any relation joins the two things now."""
        if subject.node is None or value.node is None:
            return False
        ends = (subject.node.id, value.node.id)
        return any(self._store.facts(a, None, b, limit=1) for a, b in (ends, ends[::-1]))

    def _held(self, subject: LinkedEntity, relation: str) -> list[Fact]:
        return self._store.facts(subject.node.id, relation) if subject.node else []

    def _once(self, subject: LinkedEntity, value: LinkedEntity, relation: str) -> bool:
        """Whether the graph held this very fact once and holds it no more."""
        if subject.node is None or value.node is None or self._store.facts(subject.node.id, relation, value.node.id):
            return False
        node = subject.node.id
        if node not in self._records:
            self._records[node] = recorded_facts(self._store, node, entries=20)
        wanted = (normalise(relation), normalise(value.name))
        return any((normalise(f.relation), normalise(f.object)) == wanted for f in self._records[node])

    def _character(self, relation: str) -> RelationProfile:
        """What a relation is like, from its text and from this graph's facts of it."""
        if relation not in self._characters:
            functional, changeable = self._gate.relation_priors(self._vectors([relation]))[0].tolist()
            facts = self._store.facts(relation=relation, limit=_SAMPLE)
            counts = Counter(normalise(fact.subject) for fact in facts)
            functional = blend_priors(functional, sum(count == 1 for count in counts.values()), len(counts))
            objects = {normalise(fact.object) for fact in facts}
            self._characters[relation] = RelationProfile(functional, changeable, counts, objects)
        return self._characters[relation]

    # ---------------------------------------------------------------- what follows

    def _remember(self, action: Action, fact: Fact, held: Fact | None, rival: Fact | None) -> None:
        over = {"update": rival, "retire": held}.get(action)
        kept = self._pending.setdefault(self._key(fact), [])
        if over is not None:
            kept[:] = [other for other in kept if other is not over]
            if over.id is not None:
                self._closed.add(over.id)
        if action in ("add", "update"):
            kept.append(fact)

    def _edit(
        self, action: Action, fact: Fact, held: Fact | None, rival: Fact | None, source: str | None, at: Time | None
    ) -> Edit | None:
        if action == "retire" and held is not None:
            return _closing(held, fact, at)
        if action == "update" and rival is not None:
            return _replacing(rival, _added(fact, source), at)
        return _added(fact, source) if action in ("add", "update") else None

    def edits_of(self, decision: WriteDecision, *, source: str | None = None, at: Time | None = None) -> Iterator[Edit]:
        """Edits that a decision leads to: its own, a repetition that strengthens, or an episode that is only kept."""
        rival = decision.evidence.get("against_id")
        if decision.action == "update" and isinstance(decision.edit, AddEdge) and rival is None:
            yield from self._end_pending(decision, at)
        if decision.edit is not None:
            yield decision.edit
        elif decision.evidence.get("repeats") is not None:
            yield _added(decision.fact, source)
        elif "held_back" in decision.evidence:
            yield _episode(decision, source, at)

    @staticmethod
    def _end_pending(decision: WriteDecision, at: Time | None) -> Iterator[Edit]:
        """Close a fact that the same text stated before: it has no id yet, so it is closed by adding its end."""
        against = decision.evidence.get("against")
        if against:
            subject, relation, value = str(against).split(" | ", 2)
            yield AddEdge(subject, relation, value, valid_to=decision.fact.valid_from or at or from_micros(_now()))


def _added(fact: Fact, source: str | None) -> AddEdge:
    return AddEdge(
        fact.subject, fact.relation, fact.object, fact.text, fact.valid_from, fact.valid_to, fact.confidence, source
    )


def _replacing(old: Fact, new: AddEdge, at: Time | None) -> Edit:
    """The new value instead of the old; before the old one where the text dates it earlier."""
    when = new.valid_from if new.valid_from is not None else at
    begun = to_micros(old.valid_from)
    if begun is not None and when is not None and (to_micros(when) or 0) <= begun:
        return replace(new, valid_to=new.valid_to or old.valid_from)
    return SupersedeEdge(old.id, new, when) if old.id is not None else new


def _closing(old: Fact, said: Fact, at: Time | None) -> Edit:
    """End a fact at the time the text gives; one that was never so, or ends before it began, is retired."""
    end = said.valid_to or at or from_micros(_now())
    begun = to_micros(old.valid_from)
    if old.id is not None and begun is not None and (to_micros(end) or 0) <= begun:
        return Retire(old.id)
    return AddEdge(old.subject, old.relation, old.object, old.text, old.valid_from, end, old.confidence, old.source)


def _now() -> int:
    from datetime import UTC, datetime

    return to_micros(datetime.now(UTC)) or 0


def _episode(decision: WriteDecision, source: str | None, at: Time | None) -> AddNode:
    """Keep what was heard, with its source, apart from the facts."""
    said = " ".join((decision.fact.text or str(decision.fact)).split())
    name = f"heard{f' from {source}' if source else ''}: {said}"[:_SNIPPET]
    attributes = {
        "claim": str(decision.fact), "source": source, "why": decision.evidence["held_back"],
        "trust": decision.evidence.get("trust"), "at": from_micros(to_micros(at)) or from_micros(_now()),
    }  # fmt: skip
    return AddNode(name, "episode", said, (), attributes)
