"""Random edits, undo, redo, time travel and reopening, against a plain Python model."""

from __future__ import annotations

import copy
import shutil
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from graphmem.core.edits import AddEdge, AddNode, MergeNodes, Restore, Retire, SupersedeEdge
from graphmem.core.times import to_micros
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore

NAMES = ["ada", "bob", "cat", "dan", "eve"]
RELATIONS = ["knows", "likes"]
YEARS = [None, "1990", "2000", "2010"]


class Model:
    """What a memory is, in dicts. Facts are ``[subject, relation, object, from, to, recorded, retired, strength]``."""

    def __init__(self):
        self.facts: dict[int, list] = {}
        self.retired: dict[str, int] = {}
        self.known: set[str] = set()
        self.alias: dict[str, str] = {}

    def name(self, name):
        """The node that a name means; made or brought back when it must be."""
        if name in self.alias and (name not in self.known or name in self.retired):
            return self.alias[name]
        self.known.add(name)
        self.retired.pop(name, None)
        return name

    def same(self, triple, start, end, at, but=None):
        """The live fact of that triple whose interval agrees, one of the same interval first."""
        live = [n for n, f in sorted(self.facts.items()) if f[:3] == triple and f[6] is None and n != but]
        found = [n for n in live if agree(self.facts[n][3:5], [start, end], at)]
        return min(found, key=lambda n: (self.facts[n][3:5] != [start, end], n), default=None)

    def add(self, number, s, r, o, start, at):
        triple = [self.name(s), r, self.name(o)]
        same = self.same(triple, start, None, at)
        if same is None:
            self.facts[number] = [*triple, start, None, at, None, 1.0]
            return number
        fact = self.facts[same]
        fact[7] += 1.0
        if fact[3] is None and start is not None and (fact[4] is None or start <= fact[4]):
            fact[3] = start
        return same

    def merge(self, keep, absorb, at):
        for number, fact in sorted(self.facts.items()):
            if absorb not in (fact[0], fact[2]):
                continue
            triple = [keep if fact[0] == absorb else fact[0], fact[1], keep if fact[2] == absorb else fact[2]]
            same = self.same(triple, fact[3], fact[4], at, but=number)
            fact[:3] = triple
            if same is not None and fact[6] is None:
                fact[6] = at
                self.facts[same][7] += fact[7]
        for name, node in self.alias.items():
            if node == absorb:
                self.alias[name] = keep
        self.alias[absorb] = keep
        self.alias.pop(keep, None)
        self.retired[absorb] = at

    def present(self, at):
        return {n: f for n, f in self.facts.items() if f[6] is None and holds(f[3], f[4], at)}

    def as_of(self, moment):
        return {
            n: f for n, f in self.facts.items() if holds(f[3], f[4], moment) and (f[6] is None or f[5] <= moment < f[6])
        }


def holds(start, end, at):
    return (start is None or start <= at) and (end is None or end > at)


def agree(held, new, at):
    """Whether two intervals of one triple are one fact."""
    if held == new:
        return True
    if new == [None, None]:
        return holds(*held, at)
    if held[1] is None and new[1] is None:
        return holds(*held, at) and holds(*new, at)
    if held[0] == new[0]:
        return held[1] is None or new[1] is None
    return held[1] == new[1] and (held[0] is None or new[0] is None)


def shown(facts):
    return sorted((n, *f[:5]) for n, f in facts.items())


class StoreMachine(RuleBasedStateMachine):
    """Drives a store and the model side by side."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.store = SQLiteStore.open(self.folder / "m.db")
        self.model = Model()
        self.past: list[tuple[int, list]] = []
        self.done: list[tuple[int, Model]] = []
        self.undone: list[tuple[int, Model, Model]] = []

    def teardown(self):
        if hasattr(self, "store"):
            self.store.close()
            report = check(self.folder / "m.db")
            shutil.rmtree(self.folder)
            assert report.ok, str(report)

    def wrote(self, entry, change):
        """Carry the model over an applied entry."""
        before = copy.deepcopy(self.model)
        at = to_micros(entry.at)
        change(at)
        self.done.append((entry.id, before))
        self.undone.clear()
        self.past.append((at, shown(self.model.present(at))))

    def next_edge(self):
        return self.store.connection.one("SELECT value FROM meta WHERE key = 'next_edge'")[0]

    def live(self):
        return sorted(n for n, f in self.model.facts.items() if f[6] is None)

    @rule(s=st.sampled_from(NAMES), r=st.sampled_from(RELATIONS), o=st.sampled_from(NAMES), year=st.sampled_from(YEARS))
    def add(self, s, r, o, year):
        number = self.next_edge()
        entry = self.store.apply([AddEdge(s.upper(), r, f" {o} ", valid_from=year)])
        self.wrote(entry, lambda at: self.model.add(number, s, r, o, to_micros(year), at))

    @rule(pairs=st.lists(st.tuples(*[st.sampled_from(x) for x in (NAMES, RELATIONS, NAMES)]), max_size=4, unique=True))
    def bulk(self, pairs):
        number = self.next_edge()
        entry = self.store.bulk_load([], pairs)

        def change(at):
            for name in [part for s, _, o in pairs for part in (s, o)]:
                self.model.name(name)
            news = number
            for triple in dict.fromkeys((self.model.name(s), r, self.model.name(o)) for s, r, o in pairs):
                count = sum((self.model.name(s), r, self.model.name(o)) == triple for s, r, o in pairs)
                used = self.model.add(news, triple[0], triple[1], triple[2], None, at)
                self.model.facts[used][7] += count - 1
                news += used == news

        self.wrote(entry, change)

    @precondition(lambda self: self.live())
    @rule(data=st.data(), o=st.sampled_from(NAMES), r=st.sampled_from(RELATIONS))
    def supersede(self, data, o, r):
        number = data.draw(st.sampled_from(self.live()))
        fact = self.model.facts[number]
        if fact[4] is not None:
            return
        new = self.next_edge()
        entry = self.store.apply([SupersedeEdge(number, AddEdge(fact[0], r, o))])

        def change(at):
            fact = self.model.facts[number]
            triple = [fact[0], r, self.model.name(o)]
            live = [n for n, f in sorted(self.model.facts.items()) if f[:3] == triple and f[6] is None]
            known = next((n for n in live if holds(*self.model.facts[n][3:5], at)), None)
            if known == number:  # the value that is held already
                fact[7] += 1.0
                return
            fact[4] = at
            self.model.add(new, fact[0], r, o, at if known is None else self.model.facts[known][3], at)

        self.wrote(entry, change)

    @precondition(lambda self: self.live())
    @rule(data=st.data())
    def retire(self, data):
        number = data.draw(st.sampled_from(self.live()))
        entry = self.store.apply([Retire(number)])
        self.wrote(entry, lambda at: self.model.facts[number].__setitem__(6, at))

    @precondition(lambda self: len(self.live()) < len(self.model.facts))
    @rule(data=st.data())
    def restore(self, data):
        number = data.draw(st.sampled_from(sorted(set(self.model.facts) - set(self.live()))))
        fact = self.model.facts[number]
        if {fact[0], fact[2]} & set(self.model.retired):
            return
        entry = self.store.apply([Restore(number)])
        self.wrote(entry, lambda at: fact.__setitem__(6, None))

    @rule(keep=st.sampled_from(NAMES), absorb=st.sampled_from(NAMES))
    def merge(self, keep, absorb):
        alive = self.model.known - set(self.model.retired)
        if keep == absorb or not {keep, absorb} <= alive:
            return
        ids = [self.store.resolve(name).id for name in (keep, absorb)]
        entry = self.store.apply([MergeNodes(*ids)])
        self.wrote(entry, lambda at: self.model.merge(keep, absorb, at))

    @rule(name=st.sampled_from(NAMES))
    def touch_node(self, name):
        entry = self.store.apply([AddNode(name)])
        self.wrote(entry, lambda at: self.model.name(name))

    @precondition(lambda self: self.done)
    @rule()
    def undo(self):
        number, before = self.done.pop()
        entry = self.store.undo()
        assert entry.note == f"undo of entry {number}"
        self.undone.append((number, before, self.model))
        self.model = before
        at = to_micros(entry.at)
        self.past.append((at, shown(self.model.present(at))))

    @precondition(lambda self: self.undone)
    @rule()
    def redo(self):
        number, before, after = self.undone.pop()
        entry = self.store.redo()
        assert entry.note == f"redo of entry {number}"
        self.model = after
        self.done.append((number, before))
        at = to_micros(entry.at)
        self.past.append((at, shown(self.model.present(at))))

    @rule(snapshot=st.booleans())
    def reopen(self, snapshot):
        if snapshot:
            self.store.snapshot()
        self.store.close()
        self.store = SQLiteStore.open(self.folder / "m.db")

    def read(self, **when):
        facts = self.store.facts(**when)
        rows = [
            (
                f.id,
                f.subject.strip().lower(),
                f.relation,
                f.object.strip().lower(),
                *map(to_micros, (f.valid_from, f.valid_to)),
            )
            for f in facts
        ]
        return sorted(rows)

    @invariant()
    def present_agrees(self):
        if not hasattr(self, "store"):
            return
        now = 4_000_000_000_000_000
        held = self.model.present(now)
        assert self.read() == shown(held)
        index = self.store.index()
        everyone = np.arange(index.size)
        assert np.bincount(index.expand(everyone).edge, minlength=1).sum() == 2 * len(held)
        assert sorted(set(index.expand(everyone).edge.tolist())) == sorted(held)
        for number, fact in self.model.facts.items():
            assert self.store.edge(number).strength == fact[7]

    @invariant()
    def names_agree(self):
        if not hasattr(self, "store"):
            return
        for name in NAMES:
            found = self.store.resolve(name)
            own = name if name in self.model.known and name not in self.model.retired else self.model.alias.get(name)
            assert (found.name.strip().lower() if found else None) == own

    @invariant()
    def past_agrees(self):
        if not hasattr(self, "store"):
            return
        for at, facts in self.past[-1:] + self.past[: len(self.past) // 2][-1:] + self.past[:1]:
            assert self.read(known_at=at) == facts
            assert self.read(as_of=at) == shown(self.model.as_of(at))
        moment = to_micros("1995")
        assert self.read(as_of=moment) == shown(self.model.as_of(moment))


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
