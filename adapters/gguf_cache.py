"""Cached conversion of GGUF files: a folder of safetensors and JSON files, made once, from which a model loads at once.

The folder lies in the user's cache (or in ``$GRAPHMEM_CACHE``) under a name made of the GGUF file's content, the dtype
and the version of transformers. It is written under another name and moved into place whole; a manifest holds the size
and a checksum of every file, so that a damaged folder is noticed and made again.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

_FORMAT, _MANIFEST, _UNFINISHED = 1, "manifest.json", ".unfinished-"
_BLOCK = 1 << 15
_STALE = 3600  # seconds after which an unfinished folder is that of a killed process


def cache_folder() -> Path:
    """The folder of cached conversions: ``$GRAPHMEM_CACHE``, else the user's cache folder."""
    from platformdirs import user_cache_dir

    return Path(os.environ.get("GRAPHMEM_CACHE") or user_cache_dir("graphmem", appauthor=False)).expanduser()


@contextmanager
def converted(gguf: Path, dtype: str, convert: Callable[[Path], None]) -> Iterator[Path]:
    """A block in which the folder of the converted model can be read; it is made where it is missing or damaged.

    Args:
        gguf: the file.
        dtype: name of the torch dtype of the weights.
        convert: writes the converted model into an empty folder.
    """
    version = f"{_FORMAT} {metadata.version('transformers')} {dtype} {gguf.stat().st_size} {checksum(gguf)}"
    root = cache_folder()
    folder = root / f"{gguf.stem}-{blake2b(version.encode(), digest_size=10).hexdigest()}"
    if is_whole(folder):
        yield folder
        return
    try:
        root.mkdir(parents=True, exist_ok=True)
        _remove_stale(root)
        made = _made(root, convert)
    except OSError as error:
        warnings.warn(
            f"the converted model cannot be kept in {root} ({error}), so every start converts it again; "
            "name a folder that can be written in GRAPHMEM_CACHE",
            stacklevel=2,
        )
        made = _made(None, convert)
    try:
        yield _moved(made, folder) if made.parent == root else made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _made(root: Path | None, convert: Callable[[Path], None]) -> Path:
    """A new folder with the converted model and its manifest, in ``root`` or among temporary files."""
    made = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=root))
    try:
        convert(made)
        files = {path.name: _state(path) for path in sorted(made.iterdir())}
        (made / _MANIFEST).write_text(json.dumps(files), encoding="utf-8")
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return made


def is_whole(folder: Path) -> bool:
    """Whether every file of a cached folder has the size and the checksum that its manifest gives."""
    try:
        files = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        return "model.safetensors" in files and all(_state(folder / name) == state for name, state in files.items())
    except (OSError, ValueError, TypeError, AttributeError):
        return False


def checksum(path: Path) -> str:
    """Digest over the sums of a file's blocks: differs after any change of one byte, and takes little time."""
    whole = path.stat().st_size // _BLOCK * _BLOCK
    digest = blake2b(digest_size=10)
    if whole:
        blocks = np.memmap(path, np.uint64, "r", shape=(whole // _BLOCK, _BLOCK // 8))
        digest.update(blocks.sum(1, dtype=np.uint64).tobytes())
    with open(path, "rb") as file:
        file.seek(whole)
        digest.update(file.read())
    return digest.hexdigest()


def _state(path: Path) -> list[Any]:
    return [path.stat().st_size, checksum(path)]


def _moved(made: Path, folder: Path) -> Path:
    """The finished folder at its place, where another process may have put one, or a damaged one may lie."""
    for _ in range(3):
        with suppress(OSError):
            return made.rename(folder)
        if is_whole(folder):
            return folder
        aside = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=folder.parent))
        with suppress(OSError):
            folder.rename(aside / "damaged")
        shutil.rmtree(aside, ignore_errors=True)
    return made


def _remove_stale(root: Path) -> None:
    for path in root.glob(f"{_UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > _STALE:
                shutil.rmtree(path, ignore_errors=True)
