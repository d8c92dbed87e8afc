"""Reading pipeline: text to candidate facts, the write gate's decisions, and the plan of edits that follows.

plan = read_text(model, "In 1843 Ada moved to Surrey.")      # changes nothing
memory.apply(plan)                                           # one transaction
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np

from graphmem.core.edits import AddNode, Edit, WriteDecision
from graphmem.core.errors import InvalidName, InvalidValue
from graphmem.core.names import check_name
from graphmem.core.paths import WEIGHTS
from graphmem.core.protocols import GraphStore
from graphmem.core.times import Time, to_micros
from graphmem.core.types import SYSTEM_KINDS
from graphmem.core.validation import require
from graphmem.encoding.embedding_cache import EmbeddingCache
from graphmem.encoding.entity_states import load_entity_states, state_updates
from graphmem.hub import DEFAULT_MODEL, canonical, load_tagger
from graphmem.ingestion.documents import check_document, passage_edits
from graphmem.reading.alias_patterns import is_alias
from graphmem.reading.candidates import CandidateFact, check_text
from graphmem.reading.extraction import Extractor, gate_view
from graphmem.reading.extractor import FactExtractor, GraphExtractor
from graphmem.reading.network import load_extractor
from graphmem.reading.structure import Structure, blanked, read_structure
from graphmem.text.sentences import Stretch, sentence_at, sentences
from graphmem.writing.decider import Case, WriteDecider
from graphmem.writing.deduplication import ReadHistory
from graphmem.writing.entity_linking import EntityLinker, LinkedEntity, fuller_names, link_relation, recent_names
from graphmem.writing.gate_rules import DEFAULT_TRUST, WriteGateConfig
from graphmem.writing.plan import WritePlan
from graphmem.writing.verification import Item, verified
from graphmem.writing.write_gate import load_gate

_EXTRACTOR_FILE = "reader.safetensors"


def read_text(
    model: Any, text: str, *, apply: bool = False, source: str | None = None, trust: float = DEFAULT_TRUST,
    at: Time | None = None, title: str = "", context: str = "", extractor: Extractor | None = None,
    config: WriteGateConfig | None = None, surprise: bool = True, reread: bool = False, keep: bool = True,
) -> WritePlan:  # fmt: skip
    """Read a text in one pass and plan what to write. Writes only with ``apply``, in one transaction.

    Args:
        model: has ``tokenizer`` and ``memory``; with a memory attached, surprise is measured with the memory on.
        text: any text; it is data, never an instruction.
        apply: apply the plan.
        source: of the text.
        trust: of the source, 0..1. A text changes a held fact only where ``gate_rules.may_change`` allows it.
        at: time of the text; now when None. Changes without a date of their own happen then.
        title: of the text.
        context: the text before this one; it resolves pronouns.
        extractor: in place of the shipped one.
        config: thresholds of the write gate.
        surprise: give the gate the model's surprise; without it reading is about twice as fast.
        reread: decide anew about sentences that were read before. Without it they only strengthen their facts, unless
            they come from a source trusted more, or of another time ``at``.
        keep: keep the text as a document with its title, source and date, in the same transaction: questions are
            answered from it. A text that is kept already, or of a source below ``min_trust``, is not.

    Raises:
        InvalidValue: ``text`` is not a string or too long, ``title`` is no name, or ``trust`` lies outside 0..1.
        InvalidTime: ``at`` cannot be read.
    """
    check_text(text)
    is_number = isinstance(trust, (int, float)) and not isinstance(trust, bool)
    require(is_number and 0.0 <= trust <= 1.0, "trust", trust, "a number from 0 (none) to 1 (full)")
    to_micros(at)
    trust, config, store = float(trust), config or WriteGateConfig(), model.memory.store
    found, understood = _found(model, text, context, extractor, at, surprise, config)
    aliases = [candidate for candidate in found if is_alias(candidate.fact)]
    folder = WEIGHTS / _folder(model)
    gate, states = load_gate(folder), load_entity_states(folder) if config.states else None
    linker = EntityLinker(
        store, gate.matcher, recent=recent_names(store),
        aliases={c.fact.object: c.fact.subject for c in aliases if c.factuality == "asserted"},
        states=states,
    )  # fmt: skip
    cases = list(_linked(found, linker, store))
    history = ReadHistory(store, text, context=context, trust=trust, at=at)
    was_read = (lambda _: False) if reread else history.contains
    vectors = _vectors(model.memory.encoder)
    decider = WriteDecider(store, vectors, gate, config, source=source, trust=trust, at=at)
    decisions = decider.decide(cases, was_read)
    named = decider.alias_decisions(
        [c for c in aliases if not was_read(c)], [case for case in cases if not was_read(case[0])], linker
    )
    edits = [edit for decision in decisions for edit in decider.edits_of(decision)]
    edits += [decision.edit for decision in named if decision.edit is not None]
    if states is not None:
        edits += state_updates(states, store, sentences_of(cases, decisions))
    kept = _kept(store, title, text, source, at) if keep and trust >= config.min_trust else []
    if (found or kept) and trust >= config.min_trust:
        edits += history.mark(source)
    sure = [d for d in decisions if d.action != "skip" or "repeats" in d.evidence]
    offered = tuple(tuple(decider.edits_of(d.offer)) for d in decisions if d.offer is not None)
    plan = WritePlan(
        text, tuple(d.fact for d in sure), (*decisions, *named), (*edits, *kept), offered,
        _not_understood(blanked(text, understood), decisions),
    )  # fmt: skip
    if apply and plan.edits:
        model.memory.apply(plan, note=" ".join(text[:400].replace("\0", " ").split())[:200])
    return plan


def _kept(store: GraphStore, title: str, text: str, source: str | None, at: Time | None) -> list[Edit]:
    """Edits that keep a text as a dated document."""
    text = text.replace("\0", " ")
    if not text.strip():
        return []
    document = check_document(0, (title, text, at))
    return passage_edits(store, [document], source=source, tagger=lambda texts: load_tagger()(texts))


def _not_understood(text: str, decisions: Sequence[WriteDecision]) -> tuple[str, ...]:
    """Sentences of a text in which nothing was found that is written, known, or offered."""
    bounds = sentences(text)
    ends = [
        max(d.evidence["subject_span"][1], d.evidence["object_span"][1]) for d in decisions
        if d.action != "skip" or d.offer is not None or {"repeats", "read_before"} & d.evidence.keys()
    ]  # fmt: skip
    found = {sentence_at(bounds, end) for end in ends}
    return tuple(" ".join(text[a:b].split()) for a, b in bounds if (a, b) not in found)


def read_stream(
    model: Any, texts: Iterable[str], *, apply: bool = False, resume: str | None = None, **options: Any
) -> Iterator[WritePlan]:
    """Read texts one after another, lazily, each with the preceding text as its context.

    Args:
        model, options: those of ``read_text``.
        texts: turns of a conversation, paragraphs, lines of an open file.
        apply: apply each plan before the next text is read, one transaction a text.
        resume: name of the stream, under which the memory keeps how many texts were applied. The same call after a
            crash skips those; after the end of the stream it yields nothing.

    Raises:
        InvalidValue: ``resume`` without ``apply``, or a text that cannot be read; the texts before it stay applied.
    """
    if resume is not None and not apply:
        raise InvalidValue("resume needs apply=True: only what was applied can be skipped later")

    def plans() -> Iterator[WritePlan]:
        state = None if resume is None else check_name(f"stream:{resume}", "name of a stream")
        known = model.memory.node(state) if state else None
        done = int(known.attributes.get("position", 0)) if known else 0
        context = ""
        for place, text in enumerate(texts):
            if place >= done:
                plan = read_text(model, text, apply=apply, context=context, **options)
                if state:
                    position = AddNode(state, "session", attributes={"position": place + 1})
                    model.memory.store.apply([position], action="read")
                yield plan
            context = text or context

    return plans()


def _found(
    model: Any, text: str, context: str, extractor: Extractor | None, at: Time | None, surprise: bool,
    config: WriteGateConfig,
) -> tuple[list[CandidateFact], tuple[Stretch, ...]]:  # fmt: skip
    """Candidates of a text, verified, and the characters that were read without an extractor.

    Tables, lists of fields and code are no prose: the shipped extractor does not read them.
    """
    if not text.strip():
        return [], ()
    structure, prose = Structure(), text
    if extractor is None:
        structure = read_structure(text)
        prose = blanked(text, (*structure.understood, *structure.opaque))
        relations = model.memory.store.index().relations
        extractor = GraphExtractor(shipped_extractor(model), relations, context, surprise)
    items: list[Item] = list(extractor.extract(prose, at)) if prose.strip() else []
    if config.verify and (reader := getattr(model.memory, "evidence_reader", None)) is not None:
        items = verified(items, text, reader.network, at=at)
    views = (gate_view(item, text, at) for item in (*structure.facts, *items))
    return [view for view in views if _is_usable(view)], structure.understood


def _is_usable(candidate: CandidateFact) -> bool:
    """Whether the names of a candidate can be stored; one that cannot stops no text."""
    with suppress(InvalidName):
        return all(map(check_name, (candidate.fact.subject, candidate.fact.relation, candidate.fact.object)))
    return False


def shipped_extractor(model: Any) -> FactExtractor:
    """The shipped extractor over ``model``; its weights are loaded on first use and shared.

    Raises:
        WeightsMismatch: it was trained for another width of model or text encoder.
    """
    base = getattr(model, "base", None) or model.base_model
    vectors = _vectors(model.memory.encoder)
    path, width = WEIGHTS / _folder(model) / _EXTRACTOR_FILE, int(base.config.hidden_size)
    network = _network(path, hidden_size=width, text_width=vectors.encoder.dim)
    return FactExtractor(model if callable(model) else base, model.tokenizer, vectors, network)


_vectors = lru_cache(maxsize=2)(EmbeddingCache)  # relation names are encoded once a process and encoder
_network = lru_cache(maxsize=4)(load_extractor)


def _folder(model: Any) -> str:
    """Folder of the weights for a model's base; the default model's where there is none of its name."""
    base = getattr(model, "base", None) or getattr(model, "base_model", None)
    name = canonical(str(getattr(getattr(base, "config", None), "name_or_path", "") or DEFAULT_MODEL))
    return name if (WEIGHTS / name / _EXTRACTOR_FILE).exists() else DEFAULT_MODEL


def _linked(found: Sequence[CandidateFact], linker: EntityLinker, store: GraphStore) -> Iterator[Case]:
    """Candidates that are no aliases, by names and relations of the graph, with their linked subject and object."""
    found = [candidate for candidate in found if not is_alias(candidate.fact)]
    mentioned = [c.fact.subject for c in found] + [c.fact.object for c in found if c.object_kind == "entity"]
    fuller = fuller_names(mentioned)
    known: dict[str, LinkedEntity] = {}
    for candidate in found:
        fact = candidate.fact
        for name in (fact.subject, fact.object):
            if name not in known:
                literal = name == fact.object and candidate.object_kind == "literal"
                known[name] = linker.link(name, () if literal else fuller(name), candidate.sentence)
        subject, value = known[fact.subject], known[fact.object]
        if any(end.node is None and _is_record(store, end.name) for end in (subject, value)):
            continue  # the text names a session, an episode or a passage of this memory: no entity
        linked = replace(fact, subject=subject.name, object=value.name)
        candidate = replace(candidate, fact=linked, as_received=(fact.subject, fact.object))
        if subject.node and value.node:
            ids = {subject.name: subject.node.id, value.name: value.node.id}
            held = lambda a, b, ids=ids: [fact.relation for fact in store.facts(ids[a], None, ids[b])]
            candidate, inverted = link_relation(candidate, held)
            subject, value = (value, subject) if inverted else (subject, value)
        yield candidate, subject, value


def _is_record(store: GraphStore, name: str) -> bool:
    found = store.resolve(name)
    return found is not None and found.kind in SYSTEM_KINDS


def sentences_of(cases: Sequence[Case], decisions: Sequence[WriteDecision]) -> dict[str, list[np.ndarray]]:
    """Hidden states of the sentences about each node that written or repeated facts mention, each sentence once."""
    written = {
        (d.fact.subject, d.fact.object) for d in decisions if d.action in ("add", "update") or "repeats" in d.evidence
    }
    found: dict[str, dict[str, np.ndarray]] = {}
    for candidate, *_ in cases:
        fact = candidate.fact
        if candidate.sentence is not None and (fact.subject, fact.object) in written:
            for name in (fact.subject, fact.object)[: 2 if candidate.object_kind == "entity" else 1]:
                found.setdefault(name, {})[fact.text] = candidate.sentence
    return {name: list(sentences.values()) for name, sentences in found.items()}
