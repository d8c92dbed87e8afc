"""What is opened, what is refused, and which error says so."""

from __future__ import annotations

import gzip
import os
import sqlite3
import subprocess
import sys
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from graphmem.core.edits import AddEdge, AddNode
from graphmem.core.errors import Busy, Corrupt, DiskFull, FileReplaced, NewerSchema, NotAMemory, ReadOnly
from graphmem.core.times import to_micros
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables import connection, migrations, schema


def test_a_file_says_whose_it_is(tmp_path):
    SQLiteStore.open(tmp_path / "m.db").close()
    raw = sqlite3.connect(tmp_path / "m.db")
    assert connection.header(raw) == (schema.APPLICATION_ID, schema.SCHEMA_VERSION)
    assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_an_empty_file_becomes_a_memory(tmp_path):
    (tmp_path / "m.db").touch()
    with pytest.raises(NotAMemory):
        SQLiteStore.open(tmp_path / "m.db", read_only=True)
    SQLiteStore.open(tmp_path / "m.db").close()
    assert check(tmp_path / "m.db").ok


@pytest.mark.parametrize("bad", ["directory", "text", "foreign", "nowhere", "nul", "empty"])
def test_what_is_no_memory_is_refused_and_left_alone(tmp_path, bad):
    path = str(tmp_path / "x")
    if bad == "directory":
        os.mkdir(path)
    elif bad == "text":
        with open(path, "w") as file:
            file.write("not a database " * 100)
    elif bad == "foreign":
        raw = sqlite3.connect(path)
        raw.execute("CREATE TABLE t(x)")
        raw.commit()
        raw.close()
    else:
        path = {"nowhere": str(tmp_path / "no" / "where.db"), "nul": "a\x00b", "empty": ""}[bad]
    content = open(path, "rb").read() if bad in ("text", "foreign") else None
    with pytest.raises(NotAMemory):
        SQLiteStore.open(path)
    if content is not None:
        assert open(path, "rb").read() == content


@pytest.mark.parametrize("way", ["removed", "replaced", "renamed", "emptied", "log removed", "removed in between"])
def test_a_write_to_a_file_that_is_gone_is_not_acknowledged(tmp_path, way):
    path = tmp_path / "m.db"
    with SQLiteStore.open(tmp_path / "other.db") as store:
        store.apply([AddNode("other")])

    def harm():
        if way.startswith("removed"):
            path.unlink()
        elif way == "replaced":
            os.replace(tmp_path / "other.db", path)
        elif way == "emptied":
            path.write_bytes(b"")
        elif way == "renamed":
            path.rename(tmp_path / "elsewhere.db")
        else:
            Path(f"{path}-wal").unlink()

    with SQLiteStore.open(path) as store:
        store.apply([AddNode("first")])
        if way == "removed in between":
            with pytest.raises(FileReplaced), store.connection.writing() as raw:
                raw.execute("INSERT INTO sources(name) VALUES ('s')")
                harm()
        else:
            harm()
        with pytest.raises(FileReplaced, match="open .* again"):
            store.apply([AddNode("second")])
        with pytest.raises(FileReplaced):
            store.bulk_load([f"n{n}" for n in range(10)], [])


def test_a_version_that_never_was_is_damage(tmp_path):
    SQLiteStore.open(tmp_path / "m.db").close()
    with closing(sqlite3.connect(tmp_path / "m.db")) as raw:
        raw.execute("PRAGMA user_version = 0")
    with pytest.raises(Corrupt, match="graphmem repair"):
        SQLiteStore.open(tmp_path / "m.db")


def test_a_newer_schema_is_refused(tmp_path):
    SQLiteStore.open(tmp_path / "m.db").close()
    raw = sqlite3.connect(tmp_path / "m.db")
    raw.execute(f"PRAGMA user_version = {schema.SCHEMA_VERSION + 1}")
    raw.close()
    with pytest.raises(NewerSchema, match="upgrade"):
        SQLiteStore.open(tmp_path / "m.db")


OLD = sorted((Path(__file__).parent / "data").glob("schema*.db.gz"))
"""Files that earlier versions of the store wrote."""


@pytest.mark.parametrize("old", OLD, ids=lambda path: path.name)
def test_files_of_every_older_schema_are_copied_and_migrated(tmp_path, old):
    path, version = tmp_path / "m.db", int(old.name[len("schema") : -len(".db.gz")])
    path.write_bytes(gzip.decompress(old.read_bytes()))
    with pytest.raises(ReadOnly, match="migrate"):
        SQLiteStore.open(path, read_only=True)
    with SQLiteStore.open(path) as store:
        assert [str(fact) for fact in store.facts()] == ["x | r | y", "Ada | lives in | Surrey", "Ada | wrote | Notes"]
        then = [str(fact) for fact in store.facts(as_of=to_micros("1820"))]
        assert then == ["x | r | y", "Ada | lives in | London", "Ada | wrote | Notes"], "undated facts hold at any time"
        entries = store.journal()
        assert [fact.recorded_at for fact in store.facts()] == [entries[-1].at, entries[-3].at, entries[-4].at]
        found = [str(fact) for fact in store.facts(known_at=to_micros(entries[-2].at))]
        assert found == ["x | r | y", "y | r | x", "Ada | lives in | London"]
        store.undo()
        store.undo(entries[-5].id)
        assert store.resolve("Ada King").name == "Ada King"
    raw = sqlite3.connect(migrations.copy_for(str(path), version))
    assert raw.execute("PRAGMA user_version").fetchone() == (version,)
    report = check(path)
    assert report.ok, str(report)


def test_there_is_a_file_of_every_older_schema():
    assert [path.name for path in OLD] == [f"schema{version}.db.gz" for version in range(1, schema.SCHEMA_VERSION)]


def test_a_failed_migration_changes_nothing(tmp_path, monkeypatch):
    path = tmp_path / "m.db"
    SQLiteStore.open(path).close()
    raw = sqlite3.connect(path)
    raw.execute("PRAGMA user_version = 1")
    raw.close()

    def fail(raw):
        raw.execute("DROP TABLE access")
        raise sqlite3.OperationalError("no")

    monkeypatch.setitem(migrations.STEPS, 1, fail)
    with pytest.raises(Exception, match="no"):
        SQLiteStore.open(path)
    raw = sqlite3.connect(path)
    assert raw.execute("PRAGMA user_version").fetchone() == (1,)
    assert raw.execute("SELECT count(*) FROM access").fetchone() == (0,)


def test_a_read_only_store_reads_and_refuses_to_write(tmp_path):
    path = tmp_path / "m.db"
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("Ada", "likes", "Tea")])
    with SQLiteStore.open(path, read_only=True) as store:
        assert len(store.facts()) == 1
        for write in (lambda: store.apply([AddNode("x")]), store.undo, lambda: store.bulk_load(["x"], [])):
            with pytest.raises(ReadOnly):
                write()
    with SQLiteStore.open(path, read_only=True, namespace="unknown") as store:
        assert (store.facts(), store.stats()["nodes"]) == ([], 0)
    with pytest.raises(ReadOnly):
        SQLiteStore.open(":memory:", read_only=True)


def test_a_file_in_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    path = tmp_path / "m.db"
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("Ada", "likes", "Tea")])
    monkeypatch.setattr(connection.os, "access", lambda *_: False)
    with pytest.raises(ReadOnly, match="read_only=True"):
        SQLiteStore.open(path)
    with SQLiteStore.open(path, read_only=True) as store:
        assert len(store.facts()) == 1


def test_a_network_file_system_is_warned_of(tmp_path, monkeypatch):
    monkeypatch.setattr(connection, "file_system", lambda _: "nfs4")
    with pytest.warns(UserWarning, match="network file system"):
        SQLiteStore.open(tmp_path / "m.db").close()
    monkeypatch.undo()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        SQLiteStore.open(tmp_path / "m.db").close()
    assert connection.file_system(tmp_path) != ""


def test_a_busy_file_is_a_typed_error(tmp_path, monkeypatch):
    path = tmp_path / "m.db"
    with SQLiteStore.open(path) as store:
        store.connection.raw.execute("PRAGMA busy_timeout = 10")
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            store.apply([AddNode("x")])
        other.execute("ROLLBACK")
        store.apply([AddNode("x")])


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path):
    path = tmp_path / "m.db"
    with SQLiteStore.open(path) as store:
        store.apply([AddEdge("Ada", "likes", "Tea")])
        pages = store.connection.one("PRAGMA page_count")[0]
        store.connection.raw.execute(f"PRAGMA max_page_count = {pages + 4}")
        with pytest.raises(DiskFull):
            store.bulk_load([], [(f"s{n}", "r", f"o{n}") for n in range(5000)])
        with pytest.raises(DiskFull):
            for number in range(5000):
                store.apply([AddNode(f"n{number}", text="x" * 500)])
        assert [str(fact) for fact in store.facts()] == ["Ada | likes | Tea"]
    assert check(path).ok


FILL = """
import sys
from graphmem.core.errors import DiskFull
from graphmem.core.edits import AddNode
from graphmem.storage.sqlite import SQLiteStore
store = SQLiteStore.open(sys.argv[1])
done = 0
try:
    while True:
        store.apply([AddNode(f"n{done}", text="x" * 5000)])
        done += 1
except DiskFull as error:
    print(done, "free some space" in str(error))
"""


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_really_full_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True).returncode:
        pytest.skip("this system does not let tests mount a disk")
    try:
        path = disk / "m.db"
        out = subprocess.run([sys.executable, "-c", FILL, str(path)], capture_output=True, text=True, check=True).stdout
        done, found = out.split()
        assert found == "True"
        with SQLiteStore.open(path, read_only=True) as store:
            assert store.stats()["nodes"] == int(done) > 10
        copy = tmp_path / "copy.db"
        copy.write_bytes(path.read_bytes())
        wal = disk / "m.db-wal"
        if wal.exists():
            (tmp_path / "copy.db-wal").write_bytes(wal.read_bytes())
        assert check(copy).ok
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=False)


def test_a_fork_opens_its_own_connection(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.apply([AddNode("parent")])
        child = os.fork()
        if child == 0:
            try:
                store.apply([AddNode("child")])
                os._exit(0)
            except BaseException:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        store.apply([AddNode("again")])
        assert store.stats()["nodes"] == 3


def test_a_fork_in_the_middle_of_anothers_write_does_not_wait_for_it(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.apply([AddNode("parent")])
        with store.connection.writing():
            child = os.fork()
            if child == 0:
                os._exit(0 if store.resolve("parent") is not None else 1)
            assert os.waitpid(child, 0)[1] == 0
            store.apply([AddNode("again")])
        assert store.stats()["nodes"] == 2
