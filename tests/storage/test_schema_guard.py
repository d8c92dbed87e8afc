"""Files whose schema is not graphmem's are refused before anything of theirs acts."""

from __future__ import annotations

import gzip
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from graphmem.core.edits import AddEdge
from graphmem.core.errors import Corrupt, ForeignSchema, GraphMemError
from graphmem.storage import schema_guard
from graphmem.storage.maintenance.backup import backup, restore
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables.schema import statements

OLD = Path(__file__).parent / "tables" / "data" / "schema3.db.gz"

HARM = {
    "trigger": "CREATE TRIGGER t AFTER INSERT ON nodes BEGIN DELETE FROM nodes; END",
    "trigger on a view": "CREATE TRIGGER t INSTEAD OF INSERT ON node_texts BEGIN DELETE FROM nodes; END",
    "view": "CREATE VIEW v AS SELECT name FROM nodes",
    "table": "CREATE TABLE extra(x)",
    "generated column": "ALTER TABLE nodes ADD COLUMN g TEXT AS (upper(name))",
    "index of an expression": "CREATE INDEX i ON nodes(upper(name))",
    "partial index": "CREATE INDEX i ON nodes(kind) WHERE kind = 'x'",
    "virtual table": "CREATE VIRTUAL TABLE f USING fts5(x)",
    "renamed column": "ALTER TABLE nodes RENAME COLUMN text TO words",
}
ALTERED = {
    "check": ("norm TEXT NOT NULL,\n    kind", "norm TEXT NOT NULL CHECK(randomblob(9)), kind"),
    "default": ("DEFAULT 'entity'", "DEFAULT (hex(randomblob(99)))"),
    "view": ("coalesce((", "coalesce((SELECT 'x'), ("),
}


@pytest.fixture
def path(tmp_path):
    with SQLiteStore.open(tmp_path / "m.db") as store:
        store.apply([AddEdge("Ada", "likes", "Tea")])
    return tmp_path / "m.db"


def sql(path, *lines):
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("PRAGMA writable_schema = ON")
        for line in lines:
            raw.execute(line)


def refused_everywhere(path, tmp_path):
    before = path.read_bytes()
    for act in (
        lambda: SQLiteStore.open(path),
        lambda: SQLiteStore.open(path, read_only=True),
        lambda: backup(path, tmp_path / "copy.db"),
        lambda: restore(path, tmp_path / "restored.db"),
    ):
        with pytest.raises(ForeignSchema, match="did not make"):
            act()
    assert path.read_bytes() == before
    assert not (tmp_path / "copy.db").exists() and not (tmp_path / "restored.db").exists()


@pytest.mark.parametrize("harm", HARM)
def test_foreign_objects_are_refused_and_reported(path, tmp_path, harm):
    sql(path, HARM[harm])
    refused_everywhere(path, tmp_path)
    assert "schema" in {problem.kind for problem in check(path).problems}


@pytest.mark.parametrize("harm", ALTERED)
def test_altered_objects_are_refused_and_reported(path, tmp_path, harm):
    old, new = (text.replace("'", "''") for text in ALTERED[harm])
    sql(path, f"UPDATE sqlite_schema SET sql = replace(sql, '{old}', '{new}')")
    refused_everywhere(path, tmp_path)
    assert "schema" in {problem.kind for problem in check(path).problems}


def test_a_trigger_of_an_older_file_does_not_run_in_the_migration(tmp_path):
    path = tmp_path / "old.db"
    path.write_bytes(gzip.decompress(OLD.read_bytes()))
    sql(path, "CREATE TRIGGER t AFTER UPDATE ON journal BEGIN DELETE FROM nodes; END")
    before = path.read_bytes()
    with pytest.raises(ForeignSchema, match="trigger 't'"):
        SQLiteStore.open(path)
    assert path.read_bytes() == before


def test_a_missing_table_is_damage(path):
    sql(path, "DROP TABLE access")
    with pytest.raises(Corrupt, match="table access"):
        SQLiteStore.open(path)


def test_statistics_of_sqlite_are_no_foreign_objects(path):
    sql(path, "ANALYZE")
    with SQLiteStore.open(path) as store:
        assert len(store.facts()) == 1


def test_the_text_of_the_schema_gives_what_sqlite_makes_of_it():
    with closing(sqlite3.connect(":memory:")) as raw:
        for statement in statements():
            raw.execute(statement)
        assert schema_guard.differences(raw) == ([], [])
        made = raw.execute("SELECT type, name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'").fetchall()
    assert set(made) == set(schema_guard.own())


def test_every_error_of_a_foreign_file_is_typed(path):
    sql(path, "UPDATE sqlite_schema SET sql = 'CREATE TABLE nodes(' WHERE name = 'nodes'")
    with pytest.raises(GraphMemError):
        SQLiteStore.open(path)
