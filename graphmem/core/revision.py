"""Revision of a memory: plans applied, entries undone and redone, facts pinned, nodes merged, history read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphmem.core.edits import JournalEntry, MergeNodes, PinEdge
from graphmem.core.errors import Conflict
from graphmem.core.types import Fact
from graphmem.core.validation import id_of, require, typed


@typed
class Revision:
    """Base of a memory with a store."""

    @property
    def store(self) -> Any:
        """The store below."""
        raise NotImplementedError

    def pin(self, fact: Fact | int) -> JournalEntry:
        """Pin a fact, given itself or by id: reading and consolidation change nothing about it; only its user does."""
        return self.store.apply([PinEdge(id_of(fact))], action="pin")

    def unpin(self, fact: Fact | int) -> JournalEntry:
        """Let a pinned fact go."""
        return self.store.apply([PinEdge(id_of(fact), pinned=False)], action="unpin")

    def apply(self, plan: Any, *, accept: Any = (), note: str = "") -> JournalEntry:
        """Write a plan of ``model.read``, noted by its text, or a list of edits, in one transaction.

        Args:
            accept: offers of the plan to write too: "all"; or positions in ``plan.proposed``, names of objects, or
                facts of it, one or several.
            note: of the journal entry.

        Raises:
            InvalidValue: ``accept`` names what the plan does not offer.
            Conflict: the plan changes a fact that was pinned since; read the text again.
        """
        if isinstance(plan, Sequence):
            return self.store.apply(list(plan), action="apply", note=note)
        require(hasattr(plan, "edits_with"), "plan", plan, "a plan of model.read, or a list of edits")
        changed = plan.changed(accept)
        if found := changed.intersection(self.store.pinned() if changed else ()):
            raise Conflict(f"the plan changes facts that are pinned now: {sorted(found)}; read the text again")
        text = " ".join(plan.text[:400].replace("\0", " ").split())[:200]
        entry = self.store.apply(plan.edits_with(accept), action="read", note=note or text)
        plan.finish(self.store)
        return entry

    def merge(self, keep: str, absorb: str) -> JournalEntry:
        """Merge two nodes: the facts and names of ``absorb`` move to ``keep``."""
        return self.store.apply([MergeNodes(self.store.find(keep).id, self.store.find(absorb).id)], action="merge")

    def undo(self, entry: Any = None) -> JournalEntry:
        """Revert one journal entry: what it changed is as before. The latest one that is not undone when None.

        A node that later entries use stays, without what the entry said about it. All entries of a result of
        ``add_passages`` are reverted, the last one first.

        Raises:
            NotFound: no such entry. Conflict: later entries changed the same; undo those first.
            NotKept: it is an erasure, or lies before a compaction.
        """
        if entry is not None and not isinstance(entry, (JournalEntry, int)):
            require(hasattr(entry, "undo"), "entry", entry, "a journal entry or its id, a whole number")
            return entry.undo(self.store)
        return self.store.undo(entry.id if isinstance(entry, JournalEntry) else entry)

    def redo(self, entry: JournalEntry | int | None = None) -> JournalEntry:
        """Apply an undone entry again; the latest undone one when None."""
        return self.store.redo(entry.id if isinstance(entry, JournalEntry) else entry)

    def history(self, name: str) -> list[JournalEntry]:
        """Every journal entry that touched the node, oldest first; raises ``NotFound`` for an unknown name."""
        return self.store.history(self.store.find(name).id)

    def journal(self, limit: int = 20) -> list[JournalEntry]:
        """The latest journal entries, newest first."""
        require(limit >= 0, "limit", limit, "at least 0")
        return self.store.journal(limit)
