"""Facts in the recorded history of a node, and the edits by which a value follows another."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from graphmem.core.edits import AddEdge, Edit, SupersedeEdge
from graphmem.core.errors import NotFound
from graphmem.core.names import normalise
from graphmem.core.protocols import GraphStore
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.types import Fact


def recorded_facts(store: GraphStore, node: int, entries: int | None = None) -> list[Fact]:
    """Facts in a node's journal entries (its last ``entries``), by id, without facts that an undo has removed."""
    history = store.history(node)
    ids = sorted({edge for entry in (history[-entries:] if entries else history) for edge in entry.edge_ids})
    with suppress(NotFound):
        return store.facts_by_id(ids)
    return store.facts_by_id([edge.id for edge in store.edges(ids)])


def superseding(store: GraphStore, new: AddEdge, at: Time | None) -> list[Edit]:
    """Edits by which the facts of a subject and relation end at a time (now) and a new one begins then.

    They end the facts that hold then; where none does, the new one is history of the first fact after. The value that
    is held already is only strengthened; one that is held later holds from the given time until then, too.
    """
    subject, value, moment = store.look_up(new.subject), store.look_up(new.object), to_micros(at)
    if subject is not None:  # found without its accents, it is still the one that is written to
        new = replace(new, subject=subject.name)
    if value is not None and normalise(new.object) not in map(normalise, (value.name, *value.aliases)):
        value = None  # accents make different values
    held = [] if subject is None else store.facts(subject.id, new.relation)
    start = lambda fact: to_micros(fact.valid_from) or 0
    if subject is not None and moment is not None:
        later = [fact for fact in held if fact.valid_from is not None and start(fact) > moment]
        then = store.facts(subject.id, new.relation, as_of=moment)
        held = [*then, *(fact for fact in held if fact not in (*then, *later))]
        held = held or sorted(later, key=start)[:1]
        while held and start(held[0]) > moment:  # the past counts too: the value holds until the next known one begins
            before = store.facts(subject.id, new.relation, as_of=start(held[0]) - 1)
            earlier = [fact for fact in before if fact.valid_from is not None and start(fact) > moment]
            if not earlier:
                break
            held = sorted(earlier, key=start)[:1]
    edges = store.edges([fact.id for fact in held if fact.id is not None])
    same = [fact for fact, edge in zip(held, edges, strict=True) if value is not None and edge.dst == value.id]
    if same and moment is not None and start(same[0]) > moment:  # held later, it was the value before too
        return [replace(new, valid_from=at, valid_to=from_micros(start(same[0])))]
    if same:
        new = replace(new, valid_from=same[0].valid_from, valid_to=same[0].valid_to)
    others = [edge.id for fact, edge in zip(held, edges, strict=True) if fact not in same]
    return [SupersedeEdge(edge, new, at) for edge in others] or [new if same else replace(new, valid_from=at)]
