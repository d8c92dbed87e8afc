"""Input of a bulk load, read and checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from operator import itemgetter

import numpy as np

from graphmem.core.errors import InvalidName, InvalidValue
from graphmem.core.names import MAX_NAME, check_name, normalise, normalise_lines, normalise_relation

CHUNK = 8_192  # triples that are read at a time: they fit the processor's cache
SORT_FROM = 50_000  # triples from which a load is sorted
MAX_SPAN = 1 << 30  # largest address range, in bytes, over which names are looked up by address

Columns = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""Subject, relation, object and count of triples."""


class Names:
    """Positions of names. Names of equal normal form share a position.

    ``known`` maps names as written, ``by_norm`` normalised ones; ``shown`` are the first of each as written.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._normalise = normalise_relation if what == "relation" else normalise
        self.shown: list[str] = []
        self.known: dict[str, int] = {}
        self.by_norm: dict[str, int] = {}

    def add(self, name: str) -> int:
        """Position of a name, a new one if it is new."""
        position = self.known.get(name)
        if position is not None:
            return position
        shown = check_name(name, self.what)
        position = self.by_norm.setdefault(self._normalise(shown), len(self.shown))
        if position == len(self.shown):
            self.shown.append(shown)
        self.known[name] = position
        return position

    def add_all(self, names: Sequence[str]) -> np.ndarray:
        """Positions of many names, int64 [n]. Names in plain ASCII are normalised ``CHUNK`` at a time, in C."""
        done = [self._add_plain(chunk) or list(map(self.add, chunk)) for chunk in _chunks(names)]
        return np.fromiter(chain.from_iterable(done), np.int64, len(names))

    def _add_plain(self, names: Sequence[str]) -> Sequence[int] | None:
        """Positions of names that are new, distinct and in printable ASCII; None, and none added, where one is not."""
        if self._normalise is not normalise or set(map(type, names)) != {str}:
            return None
        text = "\n".join(names)
        norms = normalise_lines(text)
        if norms is None or len(norms) != len(names) or max(map(len, norms)) > MAX_NAME or "" in norms:
            return None
        start, new = len(self.shown), dict.fromkeys(norms)
        if len(new) != len(norms) or not self.by_norm.keys().isdisjoint(new):
            return None
        places = range(start, start + len(names))
        self.shown += names
        self.known.update(zip(names, places, strict=True))
        self.by_norm.update(zip(norms, places, strict=True))
        return places


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[start : start + CHUNK] for start in range(0, len(names), CHUNK))


@dataclass(frozen=True, slots=True)
class Load:
    """Content of a load. Positions index the two ``Names``."""

    nodes: Names
    relations: Names
    listed: np.ndarray
    src: np.ndarray
    relation: np.ndarray
    dst: np.ndarray
    count: np.ndarray


class Addresses:
    """Positions of name objects by their addresses.

    The triples of a graph mostly contain the same objects as its list of names, which ``id`` identifies: a table
    look-up takes 0.1 microseconds at a million names, a dict look-up 0.7. The names must outlive this object.
    """

    def __init__(self, names: list[str], positions: np.ndarray) -> None:
        self._names = names
        self._positions = positions
        self._own = np.fromiter(map(id, names), np.int64, len(names))
        self._base = int(self._own.min()) if names else 0
        span = int(self._own.max()) - self._base if names else MAX_SPAN
        self.useful = span < MAX_SPAN
        self._table = np.full((span >> 4) + 1 if self.useful else 0, -1, np.int32)
        if self.useful:
            self._table[(self._own - self._base) >> 4] = np.arange(len(names), dtype=np.int32)

    def find(self, ids: np.ndarray) -> np.ndarray | None:
        """Positions of objects by their ids, int64 [n]; None when one of them is not among the names."""
        slots = (ids - self._base) >> 4
        if len(slots) and (slots.min() < 0 or slots.max() >= len(self._table)):
            return None
        at = self._table[slots]
        return self._positions[at] if (at >= 0).all() and (self._own[at] == ids).all() else None


def read(names: Sequence[str], triples: Iterable[tuple[str, str, str]]) -> Load:
    """Read and check the content of a load.

    Raises:
        InvalidName: an unusable name; the message gives its position.
        InvalidValue: an item that is no triple.
    """
    nodes, relations, held = Names("name"), Names("relation"), list(names)
    try:
        listed = nodes.add_all(held)
    except (InvalidName, TypeError):
        for position, name in enumerate(held):
            _check(name, "name", f"names[{position}]")
        raise
    ends, stream, done, addresses = [], iter(triples), 0, Addresses(held, listed)
    while chunk := list(islice(stream, CHUNK)):
        ends.append(_read_chunk(chunk, done, nodes, relations, addresses))
        done += len(chunk)
    table = np.concatenate(ends, axis=1) if ends else np.zeros((3, 0), np.int64)
    sizes = len(nodes.shown), len(relations.shown)
    return Load(nodes, relations, listed, *distinct(table[0], table[1], table[2], *sizes))


def _read_chunk(
    chunk: list[tuple[str, str, str]], done: int, nodes: Names, relations: Names, addresses: Addresses
) -> np.ndarray:
    """Positions of a chunk's names, int64 [3, F]."""
    if str in set(map(type, chunk)):
        _explain_triple(chunk, done)
    try:
        if set(map(len, chunk)) != {3}:
            raise ValueError("no triples")
        found = _by_address(chunk, relations.known, addresses) if addresses.useful else None
        return _by_name(chunk, nodes.known, relations.known) if found is None else found
    except (KeyError, TypeError, ValueError):
        pass  # a new name, or an error: one by one
    try:
        for subject, relation, object in chunk:
            nodes.add(subject)
            relations.add(relation)
            nodes.add(object)
        return _by_name(chunk, nodes.known, relations.known)
    except (InvalidName, TypeError, ValueError):
        _explain_triple(chunk, done)
        raise


def _by_address(
    chunk: list[tuple[str, str, str]], relations: dict[str, int], addresses: Addresses
) -> np.ndarray | None:
    """Positions of names by address, int64 [3, F]; None, and not tried again, when one is another object."""
    count = len(chunk)
    ends = [addresses.find(np.fromiter(map(id, map(itemgetter(at), chunk)), np.int64, count)) for at in (0, 2)]
    if ends[0] is None or ends[1] is None:
        addresses.useful = False
        return None
    kinds = np.fromiter(map(relations.__getitem__, map(itemgetter(1), chunk)), np.int64, count)
    return np.stack([ends[0], kinds, ends[1]])


def _by_name(chunk: list[tuple[str, str, str]], nodes: dict[str, int], relations: dict[str, int]) -> np.ndarray:
    """Positions of known names, int64 [3, F]. Plain dicts and maps: this takes a third of a load's time."""
    known = (nodes, relations, nodes)
    return np.array([list(map(known[at].__getitem__, map(itemgetter(at), chunk))) for at in range(3)], np.int64)


def _check(name: str, what: str, where: str) -> None:
    try:
        check_name(name, what)
    except InvalidName as error:
        raise InvalidName(f"{where}: {error}") from None


def _explain_triple(chunk: list[tuple[str, str, str]], done: int) -> None:
    for position, triple in enumerate(chunk, done):
        if isinstance(triple, str) or not isinstance(triple, Sequence) or len(triple) != 3:
            raise InvalidValue(f"triple {position} is no (subject, relation, object): {triple!r:.200}")
        for what, name in zip(("subject", "relation", "object"), triple, strict=True):
            _check(name, what, f"triple {position}")


def distinct(src: np.ndarray, relation: np.ndarray, dst: np.ndarray, nodes: int, relations: int) -> Columns:
    """Distinct triples and their counts.

    A small load keeps its order. A large one is sorted by subject and object, the order of the index ``edges_out``,
    which halves the time of building that index.
    """
    low, high = relations.bit_length(), nodes.bit_length()
    if len(src) >= SORT_FROM and low + 2 * high < 64:
        key, count = np.unique(((src << high | dst) << low) | relation, return_counts=True)
        return key >> (low + high), key & ((1 << low) - 1), key >> low & ((1 << high) - 1), count
    return merged(src, relation, dst, np.ones(len(src), np.int64))


def merged(src: np.ndarray, relation: np.ndarray, dst: np.ndarray, count: np.ndarray) -> Columns:
    """Distinct triples, in the order of their first occurrence, and the sums of their counts."""
    table = np.stack([src, relation, dst], axis=1)  # [F, 3]
    _, first, place = np.unique(table, axis=0, return_index=True, return_inverse=True)
    total = np.bincount(place.ravel(), weights=count, minlength=len(first)).astype(np.int64)
    order = np.argsort(first, kind="stable")
    kept = first[order]
    return src[kept], relation[kept], dst[kept], total[order]
