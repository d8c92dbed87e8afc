"""Every error that graphmem raises on purpose, in one tree.

GraphMemError
├── InvalidValue (ValueError): InvalidName, InvalidTime, InvalidVector
├── ImportRejected (ValueError)
├── StoreError: NotAMemory (ForeignSchema), NewerSchema, FileReplaced, ReadOnly, DiskFull, Busy, Corrupt,
│   NotFound (KeyError; Ambiguous), Closed, Conflict (NotKept)
├── EncoderMismatch
├── ModelError: ModelNotFound, UnsupportedModel, WeightsMismatch, NotAttached
└── MissingExtra (ImportError)
"""

from __future__ import annotations


class GraphMemError(Exception):
    """Root of every error raised by graphmem on purpose."""


class InvalidValue(GraphMemError, ValueError):
    """An argument cannot be used; the message holds the value and what is expected."""


class InvalidName(InvalidValue):
    """A node or relation name is empty, too long, or holds characters that a name may not hold."""


class InvalidTime(InvalidValue):
    """A time could not be read, or an interval ends before it starts."""


class InvalidVector(InvalidValue):
    """A vector holds NaN, or an array of vectors has the wrong shape."""


class ImportRejected(GraphMemError, ValueError):
    """Lines of an import could not be read.

    Attributes:
        rejects: list of ``(line_number, reason)``, line numbers counted from 1.
    """

    def __init__(self, message: str, rejects: list[tuple[int, str]] | None = None) -> None:
        super().__init__(message)
        self.rejects = rejects or []


class StoreError(GraphMemError):
    """The memory file could not be opened, read or written."""


class NotAMemory(StoreError):
    """The path is a directory, or a file that graphmem did not make."""


class ForeignSchema(NotAMemory):
    """The file holds triggers, views, tables or indexes that graphmem did not make; the message names them."""


class FileReplaced(StoreError):
    """The file was removed or replaced while it was open; what was being written is not acknowledged."""


class NewerSchema(StoreError):
    """The file was written by a later version of graphmem."""


class ReadOnly(StoreError):
    """The file or its folder cannot be written."""


class DiskFull(StoreError):
    """No room is left; the transaction was rolled back and the file is valid."""


class Busy(StoreError):
    """Another writer held the file longer than the time-out."""


class Corrupt(StoreError):
    """The file is damaged; the message names the command that checks and repairs it."""


class NotFound(StoreError, KeyError):
    """No such node, fact or journal entry."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class Ambiguous(NotFound):
    """A name that may mean several nodes; the message names them."""


class Conflict(StoreError):
    """An edit or undo that contradicts a later change."""


class NotKept(Conflict):
    """What was asked for is not in the journal: it was compacted or erased."""


class Closed(StoreError):
    """The memory was used after ``close()``."""


class EncoderMismatch(GraphMemError):
    """Stored vectors were made by another encoder; the message names the command that re-encodes."""


class ModelError(GraphMemError):
    """A model could not be found, fitted or used."""


class ModelNotFound(ModelError):
    """Neither a path, nor an installed package, nor reachable on the hub."""


class UnsupportedModel(ModelError):
    """No stack of decoder layers was found; the message lists what was."""


class WeightsMismatch(ModelError):
    """Weights were made for another width, base model or layout."""


class NotAttached(ModelError):
    """The memory has already been detached from this model."""


class MissingExtra(GraphMemError, ImportError):
    """An optional package is needed; the message names the extra to install."""
