"""Several processes at once, and processes killed in the middle of a write."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore

COUNT = """
import sys
from graphmem.core.edits import AddEdge, AddNode, UpdateNode
from graphmem.storage.sqlite import SQLiteStore
path, worker, rounds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
def more(store):
    node = store.resolve("counter")
    return [UpdateNode(node.id, attributes={"n": node.attributes["n"] + 1}),
            AddEdge(f"shared {node.attributes['n'] % 7}", "seen by", f"worker {worker}")]
with SQLiteStore.open(path) as store:
    for number in range(rounds):
        store.update(more)
        store.apply([AddNode(f"Same {number % 11}")])
"""

WRITE = """
import os, sys
from graphmem.core.edits import AddEdge, UpdateNode, Retire
from graphmem.storage.sqlite import SQLiteStore
path, worker, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
out = os.fdopen(int(sys.argv[4]), "w", buffering=1)
with SQLiteStore.open(path) as store:
    number = 0
    while True:
        name = f"{worker} {seed} {number}"
        if number % 10 == 9:
            store.bulk_load([], [(f"{name} {k}", "in", name) for k in range(20)])
        elif number % 10 == 4:
            store.apply([AddEdge(name, "gone", "x")])
            store.undo()
        else:
            store.apply([AddEdge(name, "was", "acknowledged", text="a longer text " * 20), AddEdge(name, "in", worker)])
            out.write(name + "\\n")
        if number % 25 == 0:
            store.snapshot()
        number += 1
"""


def contend(path, processes, rounds):
    SQLiteStore.open(path).apply([AddNode("counter", attributes={"n": 0})])
    children = [
        subprocess.Popen([sys.executable, "-c", COUNT, str(path), str(worker), str(rounds)], stderr=subprocess.PIPE)
        for worker in range(processes)
    ]
    errors = [child.communicate()[1].decode() for child in children]
    assert [child.returncode for child in children] == [0] * processes, errors
    with SQLiteStore.open(path) as store:
        assert store.resolve("counter").attributes["n"] == processes * rounds
        names = [name for (name,) in store.connection.rows("SELECT norm FROM nodes")]
        assert len(names) == len(set(names)) == 1 + min(7, processes * rounds) + processes + min(11, rounds)
        assert store.stats()["entries"] == 1 + 2 * processes * rounds
        assert store.stats()["facts"] <= 7 * processes
    assert check(path).ok


def test_processes_that_read_then_write_lose_nothing(tmp_path):
    contend(tmp_path / "m.db", 4, 40)


@pytest.mark.slow
def test_eight_processes_of_three_hundred_transactions(tmp_path):
    contend(tmp_path / "m.db", 8, 300)


def kill_some(path, kills, seed):
    """Kill a writer at random moments; every fact that it acknowledged must be there each time."""
    rng = random.Random(seed)
    acknowledged = set()
    for round_ in range(kills):
        read_end, write_end = os.pipe()
        worker = f"w{seed}"
        command = [sys.executable, "-c", WRITE, str(path), worker, str(round_), str(write_end)]
        child = subprocess.Popen(command, pass_fds=(write_end,))
        os.close(write_end)
        with os.fdopen(read_end) as pipe:
            first = pipe.readline()  # it writes
            time.sleep(rng.random() * 0.15)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
            lines = [first, *pipe.read().split("\n")]
        acknowledged |= {line.strip() for line in lines if line.strip()}
        with SQLiteStore.open(path) as store:
            found = store.resolve_many(sorted(acknowledged))
            assert [name for name, ids in found.items() if len(ids) != 1] == []
            assert store.connection.one("PRAGMA quick_check")[0] == "ok"
            held = {fact.subject for fact in store.facts(relation="was")}
            assert acknowledged <= held
    report = check(path)
    assert report.ok, str(report)
    return len(acknowledged)


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path):
    assert kill_some(tmp_path / "m.db", 8, 0) > 8


@pytest.mark.slow
def test_two_hundred_kills(tmp_path):
    assert kill_some(tmp_path / "m.db", 200, 1) > 200


READ = """
import sys, time
from graphmem.storage.sqlite import SQLiteStore
path = sys.argv[1]
with SQLiteStore.open(path) as kept:
    print("ready", flush=True)
    reads, longest = 0, 0.0
    while kept.resolve("the end") is None:
        for read_only in (False, True):
            begin = time.perf_counter()
            with SQLiteStore.open(path, read_only=read_only) as store:
                assert len(store.facts(subject=1)) == 1
            assert len(kept.facts(subject=1)) == 1
            longest = max(longest, time.perf_counter() - begin)
        reads += 1
print(reads, longest)
"""


def read_during_a_load(path, facts):
    """How often a reader reads while many facts are loaded, its longest wait, and how long the load takes."""
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("a", "begins", "b")])
    reader = subprocess.Popen([sys.executable, "-c", READ, str(path)], stdout=subprocess.PIPE, text=True)
    assert reader.stdout.readline() == "ready\n"
    with SQLiteStore.open(path) as store:
        begin = time.perf_counter()
        store.bulk_load([], ((f"name {k}", "likes", f"name {k * 7 % facts}") for k in range(facts)))
        took = time.perf_counter() - begin
        store.apply([AddNode("the end")])
    reads, longest = reader.communicate()[0].split()
    assert reader.returncode == 0
    return int(reads), float(longest), took


def test_a_reader_is_not_held_up_by_a_large_load(tmp_path):
    reads, longest, took = read_during_a_load(tmp_path / "m.db", 60_000)
    assert reads > 10
    assert longest < took / 3


@pytest.mark.slow
def test_a_reader_is_not_held_up_by_a_load_of_a_million_facts(tmp_path, capsys):
    reads, longest, took = read_during_a_load(tmp_path / "m.db", 1_000_000)
    with capsys.disabled():
        print(f"\n{reads} reads in {took:.1f} s of loading, the longest {longest * 1e3:.0f} ms")
    assert reads > 10
    assert longest < took / 30


BULK = """
import sys
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables import bulk_write
bulk_write.REBUILD_FROM = 1000
with SQLiteStore.open(sys.argv[1]) as store:
    print("go", flush=True)
    store.bulk_load([], [(f"s{n % 5000}", f"r{n % 3}", f"o{n}") for n in range(150_000)])
    print("done", flush=True)
"""


def test_a_bulk_load_is_all_or_nothing_when_killed(tmp_path):
    rng = random.Random(0)
    for round_ in range(4):
        path = tmp_path / f"m{round_}.db"
        with SQLiteStore.open(path) as store:
            store.apply([AddEdge("before", "r", "x")])
        child = subprocess.Popen([sys.executable, "-c", BULK, str(path)], stdout=subprocess.PIPE, text=True)
        assert child.stdout.readline() == "go\n"
        time.sleep(0.2 + rng.random() * 2)
        child.kill()
        finished = "done" in child.communicate()[0]
        with SQLiteStore.open(path) as store:
            facts = store.stats()["facts"]
            assert facts == 150_001 if finished else facts in (1, 150_001)
            assert store.resolve("before") is not None
        assert check(path).ok


def test_readers_see_whole_transactions_while_one_writes(tmp_path):
    path = tmp_path / "m.db"
    stop, wrong = threading.Event(), []
    SQLiteStore.open(path).close()

    def write():
        with SQLiteStore.open(path) as store:
            for number in range(150):
                store.apply([AddEdge("hub", "left", f"l{number}"), AddEdge("hub", "right", f"r{number}")])
        stop.set()

    def read():
        with SQLiteStore.open(path, read_only=True) as store:
            while not stop.is_set():
                index, facts = store.index(), store.stats()["facts"]
                if index.size > 1 and index.degree(np.array([1]))[0] % 2:
                    wrong.append("half an entry in the index")
                if facts % 2:
                    wrong.append("half an entry in the table")

    threads = [threading.Thread(target=write), *(threading.Thread(target=read) for _ in range(2))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_threads_may_share_one_store(tmp_path):
    errors = []
    with SQLiteStore.open(tmp_path / "m.db") as store:

        def work(worker):
            try:
                for number in range(40):
                    store.apply([AddEdge(f"t{worker}", "r", f"o{number}")])
                    store.index()
                    store.facts(limit=3)
                    store.search_text("o1")
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert store.stats()["facts"] == 160
