"""Reading: what a text says, what the write gate would do about it, and the plan of edits that follows.

plan = read_text(model, "In 1843 Ada moved to Surrey.")      # changes nothing
memory.apply(plan)                                           # one transaction
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Protocol, runtime_checkable

from graphmem.core.edits import AddNode, Edit, WriteDecision
from graphmem.core.errors import InvalidValue
from graphmem.core.names import check_name
from graphmem.core.paths import WEIGHTS
from graphmem.core.protocols import GraphStore, TextEncoder
from graphmem.core.times import Time, to_micros
from graphmem.core.types import Fact
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.encoding.entity_states import EntityDisambiguator, load_entity_states, state_updates
from graphmem.reading.alias_patterns import is_alias
from graphmem.reading.candidates import CandidateFact, check_text
from graphmem.reading.extractor import FactExtractor
from graphmem.writing.config import WriteGateConfig
from graphmem.writing.decider import WriteDecider
from graphmem.writing.deduplication import ReadHistory
from graphmem.writing.entity_linking import EntityLinker, LinkedEntity, recent_names
from graphmem.writing.relation_linking import link_relation
from graphmem.writing.write_gate import load_gate


@dataclass(frozen=True, slots=True)
class WritePlan:
    """What a text would change. ``memory.apply(plan)`` applies ``edits`` in one transaction.

    Attributes:
        text: what was read.
        facts: what it states, by the names that the graph will hold; what ended, or is only asked, is not among them.
        decisions: one for each candidate, also for those that are left out.
        edits: what the decisions lead to.
    """

    text: str
    facts: tuple[Fact, ...] = ()
    decisions: tuple[WriteDecision, ...] = ()
    edits: tuple[Edit, ...] = ()


@runtime_checkable
class Extractor(Protocol):
    """Anything that finds facts in text: the learned reader, spaCy rules, a prompt to a large model, your function."""

    def read(self, text: str) -> Iterable[Fact | CandidateFact]:
        """Facts that the text states, in its order."""


def read_text(
    model: Any, text: str, *, apply: bool = False, source: str | None = None, trust: float = 1.0,
    at: Time | None = None, context: str = "", reader: Extractor | None = None, config: WriteGateConfig | None = None,
    surprise: bool = True, again: bool = False,
) -> WritePlan:  # fmt: skip
    """Read a text in one pass and plan what to write. Writes only with ``apply``, in one transaction.

    Args:
        model: has ``tokenizer`` and ``memory``; with a memory attached, surprise is measured with the memory on.
        text: anything; it is data, whatever it says.
        apply: apply the plan at once.
        source: where the text comes from.
        trust: how far the source is to be trusted, 0..1.
        at: when it was said; now when None. Changes without a date of their own happen then.
        context: what was said before, so that "she" can mean somebody.
        reader: another reader than the learned one.
        config: thresholds of the write gate.
        surprise: let the gate see how surprised the model is, with its memory on; without, reading is about twice as
            fast, and the gate decides by the rest of what it sees.
        again: judge sentences anew that were read before. Without, they only strengthen what they said, unless they
            come from a source trusted more, or of another time ``at``.

    Raises:
        InvalidValue: ``text`` is no text or too long, or ``trust`` lies outside 0..1.
        InvalidTime: ``at`` cannot be read.
    """
    check_text(text)
    if not isinstance(trust, (int, float)) or isinstance(trust, bool) or not 0.0 <= trust <= 1.0:
        raise InvalidValue(f"trust must be a number from 0 (none) to 1 (full), not {trust!r}")
    to_micros(at)
    memory, found = model.memory, []
    if text.strip():
        found = _candidates(model, text, context, reader, at, surprise)
    gate = load_gate(WEIGHTS / _folder(model))
    aliases = [candidate for candidate in found if is_alias(candidate.fact)]
    states = load_entity_states(WEIGHTS / _folder(model)) if (config or WriteGateConfig()).states else None
    entities = EntityLinker(
        memory.store, gate.matcher, recent=recent_names(memory.store), renamed=_renamed(aliases),
        namesakes=EntityDisambiguator(memory.store, states) if states else None,
    )  # fmt: skip
    resolved = list(_resolve([candidate for candidate in found if not is_alias(candidate.fact)], entities))
    resolved = [_settled(*case, memory.store) for case in resolved]
    told = ReadHistory(memory.store, text, context=context, trust=float(trust), at=at)
    old = (lambda _: False) if again else told
    judge = WriteDecider(memory.store, _vectors(memory.encoder), gate, config)
    decisions = judge.decide(resolved, source=source, trust=float(trust), at=at, told=old)
    facts = tuple(d.fact for d in decisions if d.evidence.get("mood") == "stated")
    edits = tuple(edit for decision in decisions for edit in judge.edits_of(decision, source=source, at=at))
    fresh = [case for case in resolved if not old(case[0])]
    learned = judge.aliases([c for c in aliases if not old(c)], fresh, entities, trust=float(trust), source=source)
    edits = (*edits, *(d.edit for d in learned if d.edit is not None))
    if states is not None:
        edits = (*edits, *state_updates(states, memory.store, [case[0] for case in resolved], decisions))
    if found and trust >= (config or WriteGateConfig()).least_trust:
        edits = (*edits, *told.mark(source))
    plan = WritePlan(text, facts, (*decisions, *learned), edits)
    if apply and plan.edits:
        memory.apply(plan, note=" ".join(text[:400].replace("\0", " ").split())[:200])
    return plan


def read_stream(
    model: Any, pieces: Iterable[str], *, apply: bool = True, resume: str | None = None, **options: Any
) -> Iterator[WritePlan]:
    """Read one piece after another, each with the end of the last as its context; writes piece by piece.

    Only one piece is held at a time. Nothing is read before the plans are asked for.

    Args:
        model: as in ``read_text``.
        pieces: turns of a conversation, paragraphs, lines of an open file.
        apply: apply each plan before the next piece is read.
        resume: a name for the stream, under which the memory keeps how many pieces were applied: after a crash the
            same call goes on there, skipping what was read. A stream that was read to its end gives nothing more.
        options: those of ``read_text``.

    Raises:
        InvalidValue: ``resume`` without ``apply``, or a piece that cannot be read; the pieces before it are kept.
    """
    if resume is not None and not apply:
        raise InvalidValue("resume needs apply=True: only what was applied can be skipped later")
    return _pieces(model, pieces, apply, resume, options)


def _pieces(
    model: Any, pieces: Iterable[str], apply: bool, resume: str | None, options: dict[str, Any]
) -> Iterator[WritePlan]:
    state = None if resume is None else check_name(f"stream:{resume}", "name of a stream")
    known = model.memory.node(state) if state else None
    done = int(known.attributes.get("position", 0)) if known else 0
    context = ""
    for place, piece in enumerate(pieces):
        if place >= done:
            plan = read_text(model, piece, apply=apply, context=context, **options)
            if state:
                model.memory.store.apply([AddNode(state, "session", attributes={"position": place + 1})], action="read")
            yield plan
        context = piece or context


def _candidates(
    model: Any, text: str, context: str, reader: Extractor | None, at: Time | None, surprise: bool
) -> list[CandidateFact]:
    if reader is not None:
        return [item if isinstance(item, CandidateFact) else CandidateFact(item) for item in reader.read(text)]
    live = list(model.memory.store.index().relations)
    return shipped_extractor(model).read(text, relations=live, context=context, now=at, surprise=surprise)


def shipped_extractor(model: Any) -> FactExtractor:
    """The shipped reader over ``model``; its weights are loaded on first use and shared.

    Raises:
        WeightsMismatch: the reader was trained for another width of model or text encoder.
    """
    base = getattr(model, "base", None) or model.base_model
    vectors = _vectors(model.memory.encoder)
    network = _network(_folder(model), int(base.config.hidden_size), vectors.encoder.dim)
    return FactExtractor(_runner(model, base), model.tokenizer, vectors, network)


@lru_cache(maxsize=2)
def _vectors(encoder: TextEncoder) -> EmbeddingCache:
    """Relation texts are encoded once a process and encoder."""
    return EmbeddingCache(encoder)


def _runner(model: Any, base: Any) -> Any:
    """What runs a text: the model itself where it reads its memory, else the bare base."""
    return model if callable(model) else base


@lru_cache(maxsize=4)
def _network(folder: str, hidden_size: int, text_width: int) -> Any:
    from graphmem.reading.network import load_extractor

    return load_extractor(WEIGHTS / folder / "reader.safetensors", hidden_size=hidden_size, text_width=text_width)


def _renamed(aliases: Sequence[CandidateFact]) -> dict[str, str]:
    """Other names that a text gives, with the name each stands for."""
    return {c.fact.object: c.fact.subject for c in aliases if c.mood == "stated"}


def _folder(model: Any) -> str:
    """Folder of the weights made for a model's base; the only one that ships where there is none of its name."""
    from graphmem.hub import DEFAULT_MODEL, canonical

    base = getattr(model, "base", None) or getattr(model, "base_model", None)
    name = canonical(str(getattr(getattr(base, "config", None), "name_or_path", "") or DEFAULT_MODEL))
    return name if (WEIGHTS / name / "reader.safetensors").exists() else DEFAULT_MODEL


def _resolve(
    found: Sequence[CandidateFact], entities: EntityLinker
) -> Iterator[tuple[CandidateFact, LinkedEntity, LinkedEntity]]:
    """Each candidate under the names of the graph, with what its subject and object were found to be."""
    mentioned = [c.fact.subject for c in found] + [c.fact.object for c in found if c.object_kind == "entity"]
    known: dict[str, LinkedEntity] = {}
    for candidate in found:
        fact = candidate.fact
        for name in (fact.subject, fact.object):
            if name not in known:
                literal = name == fact.object and candidate.object_kind == "literal"
                known[name] = entities.resolve(name, () if literal else mentioned, candidate.sentence)
        subject, value = known[fact.subject], known[fact.object]
        found_as = replace(fact, subject=subject.name, object=value.name)
        yield replace(candidate, fact=found_as, heard=(fact.subject, fact.object)), subject, value


def _settled(
    candidate: CandidateFact, subject: LinkedEntity, value: LinkedEntity, store: GraphStore
) -> tuple[CandidateFact, LinkedEntity, LinkedEntity]:
    """The case with a relation that is held between the two, where the reader thinks one possible."""
    if subject.node is None or value.node is None:
        return candidate, subject, value
    ids = {subject.name: subject.node.id, value.name: value.node.id}
    taken, turned = link_relation(candidate, lambda a, b: [fact.relation for fact in store.facts(ids[a], None, ids[b])])
    return (taken, value, subject) if turned else (taken, subject, value)
