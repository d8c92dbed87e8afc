"""Files to write: targets that may be written, and files that appear whole."""

from __future__ import annotations

import errno
import glob
import os
import re
import secrets
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import blake2b
from pathlib import Path
from typing import Any

from graphmem.core.errors import DiskFull, InvalidValue, ReadOnly, StoreError

SIDE_FILES = ("-wal", "-shm", "-journal")  # suffixes of the side files of SQLite

_BESIDE = re.compile(r"-wal|-shm|-journal|-snapshot.*|\.schema\d.*|\.before-repair.*")  # what belongs to a memory


def check_target(target: Any, *, sources: Iterable[Any] = (), force: bool = False) -> Path:
    """Path of a file that may be written.

    Args:
        sources: files that are read or in use, such as the memory itself. Neither they, under any name or link, nor
            the files that belong to a memory of their name are ever written over.
        force: an existing file may be replaced.

    Raises:
        InvalidValue: no path, a folder or device, one of the sources or its side files, or a file that exists.
    """
    try:
        path = Path(target)
        os.fsencode(path)
        real = Path(os.path.realpath(path))
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"{target!r:.80} is no path of a file: {error}") from None
    for source in sources:
        if _belongs(path, real, Path(os.path.realpath(source))):
            raise InvalidValue(f"{path} is {source} itself or one of its files, and is not written over; name another")
    if real.exists() and not real.is_file():
        raise InvalidValue(f"{path} is no ordinary file; name a file that can be made")
    if os.path.lexists(path) and not force:
        raise InvalidValue(f"{path} exists; name another file, or replace it with --force (force=True)")
    return path


def _belongs(path: Path, real: Path, own: Path) -> bool:
    """Whether a path is a file, or one that belongs to the memory of that name, by name or by link."""
    name = os.path.normcase(real.name)
    beside = name.startswith(os.path.normcase(own.name)) and _BESIDE.fullmatch(name[len(own.name) :])
    if real == own or (beside and real.parent == own.parent):
        return True
    files = [own, *own.parent.glob(f"{glob.escape(own.name)}[-.]*")] if path.exists() else []
    return any(file.exists() and file.samefile(path) for file in files if file == own or _BESIDE.fullmatch(
        file.name[len(own.name) :]
    ))  # fmt: skip


@cache
def machine() -> str:
    """Short mark of this machine and its space of process ids: a process of another one cannot be asked for."""
    with suppress(OSError):
        return blake2b((socket.gethostname() + os.readlink("/proc/self/ns/pid")).encode(), digest_size=4).hexdigest()
    return blake2b(socket.gethostname().encode(), digest_size=4).hexdigest()


@contextmanager
def replacing(target: Path, *, mode: int = 0o666) -> Iterator[Path]:
    """Path of an empty file beside ``target``: moved to it at the end of the block, deleted on an error.

    Raises:
        InvalidValue: the folder does not exist, or the name cannot be used.
        DiskFull, ReadOnly, StoreError: the file cannot be written.
    """
    temporary = target.with_name(f"{target.name}.{os.getpid()}-{machine()}-{secrets.token_hex(4)}.new")
    try:
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL, mode))
        yield temporary
        os.replace(temporary, target)
    except OSError as error:
        if not target.absolute().parent.is_dir():
            raise InvalidValue(f"the folder {target.absolute().parent} does not exist; make it first") from None
        raise _typed(error, target) from error
    finally:
        for suffix in ("", *SIDE_FILES):
            try:
                Path(f"{temporary}{suffix}").unlink(missing_ok=True)
            except OSError:
                continue


def _typed(error: OSError, target: Path) -> Exception:
    reason = f"{target} cannot be written: {error.strerror or error}"
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(f"{reason}; the file is as it was")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return ReadOnly(reason)
    return (
        InvalidValue(reason) if error.errno in (errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR) else StoreError(reason)
    )
