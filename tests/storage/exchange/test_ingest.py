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

from graphmem.core.edits import AddNode
from graphmem.core.errors import ImportRejected, InvalidValue
from graphmem.storage.exchange import fact_files as readers
from graphmem.storage.exchange import ingest as module
from graphmem.storage.exchange.export import export
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
    "a.nt": (["Lovelace | likes | Tea cup", 'Lovelace | said | hi "you" é'], [4]),
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
    assert store.resolve("http://x.org/Ada").name == "Lovelace"


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


class Killed(BaseException):
    """What a kill does to a run, at a chosen place."""


def interrupted(store, file, monkeypatch, batches):
    """Ingest a file and stop after some batches."""
    left, write = [batches], module._Batches._batch

    def batch(self, key):
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return write(self, key)

    with monkeypatch.context() as patch:
        patch.setattr(module, "BATCH", 10)
        patch.setattr(module._Batches, "_batch", batch)
        with pytest.raises(Killed):
            ingest(store, file, source="s")


@pytest.mark.parametrize("ending", ["tsv", "csv", "jsonl", "nt", "graphml"])
def test_a_run_resumes_only_where_the_file_is_as_it_was(store, tmp_path, monkeypatch, ending):
    def write(name, count):
        rows = [(f"s{n}", "r", "corrected" if (n, name) == (5, "new") else "original!") for n in range(count)]
        nodes = "".join(f'<node id="{node}"/>' for node in [*(row[0] for row in rows), "corrected", "original!"])
        edges = "".join(f'<edge source="{a}" target="{c}"><data key="relation">r</data></edge>' for a, _, c in rows)
        text = {
            "tsv": "".join("\t".join(row) + "\n" for row in rows),
            "csv": "".join(",".join(row) + "\n" for row in rows),
            "jsonl": "".join(json.dumps(row) + "\n" for row in rows),
            "nt": "".join("<http://x/{}> <http://x/{}> <http://x/{}> .\n".format(*row) for row in rows),
            "graphml": f"<graphml><graph>{nodes}{edges}</graph></graphml>",
        }[ending]
        file.write_text(text)

    file = tmp_path / f"a.{ending}"
    batches = 5 if ending == "graphml" else 3  # there all nodes come first
    write("old", 40)
    interrupted(store, file, monkeypatch, batches)
    size = file.stat().st_size
    write("new", 40)
    assert file.stat().st_size == size
    done = ingest(store, file, source="s")
    assert done.restarted and done.resumed_at == 0
    assert "s5 | r | corrected" in lines(store.facts())
    assert store.connection.one("SELECT max(strength) FROM edges")[0] == 1.0

    with SQLiteStore.open(tmp_path / "b.db") as other:
        write("old", 40)
        interrupted(other, file, monkeypatch, batches)
        write("old", 60)
        done = ingest(other, file, source="s")
        assert (done.restarted, done.facts) == (ending == "graphml", 60) and len(other.facts()) == 60
        assert bool(done.resumed_at) == (ending != "graphml")
        assert other.connection.one("SELECT max(strength) FROM edges")[0] == 1.0


def test_the_record_of_a_run_of_another_version_starts_over(store, tmp_path):
    (tmp_path / "a.tsv").write_text("a\tr\tb\n")
    key = module._key(str((tmp_path / "a.tsv").resolve()), store, "tsv")
    for value in ('{"lines": 1, "records": 1, "rejects": []}', "[]", "nonsense", '{"records": "x"}'):
        with store.connection.writing() as raw:
            raw.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))
        assert ingest(store, tmp_path / "a.tsv", source="s").restarted


@pytest.mark.parametrize("name", FILES)
def test_the_same_file_again_changes_nothing_and_says_so(store, tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    first = ingest(store, tmp_path / name, source="here")
    before = store.connection.rows("SELECT * FROM edges"), store.connection.rows("SELECT * FROM nodes")
    again = ingest(store, tmp_path / name, source="here")
    assert (first.new, first.known) == (first.facts, 0)
    assert (again.new, again.known, again.facts) == (0, first.facts, first.facts)
    assert (store.connection.rows("SELECT * FROM edges"), store.connection.rows("SELECT * FROM nodes")) == before
    other = ingest(store, tmp_path / name, source="elsewhere")
    assert (other.new, other.known) == (0, first.facts)
    assert {tuple(store.sources(fact.id)) for fact in store.facts()} == {("here", "elsewhere")}
    assert ingest(store, tmp_path / name, source="elsewhere").new == 0
    assert store.connection.one("SELECT max(strength) FROM edges")[0] == 2.0


def test_what_a_known_fact_lacks_is_added(store, tmp_path):
    (tmp_path / "a.jsonl").write_text('["Ada","likes","Tea"]\n')
    ingest(store, tmp_path / "a.jsonl", source="s")
    (tmp_path / "a.jsonl").write_text('{"subject":"Ada","predicate":"likes","object":"Tea","text":"yes","page":3}\n')
    assert ingest(store, tmp_path / "a.jsonl", source="s").known == 1
    (fact,) = store.facts()
    assert fact.text == "yes" and store.edge(fact.id).attributes == {"page": 3}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ('{"subject": "a", "object": "b"}', "`relation`"),
        ('{"subject": "a", "relation": "r"}', "`object`"),
        ('{"predicate": "r", "object": "b"}', "`subject`"),
        ('{"subject": "a"}', "`relation`, no `object`"),
        ('{"colour": "red"}', "'colour'"),
        ("[" * 100_000, "too deep"),
        (
            '{"subject": "a", "relation": "r", "object": "b", "attributes": ' + '{"a":' * 200 + "1" + "}" * 200 + "}",
            "inside",
        ),
        ('{"subject": "a", "relation": "r", "object": "b", "confidence": NaN}', "NaN"),
        ('{"subject": "a", "relation": "r", "object": "b", "confidence": 1e999}', "between"),
        ('{"subject": "a", "relation": "r", "object": "b", "valid_from": 9223372036854775808}', "time"),
        ('{"subject": "a", "relation": "r", "object": "b", "attributes": {"x": "\\ud800"}}', "Unicode"),
        ('{"subject": 5, "relation": "r", "object": "b"}', "text"),
        ('{"subject": "a", "relation": "r", "object": "b", "valid_from": []}', ""),
        ('{"name": ["x"]}', "text"),
        ('{"name": "x", "aliases": "abc"}', "list"),
        ("9" * 5000, "JSON"),
    ],
)
def test_a_bad_line_of_json_says_what_is_wrong(store, tmp_path, line, says):
    (tmp_path / "a.jsonl").write_text('["a","r","b"]\n' + line + "\n")
    (reject,) = ingest(store, tmp_path / "a.jsonl").rejects
    assert reject[0] == 2 and says in reject[1]


@pytest.mark.parametrize(
    "row",
    [{"s": "Ada", "p": "likes", "o": "Tea"}, {"Source": "Ada", "Target": "Tea", "Label": "likes"},
     {"head": "Ada", "relation": "likes", "tail": "Tea"}, {"subject": "Ada", "predicate": "likes", "object": "Tea"}],
)  # fmt: skip
def test_other_names_of_keys_are_known(store, tmp_path, row):
    (tmp_path / "a.jsonl").write_text(json.dumps(row))
    ingest(store, tmp_path / "a.jsonl", on_error="rollback")
    assert lines(store.facts()) == ["Ada | likes | Tea"]


TIMES = ["1995", "1995-06", "2001-02-03", "2001-02-03T04:05:06Z", "1815~", "199X", "-0044", "1843?", 1843, -44]


@pytest.mark.parametrize("time", TIMES)
@pytest.mark.parametrize("ending", ["csv", "jsonl", "graphml"])
def test_times_go_through_files_as_they_were_given(store, tmp_path, time, ending):
    given = json.dumps({"subject": "a", "relation": "r", "object": "b", "valid_from": time, "valid_to": "2999"})
    (tmp_path / "a.jsonl").write_text(given)
    ingest(store, tmp_path / "a.jsonl")
    if ending == "jsonl":
        return
    export(store, tmp_path / f"out.{ending}")
    with SQLiteStore.open(":memory:") as back:
        ingest(back, tmp_path / f"out.{ending}")
        fact, other = store.facts()[0], back.facts()[0]
        assert (fact.valid_from, fact.valid_to) == (other.valid_from, other.valid_to)
        assert fact.valid_from == ({-44: "-0044"}.get(time, str(time)))


@pytest.mark.parametrize("path", [None, 5, b"x", "a\0b", "", "."])
def test_what_is_no_file_is_an_error(store, path):
    with pytest.raises(InvalidValue):
        ingest(store, path)


def test_a_line_without_end_is_read_in_blocks_and_skipped(store, tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"a\tr\tb\n" + b"x" * (readers.MAX_LINE * 3) + b"\rc\tr\td\n" + b"y" * (9 << 20))
    done = ingest(store, tmp_path / "a.tsv")
    assert lines(store.facts()) == ["a | r | b", "c | r | d"]
    assert [line for line, _ in done.rejects] == [2, 4]


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_name_that_may_mean_two_nodes_costs_its_own_lines(store, tmp_path, ending):
    store.apply([AddNode("Freddie", aliases=("Mercury",)), AddNode("Planet", aliases=("Mercury",), ambiguous=True)])
    rows = [["Mercury", "orbits", "Sun"], ["Ada", "likes", "Tea"], ["Bob", "sees", "mercury"], ["Eve", "likes", "Rum"]]
    file = tmp_path / f"a.{ending}"
    file.write_text("".join(json.dumps(row) + "\n" if ending == "jsonl" else ",".join(row) + "\n" for row in rows))
    with pytest.raises(ImportRejected, match="line 1: .*Planet"):
        ingest(store, file, source="s", on_error="rollback")
    assert store.facts() == []
    done = ingest(store, file, source="s")
    assert lines(store.facts()) == ["Ada | likes | Tea", "Eve | likes | Rum"]
    assert (done.facts, done.new, [line for line, _ in done.rejects]) == (2, 2, [1, 3])
    assert [entry.id for entry in store.journal(len(done.entries))][::-1] == done.entries
