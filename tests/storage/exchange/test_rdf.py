"""RDF: IRIs are identity, labels are names, blank nodes belong to their file, hostile files are bounded."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from graphmem.core.errors import MissingExtra
from graphmem.storage.exchange.ingest import ingest
from graphmem.storage.sqlite import SQLiteStore

LABEL = "<http://www.w3.org/2000/01/rdf-schema#label>"
PLANETS = (
    "<http://x.org/person/Mercury> <http://x.org/p/sang> <http://x.org/Bohemian%20Rhapsody> .\n"
    "<http://x.org/planet/Mercury> <http://x.org/p/orbits> <http://x.org/Sun> .\n"
)


@pytest.fixture
def store(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as opened:
        yield opened


def load(store, text, name="a.nt", **options):
    path = Path(store.path).parent / name
    path.write_text(text, encoding="utf-8")
    return ingest(store, path, source=name, **options)


def facts(store):
    return sorted(str(fact) for fact in store.facts())


def test_resources_of_one_name_stay_two_and_are_found_by_their_iris(store):
    load(store, PLANETS)
    assert facts(store) == [
        "Mercury (person) | sang | Bohemian Rhapsody", "Mercury (planet) | orbits | Sun"
    ]  # fmt: skip
    assert store.resolve("Mercury") is None  # neither of them has it alone
    node = store.resolve("http://x.org/planet/Mercury")
    assert node.name == "Mercury (planet)" and node.attributes == {"iri": "http://x.org/planet/Mercury"}


def test_resources_of_two_files_stay_two_and_a_known_one_is_the_same(store):
    one, two = PLANETS.splitlines(keepends=True)
    load(store, one, "one.nt")
    load(store, two, "two.nt")
    assert facts(store) == ["Mercury (planet) | orbits | Sun", "Mercury | sang | Bohemian Rhapsody"]
    load(store, "<http://x.org/person/Mercury> <http://x.org/p/died> <http://x.org/London> .\n", "three.nt")
    assert "Mercury | died | London" in facts(store)


def test_labels_are_names_also_when_they_come_later(store):
    text = f'<http://w.org/Q5> <http://w.org/is> <http://w.org/Q7> .\n<http://w.org/Q5> {LABEL} "Mensch"@de .\n'
    load(store, text + f'<http://w.org/Q5> {LABEL} "human"@en .\n<http://w.org/Q7> {LABEL} "being" .\n')
    assert facts(store) == ["human | is | being"]
    assert {store.resolve(name).name for name in ("Mensch", "Q5", "http://w.org/Q5")} == {"human"}
    load(store, "<http://w.org/Q9> <http://w.org/is> <http://w.org/Q5> .\n", "b.nt")
    load(store, f'<http://w.org/Q9> {LABEL} "stone" .\n', "labels.nt")
    assert "stone | is | human" in facts(store)


def test_equal_labels_get_a_word_of_their_iris(store):
    text = "".join(f'<http://w.org/entity/Q{n}> {LABEL} "Mercury" .\n' for n in (1, 2))
    load(store, text + "<http://w.org/entity/Q1> <http://w.org/p/near> <http://w.org/entity/Q2> .\n")
    assert facts(store) == ["Mercury (Q1) | near | Mercury (Q2)"]


def test_predicates_of_one_name_stay_two(store):
    load(store, '<http://a/x> <http://foaf/name> "Ann" .\n<http://a/x> <http://schema/name> "Bob" .\n')
    assert facts(store) == ["x | name (foaf) | Ann", "x | name (schema) | Bob"]


@pytest.mark.parametrize("text", ["same", "other"])
def test_blank_nodes_belong_to_their_file(store, text):
    load(store, '_:b0 <http://x.org/name> "Ann" .\n', "one.nt")
    load(store, f'_:b0 <http://x.org/name> "{"Ann" if text == "same" else "Bob"}" .\n', "two.nt")
    assert len({fact.subject for fact in store.facts()}) == 2
    again = load(store, '_:b0 <http://x.org/name> "Ann" .\n', "one.nt")
    assert (again.new, again.known) == (0, 1)


def test_a_bad_line_is_one_reject(store):
    text = (
        '<http://a> <http://p> "\\UFFFFFFFF" .\n<http://a> <http://p> "\\uD800" .\n<http://a> <http://p> "a\\qb" .\n'
        f'<http://a> <http://p> "{"x" * 2000}" .\n<http://{"y" * 2000}> <http://p> "z" .\n'
        '<urn:graphmem:node:%ff> <http://p> "z" .\n_:a.b <http://p> "kept \\U0001F600" .\n'
    )
    done = load(store, text)
    assert [line for line, _ in done.rejects] == [1, 2, 3, 4, 5, 6]
    assert [fact.object for fact in store.facts()] == ["kept 😀"]


def test_the_graph_of_a_quad_is_the_source(store):
    load(
        store,
        "<http://x/a> <http://x/r> <http://x/b> <http://x/g> .\n<http://x/a> <http://x/r> <http://x/c> .\n",
        "q.nq",
    )
    assert {fact.object: fact.source for fact in store.facts()} == {"b": "http://x/g", "c": "q.nq"}


def test_language_and_datatype_of_a_literal_are_kept(store):
    load(store, '<http://x/a> <http://x/r> "chat"@fr .\n<http://x/a> <http://x/r> "1"^^<http://x/int> .\n')
    kept = [store.edge(fact.id).attributes for fact in store.facts()]
    assert kept == [{"language": "fr"}, {"datatype": "http://x/int"}]


FORMATS = {
    "a.ttl": "@prefix : <http://x.org/> . @prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .\n"
    ':Ada rdfs:label "Ada L." ; :likes :Tea, [ :colour "green" ] .\n',
    "a.trig": '@prefix : <http://x.org/> . :g { :Ada <http://www.w3.org/2000/01/rdf-schema#label> "Ada L." ; '
    ':likes :Tea, [ :colour "green" ] . }',
    "a.jsonld": '{"@id": "http://x.org/Ada", "http://www.w3.org/2000/01/rdf-schema#label": "Ada L.", '
    '"http://x.org/likes": [{"@id": "http://x.org/Tea"}, {"http://x.org/colour": "green"}]}',
    "a.rdf": '<!DOCTYPE r [<!ENTITY x "http://x.org/">]>'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" '
    'xmlns:rdfs="http://www.w3.org/2000/01/rdf-schema#" '
    'xmlns="http://x.org/"><rdf:Description rdf:about="&x;Ada">'
    '<rdfs:label>Ada L.</rdfs:label><likes rdf:resource="http://x.org/Tea"/><likes><rdf:Description>'
    "<colour>green</colour></rdf:Description></likes></rdf:Description></rdf:RDF>",
}


@pytest.mark.parametrize("name", FORMATS)
def test_other_formats_by_pyoxigraph(store, name):
    done = load(store, FORMATS[name], name)
    found = facts(store)
    assert not done.rejects and len(found) == 3
    assert "Ada L. | likes | Tea" in found and any(fact.endswith("| colour | green") for fact in found)
    assert load(store, FORMATS[name], name).known == 3 and len(store.facts()) == 3


def test_a_fault_ends_the_file_with_one_reject(store):
    done = load(store, "@prefix : <http://x.org/> .\n:a :b :c .\n:a :b \n", "a.ttl")
    assert facts(store) == ["a | b | c"] and done.rejected == 1 and "any further" in done.rejects[0][1]


ENTITIES = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(9))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.rdf", f'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">{ENTITIES}]><r>&j;</r>'),
        ("a.rdf", '<!DOCTYPE r [<!ENTITY a SYSTEM "file:///etc/passwd">]><r>&a;</r>'),
        ("a.rdf", '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">' + "<e:A><e:p>" * 5_000),
        ("a.jsonld", '{"@id":"http://a/b","http://p/q":{"@list":' * 5000 + "[]" + "}}" * 5000),
        ("a.jsonld", "[" * 100_000),
        ("a.ttl", "<http://a> <http://b> " + "[" * 100_000),
    ],
)
def test_hostile_files_are_rejects(store, name, text):
    done = load(store, text, name)
    assert done.rejected == 1 and not store.facts()


def test_brackets_in_strings_are_no_depth(store):
    text = '{"@id": "http://a/b", "http://p/q": "' + '\\"[{' * 300 + '"}'
    assert load(store, text, "a.jsonld").rejected == 0


def test_without_pyoxigraph_the_extra_is_named(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyoxigraph", None)
    with pytest.raises(MissingExtra, match=r"graphmem\[rdf\]"):
        load(store, FORMATS["a.ttl"], "a.ttl")
