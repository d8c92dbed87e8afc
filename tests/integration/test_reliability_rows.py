"""Random changes of rows by another program: a repair never fails, and leaves a sound file or says why it is none."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from graphmem.core.edits import AddEdge
from graphmem.storage.maintenance.check import check
from graphmem.storage.maintenance.repair import repair
from graphmem.storage.sqlite import SQLiteStore

TABLES = (
    "nodes", "edges", "relations", "sources", "namespaces", "journal", "journal_sums", "journal_ranges", "touched",
    "edge_sources", "meta", "folds",
)  # fmt: skip
VALUES = (None, -1, 0, 7, 999, 1 << 62, "x", b"\0\xff", 1.5, "")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a load, single facts and two namespaces."""
    path = tmp_path_factory.mktemp("whole") / "m.db"
    with SQLiteStore.open(path) as store:
        people = [f"P {number}" for number in range(60)]
        store.bulk_load(people, [(one, "knows", people[n * 7 % 60]) for n, one in enumerate(people)], source="wiki")
        for number in range(8):
            store.apply([AddEdge(f"A {number}", "lives in", f"C {number}", text="Seen.", source="book")])
    with SQLiteStore.open(path, namespace="two") as store:
        store.apply([AddEdge("x", "y", "z", source="other")])
    return path


def damaged(path: Path, rng: random.Random) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Change one to three rows or tables; yields what was done."""
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA foreign_keys = OFF")
        raw.execute("PRAGMA ignore_check_constraints = ON")
        for _ in range(rng.choice((1, 1, 2, 3))):
            table = rng.choice(TABLES)
            columns = [row[1] for row in raw.execute(f"PRAGMA table_info({table})")]
            keys = raw.execute(f"SELECT {columns[0]} FROM {table} ORDER BY 1").fetchall()
            if not keys:
                continue
            key = rng.choice(keys)
            copied = ", ".join([str(rng.randrange(900, 999)), *columns[1:]])
            change = f"UPDATE {table} SET {rng.choice(columns)} = ? WHERE {columns[0]} = ?"
            done = rng.choice((
                (f"DELETE FROM {table} WHERE {columns[0]} = ?", key),
                (f"DELETE FROM {table}", ()),
                (f"INSERT INTO {table}({', '.join(columns)}) SELECT {copied} FROM {table} WHERE {columns[0]} = ?", key),
                *[(change, (rng.choice(VALUES), *key))] * 3,
            ))  # fmt: skip
            with suppress(sqlite3.Error):
                raw.execute(*done)
                yield done


@pytest.mark.parametrize(
    "seeds", [range(12), pytest.param(range(12, 212), marks=pytest.mark.slow)], ids=["12", "200"]
)  # fmt: skip
def test_no_change_of_rows_stops_a_repair_or_passes_unsaid(whole: Path, tmp_path: Path, seeds: range) -> None:
    unsound = 0
    for seed in seeds:
        path = Path(shutil.copy(whole, tmp_path / f"{seed}.db"))
        done = list(damaged(path, random.Random(seed)))
        before, after = repair(path)
        found = check(path)
        assert found.ok or after.problems, f"{seed}: {done}: {found}"
        assert before.ok or after.restored or after.lost or after.problems, f"{seed}: {done}: {before}"
        if found.ok:
            with SQLiteStore.open(path) as store:
                store.apply([AddEdge("new", "knows", "P 1")])
                assert store.facts(store.resolve("new").id)  # type: ignore[union-attr]
            assert check(path).ok, f"{seed}: {done}"
        unsound += not found.ok
        path.unlink()
    assert unsound <= len(seeds) // 10, "what nothing tells stays, and is said"
