"""Files of facts: every format, bad lines, killed runs, and whatever bytes there are."""

from __future__ import annotations

import gzip
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from graphmem.core.errors import ImportRejected, InvalidValue
from graphmem.storage.exchange import fact_files as readers
from graphmem.storage.exchange import ingest as module
from graphmem.storage.exchange.ingest import READERS, ingest
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore

GRAPHML = """<?xml version="1.0"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns">
<key id="d0" for="node" attr.name="label"/><key id="d1" for="edge" attr.name="relation"/>
<graph edgedefault="directed">
<node id="0"><data key="d0">Ada</data></node>
<node id="Tea"/>
<edge source="0" target="Tea"><data key="d1">likes</data></edge>
<edge source="0" target="99"/>
</graph></graphml>"""

FILES = {
    "a.tsv": "Ada\tlikes\tTea\n\nonly two\tcells\nBob\t\tRum\nBob\tlikes\tRum\n",
    "a.csv": 'Object,subject,Relation,confidence\n"Te""a",Ada,likes,0.5\n'
    "Rum,Bob,likes\nRum,Bob,likes,high\nRum,Bob,likes,\n",
    "a.jsonl": '["Ada","likes","Tea"]\n{nope\n{"subject":"Ada"}\n'
    '{"subject":"Bob","relation":"likes","object":"Rum","valid_from":"2001","attributes":{"a":1}}\n'
    '{"name":"Eve","aliases":["E"],"text":"t"}\n3\n{"subject":"a","relation":"r","object":"b","valid_to":"soon"}\n',
    "a.graphml": GRAPHML,
    "a.nt": "# comment\n<http://x.org/Ada> <http://x.org/p#likes> <http://x.org/Tea%20cup> .\n"
    '<http://x.org/Ada> <http://x.org/p#said> "hi \\"you\\" \\u00e9"@en .\nnonsense .\n'
    '<http://x.org/Ada> <http://www.w3.org/2000/01/rdf-schema#label> "Lovelace" .\n',
}
EXPECTED = {
    "a.tsv": (["Ada | likes | Tea", "Bob | likes | Rum"], [3, 4]),
    "a.csv": (['Ada | likes | Te"a', "Bob | likes | Rum"], [3, 4]),
    "a.jsonl": (["Ada | likes | Tea", "Bob | likes | Rum"], [2, 3, 6, 7]),
    "a.graphml": (["Ada | likes | Tea"], [8]),
    "a.nt": (["Ada | likes | Tea cup", 'Ada | said | hi "you" é'], [4]),
}


def lines(facts):
    return sorted(str(fact) for fact in facts)


@pytest.fixture
def store(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as opened:
        yield opened


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("packed", [False, True])
def test_good_lines_are_kept_and_bad_ones_are_named(store, tmp_path, name, packed):
    file = tmp_path / (name + ".gz" if packed else name)
    file.write_bytes(gzip.compress(FILES[name].encode()) if packed else FILES[name].encode())
    done = ingest(store, file, source="here", progress=True)
    facts, rejected = EXPECTED[name]
    assert lines(store.facts()) == sorted(facts)
    assert [line for line, _ in done.rejects] == rejected
    assert done.rejected == len(rejected)
    assert {fact.source for fact in store.facts()} == {"here"}


@pytest.mark.parametrize("name", FILES)
def test_rollback_writes_nothing_when_a_line_is_bad(store, tmp_path, name, monkeypatch):
    monkeypatch.setattr(module, "BATCH", 1)
    (tmp_path / name).write_text(FILES[name])
    with pytest.raises(ImportRejected) as caught:
        ingest(store, tmp_path / name, on_error="rollback")
    assert caught.value.rejects[0][0] == EXPECTED[name][1][0]
    assert (store.facts(), store.journal(), store.stats()["nodes"]) == ([], [], 0)


def test_what_a_line_says_is_kept(store, tmp_path):
    (tmp_path / "a.jsonl").write_text(FILES["a.jsonl"])
    ingest(store, tmp_path / "a.jsonl")
    fact = next(fact for fact in store.facts() if fact.subject == "Bob")
    assert (fact.valid_from, store.edge(fact.id).attributes) == ("2001", {"a": 1})
    assert store.resolve("e").name == "Eve"
    (tmp_path / "a.nt").write_text(FILES["a.nt"])
    ingest(store, tmp_path / "a.nt")
    assert store.resolve("lovelace").name == "Ada"


def test_invalid_bytes_and_endless_lines_are_rejects(store, tmp_path, monkeypatch):
    monkeypatch.setattr(readers, "MAX_LINE", 64)
    body = b"\xef\xbb\xbfAda\tlikes\tTea\r\n\xff\xfe\tr\tx\n" + b"y" * 500 + b"\n" + b"Bob\tlikes\tRum"
    (tmp_path / "a.tsv").write_bytes(body)
    done = ingest(store, tmp_path / "a.tsv")
    assert lines(store.facts()) == ["Ada | likes | Tea", "Bob | likes | Rum"]
    assert [line for line, _ in done.rejects] == [2, 3]


def test_a_packed_file_that_breaks_off(store, tmp_path):
    data = gzip.compress(b"".join(f"s{n}\tr\to{n}\n".encode() for n in range(50_000)))
    (tmp_path / "a.tsv.gz").write_bytes(data[: len(data) // 2])
    done = ingest(store, tmp_path / "a.tsv.gz")
    assert done.facts > 1000
    assert "unpacked" in done.rejects[-1][1]


def test_graphml_bombs_and_broken_xml_do_no_harm(store, tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><graphml><graph><node id="&b;"/></graph></graphml>'
    (tmp_path / "bomb.graphml").write_text(bomb)
    done = ingest(store, tmp_path / "bomb.graphml")
    assert (done.nodes, done.rejected) == (0, 1)
    assert "entities" in done.rejects[0][1]
    (tmp_path / "cut.graphml").write_text(GRAPHML[:-40])
    done = ingest(store, tmp_path / "cut.graphml")
    assert lines(store.facts()) == ["Ada | likes | Tea"]
    assert "broken XML" in done.rejects[-1][1]


def test_wrong_arguments_are_errors(store, tmp_path):
    (tmp_path / "a.tsv").write_text("a\tb\tc\n")
    with pytest.raises(InvalidValue, match="format"):
        ingest(store, tmp_path / "a.tsv", format="docx")
    with pytest.raises(InvalidValue, match="no file"):
        ingest(store, tmp_path / "absent.tsv")
    with pytest.raises(InvalidValue, match="on_error"):
        ingest(store, tmp_path / "a.tsv", on_error="ignore")


def test_a_dump_is_pointed_to_import(store, tmp_path):
    (tmp_path / "a.jsonl").write_text('{"graphmem": "dump", "schema": 2}\n')
    assert "graphmem import" in ingest(store, tmp_path / "a.jsonl").rejects[0][1]


KILLED = """
import sys
from graphmem.storage.exchange import ingest
from graphmem.storage.sqlite import SQLiteStore
ingest.BATCH = 200
with SQLiteStore.open(sys.argv[1]) as store:
    ingest.ingest(store, sys.argv[2])
"""


def test_a_killed_import_goes_on_where_it_stopped(tmp_path):
    file = tmp_path / "a.tsv"
    file.write_text("".join("bad line\n" if n % 1000 == 7 else f"s{n}\tr\to{n % 97}\n" for n in range(60_000)))
    path = tmp_path / "m.db"
    child = subprocess.Popen([sys.executable, "-c", KILLED, str(path), str(file)])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and child.poll() is None:
        time.sleep(0.05)
        if path.exists():
            with SQLiteStore.open(path) as watching:
                if watching.stats()["entries"] > 5:
                    break
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    with SQLiteStore.open(path) as store:
        before = store.stats()["facts"]
        assert 0 < before < 59_940
        done = ingest(store, file)
        assert done.resumed_at > 0
        assert (done.lines, done.facts, done.rejected) == (60_000, 59_940, 60)
        assert store.stats()["facts"] == 59_940
        assert store.connection.one("SELECT max(strength) FROM edges")[0] == 1.0
        assert ingest(store, file).resumed_at == 0
    assert check(path).ok


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=300), format=st.sampled_from(sorted(READERS)))
def test_any_bytes_are_read_without_a_crash(data, format, tmp_path):
    (tmp_path / "fuzz").write_bytes(data)
    with SQLiteStore.open(":memory:") as store:
        done = ingest(store, tmp_path / "fuzz", format=format)
        assert store.stats()["facts"] <= done.facts
        with SQLiteStore.open(":memory:") as strict:
            try:
                ingest(strict, tmp_path / "fuzz", format=format, on_error="rollback")
                assert done.rejected == 0
            except ImportRejected:
                assert done.rejected > 0
                assert strict.stats()["entries"] == 0


PIECES = st.sampled_from(
    ['"', "\\", "<", ">", "\t", "\n", ",", "{", "}", "[", "]", ":", "_:b", "&amp;", "<node id='a'/>", "<edge source='a'"
     " target='a'/>", "<graphml>", "</graphml>", '"subject"', "null", "1e999", "NaN", "\x00", "\ud7ff", "\u2028", " .",
     "<a>", "relation", "\\uD800", "9" * 5000, "[" * 500]
)  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(PIECES, max_size=30), format=st.sampled_from(sorted(READERS)))
def test_nearly_right_files_are_read_without_a_crash(pieces, format, tmp_path):
    (tmp_path / "fuzz").write_text("".join(pieces))
    with SQLiteStore.open(":memory:") as store:
        done = ingest(store, tmp_path / "fuzz", format=format)
        assert store.stats()["facts"] <= done.facts


def test_attributes_that_are_no_json_are_rejects(store, tmp_path):
    row = {"subject": "a", "relation": "r", "object": "b"}
    bad = [row | {"attributes": [1]}, row | {"confidence": "NaN"}, row | {"subject": None}, row | {"text": 7}]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, bad)))
    assert [line for line, _ in ingest(store, tmp_path / "a.jsonl").rejects] == [1, 2, 3, 4]
