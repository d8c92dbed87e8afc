"""Node vectors: fp16 BLOBs, each under the fingerprint of the encoder that made it.

Vectors are not journalled. ``meta`` keeps their *line* instead: a random token for each write, newest last. A cache of
the state of one of these tokens lacks only vectors of nodes that had none then, or that the journal names; a write
that replaces a vector starts a new line, and so does a repair.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NoReturn

import numpy as np

from graphmem.core.errors import EncoderMismatch, InvalidValue, InvalidVector
from graphmem.core.types import SYSTEM_KINDS
from graphmem.storage.tables.row_images import insert_many

BLOCK = 4096  # vectors that are converted at a time
LINE = 64  # writes that the line keeps


def checked(vectors: np.ndarray, count: int) -> np.ndarray:
    """Vectors as an array of floats, [count, K].

    Raises:
        InvalidVector: wrong count, no width, NaN or infinity, or beyond what fp16 holds.
    """
    array = np.asarray(vectors)
    if array.ndim != 2 or len(array) != count or (count and not array.shape[1]):
        raise InvalidVector(f"expected {count} vectors, an array of shape [{count}, K], not {array.shape}")
    if array.dtype.kind not in "fiu":
        raise InvalidVector(f"vectors must be numbers, not {array.dtype}")
    for start in range(0, count, BLOCK):
        block = array[start : start + BLOCK]
        good = np.abs(block) <= 65504  # the largest fp16; False for NaN
        if not good.all():
            row = start + int(np.flatnonzero(~good.all(axis=1))[0])
            raise InvalidVector(f"vector {row} holds NaN, infinity or a number beyond fp16")
    return array


def encoder_id(raw: sqlite3.Connection, fingerprint: str, dim: int) -> int:
    """Id of an encoder, made when it is new. Raises ``InvalidVector``: the encoder is known with another width."""
    if not isinstance(fingerprint, str) or not fingerprint:
        raise InvalidValue(f"vectors need the fingerprint of their encoder, not {fingerprint!r}")
    row = raw.execute("SELECT id, dim FROM encoders WHERE fingerprint = ?", (fingerprint,)).fetchone()
    if row is None:
        made = raw.execute("INSERT INTO encoders(fingerprint, dim) VALUES (?, ?)", (fingerprint, dim))
        return int(made.lastrowid or 0)
    if row[1] != dim:
        raise InvalidVector(f"encoder {fingerprint!r} makes vectors of width {row[1]}, not {dim}")
    return int(row[0])


def put(raw: sqlite3.Connection, ids: Sequence[int], vectors: np.ndarray, fingerprint: str) -> None:
    """Store checked vectors, replacing older ones of the same nodes. Writes; call it inside a transaction."""
    encoder = encoder_id(raw, fingerprint, vectors.shape[1])
    restart = _any_known(raw, ids)
    for start in range(0, len(ids), BLOCK):
        nodes, block = ids[start : start + BLOCK], vectors[start : start + BLOCK].astype(np.float16)
        pairs = zip(nodes, map(bytes, block), strict=True)
        rows = ((node, data, checksum(node, encoder, data)) for node, data in pairs)
        head, row = "INSERT OR REPLACE INTO vectors(node, data, sum, encoder)", f"(?, ?, ?, {encoder})"
        insert_many(raw, head, row, list(chain.from_iterable(rows)))
    mark(raw, restart=restart)


def checksum(node: int, encoder: int, data: bytes) -> int:
    """CRC-32 of a stored vector, for its node and encoder."""
    return zlib.crc32(data, (node * 31 + encoder) & 0xFFFFFFFF)


def seal(raw: sqlite3.Connection) -> None:
    """Give every stored vector the checksum of what it is. Writes."""
    raw.create_function("vector_sum", 3, checksum, deterministic=True)
    raw.execute("UPDATE vectors SET sum = vector_sum(node, encoder, data)")


def _any_known(raw: sqlite3.Connection, ids: Sequence[int]) -> bool:
    """Whether one of the nodes has a vector already."""
    highest = raw.execute("SELECT max(node) FROM vectors").fetchone()[0] or 0
    older = [node for node in ids if node <= highest]
    sql = "SELECT EXISTS(SELECT 1 FROM json_each(?) j CROSS JOIN vectors v ON v.node = j.value)"
    return bool(older) and bool(raw.execute(sql, (json.dumps(older),)).fetchone()[0])


def line(raw: sqlite3.Connection) -> list[str]:
    """Tokens of the last writes of vectors, newest last."""
    row = raw.execute("SELECT value FROM meta WHERE key = 'vector_line'").fetchone()
    return str(row[0]).split() if row else []


def mark(raw: sqlite3.Connection, *, restart: bool) -> None:
    """Append a token to the line, or start a new line. Writes."""
    tokens = [*([] if restart else line(raw)[1 - LINE :]), secrets.token_hex(6)]
    raw.execute("INSERT OR REPLACE INTO meta(key, value) VALUES ('vector_line', ?)", (" ".join(tokens),))


def read(raw: sqlite3.Connection, ns: int, fingerprint: str) -> tuple[np.ndarray, np.ndarray]:
    """Ids [n] and vectors, float16 [n, K], of the live nodes that this encoder has encoded.

    Raises:
        EncoderMismatch: the namespace holds vectors of other encoders only.
    """
    row = raw.execute("SELECT id, dim FROM encoders WHERE fingerprint = ?", (fingerprint,)).fetchone()
    live = (
        "FROM vectors v CROSS JOIN nodes n ON n.id = v.node "
        f"WHERE +n.ns = ? AND n.retired_at IS NULL AND n.kind NOT IN {SYSTEM_KINDS}"
    )
    sql = f"SELECT v.node, v.data {live} AND v.encoder = ? ORDER BY v.node"
    blocks = list(_blocks(raw.execute(sql, (ns, row[0])))) if row else []
    if not blocks:
        refuse_others(raw, ns, fingerprint)
        return np.zeros(0, np.int64), np.zeros((0, row[1] if row else 0), np.float16)
    return np.concatenate([ids for ids, _ in blocks]), np.concatenate([vectors for _, vectors in blocks])


def read_some(raw: sqlite3.Connection, fingerprint: str, nodes: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Ids [n] and vectors, float32 [n, K], of those of the nodes that this encoder has encoded, by id."""
    sql = (
        "SELECT v.node, v.data FROM json_each(?) j CROSS JOIN vectors v ON v.node = j.value "
        "WHERE v.encoder = (SELECT id FROM encoders WHERE fingerprint = ?)"
    )
    found = raw.execute(sql, (json.dumps(sorted(set(nodes))), fingerprint)).fetchall()
    ids, vectors = _arrays(found) if found else (np.zeros(0, np.int64), np.zeros((0, 0), np.float16))
    return ids, vectors.astype(np.float32)


def scan(raw: sqlite3.Connection, fingerprint: str) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of ids [n] and vectors, float16 [n, K], of all namespaces, by id."""
    sql = "SELECT node, data FROM vectors WHERE encoder = (SELECT id FROM encoders WHERE fingerprint = ?) ORDER BY node"
    yield from _blocks(raw.execute(sql, (fingerprint,)))


def _blocks(cursor: sqlite3.Cursor) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    while rows := cursor.fetchmany(BLOCK):
        yield _arrays(rows)


def _arrays(rows: Sequence[tuple[int, bytes]]) -> tuple[np.ndarray, np.ndarray]:
    """Ids int64 [n] and vectors float16 [n, K] of rows of node and data."""
    data = np.frombuffer(b"".join(blob for _, blob in rows), np.float16)
    return np.asarray([node for node, _ in rows], np.int64), data.reshape(len(rows), -1)


def refuse_others(raw: sqlite3.Connection, ns: int, fingerprint: str) -> None:
    """Raise ``EncoderMismatch`` where the namespace holds vectors; call it when none of them is of this encoder."""
    sql = (
        "SELECT k.fingerprint FROM vectors v JOIN nodes n ON n.id = v.node JOIN encoders k ON k.id = v.encoder "
        f"WHERE n.ns = ? AND n.retired_at IS NULL AND n.kind NOT IN {SYSTEM_KINDS} LIMIT 1"
    )
    other = raw.execute(sql, (ns,)).fetchone()
    if other is not None:
        refuse(other[0], fingerprint)


def refuse(other: str, fingerprint: str) -> NoReturn:
    """Raise ``EncoderMismatch``."""
    raise EncoderMismatch(
        f"the stored vectors were made by encoder {other!r}, not {fingerprint!r}; open the memory with that "
        "encoder, or run `graphmem reencode FILE`"
    )


def without(
    raw: sqlite3.Connection, ns: int, fingerprint: str, limit: int, after: int = 0,
    kinds: str = f"NOT IN {SYSTEM_KINDS}",
) -> list[int]:  # fmt: skip
    """Ids above ``after`` of live nodes of some kinds that this encoder has not encoded, lowest first."""
    sql = (
        "SELECT n.id FROM nodes n LEFT JOIN vectors v ON v.node = n.id "
        "AND v.encoder = (SELECT id FROM encoders WHERE fingerprint = ?) "
        f"WHERE +n.ns = ? AND n.id > ? AND n.retired_at IS NULL AND v.node IS NULL AND n.kind {kinds} "
        "ORDER BY n.id LIMIT ?"
    )
    return [row[0] for row in raw.execute(sql, (fingerprint, ns, after, limit))]
