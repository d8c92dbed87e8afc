"""Open memory file: connection, namespace, cached indexes, snapshot."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import Any, Self

from graphmem.core.errors import Busy, GraphMemError, InvalidValue, ReadOnly
from graphmem.core.names import check_name
from graphmem.storage.index import snapshot, vector_cache
from graphmem.storage.index.adjacency_cache import Views
from graphmem.storage.index.fulltext import WordCounts
from graphmem.storage.index.vector_cache import VectorViews
from graphmem.storage.maintenance import erase
from graphmem.storage.tables.connection import MEMORY, Connection
from graphmem.storage.tables.schema import SEARCH_TABLES


class OpenMemory:
    """Open memory file with one namespace of it: the base of the store."""

    def __init__(self, connection: Connection, namespace: str) -> None:
        self.connection = connection
        self.path = connection.path
        self.namespace = check_name(namespace, "namespace")
        self._ns = self._find_namespace()
        file = None if self.path == MEMORY else self.path
        self._views, self._vectors = Views(self._ns, file), VectorViews(self._ns, file)
        self._counts = tuple(map(WordCounts, SEARCH_TABLES))
        self._packing: list[threading.Thread] = []

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, namespace: str = "default", read_only: bool = False) -> Self:
        """Open one of the isolated memories in a file, made when it does not exist.

        ``:memory:`` lives as long as the store. ``read_only`` also opens files and folders that cannot be written.

        Raises:
            NotAMemory: a directory, or a file that graphmem did not make.
            NewerSchema: written by a later graphmem.
            ReadOnly: the file or its folder cannot be written.
        """
        connection = Connection(os.fspath(path), read_only=read_only)
        try:
            if not read_only:
                with suppress(Busy):  # the next one that opens the file does it
                    erase.finish(connection, wait=False)
            return cls(connection, namespace)
        except BaseException:
            connection.close()
            raise

    def __copy__(self) -> Self:
        """The same store: copies of what holds one share the open file."""
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        raise InvalidValue(
            f"an open memory ({self.path}), or what was retrieved from it, cannot be pickled; pass on its path, "
            "or the nodes, facts and passages that were found"
        )

    def _find_namespace(self) -> int:
        sql = "SELECT id FROM namespaces WHERE name = ?"
        row = self.connection.one(sql, (self.namespace,))
        if row is None and not self.connection.read_only:
            with self.connection.writing() as raw:
                raw.execute("INSERT OR IGNORE INTO namespaces(name) VALUES (?)", (self.namespace,))
                row = raw.execute(sql, (self.namespace,)).fetchone()
        return int(row[0]) if row else 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r}, namespace={self.namespace!r})"

    def close(self) -> None:
        """Close the file. A second call does nothing."""
        for thread in self._packing:
            thread.join()
        self.connection.close()

    def snapshot(self, fingerprint: str | None = None) -> str | None:
        """Write the packed snapshot of the file, which makes the next open fast. None for ``:memory:``.

        With a fingerprint, the vector codes of that encoder are kept too.

        Raises:
            ReadOnly: the memory was opened to read.
        """
        if self._views.path is None:
            return None
        if self.connection.read_only:
            raise ReadOnly(f"{self.path} was opened read-only, so no snapshot is written")
        with self.connection.reading() as raw:
            self._views.get(raw, None)
            view = self._views.repacked()
            if fingerprint:
                self._vectors.get(raw, fingerprint)
                vector_cache.write(self.path, fingerprint, self._vectors.repacked(fingerprint))
        with self.connection.values():
            return str(snapshot.write(self.path, view))

    def _pack_in_background(self) -> None:
        """Write the view and the codes of vectors that were just built from the tables, where they are large."""
        view, codes = self._views.worth_packing(), self._vectors.worth_packing()
        if self.connection.read_only or (view is None and codes is None):
            return

        def attempt() -> None:
            with suppress(OSError, GraphMemError):  # a cache; the tables hold everything
                if view is not None:
                    snapshot.write(self.path, view)
                if codes is not None:
                    vector_cache.write(self.path, *codes)

        self._packing = [thread for thread in self._packing if thread.is_alive()]
        self._packing.append(threading.Thread(target=attempt, name="graphmem-snapshot"))
        self._packing[-1].start()
