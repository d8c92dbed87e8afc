"""Dumps that come back whole, exports that other readers read, and merging."""

from __future__ import annotations

import csv
import io
import json
import sqlite3

import networkx
import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire, SupersedeEdge, UpdateNode
from graphmem.core.errors import ImportRejected, InvalidValue
from graphmem.core.times import to_micros
from graphmem.storage.exchange.export import export
from graphmem.storage.exchange.ingest import ingest
from graphmem.storage.exchange.load_dump import load_jsonl
from graphmem.storage.exchange.merge import merge
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables.schema import SCHEMA_VERSION, STORED

ODD = 'Ünïcödé "quoted", <tag> & \\back`tick`\ttab 木'


@pytest.fixture
def path(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.bulk_load(["x", "y"], [("x", "r", "y")], np.eye(2, 4), fingerprint="enc")
        store.apply([
            AddNode("Ada", "person", "A mathematician.", ("Countess",), {"born": 1815}),
            AddEdge("Ada", "lives in", "London", "text", "1815", None, 0.5, "wiki", {"page": 1}),
            AddEdge(ODD, "likes\nmuch", "Tea"),
        ])  # fmt: skip
        store.apply([AddEdge("Ada", "lives in", "London", source="book")])
        store.apply([SupersedeEdge(2, AddEdge("Ada", "lives in", "Surrey"), at="1835")])
        store.apply([UpdateNode(store.resolve("Ada").id, state=np.ones(3, np.float32)), Retire(1)])
        store.undo()
        store.touch([1])
    with SQLiteStore.open(tmp_path / "m.db", namespace="other") as store:
        store.apply([AddEdge("secret", "r", "z")])
    return tmp_path / "m.db"


def tables(path):
    raw = sqlite3.connect(path)
    found = {}
    for table in STORED:
        rows = raw.execute(f"SELECT * FROM {table}").fetchall()
        found[table] = sorted(rows, key=repr)
    return found


def lines(facts):
    return sorted(str(fact) for fact in facts)


def test_a_dump_comes_back_equal_in_every_row(path, tmp_path):
    with SQLiteStore.open(path) as store:
        count = export(store, tmp_path / "dump.jsonl")
    rows = load_jsonl(tmp_path / "dump.jsonl", tmp_path / "back.db")
    assert rows == count - 1
    assert tables(tmp_path / "back.db") == tables(path)
    assert check(tmp_path / "back.db").ok
    with SQLiteStore.open(tmp_path / "back.db") as store:
        assert store.search_text("mathematician")
        store.redo()
        assert lines(store.facts(as_of=to_micros("1820"))) == ["Ada | lives in | London"]


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda dump: ["{}"] + dump[1:], 1),
        (lambda dump: dump[:5] + ["{nonsense"] + dump[5:], 6),
        (lambda dump: dump[:5] + ['{"table": "sqlite_schema", "row": {"a": 1}}'], 6),
        (lambda dump: dump[:5] + ['{"table": "nodes", "row": {"id); DROP TABLE nodes; --": 1}}'], 6),
        (lambda dump: dump[:5] + ["[]"], 6),
        (lambda dump: [], 1),
        (lambda dump: [dump[0].replace(str(SCHEMA_VERSION), "99")] + dump[1:], 1),
    ],
)
def test_a_damaged_dump_is_refused_whole(path, tmp_path, damage, line):
    with SQLiteStore.open(path) as store:
        out = io.StringIO()
        export(store, out)
    dump = damage(out.getvalue().splitlines(keepends=True))
    with pytest.raises(ImportRejected) as caught:
        load_jsonl(io.StringIO("".join(dump)), tmp_path / "back.db")
    assert caught.value.rejects[0][0] == line
    assert list(tmp_path.glob("back.db*")) == []


def test_a_dump_is_not_read_over_a_file(path, tmp_path):
    with SQLiteStore.open(path) as store:
        export(store, tmp_path / "dump.jsonl")
    with pytest.raises(InvalidValue, match="new file"):
        load_jsonl(tmp_path / "dump.jsonl", path)
    (tmp_path / "bad.jsonl").write_bytes(b'{"graphmem": "\xff"}')
    with pytest.raises(ImportRejected, match="UTF-8"):
        load_jsonl(tmp_path / "bad.jsonl", tmp_path / "back.db")


@pytest.mark.parametrize("ending", ["csv", "graphml", "nt"])
def test_exports_come_back_as_the_same_facts(path, tmp_path, ending):
    with SQLiteStore.open(path) as store:
        export(store, tmp_path / f"out.{ending}")
        facts = lines(store.facts())
    with SQLiteStore.open(tmp_path / "back.db") as store:
        done = ingest(store, tmp_path / f"out.{ending}", on_error="rollback")
        assert done.facts == len(facts)
        assert lines(store.facts()) == facts
        assert store.resolve("secret") is None
        if ending != "csv":
            assert store.resolve("countess").name == "Ada"


def test_other_tools_read_the_exports(path, tmp_path):
    with SQLiteStore.open(path) as store:
        for ending in ("csv", "graphml"):
            export(store, tmp_path / f"out.{ending}")
    graph = networkx.read_graphml(tmp_path / "out.graphml")
    assert {data["name"] for _, data in graph.nodes(data=True)} >= {"Ada", "Surrey", ODD}
    assert {data["relation"] for *_, data in graph.edges(data=True)} == {"r", "lives in", "likes\nmuch"}
    with open(tmp_path / "out.csv", newline="") as file:
        found = list(csv.DictReader(file))
    assert {row["object"]: row["valid_from"] for row in found}["Surrey"] == "1835"


def test_cypher_quotes_what_must_be_quoted(path):
    with SQLiteStore.open(path) as store:
        out = io.StringIO()
        export(store, out, format="cypher")
    (line,) = [text for text in out.getvalue().splitlines() if "likes" in text] or [""]
    assert json.dumps(ODD, ensure_ascii=False) in out.getvalue()
    assert line == "" or "CREATE (a)-[:`likes" in line


def test_control_characters_do_not_break_the_xml(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.apply([AddEdge("a\x01b", "r", "c")])
        export(store, tmp_path / "out.graphml")
    assert networkx.read_graphml(tmp_path / "out.graphml").number_of_edges() == 1


def test_an_unknown_format_or_folder_is_an_error(path, tmp_path):
    with SQLiteStore.open(path) as store:
        with pytest.raises(InvalidValue, match="graphml"):
            export(store, tmp_path / "out.docx")
        with pytest.raises(InvalidValue, match="folder"):
            export(store, tmp_path / "no" / "out.csv")


def test_merging_resolves_duplicates_and_undoes_as_one(path, tmp_path):
    with SQLiteStore.open(tmp_path / "into.db") as store:
        store.apply([AddEdge("countess", "lives in", "Surrey", source="mine"), AddNode("Ada", aliases=("Countess",))])
        store.apply([AddEdge("ada", "lives in", "Surrey", valid_from="1835", source="mine")])
        before = lines(store.facts())
        entry = merge(store, path)
        facts = store.facts()
        assert len(lines(facts)) == len(set(lines(facts)))
        assert lines(store.facts(as_of=to_micros("1820"))) == ["Ada | lives in | London"]
        assert store.sources(store.facts(subject=store.resolve("Ada").id)[0].id)[0] == "mine"
        assert store.resolve("secret") is None
        assert store.resolve("x") is not None
        assert len(store.vectors("enc")[0]) == 2
        store.undo(entry.id)
        assert lines(store.facts()) == before
        merge(store, path, other_namespace="other")
        assert store.resolve("secret") is not None
    assert check(tmp_path / "into.db").ok


def test_merging_a_memory_with_itself_is_refused(path):
    with SQLiteStore.open(path) as store:
        with pytest.raises(InvalidValue, match="itself"):
            merge(store, path)
        merge(store, path, other_namespace="other")
        assert store.resolve("secret") is not None
