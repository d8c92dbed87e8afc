"""Targets: what exists or is in use is not written over; the disguises of a memory are seen through."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from graphmem.core.errors import DiskFull, GraphMemError, InvalidValue, StoreError
from graphmem.core.files import check_target, replacing


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    for name in ("m.db", "m.db-wal", "m.db-snapshot1", "m.db.schema2"):
        (tmp_path / name).write_text("kept")
    (tmp_path / "sub").mkdir()
    (tmp_path / "link.csv").symlink_to(tmp_path / "m.db")
    (tmp_path / "wal.csv").symlink_to(tmp_path / "m.db-wal")
    (tmp_path / "none.csv").symlink_to(tmp_path / "m.db-shm")
    os.link(tmp_path / "m.db", tmp_path / "hard.csv")
    os.link(tmp_path / "m.db-wal", tmp_path / "hardwal.csv")
    (tmp_path / "also").symlink_to(tmp_path, target_is_directory=True)
    return tmp_path / "m.db"


@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize(
    "name",
    ["m.db", "sub/../m.db", "link.csv", "hard.csv", "wal.csv", "hardwal.csv", "none.csv", "also/m.db", "also/m.db-wal",
     "m.db-wal", "m.db-shm", "m.db-journal", "m.db-snapshot1", "m.db-snapshot7v", "m.db.schema2", "m.db.before-repair",
     "m.db.before-repair.3"],
)  # fmt: skip
def test_the_memory_and_its_files_are_refused_in_any_disguise(memory: Path, name: str, force: bool) -> None:
    with pytest.raises(InvalidValue, match="itself or one of its files"):
        check_target(memory.parent / name, sources=[memory], force=force)
    with pytest.raises(InvalidValue, match="itself or one of its files"):
        check_target(memory.parent / name, sources=[memory.parent / "link.csv"], force=force)


def test_a_relative_path_is_seen_through(memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(memory.parent)
    for name in ("m.db", "./m.db", "sub/../m.db-wal"):
        with pytest.raises(InvalidValue, match="itself"):
            check_target(name, sources=[memory], force=True)


def test_an_existing_file_needs_force(memory: Path) -> None:
    other = memory.parent / "other.csv"
    assert check_target(other, sources=[memory]) == other
    other.write_text("old")
    with pytest.raises(InvalidValue, match="--force"):
        check_target(other, sources=[memory])
    assert check_target(other, sources=[memory], force=True) == other
    (memory.parent / "dangling").symlink_to(memory.parent / "nowhere")
    with pytest.raises(InvalidValue, match="exists"):
        check_target(memory.parent / "dangling")


def test_names_that_only_look_alike_are_free(memory: Path) -> None:
    for name in ("m.db.csv", "m.db-walnut", "m.db2", "xm.db"):
        assert check_target(memory.parent / name, sources=[memory]).name == name


@pytest.mark.parametrize("target", [None, 3, b"x", "a\0b", "\ud800", "/dev/null", "."])
def test_what_is_no_file_is_refused(target: object) -> None:
    with pytest.raises(InvalidValue):
        check_target(target, force=True)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EACCES])
def test_an_error_of_the_disk_is_typed_and_leaves_the_old_file(tmp_path: Path, code: int) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(DiskFull if code == errno.ENOSPC else StoreError), replacing(target):
        raise OSError(code, "text")
    assert target.read_text() == "old" and list(tmp_path.iterdir()) == [target]
    with pytest.raises(GraphMemError), replacing(tmp_path / ("x" * 300)):
        pass
