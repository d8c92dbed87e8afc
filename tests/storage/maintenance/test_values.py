"""Hostile and damaged values: found by check, typed errors in use, nothing that stops a repair."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing, suppress

import numpy as np
import pytest

from graphmem.adapters.networkx import to_networkx
from graphmem.consolidation.graph import consolidate
from graphmem.core.edits import AddEdge, AddNode, MergeNodes, Retire, UpdateNode
from graphmem.core.errors import Corrupt, GraphMemError
from graphmem.storage.maintenance.check import check
from graphmem.storage.maintenance.repair import repair
from graphmem.storage.maintenance.values import bad_json
from graphmem.storage.sqlite import SQLiteStore

HARM = {
    "attributes": ["'{bad'", "'[1]'", "7", f"'{'[' * 50_000}'", "'" + '{"a":' * 5000 + "1" + "}" * 5000 + "'"],
    "text": ["x'41'"], "name": ["x'ff00'", "cast(x'ff41' AS TEXT)"], "norm": ["x'41'"], "state": ["x'01'"],
    "retired_at": ["x'01'"], "created_at": ["9223372036854775807", "'x'"], "strength": ["-1"],
    "id": ["-3", "9223372036854775806", "3000000000"],
}  # fmt: skip
STATEMENTS = [
    *(f"UPDATE nodes SET {column} = {value} WHERE id = 3" for column, values in HARM.items() for value in values),
    *(f"UPDATE edges SET {column} = {value} WHERE id = 2" for column, value in (
        ("valid_from", "9223372036854775807"), ("valid_to", "'x'"), ("confidence", "9e999"), ("rel", "999"),
        ("src", "'x'"), ("dst", "9223372036854775806"), ("qualifiers", "'{'"), ("rel", "x'41'"),
    )),
    "UPDATE namespaces SET name = x'41'",
    "UPDATE journal_ranges SET last = 9223372036854775807", "UPDATE journal_ranges SET first = -5",
    "UPDATE journal SET changes = x'00'", """UPDATE journal SET changes = '[["nodes",null,null]]'""",
    "UPDATE journal SET at = x'41' WHERE id = 2", "UPDATE journal SET chain = 'abc'",
    "UPDATE meta SET value = 9223372036854775807 WHERE key = 'next_node'", "DELETE FROM meta",
    "UPDATE meta SET value = 'abc' WHERE key = 'next_edge'", "UPDATE relations SET name = x'41' WHERE id = 1",
    "UPDATE vectors SET data = 'text' WHERE node = 2", "UPDATE encoders SET dim = 1000000000000",
]  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "m.db"
    with SQLiteStore.open(path) as store:
        store.bulk_load(list("abcd"), [("a", "r", "b"), ("b", "s", "c")], np.eye(4, 8), fingerprint="enc")
        store.apply([AddEdge("Ada", "born in", "London", text="Ada was born in London."), AddNode("Ada")])
    return path


def acts(store):
    yield lambda: list(map(str, store.facts()))
    yield lambda: store.facts(as_of=10**15)
    yield lambda: store.facts(known_at=1)
    yield lambda: list(map(repr, store.nodes(range(1, 7))))
    yield lambda: list(map(repr, store.edges(range(1, 4))))
    yield lambda: list(map(repr, store.journal(100)))
    yield lambda: store.history(3)
    yield lambda: store.search_text("ada")
    yield lambda: store.search_text("born", what="edge")
    yield lambda: store.index().expand(np.array([1, 3]))
    yield lambda: store.find("adda")
    yield lambda: store.state(3)
    yield lambda: store.snapshot()
    yield lambda: store.apply([UpdateNode(3, attributes={"z": 1})])
    yield lambda: store.apply([Retire(3)])
    yield lambda: store.apply([AddEdge("a", "likes", "Tea")])
    yield lambda: store.bulk_load(["x"], [("x", "r", "a")])
    yield lambda: store.apply([MergeNodes(3, 4)])
    yield store.undo
    yield lambda: store.undo(1)
    yield store.stats
    yield lambda: list(store.usage())
    yield lambda: consolidate(store)
    yield lambda: to_networkx(store.facts(), store.all_nodes())
    yield lambda: to_networkx((), store.nodes([3]))


@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda text: text[:60])
def test_damaged_values_are_found_typed_and_no_hindrance(whole, tmp_path, statement):
    path = shutil.copy(whole, tmp_path / "m.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute(statement)
    copy = shutil.copy(path, tmp_path / "copy.db")
    assert not check(copy).ok
    before, _ = repair(copy)
    assert not before.ok
    with suppress(GraphMemError), SQLiteStore.open(path) as store:
        done = 0
        for act in acts(store):
            with suppress(GraphMemError):
                act()
            done += 1
        assert done == 25


def test_a_name_that_is_no_text_is_never_given_out(whole, tmp_path):
    path = shutil.copy(whole, tmp_path / "m.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("UPDATE nodes SET name = x'41' WHERE id = 1")
        raw.execute("UPDATE relations SET name = x'41' WHERE name = 's'")
    with SQLiteStore.open(path) as store:
        for act in (lambda: store.node(1), lambda: store.names([1]), lambda: store.edge(2), store.facts):
            with pytest.raises(Corrupt, match="graphmem check"):
                act()
        assert store.node(2).name == "b"


@pytest.mark.parametrize(("text", "bad"), [
    (None, False), ("{}", False), ('{"a": [1, {"b": null}]}', False), ("", True), ("[]", True), ("{", True),
    (b"{}", True), ('{"a":' * 600 + "1" + "}" * 600, True), ('{"a":' * 400 + "1" + "}" * 400, False),
])  # fmt: skip
def test_attributes_are_json_objects_of_bounded_depth(text, bad):
    assert bad_json(text) is bad
