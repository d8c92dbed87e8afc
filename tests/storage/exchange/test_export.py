"""Targets of exports: the memory is never written over, nothing is without being asked."""

from __future__ import annotations

import errno
import os

import pytest
from click.testing import CliRunner

from graphmem.cli.main import main
from graphmem.core.edits import AddEdge
from graphmem.core.errors import DiskFull, InvalidValue
from graphmem.storage.exchange.export import FORMATS, export
from graphmem.storage.sqlite import SQLiteStore


@pytest.fixture
def path(tmp_path):
    with SQLiteStore.open(tmp_path / "facts") as store:
        store.apply([AddEdge("Ada", "likes", "Tea"), AddEdge("=1+1", "likes", "-2")])
    return tmp_path / "facts"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("force", [False, True])
def test_a_memory_is_never_exported_onto_itself(path, format, force):
    (path.parent / "link").symlink_to(path)
    os.link(path, path.parent / "hard")
    before = path.read_bytes()
    with SQLiteStore.open(path, read_only=True) as store:
        for name in ("facts", "link", "hard", "facts-wal", "facts-snapshot1"):
            with pytest.raises(InvalidValue, match="itself or one of its files"):
                export(store, path.parent / name, format=format, force=force)
    assert path.read_bytes() == before


def test_the_command_asks_before_it_replaces_a_file(path):
    run = lambda *words: CliRunner().invoke(main, ["export", str(path), *map(str, words)])
    assert run(path).exit_code == 1 and run(path, "--force", "--format", "csv").exit_code == 1
    out = path.parent / "out.csv"
    assert run(out).exit_code == 0 and "journal" in run(out, "--force").output
    refused = run(out)
    assert refused.exit_code == 1 and "--force" in refused.output
    assert run("/dev/null").exit_code == 1 and run(path.parent).exit_code == 1
    assert run("-", "--format", "csv").output.startswith("subject,relation")


def test_formulas_are_made_harmless_when_asked(path):
    out = path.parent / "out.csv"
    assert CliRunner().invoke(main, ["export", str(path), str(out), "--spreadsheet-safe"]).exit_code == 0
    assert "\n'=1+1,likes,'-2," in out.read_text()
    back = CliRunner().invoke(main, ["ingest", str(path.parent / "b.db"), str(out), "--spreadsheet-safe", "--json"])
    assert back.exit_code == 0
    with SQLiteStore.open(path.parent / "b.db") as store:
        assert {node.name for node in store.all_nodes()} == {"Ada", "Tea", "=1+1", "-2"}
    with SQLiteStore.open(path) as store, pytest.raises(InvalidValue, match="csv"):
        export(store, path.parent / "x.jsonl", spreadsheet_safe=True)


def test_a_full_disk_leaves_the_old_file(path, monkeypatch):
    out = path.parent / "out.csv"
    out.write_text("old")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with SQLiteStore.open(path, read_only=True) as store, pytest.raises(DiskFull):
        export(store, out, force=True)
    assert out.read_text() == "old" and not list(path.parent.glob("*.new"))


def test_the_command_keeps_to_a_namespace_that_is_named(path):
    with SQLiteStore.open(path, namespace="bob") as store:
        store.apply([AddEdge("Bob", "hides", "Gold")])
    run = lambda *words: CliRunner().invoke(main, ["export", str(path), *words])
    assert "Ada" not in run("-", "-n", "bob").output and "Gold" in run("-", "--namespace", "bob").output
    assert "Gold" not in run("-", "-n", "default").output
    whole = run("-").output
    assert "Ada" in whole and "Gold" in whole and "default, bob" in whole
