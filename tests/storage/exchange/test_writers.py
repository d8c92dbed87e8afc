"""Exports that come back as they were, or say what they leave out; text that stays text in Cypher."""

from __future__ import annotations

import io
import re
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.core.edits import AddEdge, AddNode, Retire
from graphmem.core.names import normalise
from graphmem.storage.exchange.export import export
from graphmem.storage.exchange.ingest import ingest
from graphmem.storage.exchange.writers import losses
from graphmem.storage.sqlite import SQLiteStore

ODD = [
    "plain", "A|B", '"quoted", cell', "line\nbreak", "return\rhere", "both\r\nends", "tab\there",
    "control \x01\x0c\x1f", "=1+1", "-5", "'=x", "back\\slash", "\\u0060", "`tick`", "<tag> & &amp;", "%41 #x /y ?z",
    "木 😀 é", "\ufffe", "_:b0", "http://x.org/y", "{json}", "[1]", "\u2028\u0085", "]]>", "null", "  inner  space",
]  # fmt: skip
NAMES = st.one_of(st.sampled_from(ODD), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12))
TIMES = [(None, None), ("1815", None), (None, "2999-05-01"), ("2001-02-03T04:05:06Z", "2999")]


@st.composite
def memories(draw):
    """Nodes and facts of hostile names, every name once."""
    names = [name for name in draw(st.lists(NAMES, min_size=2, max_size=6)) if normalise(name)]
    names = list({normalise(name): name.strip() for name in names}.values()) or ["a"]
    spare = [name.strip() for name in draw(st.lists(NAMES, max_size=4)) if normalise(name)]
    taken = set(map(normalise, names))
    edits = []
    for name in names:
        aliases = []
        while spare and normalise(spare[-1]) not in taken and draw(st.booleans()):
            aliases.append(spare.pop())
            taken.add(normalise(aliases[-1]))
        kind, text = draw(st.sampled_from(["entity", "person"])), draw(st.sampled_from(["", *ODD]))
        attributes = draw(st.sampled_from([{}, {"a\n": [1, None, "\x01"], "b": {"c": 0.5}}]))
        edits.append(AddNode(name, kind, text, tuple(aliases), attributes))
    ends = st.sampled_from(names)
    seen = set()
    for relation in [name.strip() for name in draw(st.lists(NAMES, max_size=5)) if normalise(name)]:
        edge = AddEdge(
            draw(ends), relation, draw(ends), draw(st.sampled_from(["", *ODD])), *draw(st.sampled_from(TIMES)),
            draw(st.sampled_from([0.0, 0.25, 1.0, 1e-9])), draw(st.sampled_from([None, "wiki", "a|b\n=c"])),
            draw(st.sampled_from([{}, {"page": 1, "\x02": "x"}])),
        )  # fmt: skip
        key = tuple(map(normalise, (edge.subject, edge.relation, edge.object)))
        if key not in seen:
            seen.add(key)
            edits.append(edge)
    return edits


def content(store, lost=()):
    """Nodes and facts, without what a format says that it loses."""
    names = {name for fact in store.facts() for name in (fact.subject, fact.object)}
    has = lambda what: not any(loss.startswith(what) for loss in lost)
    nodes = {
        (
            node.name,
            node.kind if has("kinds") else "",
            node.text if has("texts of nodes") else "",
            tuple(sorted(node.aliases)) if has("aliases") else (),
            repr(sorted(node.attributes.items())) if has("attributes of nodes") else "",
        )
        for node in store.all_nodes()
        if has("nodes without") or node.name in names
    }
    facts = {
        (
            str(fact),
            fact.text if has("texts of facts") else "",
            (fact.valid_from, fact.valid_to) if has("times") else None,
            fact.confidence if has("confidences") else 1.0,
            fact.source if has("sources of facts") else None,
            repr(store.edge(fact.id).attributes) if has("attributes of facts") else "",
        )
        for fact in store.facts()
    }
    return nodes, facts


@pytest.mark.parametrize("options", [{}, {"spreadsheet_safe": True}], ids=["plain", "spreadsheet"])
@pytest.mark.parametrize("ending", ["csv", "graphml", "nt"])
@settings(max_examples=60, deadline=None)
@given(edits=memories())
def test_what_an_export_does_not_say_it_loses_comes_back(ending, options, edits):
    options = options if ending == "csv" else {}
    with tempfile.TemporaryDirectory() as folder, SQLiteStore.open(":memory:") as store:
        store.apply(edits)
        file = Path(folder) / f"out.{ending}"
        done = export(store, file, **options)
        lost = {what for what in done.lost if not what.startswith(("strengths", "entries"))}
        with SQLiteStore.open(":memory:") as back:
            ingest(back, file, on_error="rollback", **options)
            assert content(back, lost) == content(store, lost)


def test_what_is_lost_is_counted():
    with SQLiteStore.open(":memory:") as store:
        store.apply([AddNode("Ada", "person", "t", ("A|B",), {"x": 1}), AddNode("alone"), AddNode("gone")])
        store.apply([AddEdge("Ada", "r", "b", "t", "1815", None, 0.5, "one", {"y": 1}), AddEdge("Ada", "s", "b")])
        store.apply(
            [
                AddEdge("Ada", "r", "b", source="two", valid_from="1815", confidence=0.5),
                AddEdge("b", "was", "c", valid_to="1900"),
            ]
        )
        store.apply([Retire(store.resolve("gone").id, "node")])
        found = losses(store, "ntriples")
        assert found.pop("entries of the journal") == 4
        assert found.pop("times of facts") == 2 and set(found.values()) == {1}
        assert set(found) == {
            "kinds of nodes", "texts of nodes", "attributes of nodes beside `iri`", "texts of facts", "retired nodes",
            "confidences of facts", "sources of facts", "attributes of facts", "sources of facts beyond the first",
            "strengths of facts", "facts that do not hold now",
        }  # fmt: skip
        assert losses(store, "csv")["nodes without facts"] == 1 and losses(store, "csv")["aliases of nodes"] == 1
        assert "aliases of nodes" not in losses(store, "graphml") and "times of facts" not in losses(store, "graphml")
        assert export(store, io.StringIO()).lost == {}


def tokens(statement):
    """Tokens of a Cypher statement as its grammar has them; escapes are read where they stand in pairs."""
    found, at = [], 0
    while at < len(statement):
        character = statement[at]
        if character in '"`':
            at += 1
            text = ""
            while True:
                if statement.startswith("\\u", at):
                    text += chr(int(statement[at + 2 : at + 6], 16))
                    at += 6
                elif statement[at] == "\\":
                    named = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
                    text += named.get(statement[at + 1], statement[at + 1])
                    at += 2
                elif character == "`" and statement.startswith("``", at):
                    text += "`"
                    at += 2
                elif statement[at] == character:
                    at += 1
                    break
                else:
                    text += statement[at]
                    at += 1
            found.append((character, text))
        else:
            found.append(("", character))
            at += 1
    return found


def unescaped_first(statement):
    r"""The statement after ``\uXXXX`` was replaced everywhere, as some servers do before they read it."""
    return re.sub(r"\\u([0-9A-Fa-f]{4})", lambda found: chr(int(found[1], 16)), statement)


HOSTILE = [
    "\\u0060]->() DETACH DELETE n //", "\\\\u0060", "`]->(x) DELETE x //", "\\", "\\`", "a\\u0022b", '"}) DELETE n //', 
    "\\u005C", "\\\\\\u0022", "u\\uu0022", "\n", "\\u00", "tab\there",
]  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_names_stay_names_in_cypher(name):
    with SQLiteStore.open(":memory:") as store:
        store.apply([AddNode(f"n{name}", aliases=(name + "x",)), AddEdge(f"n{name}", f"r{name}", "b", text=name)])
        out = io.StringIO()
        export(store, out, format="cypher")
        plain = SQLiteStore.open(":memory:")
        plain.apply([AddNode("n", aliases=("x",)), AddEdge("n", "r", "b", text="t")])
        usual = io.StringIO()
        export(plain, usual, format="cypher")
        plain.close()
    shape = [[kind for kind, _ in tokens(line)] for line in usual.getvalue().splitlines()]
    lines = out.getvalue().splitlines()
    assert [[kind for kind, _ in tokens(line)] for line in lines] == shape
    assert [text for line in lines for kind, text in tokens(line) if kind == "`"] == [f"r{name}".strip()]
    quoted = [text for line in lines for kind, text in tokens(line) if kind == '"']
    assert {f"n{name}".strip(), name, f"{name}x".strip()} <= set(quoted)
    relation = unescaped_first(lines[-1]).split("[:`", 1)[1].replace("``", "")
    assert (
        relation.index("`") == relation.rindex("` {")
        and "DELETE" not in relation[relation.index("` {") + 3 :].split('"')[0]
    )
