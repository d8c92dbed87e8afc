"""One wrong bit found by its checksum: every single bit of a block changes a CRC-32 in its own way."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from graphmem.storage.bulk_sums import Block

Rows = dict[int, dict[str, Any]]

_TABLE = [zlib.crc32(bytes([byte])) ^ zlib.crc32(b"\0") for byte in range(256)]
_BACK = {value >> 24: (byte, value) for byte, value in enumerate(_TABLE)}
_BITS = {_TABLE[1 << bit]: bit for bit in range(8)}


def corrected(body: bytes, difference: int) -> bytes | None:
    """The bytes with the one bit turned that changes their checksum by ``difference`` (exclusive or), or None."""
    for at in range(len(body) - 1, -1, -1):
        bit = _BITS.get(difference)
        if bit is not None:
            return body[:at] + bytes([body[at] ^ (1 << bit)]) + body[at + 1 :]
        byte, value = _BACK[difference >> 24]
        difference = ((difference ^ value) << 8 & 0xFFFFFFFF) | byte
    return None


def as_loaded(block: Block, rows: Mapping[int, Mapping[str, Any]]) -> Rows | None:
    """The rows of a load with the one wrong bit turned back; None where it is not a single bit."""
    if not block.by_load or len(rows) != block.last - block.first + 1:
        return None
    ordered = [rows[number] for number in range(block.first, block.last + 1)]
    try:
        if block.table == "nodes":
            body = "\0".join([row[column] for column in ("name", "norm") for row in ordered]).encode()
        else:
            columns = ("src", "rel", "dst", "strength")
            table = np.array([[row[column] for column in columns] for row in ordered], np.float64)
            if not (np.abs(table) < 1 << 53).all() or (table % 1).any():
                return None
            body = table.astype("<i8").tobytes()
        value = zlib.crc32(body, block.first & 0xFFFFFFFF)
        right = corrected(body, value ^ int.from_bytes(block.sum[:4], "little"))
        if right is None:
            return None
        if block.table == "nodes":
            texts = right.decode().split("\0")
            names, norms = texts[: len(ordered)], texts[len(ordered) : 2 * len(ordered)]
            parts: list[dict[str, Any]] = [{"name": a, "norm": b} for a, b in zip(names, norms, strict=True)]
        else:
            found = np.frombuffer(right, "<i8").reshape(-1, 4).tolist()
            parts = [{"src": row[0], "rel": row[1], "dst": row[2], "strength": float(row[3])} for row in found]
    except (TypeError, ValueError, IndexError, UnicodeError):
        return None
    made = {row["id"]: {**row, **part} for row, part in zip(ordered, parts, strict=True)}
    return made if block.holds(made) else None
