"""What stands beside a memory when another file takes its place, and what killed processes leave."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from graphmem.core.edits import AddEdge
from graphmem.core.errors import Busy, InvalidValue
from graphmem.core.files import machine
from graphmem.storage.exchange.export import export
from graphmem.storage.exchange.load_dump import load_jsonl
from graphmem.storage.files import claimed, replacing, side_files, sweep
from graphmem.storage.maintenance.backup import backup, restore
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore

KILLED = """
import os, sys
from graphmem.core.edits import AddEdge
from graphmem.storage.sqlite import SQLiteStore
store = SQLiteStore.open(sys.argv[1])
store.apply([AddEdge(f"old {n}", "is", "old") for n in range(300)])
store.snapshot()
os._exit(9)
"""


def killed_writer(path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert Path(f"{path}-wal").stat().st_size


def subjects(path: Path) -> set[str]:
    with SQLiteStore.open(path) as store:
        return {fact.subject for fact in store.facts()}


@pytest.fixture
def other(tmp_path: Path) -> Path:
    with SQLiteStore.open(tmp_path / "other.db") as store:
        store.apply([AddEdge("new", "is", "new")])
    return tmp_path / "other.db"


@pytest.mark.parametrize("way", ["import", "restore", "backup"])
@pytest.mark.parametrize("removed", [True, False])
def test_the_log_of_an_older_file_is_not_read_as_part_of_the_new_one(tmp_path, other, way, removed):
    path = tmp_path / "m.db"
    killed_writer(path)
    if removed or way == "import":
        path.unlink()
    if way == "import":
        with SQLiteStore.open(other) as store:
            export(store, tmp_path / "d.jsonl")
        load_jsonl(tmp_path / "d.jsonl", path)
    elif way == "restore":
        restore(other, path, overwrite=True)
    else:
        backup(other, path, overwrite=True)
    assert subjects(path) == {"new"}
    assert check(path).ok


def test_the_log_is_in_the_old_file_before_it_is_replaced(tmp_path):
    path = tmp_path / "m.db"
    killed_writer(path)
    with claimed(path):
        assert side_files(path) == []
    assert "old 299" in subjects(path)


def test_a_memory_in_use_is_not_replaced(tmp_path, other):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.apply([AddEdge("held", "is", "here")])
        with pytest.raises(Busy, match="in use"):
            backup(other, tmp_path / "m.db", overwrite=True)
        store.apply([AddEdge("held", "is", "still here")])
    assert subjects(tmp_path / "m.db") == {"held"}
    assert not list(tmp_path.glob("*.new"))


@pytest.mark.parametrize("disguise", ["link", "hard link", "log"])
def test_a_memory_is_never_its_own_backup(tmp_path, other, disguise):
    name = tmp_path / "name.db"
    if disguise == "log":
        name = Path(f"{other}-wal")
    else:
        (os.symlink if disguise == "link" else os.link)(other, name)
    for act in (backup, restore):
        with pytest.raises(InvalidValue, match="itself"):
            act(other, name, overwrite=True)
    assert subjects(other) == {"new"}


def test_files_of_killed_processes_are_swept_at_the_next_open(tmp_path):
    path, gone = tmp_path / "m.db", subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = [
        tmp_path / f"m.db.{gone.pid}-{machine()}-01234567.new",
        tmp_path / f"copy.db.{gone.pid}-{machine()}-01234567.new-journal",
        tmp_path / "m.db.0123abcd.new",
        tmp_path / "m.db-snapshot1.0123abcd.new",
    ]
    kept = [
        tmp_path / f"m.db.{os.getpid()}-{machine()}-01234567.new",
        tmp_path / f"m.db.{gone.pid}-00000000-01234567.new",
        tmp_path / "m.db.fedcba98.new",
        tmp_path / "other.0123abcd.new",
        tmp_path / "what is.new",
    ]
    for file in (*left, *kept):
        file.write_text("half")
    for file in (*left, *kept[3:]):
        os.utime(file, (0, 0))
    SQLiteStore.open(path).close()
    assert [file.name for file in left if file.exists()] == []
    assert [file.name for file in kept if not file.exists()] == []


def test_a_killed_import_leaves_nothing_for_long(tmp_path):
    code = (
        "import os, sys; from pathlib import Path; from graphmem.storage.files import replacing\n"
        "with replacing(Path(sys.argv[1])) as file:\n    file.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "m.db")], check=False)
    assert len(list(tmp_path.iterdir())) == 1
    sweep(tmp_path / "m.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_memory_is_replaced_as_any_other(tmp_path):
    target = tmp_path / "notes.txt"
    target.write_text("old")
    with replacing(target) as temporary:
        temporary.write_text("new")
    assert target.read_text() == "new"
    raw = sqlite3.connect(tmp_path / "plain.db")
    raw.execute("CREATE TABLE t(x)")
    raw.execute("BEGIN IMMEDIATE")
    with pytest.raises(Busy), replacing(tmp_path / "plain.db") as temporary:
        temporary.write_text("new")
    raw.close()
