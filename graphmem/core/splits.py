"""Train, dev and test splits, fixed by the names of entities and passages."""

from __future__ import annotations

from hashlib import blake2b, sha256
from typing import Literal

from graphmem.core.names import normalise

Split = Literal["train", "dev", "test"]
Use = Literal["encoder", "network", "calibration"]


def data_split(name: str) -> Split:
    """Return the split of an entity or relation: 80 % train, 10 % dev, 10 % test, fixed by its normalised name."""
    bucket = int.from_bytes(blake2b(normalise(name).encode(), digest_size=4).digest(), "big") % 100
    if bucket < 80:
        return "train"
    return "dev" if bucket < 90 else "test"


def passage_split(title: str) -> Split:
    """Return the split of a shipped passage of ordinary text; stories are hidden in ``test`` alone."""
    if data_split(title) != "train":
        return "train"
    return "dev" if data_split(f"passage {title}") == "dev" else "test"


def held(key: str, parts: int = 8) -> bool:
    """Whether a row of a data set is held out: never trained on. One of ``parts``, by the hash of its key."""
    return int(sha256(key.encode()).hexdigest(), 16) % parts == 0


def use_of(key: str) -> Use:
    """What a row is for: one of 16 for calibration, one of 16 for what is trained on readings, else the encoder.

    Rows that are not the encoder's are those that ``held`` holds out.
    """
    if not held(key):
        return "encoder"
    return "calibration" if held(key, 16) else "network"
