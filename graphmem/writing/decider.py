"""Write decisions: the graph context of each candidate, the gate's action, and the edits that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from graphmem.core.edits import AddEdge, AddNode, Edit, Retire, SupersedeEdge, WriteDecision
from graphmem.core.history import recorded_facts
from graphmem.core.names import normalise, normalise_relation
from graphmem.core.protocols import GraphStore
from graphmem.core.times import Time, as_text, end_micros, from_micros, to_micros
from graphmem.core.types import ALSO_KNOWN, Fact
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.reading.candidates import CandidateFact
from graphmem.text.sentences import is_question
from graphmem.writing.entity_linking import EntityLinker, LinkedEntity
from graphmem.writing.gate_features import Action, GraphContext, evidence_record, held_order, role_agreement
from graphmem.writing.gate_rules import (
    KEPT_APART,
    WriteGateConfig,
    allowed_actions,
    blend_priors,
    is_apart,
    may_change,
    select_action,
)
from graphmem.writing.write_gate import WriteGate

Case = tuple[CandidateFact, LinkedEntity, LinkedEntity]


RelationProfile = tuple[float, float, Collection[str], Collection[str]]
"""A relation in the graph: how functional, how changeable, and its normalised subjects and objects."""
UNSURE = "the probability that the text says so is below {}"
"""Why a candidate is only offered."""

_MAX_SAMPLE, _MAX_NAME, _MAX_HELD = 500, 160, 64
"""Facts that a relation's profile counts; letters of an episode's name; latest values of a comparison."""


class WriteDecider:
    """Decides about the candidates of a text in order; the context of each includes the pending edits of those before.

    The store is only read. ``source``, its trust (0..1) and the time ``at`` are those of the text.
    """

    def __init__(
        self, store: GraphStore, vectors: EmbeddingCache, gate: WriteGate, config: WriteGateConfig | None = None, *,
        source: str | None = None, trust: float = 1.0, at: Time | None = None,
    ) -> None:  # fmt: skip
        self._store, self._vectors, self._gate, self._config = store, vectors, gate, config or WriteGateConfig()
        self._source, self._trust, self._at = source, trust, at
        self._held: dict[tuple[str, str], dict[str, Fact]] = {}
        self._profiles: dict[str, RelationProfile] = {}
        self._records: dict[int, list[Fact]] = {}
        self._ended: set[tuple[str, str, str]] = set()  # facts that decisions about this text end

    def decide(
        self, cases: Sequence[Case], was_read: Callable[[CandidateFact], bool] = lambda _: False
    ) -> list[WriteDecision]:
        """One decision a candidate, those about ended facts last. Reads the store, writes nothing.

        A candidate whose sentence ``was_read`` before at most strengthens a held fact.
        """
        decisions: list[WriteDecision] = []
        seen: set[tuple[str, str, str, str]] = set()
        self._vectors([candidate.fact.relation for candidate, *_ in cases])  # one batch: many may be new
        ends = {_key(case[0].fact): case[0] for case in cases if case[0].factuality in ("ended", "negated")}
        for candidate, subject, value in sorted(cases, key=lambda case: case[0].factuality == "ended"):
            fact = candidate.fact
            key = (*_key(fact), normalise(fact.object), candidate.factuality)
            if key in seen or normalise(fact.subject) == normalise(fact.object):
                continue  # a repetition within the text, or an entity related to itself by an extraction error
            seen.add(key)
            near = self._context(candidate, subject, value, ends.get(_key(fact)))
            decisions.append(self._decide(candidate, near, was_read(candidate)))
        return decisions

    def _decide(self, candidate: CandidateFact, near: GraphContext, was_read: bool) -> WriteDecision:
        trust, held, rival = self._trust, near.same(candidate.fact), near.rival(candidate.fact)
        probabilities = self._gate.probabilities(candidate, near, trust)
        evidence = evidence_record(candidate, near, probabilities, trust)
        confidence = round(trust * min(1.0, candidate.probability), 4)
        fact = replace(candidate.fact, confidence=confidence, source=self._source)
        ended_here = (*_key(fact), normalise(fact.object)) in self._ended
        if not was_read and not ended_here and trust >= self._config.min_trust and is_apart(candidate, held):
            return self._apart(candidate, fact, evidence)
        allowed: tuple[Action, ...] = ("skip",) if was_read else allowed_actions(candidate, near, trust, self._config)
        action, gate = select_action(probabilities, allowed, self._config.threshold)
        if action == "skip":
            fact, evidence = self._skipped(candidate, near, was_read, allowed == ("skip",), fact, evidence)
        sure = action != "skip" and candidate.probability >= self._config.min_sure
        offered = action if action != "skip" else self._offered(candidate, near, evidence, allowed)
        offer: WriteDecision | None = None
        if offered != "skip":
            offer = self._writing(offered, candidate, near, fact, gate, dict(evidence))
        if sure and offer is not None:
            self._add_pending(offer.action, offer.fact, held, rival)
            return offer
        if offer is not None and offer.action == "skip":  # a fact of another time holds it back
            evidence, offer = dict(offer.evidence), None
        elif offer is not None and candidate.probability < self._config.min_proposed:
            offer = None
        if offer is not None:
            unsure = candidate.probability < self._config.min_sure
            evidence["offered"] = UNSURE.format(self._config.min_sure) if unsure else "the gate would not write it"
        self._add_pending("skip", fact, held, rival)
        gate = gate if action == "skip" else 1 - gate
        return WriteDecision("skip", round(gate, 4), round(candidate.surprise, 4), None, fact, evidence, offer)

    def _apart(self, candidate: CandidateFact, fact: Fact, evidence: dict[str, Any]) -> WriteDecision:
        """What does not hold now: a fact of its own, kept with its factuality or its end beside those that hold."""
        known, gate = candidate.factuality, round(candidate.probability, 4)
        if known == "ended":
            fact = _over(fact, self._at)
        else:
            fact = replace(fact, factuality=known)  # type: ignore[arg-type]
        written = WriteDecision("add", gate, round(candidate.surprise, 4), _added(fact), fact, evidence)
        if is_question(fact.text):
            return replace(written, action="skip", edit=None)
        if known != "uncertain" and candidate.probability >= self._config.min_sure:
            return written
        skipped = replace(written, action="skip", gate=round(1 - gate, 4), edit=None)
        if candidate.probability < self._config.min_proposed:
            return skipped
        reason = "the text leaves it open" if known == "uncertain" else UNSURE.format(self._config.min_sure)
        return replace(skipped, evidence=evidence | {"offered": reason}, offer=written)

    def _skipped(
        self, candidate: CandidateFact, near: GraphContext, was_read: bool, forbidden: bool, fact: Fact,
        evidence: dict[str, Any],
    ) -> tuple[Fact, dict[str, Any]]:  # fmt: skip
        """A skipped fact and its evidence, with the reason: repeated, read before, or held back."""
        held, rival, trust = near.same(candidate.fact), near.rival(candidate.fact), self._trust
        against = held or rival
        weaker = against is not None and not may_change(candidate, against, near, trust, self._config)
        asserted, over = candidate.factuality == "asserted", candidate.factuality in ("ended", "negated")
        trusted = trust >= self._config.min_trust
        if asserted and held is not None and trusted:
            evidence |= {"repeats": held.id, "pinned": held.pinned}
            if was_read or weaker:
                fact = replace(fact, valid_from=held.valid_from, valid_to=held.valid_to)
        elif was_read:
            evidence["read_before"] = True
        elif (asserted or candidate.factuality in KEPT_APART) and not trusted:
            evidence["held_back"] = f"trust {trust} is below {self._config.min_trust}"
        elif forbidden and weaker and against is not None and (asserted or held and over):
            evidence["held_back"] = f"{'pinned' if against.pinned else 'trusted less than the held fact'}: {against}"
        return fact, evidence

    def _offered(
        self, candidate: CandidateFact, near: GraphContext, evidence: dict[str, Any], allowed: Sequence[Action]
    ) -> Action:
        """The action that a skipped candidate is offered for; ``skip`` where it is known, read or held back."""
        if {"repeats", "read_before", "held_back"} & evidence.keys() or self._trust < self._config.min_trust:
            return "skip"
        if candidate.factuality != "asserted":
            return "retire" if "retire" in allowed else "skip"
        return "update" if "update" in allowed and near.functional >= 0.5 else "add"

    def _writing(
        self, action: Action, candidate: CandidateFact, near: GraphContext, fact: Fact, gate: float,
        evidence: dict[str, Any],
    ) -> WriteDecision:  # fmt: skip
        """The decision to carry out an action, with its edit; ``skip`` where a fact of another time forbids it."""
        held, rival = near.same(candidate.fact), near.rival(candidate.fact)
        edit: Edit | None = None
        if action == "retire" and held is not None:
            edit, fact = _closing(held, fact, self._at), _over(fact, self._at)
        elif action in ("add", "update"):
            if fact.valid_from is None and fact.valid_to is None:
                fact = replace(fact, valid_from=as_text(self._at))  # held when the text was written
            if rival is not None and rival.id is None:
                evidence["against_from"] = rival.valid_from
            edit = _added(fact)
            if action == "update" and rival is not None:
                edit, then = self._replacing(rival, edit)
                if then is not None and not self._may_change(candidate, then, near):
                    action, edit = "skip", None
                    evidence["held_back"] = f"{'pinned' if then.pinned else 'trusted less than the fact then'}: {then}"
        return WriteDecision(action, round(gate, 4), round(candidate.surprise, 4), edit, fact, evidence)

    def _may_change(self, candidate: CandidateFact, held: Fact, near: GraphContext) -> bool:
        near = replace(near, sources={held.id: len(self._store.sources(held.id))} if held.id is not None else {})
        return may_change(candidate, held, near, self._trust, self._config)

    def _replacing(self, old: Fact, new: AddEdge) -> tuple[Edit, Fact | None]:
        """The new value in place of the old one; where the text dates it earlier, of what held then, until the old.

        And the fact that held then, if it is another one than ``old``.
        """
        when = new.valid_from if new.valid_from is not None else self._at
        start, moment = to_micros(old.valid_from), to_micros(when)
        if start is None or moment is None or moment >= start:
            return SupersedeEdge(old.id, new, when) if old.id is not None else new, None
        node = self._store.resolve(new.subject)
        then = self._store.facts(node.id, new.relation, as_of=moment) if node else []
        other = next((fact for fact in then if normalise(fact.object) != normalise(new.object)), None)
        if other is not None and other.id is not None:
            return SupersedeEdge(other.id, new, when), other
        return replace(new, valid_from=when, valid_to=new.valid_to or from_micros(start)), None

    def alias_decisions(
        self, given: Sequence[CandidateFact], cases: Sequence[Case], linker: EntityLinker
    ) -> list[WriteDecision]:
        """Aliases to add: those that the text gives, and spellings that were matched to a node.

        A name that some node has already is never moved.
        """
        pairs = {(linker.link(c.fact.subject).name, c.fact.object): c.fact for c in given if c.factuality == "asserted"}
        for candidate, *ends in cases:
            for end, name in zip(ends, candidate.as_received, strict=False):
                if end.strategy == "fuzzy" and end.node is not None:
                    pairs.setdefault((end.name, name), Fact(end.name, ALSO_KNOWN, name, candidate.fact.text))
        decisions = []
        for (name, other), fact in pairs.items():
            free = self._store.resolve(other) is None and self._trust >= self._config.min_trust
            edit = AddNode(name, aliases=(other,), ambiguous=True) if free else None
            fact = replace(fact, subject=name, source=self._source, confidence=self._trust)
            evidence = {"factuality": "alias", "trust": self._trust, "name taken or source distrusted": not free}
            decisions.append(WriteDecision("add" if free else "skip", 1.0, 0.0, edit, fact, evidence))
        return decisions

    def _context(
        self, candidate: CandidateFact, subject: LinkedEntity, value: LinkedEntity, ended: CandidateFact | None
    ) -> GraphContext:
        fact = candidate.fact
        table = self._held_values(subject, fact)
        own = table.get(normalise(fact.object))
        held = list(islice(reversed(table.values()), _MAX_HELD))[::-1]
        held = held if own is None or any(own is f for f in held) else [own, *held]
        (functional, changeable, subjects, objects), joined = self._profile(fact.relation), False
        if subject.node and value.node:
            ends = (subject.node.id, value.node.id)
            joined = any(self._store.facts(a, None, b, limit=1) for a, b in (ends, ends[::-1]))
        over = None
        if ended is not None and ended is not candidate:
            over = table.get(normalise(ended.fact.object))
        compared = (own, over or max((f for f in held if f is not own), key=held_order, default=None))
        sources = {f.id: len(self._store.sources(f.id)) for f in compared if f is not None and f.id is not None}
        return GraphContext(
            tuple(held), self._previously_held(subject, value, fact.relation), functional, changeable,
            subject.node is not None, value.node is not None, over, joined,
            role_agreement(fact, subjects, objects), sources,
        )  # fmt: skip

    def _held_values(self, subject: LinkedEntity, fact: Fact) -> dict[str, Fact]:
        """Facts of a subject and relation that hold, with what this text has changed, latest last, by their object."""
        if _key(fact) not in self._held:
            stored = self._store.facts(subject.node.id, fact.relation) if subject.node else []
            table = self._held[_key(fact)] = {}
            for one in sorted(stored, key=held_order):
                table.setdefault(normalise(one.object), one)
        return self._held[_key(fact)]

    def _previously_held(self, subject: LinkedEntity, value: LinkedEntity, relation: str) -> bool:
        """Whether the graph held this very fact and holds it no more."""
        if subject.node is None or value.node is None or self._store.facts(subject.node.id, relation, value.node.id):
            return False
        node = subject.node.id
        if node not in self._records:
            self._records[node] = recorded_facts(self._store, node, entries=20)
        wanted = (normalise_relation(relation), normalise(value.name))
        return any((normalise_relation(f.relation), normalise(f.object)) == wanted for f in self._records[node])

    def _profile(self, relation: str) -> RelationProfile:
        """Profile of a relation, from its text and from this graph's facts of it."""
        if relation not in self._profiles:
            functional, changeable = self._gate.relation_priors(self._vectors([relation]))[0].tolist()
            facts = self._store.facts(relation=relation, limit=_MAX_SAMPLE)
            counts = Counter(normalise(fact.subject) for fact in facts)
            functional = blend_priors(functional, sum(count == 1 for count in counts.values()), len(counts))
            objects = {normalise(fact.object) for fact in facts}
            self._profiles[relation] = (functional, changeable, counts, objects)
        return self._profiles[relation]

    def _add_pending(self, action: Action, fact: Fact, held: Fact | None, rival: Fact | None) -> None:
        """Keep what a decision will have written, for the candidates after it."""
        over = {"update": rival, "retire": held}.get(action)
        table = self._held.setdefault(_key(fact), {})
        if over is not None:
            table.pop(normalise(over.object), None)
            self._ended.add((*_key(over), normalise(over.object)))
        if action in ("add", "update"):
            table[normalise(fact.object)] = fact

    def edits_of(self, decision: WriteDecision) -> Iterator[Edit]:
        """Edits of a decision: its own, a repetition that strengthens a held fact, or an episode."""
        against = decision.evidence.get("against")
        in_same_text = against and decision.evidence.get("against_id") is None
        if decision.action == "update" and isinstance(decision.edit, AddEdge) and in_same_text:
            subject, relation, value = str(against).split(" | ", 2)  # without an id: closed by adding its end
            start = decision.evidence.get("against_from")
            yield AddEdge(
                subject,
                relation,
                value,
                valid_from=start,
                valid_to=_instant(decision.fact.valid_from or self._at) or _now(),
            )
        if decision.edit is not None:
            yield decision.edit
        elif decision.evidence.get("repeats") is not None and not decision.evidence["pinned"]:
            yield _added(decision.fact)
        elif "held_back" in decision.evidence and decision.evidence["factuality"] in ("asserted", *KEPT_APART):
            yield self._episode(decision)

    def _episode(self, decision: WriteDecision) -> AddNode:
        """An episode: the claim with its source, apart from the facts."""
        source, text = decision.fact.source, " ".join((decision.fact.text or str(decision.fact)).split())
        name = f"claim{f' of {source}' if source else ''}: {text}"[:_MAX_NAME]
        attributes = {
            "claim": str(decision.fact), "source": source, "why": decision.evidence["held_back"],
            "trust": decision.evidence.get("trust"), "at": from_micros(to_micros(self._at)) or _now(),
        }  # fmt: skip
        return AddNode(free_record(self._store, name, "episode"), "episode", text, (), attributes)


def free_record(store: GraphStore, name: str, kind: str) -> str:
    """The name, or a longer one where a node of another kind has it."""
    while (node := store.resolve(name)) is not None and node.kind != kind:
        name += " *"
    return name


def _key(fact: Fact) -> tuple[str, str]:
    return normalise(fact.subject), normalise_relation(fact.relation)


def _added(f: Fact) -> AddEdge:
    ends = f.subject, f.relation, f.object, f.text, f.valid_from, f.valid_to, f.confidence, f.source
    return AddEdge(*ends, factuality=f.factuality, qualifiers=f.qualifiers)


def _over(fact: Fact, at: Time | None) -> Fact:
    """A fact that is over, with its end: as the text gives it, else the time of the text."""
    end = fact.valid_to or _instant(at) or _now()
    start, stop = to_micros(fact.valid_from), end_micros(end)
    begins = None if start is not None and stop is not None and start >= stop else fact.valid_from
    return replace(fact, valid_from=begins, valid_to=end)


def _closing(old: Fact, ended: Fact, at: Time | None) -> Edit:
    """End a fact at the time that the text gives; one that it ends before its start is retired.

    A text from before the fact began tells of an earlier time when it held.
    """
    end = ended.valid_to or _instant(at) or _now()
    start, stop = to_micros(old.valid_from), end_micros(end) or 0
    if start is None or start < stop:
        return replace(_added(old), valid_to=end)
    if old.id is not None and (ended.valid_to is not None or start == stop):
        return Retire(old.id)
    return replace(_added(old), valid_from=None, valid_to=end)


def _instant(time: Time | None) -> str | None:
    """The first instant of a time."""
    return from_micros(to_micros(time))


def _now() -> str | None:
    return from_micros(to_micros(datetime.now(UTC)))
