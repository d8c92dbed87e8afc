"""Files that appear whole: written under another name, then moved into place."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from graphmem.core.errors import InvalidValue

SIDE_FILES = ("-wal", "-shm", "-journal")  # suffixes of the side files of SQLite


@contextmanager
def replacing(target: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """Path of an empty file beside ``target``: moved to it at the end of the block, deleted on an error.

    Raises:
        InvalidValue: the folder does not exist.
    """
    temporary = target.with_name(f"{target.name}.{secrets.token_hex(4)}.new")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL, mode))
    except FileNotFoundError:
        raise InvalidValue(f"the folder {target.absolute().parent} does not exist; make it first") from None
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        for suffix in ("", *SIDE_FILES):
            Path(f"{temporary}{suffix}").unlink(missing_ok=True)
