"""An open memory whose file is overwritten in its place."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest

from graphmem.core.edits import AddNode
from graphmem.core.errors import FileReplaced
from graphmem.storage import open_file
from graphmem.storage.maintenance.backup import backup, restore, vacuum
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore

KILLED = """
import os, sys
from graphmem.core.edits import AddNode
from graphmem.storage.sqlite import SQLiteStore
store = SQLiteStore.open(sys.argv[1])
for n in range(50):
    store.apply([AddNode(f"old {n}")])
os.kill(os.getpid(), 9)
"""


def other_memory(folder, path, store):
    with SQLiteStore.open(folder / "other.db") as other:
        other.apply([AddNode("other")])
    return folder / "other.db"


def older_backup(folder, path, store):
    backup(path, folder / "older.db")
    for n in range(3):
        store.apply([AddNode(f"later {n}")])
    store.connection.raw.execute("PRAGMA wal_checkpoint")
    store.apply([AddNode("not in the file yet")])
    return folder / "older.db"


def copy_that_went_on(folder, path, store):
    backup(path, folder / "copy.db")
    with SQLiteStore.open(folder / "copy.db") as copy:
        for n in range(9):
            copy.apply([AddNode(f"elsewhere {n}")])
    return folder / "copy.db"


def other_application(folder, path, store):
    with closing(sqlite3.connect(folder / "app.db")) as raw:
        raw.execute("CREATE TABLE t(x)")
    return folder / "app.db"


def no_database(folder, path, store):
    (folder / "text").write_bytes(b"no database " * 999)
    return folder / "text"


SOURCES = [other_memory, older_backup, copy_that_went_on, other_application, no_database]


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("first", ["read", "write", "close"])
def test_bytes_copied_over_an_open_memory_are_noticed_and_left_as_they_are(tmp_path, source, first):
    path = tmp_path / "m.db"
    store = SQLiteStore.open(path)
    store.apply([AddNode("first")])
    copied = source(tmp_path, path, store).read_bytes()
    path.write_bytes(copied)
    if first == "read":
        time.sleep(2 * open_file.READS)
        with pytest.raises(FileReplaced, match="overwritten.* open .* again"):
            store.connection.rows("SELECT * FROM nodes")
    if first == "write":
        with pytest.raises(FileReplaced, match="overwritten.* open .* again"):
            store.apply([AddNode("second")])
        with pytest.raises(FileReplaced):
            store.bulk_load(["third"], [])
    with pytest.warns(RuntimeWarning, match="m.db.log-1"):
        store.close()
    assert path.read_bytes() == copied
    assert (tmp_path / "m.db.log-1").stat().st_size
    if source not in (other_application, no_database):
        with SQLiteStore.open(path) as again:
            again.apply([AddNode("third")])
        assert check(path).ok


def test_what_other_processes_and_sqlite_itself_do_to_a_file_is_no_replacement(tmp_path):
    path = tmp_path / "m.db"
    with SQLiteStore.open(path) as store, SQLiteStore.open(path) as other:
        backup(path, tmp_path / "empty.db")
        for n in range(4):
            (store if n % 2 else other).apply([AddNode(f"n{n}")])
            other.connection.raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
        path.touch()
        path.chmod(0o600)
        (tmp_path / "link").hardlink_to(path)
        store.apply([AddNode("after touch")])
        vacuum(path)
        store.apply([AddNode("after vacuum")])
        restore(tmp_path / "empty.db", path, overwrite=True)
        store.apply([AddNode("after restore")])
        other.connection.raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
        time.sleep(2 * open_file.READS)
        assert [row[0] for row in store.connection.rows("SELECT name FROM nodes")] == ["after restore"]
        other.apply([AddNode("last")])
    assert check(path).ok


def test_a_log_of_another_memory_is_not_read_into_a_copied_file(tmp_path):
    path = tmp_path / "m.db"
    subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    log = Path(f"{path}-wal")
    assert log.stat().st_size
    copied = other_memory(tmp_path, path, None)
    held = copied.read_bytes()
    shutil.copyfile(copied, path)
    for read_only in (False, True):
        with pytest.raises(FileReplaced, match="Move .*-wal away"):
            SQLiteStore.open(path, read_only=read_only)
    assert path.read_bytes() == held
    log.rename(tmp_path / "kept")
    with SQLiteStore.open(path) as store:
        assert [row[0] for row in store.connection.rows("SELECT name FROM nodes")] == ["other"]
    assert check(path).ok


def test_a_half_copied_or_damaged_file_gives_no_wrong_alarm(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.apply([AddNode("first")])
        store.connection.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        root = store.connection.one("SELECT rootpage FROM sqlite_schema WHERE name = 'meta'")[0]
    page = bytearray((tmp_path / "m.db").read_bytes())
    page[(root - 1) * 4096 : root * 4096] = bytes(4096)
    (tmp_path / "damaged.db").write_bytes(page)
    assert open_file.stored_marks(str(tmp_path / "damaged.db")) is None
    (tmp_path / "empty.db").touch()
    assert open_file.stored_marks(str(tmp_path / "empty.db")) is None
    with suppress(FileReplaced):
        open_file.require_own_log(str(tmp_path / "none.db"))


def test_a_restored_backup_of_another_memory_is_read_at_once_by_those_who_have_the_file_open(tmp_path):
    path = tmp_path / "m.db"
    copied = other_memory(tmp_path, path, None)
    with SQLiteStore.open(path) as store:
        store.apply([AddNode("first")])
        store.connection.raw.execute("PRAGMA wal_checkpoint")
        restore(copied, path, overwrite=True)
        stored = open_file.stored_marks(str(path))
        assert stored.identity != open_file.marks(store.connection.raw).identity  # it stands in the log alone
        with SQLiteStore.open(path) as late:
            assert [row[0] for row in late.connection.rows("SELECT name FROM nodes")] == ["other"]
        store.apply([AddNode("second")])
        store.connection.raw.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        store.apply([AddNode("third")])
    assert check(path).ok
