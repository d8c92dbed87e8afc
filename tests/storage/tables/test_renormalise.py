"""A file of schema 3 that holds spellings of one name as nodes of their own; the code of schema 3 wrote it."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphmem.core.edits import Restore
from graphmem.core.errors import Conflict
from graphmem.storage.maintenance.check import check
from graphmem.storage.sqlite import SQLiteStore

DATA = Path(__file__).parent / "data" / "twins3.gz"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "twins.db"
    made.write_bytes(gzip.decompress(DATA.read_bytes()))
    return made


@pytest.fixture
def twins(path: Path) -> Iterator[SQLiteStore]:
    store = SQLiteStore.open(str(path))
    yield store
    store.close()


def rows(store: SQLiteStore) -> dict[str, list[tuple[object, ...]]]:
    tables = ("nodes", "aliases", "edges", "edge_sources")
    return {table: sorted(store.connection.rows(f"SELECT * FROM {table}"), key=str) for table in tables}


def test_spellings_of_one_name_are_merged(twins: SQLiteStore) -> None:
    found = [str(fact) for fact in twins.facts() if fact.relation != "r_x"]
    assert found == [
        "O'Brien | lives in | Oslo", "O'Brien | lives in | Bergen", "istanbul | is | city", "istanbul | in | Türkiye",
        "José Núñez | knows | Jean-Luc", "zero\u200bwidth | knows | José Núñez",
    ]  # fmt: skip
    oslo = twins.facts(twins.find("o’brien").id, "lives_in", twins.find("Oslo").id)[0]
    assert twins.edge(oslo.id or 0).strength == 2.0
    jean = twins.find("JEAN—LUC")
    assert (jean.text, jean.aliases) == ("captain", ("JL's", "Locutus’", "Picard"))
    assert twins.find("LOCUTUS'").id == jean.id == twins.find("jl’s").id
    assert len([fact for fact in twins.facts(relation="r x")]) == 20


def test_a_retired_twin_stays_retired(twins: SQLiteStore) -> None:
    names = [node.name for node in twins.all_nodes()]
    assert "zero\u200bwidth" in names and "zerowidth" not in names
    assert twins.find("zerowidth").name == "zero\u200bwidth"


def test_every_namespace_is_migrated_in_one_entry(twins: SQLiteStore, path: Path) -> None:
    assert [entry.action for entry in twins.journal(2)] == ["migrate", "bulk_load"]
    assert "23 nodes merged" in twins.journal(1)[0].note
    with SQLiteStore.open(str(path), namespace="two") as two:
        assert [str(fact) for fact in two.facts()] == ["A-B | r | c"]
        assert [entry.action for entry in two.journal(1)] == ["migrate"]


def test_the_migrated_file_is_sound_and_searched_by_folded_names(twins: SQLiteStore, path: Path) -> None:
    assert check(path).problems == ()
    assert twins.find("jose nunez").name == "José Núñez"
    twins.close()
    with SQLiteStore.open(str(path)) as again:
        assert again.journal(1)[0].action == "migrate" and len(again.facts()) == 26


def test_the_migration_is_undone_and_done_again_exactly(twins: SQLiteStore) -> None:
    after, entry = rows(twins), twins.journal(1)[0]
    twins.undo(entry.id)
    assert len(twins.facts()) == 28 and twins.stats()["nodes"] == 53
    twins.redo(entry.id)
    assert rows(twins) == after


def test_a_merged_spelling_is_not_restored_beside_its_twin(twins: SQLiteStore) -> None:
    merged = twins.connection.one("SELECT id FROM nodes WHERE name = ?", ("O’Brien",))[0]
    with pytest.raises(Conflict, match="merged"):
        twins.apply([Restore(merged, "node")])
