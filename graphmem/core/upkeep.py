"""What rewrites the history of a memory, on request of its user: compaction and erasure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from graphmem.core.errors import InvalidTime
from graphmem.core.times import Time, to_micros
from graphmem.core.types import Node
from graphmem.core.validation import typed


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure removes, or has removed.

    Attributes:
        done: False for a report of what would be removed.
        names: normalised names and aliases that are searched for.
        nodes: nodes, with those merged into it, sessions, marks of texts read, and values that only it used.
        facts: facts, ended and retired ones included.
        entries: journal entries that are rewritten.
        sources: sources that only its facts used.
        passages: passages and episodes that name it; removed only where that was asked for.
        mentions: other texts that name it, such as ``text of fact 3``; emptied together with the passages. Other nodes
            and files to erase it from are only named.
        copies: files beside the memory that hold an earlier state of it; removed only where that was asked for.
        before, after: bytes of the file.
    """

    done: bool
    names: tuple[str, ...]
    nodes: int
    facts: int
    entries: int
    sources: int
    passages: tuple[str, ...]
    mentions: tuple[str, ...]
    copies: tuple[str, ...]
    before: int
    after: int

    def __str__(self) -> str:
        head = "erased" if self.done else "would be erased"
        counts = ("nodes", "facts", "entries", "sources")
        lines = [f"{head}: {', '.join(f'{getattr(self, count):,} {count}' for count in counts)}"]
        for what in ("names", "passages", "mentions", "copies"):
            lines += [f"{what}:", *(f"  {one}" for one in getattr(self, what))] if getattr(self, what) else []
        return "\n".join(lines)


@typed
class Upkeep:
    """Base of a memory with a store."""

    @property
    def store(self) -> Any:
        """The store below."""
        raise NotImplementedError

    def stats(self) -> dict[str, Any]:
        """Counts of nodes, facts, relations, journal entries and vectors, and the size of the file in bytes."""
        counts: dict[str, Any] = self.store.stats()
        return counts

    def compact(self, *, before: Time, progress: bool = False) -> tuple[int, int]:
        """Make the file smaller: drop what entries recorded before a time changed. Bytes before and after.

        The entries keep their times, actions and notes. They can no more be undone, nor ``known_at`` be asked of an
        earlier time: both raise ``NotKept``.

        Args:
            before: the time; undo and ``known_at`` of what was recorded from then on keep working.
            progress: show a progress bar.

        Raises:
            InvalidTime: ``before`` cannot be read. ReadOnly: the memory was opened to read.
            Corrupt: the journal is damaged; run ``graphmem repair`` first.
        """
        moment = to_micros(before)
        if moment is None:
            raise InvalidTime("compact() needs a time: what was recorded before it is compacted")
        sizes: tuple[int, int] = self.store.compact(moment, progress=progress)
        return sizes

    def erase(
        self, node: str | int | Node, *, dry_run: bool = True, passages: bool = False, copies: bool = False
    ) -> Erasure:
        """Erase a person or thing from the file, history included; or report what that would remove.

        Erased are its node, names, facts (ended and retired ones too), values that nothing else uses, sessions and
        episodes that name it, marks of texts read about it, sources of its own, its journal images and vectors. The
        search indexes, the check values of the journal and the file are made anew. It cannot be undone.

        Args:
            node: name, alias, id or node; also of one that was retired or undone.
            dry_run: only report; False erases.
            passages: also remove passages that name it, and empty other texts, sources, relations and aliases that
                do; the report lists them.
            copies: also remove copies of the memory beside it (before a repair or migration, backups).

        Raises:
            NotFound: nothing has that name. Conflict: an alias of several nodes; give an id.
            Corrupt: the journal is damaged. Busy: another process reads the file; see the message.
        """
        wanted = node.id if isinstance(node, Node) else node
        report: Erasure = self.store.erase(wanted, dry_run=dry_run, passages=passages, copies=copies)
        return report
