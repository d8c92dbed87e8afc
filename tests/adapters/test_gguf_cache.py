"""A conversion is kept once, whole, and made again when anything about it or its source is not as it was."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from graphmem.adapters import gguf_cache
from graphmem.adapters.gguf_cache import checksum, converted, is_whole

WEIGHTS = bytes(range(256)) * 300  # more than two blocks, and a rest


@pytest.fixture
def gguf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRAPHMEM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "m.gguf").write_bytes(b"source" * 9000)
    return tmp_path / "m.gguf"


@pytest.fixture
def calls() -> list[Path]:
    return []


@pytest.fixture
def convert(calls: list[Path]) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        calls.append(folder)
        (folder / "model.safetensors").write_bytes(WEIGHTS)
        (folder / "config.json").write_text("{}")

    return write


def read(gguf: Path, convert: Callable[[Path], None], dtype: str = "bfloat16") -> Path:
    with converted(gguf, dtype, convert) as folder:
        assert (folder / "model.safetensors").read_bytes() == WEIGHTS
        return folder


def test_it_is_made_once_for_each_source_and_dtype(
    gguf: Path, convert: Callable[[Path], None], calls: list[Path]
) -> None:
    first = read(gguf, convert)
    assert read(gguf, convert) == first and len(calls) == 1
    assert read(gguf, convert, "float32") != first and len(calls) == 2
    gguf.write_bytes(gguf.read_bytes()[:-1] + b"!")  # the same size
    assert read(gguf, convert) != first and len(calls) == 3
    assert [p.name for p in first.parent.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("place", [0, 40_000, len(WEIGHTS) - 1])
def test_one_changed_byte_anywhere_makes_it_again(
    gguf: Path, convert: Callable[[Path], None], calls: list[Path], place: int
) -> None:
    file = read(gguf, convert) / "model.safetensors"
    file.write_bytes(WEIGHTS[:place] + bytes([WEIGHTS[place] ^ 1]) + WEIGHTS[place + 1 :])
    assert not is_whole(file.parent)
    read(gguf, convert)
    assert len(calls) == 2 and is_whole(file.parent)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "manifest.json"])
@pytest.mark.parametrize("damage", ["removed", "cut", "emptied", "garbled"])
def test_a_damaged_or_half_folder_is_made_again(
    gguf: Path, convert: Callable[[Path], None], calls: list[Path], name: str, damage: str
) -> None:
    file = read(gguf, convert) / name
    if damage == "removed":
        file.unlink()
    else:
        file.write_bytes({"cut": file.read_bytes()[:-1], "emptied": b"", "garbled": b"[1]"}[damage])
    read(gguf, convert)
    assert len(calls) == 2


def test_a_file_in_the_place_of_the_folder_is_replaced(gguf: Path, convert: Callable[[Path], None]) -> None:
    folder = read(gguf, convert)
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    folder.write_text("no folder")
    assert read(gguf, convert) == folder and is_whole(folder)


def test_blocks_in_another_order_are_another_file(tmp_path: Path) -> None:
    one, other = b"a" * gguf_cache._BLOCK, b"b" * gguf_cache._BLOCK
    (tmp_path / "x").write_bytes(one + other)
    (tmp_path / "y").write_bytes(other + one)
    (tmp_path / "empty").write_bytes(b"")
    assert len({checksum(tmp_path / name) for name in ("x", "y", "empty")}) == 3


def test_an_interrupted_conversion_leaves_nothing(gguf: Path, convert: Callable[[Path], None]) -> None:
    def stopped(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), converted(gguf, "bfloat16", stopped):
        raise AssertionError("never read")
    assert list(gguf_cache.cache_folder().iterdir()) == []
    read(gguf, convert)


def test_the_folders_of_killed_processes_are_removed_later(gguf: Path, convert: Callable[[Path], None]) -> None:
    root = gguf_cache.cache_folder()
    for name in (".unfinished-old", ".unfinished-new"):
        (root / name).mkdir(parents=True)
    long_ago = time.time() - 2 * gguf_cache._STALE
    os.utime(root / ".unfinished-old", (long_ago, long_ago))
    read(gguf, convert)
    assert not (root / ".unfinished-old").exists() and (root / ".unfinished-new").exists()


def test_without_a_place_to_write_a_temporary_folder_serves(
    gguf: Path, convert: Callable[[Path], None], calls: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHMEM_CACHE", str(gguf / "inside a file"))
    with pytest.warns(UserWarning, match="GRAPHMEM_CACHE"):
        folder = read(gguf, convert)
    assert not folder.exists() and len(calls) == 1


def test_a_full_disk_leaves_a_temporary_folder(gguf: Path, convert: Callable[[Path], None]) -> None:
    def full(folder: Path) -> None:
        if folder.parent == gguf_cache.cache_folder():
            raise OSError(28, "No space left on device")
        convert(folder)

    with pytest.warns(UserWarning, match="No space left"):
        assert not read(gguf, full).exists()
    assert list(gguf_cache.cache_folder().iterdir()) == []


def test_processes_at_once_end_with_one_whole_folder(gguf: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path\n"
        "from graphmem.adapters.gguf_cache import converted, is_whole\n"
        "def convert(folder):\n"
        "    (folder / 'model.safetensors').write_bytes(b'w' * 100_000); time.sleep(0.3)\n"
        "with converted(Path(sys.argv[1]), 'bfloat16', convert) as folder:\n"
        "    assert is_whole(folder), folder\n"
    )
    running = [subprocess.Popen([sys.executable, "-c", code, str(gguf)]) for _ in range(4)]
    assert [process.wait(60) for process in running] == [0, 0, 0, 0]
    (folder,) = gguf_cache.cache_folder().iterdir()
    assert is_whole(folder)
