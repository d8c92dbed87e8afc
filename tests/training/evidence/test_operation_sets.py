"""Labels of real sets: operations and directions that their queries, types and answers show."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest

from graphmem.synthetic.operation_questions import OperationQuestion
from graphmem.training.evidence import operation_sets as sets

URI = "<http://dbpedia.org/resource/{}>".format


def write(path: Path, value: Any, lines: bool = False) -> None:
    text = "\n".join(map(json.dumps, value)) if lines else json.dumps(value)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


def labels(rows: Any) -> dict[str, tuple[str, float | None, float | None, bool]]:
    found: list[OperationQuestion] = [asked for asked, _ in rows]
    return {one.question: (one.operation, one.larger, one.later, one.certain) for one in found}


def test_queries_of_vquanda_show_their_operation(tmp_path: Path) -> None:
    p, q = "<http://dbpedia.org/ontology/p>", "<http://dbpedia.org/ontology/q>"
    rows = [
        ("ask", f"ASK WHERE {{ {URI('A')} {p} {URI('B')} }}", "[Yes]."),
        ("count", f"SELECT DISTINCT COUNT(?uri) WHERE {{ ?uri {p} {URI('B')} }}", "[3]."),
        ("both", f"SELECT ?uri WHERE {{ ?uri {p} {URI('B')} . {URI('C')} {q} ?uri }}", "[D]."),
        ("chain", f"SELECT ?uri WHERE {{ {URI('A')} {p} ?x . ?x {q} ?uri }}", "It is [D]."),
        ("several", f"SELECT ?uri WHERE {{ {URI('A')} {p} ?uri }}", "They are [D, E]."),
    ]
    for name in ("train", "test"):
        write(
            tmp_path / "kgqa_vquanda" / f"{name}.json.gz",
            [{"question": f"{name} {one}", "query": query, "verbalized_answer": said} for one, query, said in rows],
        )
    found = labels(sets.vquanda(tmp_path))
    assert len(found) == 10
    assert found["train ask"] == ("verify", None, None, True) and found["test count"][0] == "count"
    assert found["train both"] == ("intersect", None, None, True)
    assert found["train chain"] == ("lookup", None, None, False) and found["test several"][0] == "list"


def test_ordered_queries_have_a_direction(tmp_path: Path) -> None:
    queries = {
        "highest": "SELECT ?u WHERE { ?u dbo:elevation ?n } ORDER BY DESC(?n) OFFSET 0 LIMIT 1",
        "cheapest": "SELECT ?u WHERE { ?u dbo:price ?n } ORDER BY ?n LIMIT 1",
        "youngest": "SELECT ?u WHERE { ?u dbo:birthDate ?d } ORDER BY DESC(?d) LIMIT 1",
        "most": "SELECT ?u WHERE { ?u dbo:author ?b } ORDER BY DESC(COUNT(?b)) LIMIT 1",
        "count": "SELECT (COUNT(DISTINCT ?u) AS ?c) WHERE { ?u a dbo:City }",
        "ask": "ASK WHERE { res:A dbo:b res:C }",
        "without": "SELECT ?u WHERE { ?u a dbo:City MINUS { ?u dbo:b res:C } }",
        "all": "SELECT ?u WHERE { ?u a dbo:City }",
    }
    rows = [
        {"question": [{"language": "de", "string": "?"}, {"language": "en", "string": name}],
         "query": {"sparql": query}, "answers": [{"results": {"bindings": [1, 2]}}]} for name, query in queries.items()
    ]  # fmt: skip
    write(tmp_path / "qald" / "qald_9_plus_test_dbpedia.json.gz", {"questions": rows})
    assert labels(sets.qald(tmp_path)) == {
        "highest": ("superlative", 1.0, None, True), "cheapest": ("superlative", 0.0, None, True),
        "youngest": ("superlative", None, 1.0, True), "most": ("superlative", 1.0, None, True),
        "count": ("count", None, None, True), "ask": ("verify", None, None, True), "all": ("list", None, None, False),
    }  # fmt: skip


def test_dates_of_the_evidence_give_the_direction(tmp_path: Path) -> None:
    born = [["Ann", "date of birth", "3 May 1945"], ["Bo", "date of birth", "1984"]]
    through = [["X", "director", "Ann"], ["Y", "director", "Bo"], *born]
    rows = [
        ("younger", "comparison", born, "Bo"), ("older", "comparison", born, "Ann"),
        ("film of the older", "bridge_comparison", through, "X"), ("same?", "comparison", born, "no"),
        ("no dates", "comparison", [["Ann", "sport", "golf"], ["Bo", "sport", "chess"]], "Bo"),
        ("mother", "compositional", [["Ann", "mother", "Cy"]], "Cy"), ("Kept Apart", "comparison", born, "Bo"),
    ]  # fmt: skip
    write(
        tmp_path / "multihop_2wiki_musique" / "2wiki_dev4000_evidences_clean.jsonl.gz",
        [{"question": q, "type": kind, "evidences": facts, "answer": answer} for q, kind, facts, answer in rows], True,
    )  # fmt: skip
    write(tmp_path / "2wiki" / "dev.jsonl", [{"question": "kept apart"}], True)
    assert labels(sets.two_wiki(tmp_path)) == {
        "younger": ("superlative", None, 1.0, True), "older": ("superlative", None, 0.0, True),
        "film of the older": ("superlative", None, 0.0, True), "same?": ("verify", None, None, True),
        "no dates": ("superlative", None, None, True), "mother": ("lookup", None, None, True),
    }  # fmt: skip


@pytest.fixture
def table(tmp_path: Path) -> Path:
    home, out = tmp_path / "wikitablequestions", io.StringIO()
    csv.writer(out).writerows(line.split("; ") for line in (
        "Name; Height; Year; Town", "Alp; 1,200; 1901; Rho", "Berg; 300; 1950; Ult", "Col; 900; 1980; Vik",
        "Dun; 800; 1940; Wes",
    ))  # fmt: skip
    home.mkdir()
    with tarfile.open(home / "csv_tables.tar.gz", "w:gz") as tar:
        info = tarfile.TarInfo("csv/1.csv")
        info.size = len(out.getvalue().encode())
        tar.addfile(info, io.BytesIO(out.getvalue().encode()))
    asked = [("tallest", "Alp"), ("lowest", "Berg"), ("latest", "Col"), ("town of dun", "Wes"), ("number", "3"),
             ("several", "Alp|Col"), ("verdict", "yes"), ("elsewhere", "Zog")]  # fmt: skip
    lines = ["id\tutterance\tcontext\ttargetValue"] + [f"n\t{q}\tcsv/1.csv\t{a}" for q, a in asked]
    (home / "training.tsv.gz").write_bytes(gzip.compress("\n".join(lines).encode()))
    return tmp_path


def test_extreme_rows_of_a_table_are_candidates(table: Path) -> None:
    assert labels(sets.tables(table)) == {
        "tallest": ("superlative", 1.0, 0.0, False), "lowest": ("superlative", 0.0, None, False),
        "latest": ("superlative", None, 1.0, False), "town of dun": ("lookup", None, None, False),
        "number": ("count", None, None, False), "several": ("list", None, None, False),
        "verdict": ("verify", None, None, True),
    }  # fmt: skip


def test_probes_and_comparisons(tmp_path: Path) -> None:
    kinds = {"two actors": "intersect", "count": "count", "yes/no": "verify", "except": "except"}
    kinds["latest"] = "superlative"
    write(tmp_path / "wikimovies_probes" / "operations.jsonl", [{"kind": k, "question": k} for k in kinds], True)
    found = labels(sets.probes(tmp_path))
    assert {q: row[0] for q, row in found.items()} == kinds and found["latest"][2] == 1.0
    asked = [("a", "comparison", "yes"), ("b", "comparison", "B"), ("c", "bridge", "C")]
    rows = [{"question": question, "type": kind, "answer": answer} for question, kind, answer in asked]
    write(tmp_path / "hotpotqa" / "dev_distractor_1300.jsonl.gz", rows, True)
    found = labels(sets.hotpotqa(tmp_path))
    assert [found[q][0] for q in "abc"] == ["verify", "superlative", "lookup"]
    assert [found[q][3] for q in "abc"] == [True, False, False]
