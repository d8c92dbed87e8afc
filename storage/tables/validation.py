"""Validation of callers' values: each function returns the value as stored, or raises ``InvalidValue``."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, get_args

import numpy as np

from graphmem.core.edits import AddEdge
from graphmem.core.errors import Conflict, InvalidName, InvalidValue, InvalidVector
from graphmem.core.names import unstorable
from graphmem.core.times import Interval, valid_interval
from graphmem.core.types import SYSTEM_KINDS, FactStatus, Factuality, Place

MAX_TEXT = 1 << 20  # longest text of a node or fact, in characters

MAX_DEPTH = 100  # lists and objects inside each other in attributes

_HOLDERS = (Mapping, list, tuple)


def now_micros() -> int:
    """The clock, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def as_id(value: Any) -> int:
    """An id as int; numpy's integers are fine. Raises ``InvalidValue``: not a whole number of 64 bits."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and abs(int(value)) < 1 << 63:
        return int(value)
    raise InvalidValue(f"an id is a whole number, not {value!r}")


def as_ids(values: Sequence[int] | np.ndarray) -> list[int]:
    """Ids as a list of int, from any sequence or array of whole numbers."""
    if isinstance(values, np.ndarray):
        if values.size and values.dtype.kind not in "iu":
            raise InvalidValue(f"ids are whole numbers, not {values.dtype}")
        return values.ravel().tolist()  # [n]
    return [as_id(value) for value in values]


def name_list(names: Any, what: str) -> Sequence[Any]:
    """A list of names. Raises ``InvalidName``: a single text, whose letters would be taken for names, or no list."""
    if isinstance(names, (str, bytes)) or not isinstance(names, Sequence):
        raise InvalidName(f"{what} must be a list of names, not {names!r:.80}")
    return names


def check_text(text: Any) -> str:
    """Free text: at most ``MAX_TEXT`` characters, valid Unicode, no NUL."""
    if not isinstance(text, str):
        raise InvalidValue(f"text must be str, not {type(text).__name__}")
    if len(text) > MAX_TEXT:
        raise InvalidValue(f"text has {len(text)} characters, {MAX_TEXT} at most; split it into passages")
    if reason := unstorable(text):
        raise InvalidValue(f"text {reason}")
    return text


def check_number(value: Any, what: str, low: float, high: float) -> float:
    """A finite number within bounds."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise InvalidValue(f"{what} must be a number, not {value!r}") from None
    if not math.isfinite(number) or not low <= number <= high:
        raise InvalidValue(f"{what} must lie between {low:g} and {high:g}, not {value!r}")
    return number


def interval(edit: AddEdge) -> Interval:
    """Valid interval of a fact. Raises ``InvalidTime``: it cannot be read, or ends before it starts."""
    return valid_interval(edit.valid_from, edit.valid_to)


Epistemic = tuple[str | None, str | None, str | None, None, int | None, int | None, int | None]
"""Columns ``factuality`` to ``span_end`` of a new fact."""


def epistemic(edit: AddEdge) -> Epistemic:
    """Columns of a fact's factuality, status, qualifiers and place. Raises ``InvalidValue``."""
    for what, value, known in (
        ("factuality", edit.factuality, get_args(Factuality)),
        ("status", edit.status, get_args(FactStatus)),
    ):
        if value not in known:
            raise InvalidValue(f"{what} is one of {', '.join(known)}, not {value!r}")
    place = edit.place
    if place is not None and not isinstance(place, Place):
        raise InvalidValue(f"place must be a Place, not {place!r}")
    span = (None, None, None) if place is None else tuple(map(as_id, (place.passage, place.start, place.end)))
    if place is not None and not 0 <= place.start <= place.end:
        raise InvalidValue(f"place {place} ends before it begins")
    factuality = None if edit.factuality == "asserted" else edit.factuality
    return factuality, None if edit.status == "stated" else edit.status, to_json(edit.qualifiers), None, *span


def to_json(attributes: Mapping[str, Any]) -> str | None:
    """Attributes as JSON text; None when there are none."""
    if not attributes:
        return None
    try:
        text = json.dumps(dict(attributes), ensure_ascii=False, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidValue(f"attributes must be JSON values: {error}") from None
    check_depth(attributes)
    return check_text(text)


def check_depth(value: Any) -> None:
    """Raise ``InvalidValue`` for a value of JSON with more than ``MAX_DEPTH`` lists and objects inside each other."""
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH + 1):
        inner = [part.values() if isinstance(part, Mapping) else part for part in level if isinstance(part, _HOLDERS)]
        if not inner:
            return
        level = [item for part in inner for item in part]
    raise InvalidValue(f"more than {MAX_DEPTH} lists and objects inside each other")


def from_json(text: str | None) -> dict[str, Any]:
    """Attributes from stored JSON text; none for None. Raises ``ValueError``: a damaged file holds something else."""
    found = json.loads(text or "{}")
    if not isinstance(found, dict):
        raise ValueError(f"a JSON object is expected, not {text!r:.80}")
    return found


def merged_json(old: str | None, new: str | None) -> str | None:
    """Two sets of attributes as one; ``new`` wins."""
    if old is None or new is None:
        return new if old is None else old
    return to_json(from_json(old) | from_json(new))


def state_bytes(state: Any) -> bytes:
    """A state vector as float32 bytes. Raises ``InvalidVector``: not one finite vector."""
    array = np.asarray(state, dtype=np.float32)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise InvalidVector(f"a state is one vector of finite numbers, not an array of shape {array.shape}")
    return array.tobytes()


def refuse_record(name: str, kind: str) -> None:
    """Raise ``Conflict`` where a node is a session, episode, passage or mark: these are no entities."""
    if kind in SYSTEM_KINDS:
        raise Conflict(f"{name!r:.80} is the name of a record of graphmem (kind {kind}), which can have no facts")
