"""Dumps that come back whole, exports that other readers read, and merging."""

from __future__ import annotations

import base64
import csv
import io
import json
import sqlite3
import zlib

import networkx
import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, Retire, SupersedeEdge, UpdateNode
from graphmem.core.errors import ImportRejected, InvalidValue
from graphmem.core.times import to_micros
from graphmem.storage.exchange.dump import COUNTED, END
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
    assert rows == count
    assert tables(tmp_path / "back.db") == tables(path)
    assert check(tmp_path / "back.db").ok
    with SQLiteStore.open(tmp_path / "back.db") as store:
        assert store.search_text("mathematician")
        store.redo()
        then = lines(store.facts(as_of=to_micros("1820")))
        assert "Ada | lives in | London" in then and "Ada | lives in | Surrey" not in then


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
        ada = AddNode("Ada", aliases=("Countess",), ambiguous=True)
        store.apply([AddEdge("countess", "lives in", "Surrey", source="mine"), ada])
        store.apply([AddEdge("ada", "lives in", "Surrey", valid_from="1835", source="mine")])
        before = lines(store.facts())
        entry = merge(store, path)
        facts = store.facts()
        assert len(lines(facts)) == len(set(lines(facts)))
        then = lines(store.facts(as_of=to_micros("1820")))
        assert "Ada | lives in | London" in then and "Ada | lives in | Surrey" not in then
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


def dump_of(path):
    """A dump whose rows are not counted: what is done to it is found by the rows themselves."""
    with SQLiteStore.open(path) as store:
        out = io.StringIO()
        export(store, out)
    dump = [json.loads(line) for line in out.getvalue().splitlines()]
    assert dump[0].pop(COUNTED) and dump.pop() == {END: len(dump) - 1}
    return dump


def test_a_dump_that_was_cut_anywhere_is_refused(path, tmp_path):
    with SQLiteStore.open(path) as store:
        out = io.StringIO()
        export(store, out)
    dump = out.getvalue().splitlines(keepends=True)
    for damaged in (dump[:1], dump[:4], dump[:-2], dump[:-1], [*dump[:-2], dump[-1]], [*dump, dump[-2]]):
        with pytest.raises(ImportRejected, match=r"incomplete|no part"):
            load_jsonl(io.StringIO("".join(damaged)), tmp_path / "back.db")
    assert list(tmp_path.glob("back.db*")) == []


def change(table, **values):
    """A dump with the first row of a table changed."""

    def damage(dump):
        rows = [record for record in dump if record.get("table") == table]
        for key, value in values.items():
            rows[0]["row"][key] = value
        return dump

    return damage


def packed(*images):
    return {"b64": base64.b64encode(zlib.compress(json.dumps(images).encode())).decode()}


BOMB = {"b64": base64.b64encode(zlib.compress(b"[" + b" " * (300 << 20) + b"]", 9)).decode()}
NODE_IMAGE = [9, 1, "n", "n", "entity", "", None, 1.0, 5, None, None]

HOSTILE = {
    "a head line only": lambda dump: dump[:1],
    "no counters": lambda dump: [r for r in dump if r.get("row", {}).get("key") != "next_edge"],
    "no identity": lambda dump: [r for r in dump if r.get("row", {}).get("key") != "identity"],
    "a counter that is too low": lambda dump: counter(dump, "next_node", 1),
    "a counter without room": lambda dump: counter(dump, "next_edge", (1 << 63) - 1),
    "a counter of text": lambda dump: counter(dump, "next_entry", "7"),
    "a counter that is half": lambda dump: counter(dump, "next_entry", 99.5),
    "an id of 2**63": change("nodes", id=1 << 63),
    "an id without room": change("nodes", id=(1 << 63) - 1),
    "a huge whole number": change("edges", src=10**400),
    "a name of bytes": change("nodes", name={"b64": "AAAA"}),
    "a name that is a number": change("nodes", name=5),
    "a name of nothing": change("nodes", name=" ", norm=""),
    "a name without end": change("nodes", name="x" * 2000, norm="x" * 2000),
    "a name with NUL": change("nodes", name="a\0b", norm="a\0b"),
    "a surrogate": change("nodes", text="\ud800"),
    "another normal form": change("nodes", norm="somebody else"),
    "attributes that are no JSON": change("nodes", attributes="{nope"),
    "attributes that are a list": change("nodes", attributes="[1]"),
    "deep attributes": change("nodes", attributes='{"a":' * 500 + "1" + "}" * 500),
    "NaN in attributes": change("nodes", attributes='{"a": NaN}'),
    "a time out of range": change("edges", valid_from=1 << 62),
    "a time of text": change("edges", valid_from="1815"),
    "an end before its beginning": change("edges", valid_from=9, valid_to=3),
    "a fact about nobody": change("edges", src=4000),
    "a fact of another namespace": change("edges", ns=2),
    "an infinite confidence": change("edges", confidence=1e999),
    "a confidence of 7": change("edges", confidence=7),
    "a strength below 0": change("nodes", strength=-1),
    "a strength of truth": change("nodes", strength=True),
    "a BLOB that is no base64": change("vectors", data={"b64": "!"}),
    "a BLOB of two keys": change("vectors", data={"b64": "", "x": 1}),
    "a vector that is too short": change("vectors", data={"b64": "AAAA"}),
    "a range up to the end of numbers": change("journal_ranges", last=(1 << 63) - 1),
    "a range beyond the counter": change("journal_ranges", last=1 << 40),
    "a range backwards": change("journal_ranges", first=2, last=1),
    "an entry at the end of time": change("journal", at=253_402_300_799_000_000),
    "a journal of text": change("journal", changes="[]"),
    "a journal of nonsense": change("journal", changes={"b64": "AAAA"}),
    "a journal of another table": change("journal", changes=packed(["meta", None, ["next_node", 1]])),
    "a journal with a name of bytes": change(
        "journal", changes=packed(["nodes", None, [*NODE_IMAGE[:2], {"b64": "AAAA"}, *NODE_IMAGE[3:]]])
    ),
    "a journal with a number of 2**63": change("journal", changes=packed(["nodes", None, [1 << 63, *NODE_IMAGE[1:]]])),
    "a journal that unpacks without end": change("journal", changes=BOMB),
    "a row twice": lambda dump: [*dump, dump[-1]],
    "a row that is a list": lambda dump: [*dump, {"table": "nodes", "row": [1]}],
    "a table that is a list": lambda dump: [*dump, {"table": ["nodes"], "row": {"id": 1}}],
    "a schema of truth": lambda dump: [{"graphmem": "dump", "schema": True}, *dump[1:]],
}  # fmt: skip


def counter(dump, name, value):
    for record in dump:
        if record.get("row", {}).get("key") == name:
            record["row"]["value"] = value
    return dump


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_dump_is_refused_with_a_typed_error(path, tmp_path, what):
    dump = HOSTILE[what](dump_of(path))
    (tmp_path / "hostile.jsonl").write_text("\n".join(map(json.dumps, dump)))
    with pytest.raises(ImportRejected):
        load_jsonl(tmp_path / "hostile.jsonl", tmp_path / "back.db")
    assert list(tmp_path.glob("back.db*")) == []


@pytest.mark.parametrize(
    "line", ["[" * 100_000, "{" * 100_000, '{"a":' * 100_000, "9" * 5000, "NaN", '"x"', "null", "\x00"]
)
@pytest.mark.parametrize("at", [0, 3])
def test_a_line_of_nonsense_is_refused_with_a_typed_error(path, tmp_path, line, at):
    dump = list(map(json.dumps, dump_of(path)))
    with pytest.raises(ImportRejected) as caught:
        load_jsonl(io.StringIO("\n".join([*dump[:at], line, *dump[at:]])), tmp_path / "back.db")
    assert caught.value.rejects[0][0] == at + 1


def test_an_imported_memory_can_be_written_to(path, tmp_path):
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, dump_of(path))))
    load_jsonl(tmp_path / "d.jsonl", tmp_path / "back.db")
    with SQLiteStore.open(tmp_path / "back.db") as store:
        store.apply([AddEdge("new", "r", "node")])
        store.bulk_load([], [("more", "r", "nodes")])
        store.undo()
    assert check(tmp_path / "back.db").ok


def test_what_a_deleted_memory_left_does_not_come_back(path, tmp_path):
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, dump_of(path))))
    copy = tmp_path / "copy"
    copy.mkdir()
    with SQLiteStore.open(copy / "m.db") as store:
        store.apply([AddEdge("old", "r", "fact")])
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"new.db{suffix}").write_bytes((copy / f"m.db{suffix}").read_bytes())
    (tmp_path / "new.db-snapshot1").write_bytes(b"stale")
    load_jsonl(tmp_path / "d.jsonl", tmp_path / "new.db")
    with SQLiteStore.open(path) as one, SQLiteStore.open(tmp_path / "new.db") as other:
        assert lines(other.facts()) == lines(one.facts())
    assert check(tmp_path / "new.db").ok


@pytest.mark.parametrize("target", [None, 5, b"x", "a\0b"])
def test_a_target_that_is_no_path_is_an_error(path, tmp_path, target):
    with pytest.raises(InvalidValue):
        load_jsonl(io.StringIO(""), target)
    with pytest.raises(InvalidValue, match="cannot read"):
        load_jsonl(tmp_path, tmp_path / "new.db")
