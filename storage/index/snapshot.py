"""Snapshot: packed adjacency in a memory-mapped file next to the memory.

It is a cache: its stamp names the memory, and the journal entry with its check value, and later entries are applied
from the journal. It is written under another name and moved into place. It may be deleted at any time.
Its head has a digest, compared when it is mapped. Its arrays have checksums, compared a block at a time when rows are
first used: where one is not right, the file is not used any more, and the index is made from the tables.
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, BinaryIO, Generic, TypeVar

import numpy as np

from graphmem.storage.files import replacing
from graphmem.storage.index.adjacency import CSRIndex, Packed
from graphmem.storage.index.proof import Proof, sums

MAGIC = b"GRAPHMEMSNAP2\n"
ALIGN = 64
LAYOUT = 2
DIGEST = 16  # bytes of the head's digest
PREFIX = len(MAGIC) + 8 + DIGEST  # bytes before the head's text
ARRAYS = ("indptr", "target", "code", "edge")

Index = TypeVar("Index")


@dataclass(frozen=True, slots=True)
class Stamp:
    """State that a snapshot shows.

    Attributes:
        memory: identity of the memory file.
        ns: row of the namespace.
        entry: newest journal entry packed.
        chain: that entry's check value in hex, which differs in another history with the same numbers.
        expires: when a fact next begins or ends by itself, microseconds, or None.
    """

    memory: str
    ns: int
    entry: int
    chain: str
    expires: int | None = None


@dataclass(frozen=True, slots=True)
class View(Generic[Index]):
    """Index of one state of a memory; ``word`` is the token of the vectors' line, of an index of vectors."""

    index: Index
    stamp: Stamp
    word: str = ""


def path_for(memory: str, ns: int) -> Path:
    """Path of the snapshot of a namespace."""
    return Path(f"{memory}-snapshot{ns}")


def codes_path(memory: str, ns: int) -> Path:
    """Path of the vector codes of a namespace."""
    return Path(f"{memory}-snapshot{ns}v")


def drop(memory: str, ns: int) -> None:
    """Delete the snapshot and the codes, if any. Readers that have them mapped keep their view."""
    for path in (path_for(memory, ns), codes_path(memory, ns)):
        path.unlink(missing_ok=True)


def stamp_at(raw: sqlite3.Connection, ns: int, entry: int | None = None, expires: int | None = None) -> Stamp:
    """Stamp of the state after an entry, the newest when None; 0 is the state before the first."""
    if entry is None:
        entry = raw.execute("SELECT max(id) FROM journal").fetchone()[0] or 0
    identity = raw.execute("SELECT value FROM meta WHERE key = 'identity'").fetchone()
    chain = raw.execute("SELECT chain FROM journal WHERE id = ?", (entry,)).fetchone()
    return Stamp(identity[0] if identity else "", ns, entry, chain[0].hex() if chain else "", expires)


def is_true(raw: sqlite3.Connection, stamp: Stamp, ns: int) -> bool:
    """Whether the stamp's entry is part of this memory's history; it is not after a restored backup."""
    return stamp == stamp_at(raw, ns, stamp.entry, stamp.expires)


def write(memory: str, view: View[CSRIndex]) -> Path:
    """Write a snapshot and move it into place."""
    arrays = {name: getattr(view.index.packed, name) for name in ARRAYS}
    head = {"stamp": asdict(view.stamp), "relations": list(view.index.relations)}
    return write_file(path_for(memory, view.stamp.ns), head, arrays)


def write_file(target: Path, head: dict[str, Any], arrays: dict[str, np.ndarray]) -> Path:
    """Write a file of named arrays under another name and move it into place."""
    with replacing(target, mode=0o600) as temporary, temporary.open("wb") as file:
        _write_arrays(file, {"layout": LAYOUT} | head, arrays)
        file.flush()
        os.fsync(file.fileno())
    return target


def _write_arrays(file: BinaryIO, head: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
    at, places = 0, {}
    for name, array in arrays.items():
        places[name] = {"dtype": array.dtype.str, "shape": array.shape, "at": at}
        at += -(-array.nbytes // ALIGN) * ALIGN
    checks = {name: sums(array) for name, array in arrays.items()}
    text = json.dumps(head | {"arrays": places, "bytes": at, "sums": checks}).encode()
    start = -(-(PREFIX + len(text)) // ALIGN) * ALIGN
    lead = MAGIC + len(text).to_bytes(8, "little")
    file.write((lead + _digest(lead + text) + text).ljust(start, b"\0"))
    for array in arrays.values():
        array.tofile(file)
        file.write(bytes(-array.nbytes % ALIGN))


def _digest(head: bytes) -> bytes:
    return blake2b(head, digest_size=DIGEST).digest()


def read(memory: str, ns: int) -> View[CSRIndex] | None:
    """Map the snapshot of a namespace; None when there is none that can be read."""
    try:
        head, arrays = read_file(path_for(memory, ns))
        spans, arcs = (proof(head, arrays, names) for names in (ARRAYS[:1], ARRAYS[1:]))
        columns = arrays["indptr"], arrays["target"], arrays["code"], arrays["edge"]
        packed = Packed(*columns, spans_proof=spans, arcs_proof=arcs)
        return View(CSRIndex(packed, head["relations"]), Stamp(**head["stamp"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # missing, damaged or of another layout


def proof(head: dict[str, Any], arrays: dict[str, np.ndarray], names: Sequence[str]) -> Proof:
    """Checksums of arrays of a file whose rows are used together."""
    return Proof([arrays[name] for name in names], [head["sums"][name] for name in names])


def read_file(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Map a file that ``write_file`` wrote: its head, which is compared with its digest, and its arrays, which are not.

    Raises:
        OSError, ValueError, KeyError, TypeError: there is none, or it is not what was written.
    """
    mapped = np.memmap(path, mode="r")
    lead = bytes(mapped[: len(MAGIC) + 8])
    length = int.from_bytes(lead[len(MAGIC) :], "little")
    text = bytes(mapped[PREFIX : PREFIX + min(length, len(mapped))])
    if lead[: len(MAGIC)] != MAGIC or bytes(mapped[len(lead) : PREFIX]) != _digest(lead + text):
        raise ValueError("not a snapshot, or a damaged one")
    head = json.loads(text)
    start = -(-(PREFIX + length) // ALIGN) * ALIGN
    if head["layout"] != LAYOUT or len(mapped) != start + head["bytes"]:
        raise ValueError("cut short, or of another layout")
    arrays = {}
    for name, place in head["arrays"].items():
        dtype, shape = np.dtype(place["dtype"]), tuple(place["shape"])
        begin = start + place["at"]
        plain = np.asarray(mapped[begin : begin + int(np.prod(shape)) * dtype.itemsize])
        arrays[name] = plain.view(dtype).reshape(shape)
    return head, arrays
