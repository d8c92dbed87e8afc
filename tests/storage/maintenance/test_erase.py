"""Erasure: nothing of a person is left in any byte of any file, and nothing else is lost."""

from __future__ import annotations

import shutil
import sqlite3
import zlib
from contextlib import closing

import numpy as np
import pytest

from graphmem.core.edits import AddEdge, AddNode, MergeNodes, Retire, UpdateNode
from graphmem.core.errors import Busy, Conflict, NotFound, NotKept, ReadOnly
from graphmem.memory import GraphMemory
from graphmem.storage.maintenance import backup as backups
from graphmem.storage.maintenance import erase as erasure
from graphmem.storage.maintenance.check import check
from graphmem.text.name_tagging import capitalised

NAME, ALIAS, OLD = "Zebulon Quartermain", "Zebby", "Zebulun Qartermayne"
SECRETS = ("zebulon", "quartermain", "zebby", "zebulun", "qartermayne")
OTHERS = [("Oslo", "capital of", "Norway"), ("Bob", "lives in", "Oslo"), ("Bob", "knows", "Eve")]


def found(folder):
    """Places where a name stands: in the bytes of every file, and in the journal's compressed blocks."""
    places = []
    for file in sorted(folder.rglob("*")):
        data = file.read_bytes().lower() if file.is_file() else b""
        for secret in SECRETS:
            for encoding in ("utf-8", "utf-16-le", "utf-16-be"):
                if secret.encode(encoding) in data:
                    places.append((file.name, secret, encoding))
    for memory in folder.glob("*.db"):
        with closing(sqlite3.connect(memory)) as raw:
            blobs = raw.execute("SELECT changes FROM journal UNION ALL SELECT changes FROM journal_parts")
            for number, (blob,) in enumerate(blobs.fetchall()):
                text = (blob if blob[:1] == b"[" else zlib.decompress(blob)).lower()
                places += [("block", number, secret) for secret in SECRETS if secret.encode() in text]
    return places


@pytest.fixture
def path(tmp_path):
    return tmp_path / "folder" / "m.db"


@pytest.fixture
def memory(path):
    path.parent.mkdir()
    with GraphMemory.open(path) as opened:
        opened.store.apply([AddEdge(*fact) for fact in OTHERS])
        yield opened


def others(memory):
    return sorted(str(fact) for fact in memory.facts())


def adds(memory):
    memory.add(NAME, "lives in", "Oslo", text=f"{NAME} lives in Oslo.", source=f"mail of {NAME}")
    memory.add("Bob", "knows", NAME)
    memory.add(NAME, "lives in", "Oslo", source=f"chat with {ALIAS}")
    memory.add(NAME, "phone", "555-zebby")
    memory.store.apply([AddEdge(NAME, "likes", "tea")], note=f"noted by {NAME}")


def bulk_loads(memory):
    memory.bulk_load([NAME], [(NAME, "lives in", "Oslo"), (NAME, "knows", "Bob")], source=f"list of {NAME}")
    memory.undo()
    memory.redo()


def updates(memory):
    text = f"{NAME} wrote a long letter. " * 40
    memory.store.apply([AddNode(NAME, "person", text, (ALIAS,), {"nick": ALIAS})])
    memory.store.apply([UpdateNode(NAME, text=text.replace("long", "short"), state=np.ones(4, np.float32))])
    memory.store.apply([UpdateNode(NAME, text="")])
    memory.add(NAME, "lives in", "Bergen")
    memory.supersede(NAME, "lives in", "Oslo")
    memory.retire(NAME)


def renames(memory):
    memory.store.apply([AddNode(OLD)])
    memory.add(OLD, "likes", "tea")
    memory.store.apply([UpdateNode(OLD, name=NAME)])
    memory.store.apply([UpdateNode(NAME, name=f"{NAME} II")])
    memory.undo()


def merges(memory):
    memory.store.apply([AddNode(OLD, text=f"Also {ALIAS}."), AddNode(NAME), AddEdge(OLD, "likes", "tea")])
    memory.store.apply([MergeNodes(memory.store.find(NAME).id, memory.store.find(OLD).id)])


def undone(memory):
    memory.add(NAME, "likes", "tea")
    memory.undo()
    memory.add("Bob", "likes", "tea")
    memory.undo()


def retired(memory):
    memory.add(NAME, "likes", "tea")
    memory.store.apply([Retire(memory.store.find(NAME).id, "node")])


def sessions(memory):
    turns = {"turns": [["user", f"I met {NAME} today.", "2026-01-01"]], "count": 1}
    episode = AddNode(f"session:bob #1: I met {NAME} today.", "episode", f"I met {NAME} today.", (), {"session": "bob"})
    memory.store.apply([AddNode("session:bob", "session", attributes=turns), episode], action="session", note=NAME)
    memory.store.apply([AddNode("session:bob", "session", attributes={"turns": [["user", "Hi.", "2026-01-02"]]})])
    claim = AddNode("claim 7", "episode", "", (), {"claim": f"{NAME} | likes | tea", "source": "a"})
    memory.store.apply([claim])


def read_texts(memory):
    mark = AddNode("reading:0f0f", "reading", "", ("reading:aaaa",), {"begins": "They met in Oslo", "source": None})
    memory.store.apply([AddEdge(NAME, "met", "Bob"), mark], action="read")


def passages(memory):
    documents = [("Oslo", f"Oslo is a city. {NAME} was born there."), (NAME, "He was a baker. Zebby baked bread.")]
    memory.add_passages(documents, tagger=capitalised, encode=False, source="book")


def mentions(memory):
    memory.add("Eve", "likes", "tea", text=f"Eve and {NAME} like tea.")
    memory.store.apply([AddNode("Eve", text=f"A friend of {NAME}.", attributes={"friend": NAME, "age": 3})])
    memory.store.apply([UpdateNode("Eve", text=f"A friend of {NAME} and Bob. " * 30)])
    memory.store.apply([UpdateNode("Eve", text=f"A friend of {NAME} and Bo. " * 30)])
    memory.add(NAME, "likes", "tea", source="gossip")


def consolidated(memory):
    for number in range(3):
        attributes = {"claim": f"{NAME} | likes | tea", "source": f"paper {number}"}
        memory.store.apply([AddNode(f"claim {number}", "episode", f"{NAME} likes tea.", (), attributes)])
    memory.consolidate()
    assert memory.node(NAME) is not None


def vectors(memory):
    node = memory.add(NAME, "likes", "tea").node_ids[0]
    memory.store.put_vectors(np.array([node]), np.ones((1, 8), np.float32), "test")
    memory.store.snapshot("test")
    memory.store.touch([node])


WRITERS = [
    adds, bulk_loads, updates, renames, merges, undone, retired, sessions, read_texts, passages, mentions, consolidated,
    vectors,
]  # fmt: skip


@pytest.mark.parametrize("write", WRITERS, ids=lambda write: write.__name__)
def test_no_byte_of_any_file_names_an_erased_person(memory, path, write):
    kept = others(memory)
    write(memory)
    assert found(path.parent)
    report = memory.erase(NAME, passages=True)
    assert not report.done and found(path.parent)
    done = memory.erase(NAME, dry_run=False, passages=True)
    assert done.done and (done.nodes, done.facts, done.entries) == (report.nodes, report.facts, report.entries)
    assert found(path.parent) == []
    assert set(kept) <= set(others(memory))
    assert memory.node(NAME) is None and memory.store.search_text("Zebulon Quartermain Zebby") == []
    assert memory.journal(1)[0].action == "erase"
    sound = check(path)
    assert sound.ok, str(sound)
    memory.close()
    assert found(path.parent) == []
    with GraphMemory.open(path) as again:
        assert set(kept) <= set(others(again))


def test_everything_at_once_and_again_after_it(memory, path):
    for write in [renames, *(one for one in WRITERS if one not in (renames, merges))]:
        write(memory)
    memory.erase(NAME, dry_run=False, passages=True)
    assert found(path.parent) == []
    with pytest.raises(NotFound):
        memory.erase(NAME)
    memory.add(NAME, "likes", "tea")
    assert memory.erase(NAME, dry_run=False).facts == 1
    assert found(path.parent) == [] and check(path).ok


def test_texts_of_others_stay_and_are_listed_unless_they_are_asked_for(memory, path):
    passages(memory)
    mentions(memory)
    report = memory.erase(NAME, dry_run=False)
    assert len(report.passages) == 2
    eve = memory.node("Eve").id
    assert {f"text of node {eve}", f"attributes of node {eve}"} <= set(report.mentions)
    assert any(mention.startswith("text of edge") for mention in report.mentions)
    assert found(path.parent) and memory.node("Eve").text.startswith(f"A friend of {NAME}")
    memory.erase(NAME, dry_run=False, passages=True)
    assert found(path.parent) == []
    assert (memory.node("Eve").text, memory.node("Eve").attributes) == ("", {})
    assert "Eve | likes | tea" in others(memory)
    assert check(path).ok


def test_a_name_that_is_part_of_another_is_another(memory, path):
    memory.store.apply([AddEdge("Al", "knows", "Alice"), AddNode("Alice", text="Alice is also known.")])
    memory.erase("Al", dry_run=False, passages=True)
    assert memory.node("Alice").text == "Alice is also known."
    memory.store.apply([AddNode("王小明"), AddNode("Bob", text="昨天王小明來了。")])
    assert memory.erase("王小明").mentions == ("text of node 3",)


def test_other_spellings_of_the_name_are_found_in_texts(memory, path):
    memory.store.apply([AddNode("José Núñez-O’Neill"), AddNode("Eve", text="Jose Nunez-O'Neill called.")])
    assert memory.erase("jose\u0301 núñez-o'neill").mentions == ("text of node 4",)


def test_nodes_that_a_migration_merged_go_too(memory, path):
    raw = memory.store.connection.raw
    memory.store.apply([AddNode(NAME), AddNode(OLD)])
    memory.store.apply([Retire(memory.store.find(OLD).id, "node")])
    raw.execute("UPDATE nodes SET name = ?, norm = norm || char(31) || id WHERE name = ?", (NAME.upper(), OLD))
    raw.execute("UPDATE nodes SET norm = ? || char(31) || id WHERE name = ?", (NAME.lower(), NAME.upper()))
    assert memory.erase(NAME).nodes == 2


def test_the_past_of_others_stays_and_an_erasure_cannot_be_undone(memory, path):
    first = memory.add("Bob", "likes", "tea")
    adds(memory)
    last = memory.supersede("Bob", "likes", "rum")
    memory.erase(NAME, dry_run=False)
    with pytest.raises(NotKept, match="an erasure"):
        memory.undo()
    with pytest.raises(NotKept, match="an erasure"):
        memory.undo(memory.journal(1)[0])
    assert "Bob | likes | tea" in [str(fact) for fact in memory.facts(known_at=first.at)]
    memory.undo(last)
    assert "Bob | likes | tea" in others(memory)
    assert memory.facts(NAME) == [] and check(path).ok


def test_values_that_others_use_stay(memory):
    adds(memory)
    report = memory.erase(NAME, dry_run=False)
    assert report.sources == 2
    assert memory.node("Oslo") and memory.node("Bob") and memory.node("555-zebby") is None


def test_a_source_that_names_it_goes_from_the_journal_of_other_namespaces(memory, path):
    with GraphMemory.open(path, namespace="other") as other:
        other.add("Zoe", "likes", "rum", source=f"letter of {NAME}")
        memory.add(NAME, "likes", "tea", source=f"letter of {NAME}")
        memory.erase(NAME, dry_run=False, passages=True)
        assert other.facts("Zoe")[0].source.startswith("[erased ")
    assert found(path.parent) == [] and check(path).ok


def test_other_namespaces_are_left_and_named(memory, path):
    memory.add(NAME, "likes", "tea", source="shared")
    with GraphMemory.open(path, namespace="other") as other:
        other.add(NAME, "likes", "rum", source="shared")
        other.add("Zoe", "likes", "rum", source="second")
        other.undo()
        assert memory.erase(NAME, dry_run=False).mentions == ("namespace 'other', erase it there too",)
        assert [str(fact) for fact in other.facts()] == [f"{NAME} | likes | rum"]
        other.redo()
        assert other.facts("Zoe")[0].source == "second"
        assert check(path).ok
        other.erase(NAME, dry_run=False)
    assert found(path.parent) == []


def test_an_alias_of_two_nodes_and_unknown_names_are_typed_errors(memory):
    with pytest.raises(NotFound):
        memory.erase("Nobody")
    with pytest.raises(NotFound):
        memory.erase(99)
    raw = memory.store.connection.raw
    for node in (1, 2):
        raw.execute("INSERT INTO aliases VALUES (1, 'twin', ?, 'Twin')", (node,))
    with pytest.raises(Conflict, match="1, 2"):
        memory.erase("twin")


def test_copies_beside_the_memory_are_listed_and_removed_when_asked_for(memory, path):
    adds(memory)
    memory.store.connection.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    for name in ("m.db.before-repair-2", "m.db.schema3", "monday.backup"):
        shutil.copy(path, path.parent / name)
    (path.parent / "notes.txt").write_text("another file")
    listed = memory.erase(NAME, dry_run=False).copies
    assert [copy.rsplit("/")[-1] for copy in listed] == ["m.db.before-repair-2", "m.db.schema3", "monday.backup"]
    assert found(path.parent)
    memory.add(NAME, "likes", "tea")
    assert memory.erase(NAME, dry_run=False, copies=True).copies == ()
    assert found(path.parent) == [] and (path.parent / "notes.txt").exists()


def test_links_to_the_memory_are_no_copies(memory, path):
    adds(memory)
    memory.close()
    link, hard = path.parent / "link.db", path.parent / "hard.db"
    link.symlink_to(path)
    hard.hardlink_to(path)
    for name in (link, hard, path):
        with GraphMemory.open(name) as opened:
            assert opened.erase("Bob").copies == ()
    with GraphMemory.open(link) as opened:
        opened.erase(NAME, dry_run=False, copies=True)
    assert path.exists() and hard.exists() and not path.is_symlink()


def test_a_copy_that_was_written_to_since_is_named_and_stays(memory, path):
    adds(memory)
    backup, branch = path.parent / "b.backup", path.parent / "branch.db"
    for copy in (backup, branch):
        backups.backup(path, copy)
    with GraphMemory.open(branch) as opened:
        opened.add("Cleo", "lives in", "Riga")
    memory.add(NAME, "likes", "tea")
    report = memory.erase(NAME, dry_run=False, copies=True)
    assert report.mentions == (f"file {branch}, a copy that was written to since, erase it there too",)
    assert not backup.exists()
    with GraphMemory.open(branch) as opened:
        assert [fact.object for fact in opened.facts("Cleo")] == ["Riga"]


def test_names_of_others_that_hold_the_name_are_listed(memory, path):
    memory.add(NAME, "lives in", "Oslo")
    bob = memory.add("Bob", "remark", f"said that {NAME} is kind").node_ids[0]
    memory.add("Bob", "likes", f"the {NAME} Prize")
    memory.undo()
    memory.add("Eve", f"sister of {NAME}", "Al")
    memory.store.apply([AddNode("Bob", aliases=(f"friend of {NAME}",))])
    report = memory.erase(NAME, dry_run=False, passages=True)
    others = (f"said that {NAME} is kind", f"the {NAME} Prize")
    assert report.mentions[1:] == (f"alias of node {bob}", *(f"node {name!r}, erase it too" for name in others))
    assert report.mentions[0].startswith("name of relation") and check(path).ok
    assert memory.facts("Eve")[0].relation.startswith("[erased ")
    for name in others:
        memory.erase(name, dry_run=False, passages=True)
    assert found(path.parent) == [] and check(path).ok


def test_an_erasure_that_was_killed_before_its_end_is_finished_at_the_next_open(memory, path, monkeypatch):
    adds(memory)
    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(erasure, "finish", lambda _: (_ for _ in ()).throw(RuntimeError))
        memory.erase(NAME, dry_run=False)
    memory.close()
    GraphMemory.open(path).close()
    assert found(path.parent) == [] and check(path).ok


def test_a_reader_that_keeps_old_pages_is_named(memory, path):
    adds(memory)
    memory.store.connection.raw.execute("PRAGMA busy_timeout = 0")
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM nodes").fetchone()
        with pytest.raises(Busy, match="another process"):
            memory.erase(NAME, dry_run=False)
    memory.close()
    GraphMemory.open(path).close()
    assert found(path.parent) == []


def test_a_read_only_memory_reports_and_refuses(memory, path):
    adds(memory)
    memory.close()
    with GraphMemory.open(path, read_only=True) as opened:
        assert opened.erase(NAME).facts == 4
        with pytest.raises(ReadOnly):
            opened.erase(NAME, dry_run=False)


@pytest.mark.parametrize(
    "names_it",
    [
        lambda m: (m.add(NAME, "r", "x"), m.add("Zed", "r", "y"), m.merge("Zed", NAME), m.undo()),
        lambda m: (m.add(NAME, "r", "x"), m.add("Zed", "r", "y"), m.merge("Zed", NAME)),
        lambda m: (m.add(NAME, "r", "x"), m.add("Zed", "r", "y"), m.add_alias("Zed", NAME, ambiguous=True)),
        lambda m: (m.add(NAME, "r", "x"), m.add("Car", f"owned by {NAME}", "Bob")),
    ],
    ids=["merge undone", "merged", "alias", "relation"],
)  # fmt: skip
def test_names_of_other_things_do_not_keep_it(memory, path, names_it):
    names_it(memory)
    report = memory.erase(NAME, passages=True)
    assert not report.done
    memory.erase(NAME, dry_run=False, passages=True)
    assert found(path.parent) == []
    assert check(path).ok
    assert sorted(map(" | ".join, OTHERS)) == [f for f in others(memory) if f in set(map(" | ".join, OTHERS))]
    with pytest.raises((Conflict, NotFound, NotKept)):
        while memory.undo():
            pass
    assert check(path).ok
