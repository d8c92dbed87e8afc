"""One wrong bit is found by its checksum."""

from __future__ import annotations

import random
import sqlite3
import zlib
from contextlib import closing

import numpy as np
import pytest

from graphmem.storage.maintenance.check import check
from graphmem.storage.maintenance.repair import repair
from graphmem.storage.maintenance.single_bit import corrected
from graphmem.storage.sqlite import SQLiteStore


def test_every_bit_is_told_from_every_other():
    body, rng = random.Random(0).randbytes(5000), random.Random(1)
    for _ in range(50):
        bad, at = bytearray(body), rng.randrange(len(body))
        bad[at] ^= 1 << rng.randrange(8)
        assert corrected(bytes(bad), zlib.crc32(bad) ^ zlib.crc32(body)) == body
        bad[(at + 9) % len(body)] ^= 5
        assert corrected(bytes(bad), zlib.crc32(bad) ^ zlib.crc32(body)) != bad


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE nodes SET name = 'name 5' WHERE id = 6",
        "UPDATE edges SET dst = dst ^ 4 WHERE id = 8".replace("^ 4", "+ 4 - 2 * (dst & 4)"),
        "UPDATE edges SET strength = 3 WHERE id = 9",
        "UPDATE vectors SET data = x'003c0000000000000000000000000100' WHERE node = 1",
    ],
)
def test_what_no_copy_tells_is_turned_back(tmp_path, statement):
    path = tmp_path / "m.db"
    with SQLiteStore.open(path) as store:
        names = [f"Name {number}" for number in range(40)]
        triples = [(name, "r", names[number // 2]) for number, name in enumerate(names)]
        store.bulk_load(names, triples, np.eye(40, 8), fingerprint="enc")
        right = store.facts(), store.names(range(1, 41)), store.vectors("enc")[1].tolist()
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(statement)
        raw.commit()
    assert not check(path).ok
    _, after = repair(path)
    assert after.ok and not after.lost, str(after)
    with SQLiteStore.open(path) as store:
        assert (store.facts(), store.names(range(1, 41)), store.vectors("enc")[1].tolist()) == right
