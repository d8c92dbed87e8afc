"""Migration: the copy of the old file, and several processes at once."""

from __future__ import annotations

import gzip
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables import migrations

OLD = Path(__file__).parent / "data" / "schema3.db.gz"
OPEN = "import sys; from graphmem.storage.sqlite import SQLiteStore; SQLiteStore.open(sys.argv[1]).close()"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "m.db"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    return path


def version(path: Path) -> int:
    raw = sqlite3.connect(path)
    found = raw.execute("PRAGMA user_version").fetchone()[0]
    raw.close()
    return int(found)


def test_a_copy_is_never_overwritten(path: Path) -> None:
    kept = migrations.copy_for(str(path), 3)
    kept.write_bytes(b"a copy of another file")
    SQLiteStore.open(path).close()
    assert kept.read_bytes() == b"a copy of another file"
    assert version(migrations.copy_for(str(path), 3, 2)) == 3


def test_the_copy_of_a_killed_migration_is_used_again(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(raw: sqlite3.Connection) -> None:
        raise sqlite3.OperationalError("no")

    with monkeypatch.context() as patched, pytest.raises(Exception, match="no"):
        patched.setitem(migrations.STEPS, 3, fail)
        SQLiteStore.open(path)
    assert (version(path), version(migrations.copy_for(str(path), 3))) == (3, 3)
    SQLiteStore.open(path).close()
    assert not migrations.copy_for(str(path), 3, 2).exists()


def test_processes_that_open_an_old_file_at_once_keep_one_copy_of_it(path: Path) -> None:
    children = [subprocess.Popen([sys.executable, "-c", OPEN, str(path)]) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    copies = list(path.parent.glob("m.db.schema*"))
    assert [version(copy) for copy in copies] == [3]
    assert check(path).ok


def kill_some(path: Path, kills: int) -> None:
    rng, old = random.Random(0), path.read_bytes()
    for _ in range(kills):
        for file in path.parent.glob("m.db*"):
            file.unlink()
        path.write_bytes(old)
        child = subprocess.Popen([sys.executable, "-c", OPEN, str(path)])
        while not list(path.parent.glob("m.db?*")) and child.poll() is None:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.03)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        with SQLiteStore.open(path) as store:
            assert len(store.facts()) == 3
        assert version(migrations.copy_for(str(path), 3)) == 3
        assert check(path).ok


def test_a_killed_migration_leaves_a_valid_file(path: Path) -> None:
    kill_some(path, 4)


@pytest.mark.slow
def test_fifty_killed_migrations(path: Path) -> None:
    kill_some(path, 50)
