"""Report of a check or a repair: what is wrong, what was restored, what is lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 5  # rows that a problem lists


@dataclass(frozen=True, slots=True)
class Problem:
    """One violated invariant.

    Attributes:
        kind: ``sqlite``, ``schema``, ``index``, ``foreign key``, ``namespace``, ``value``, ``name``, ``search``,
            ``vector``, ``time``, ``counter``, ``load``, ``journal`` or ``snapshot``.
        what: what is wrong, and where.
        repairable: whether ``repair`` can fix it without loss.
    """

    kind: str
    what: str
    repairable: bool

    def __str__(self) -> str:
        return f"[{self.kind}] {self.what}{'' if self.repairable else ' (cannot be repaired without loss)'}"


@dataclass(frozen=True, slots=True)
class Report:
    """Result of ``check`` or ``repair``.

    Attributes:
        problems: what is wrong.
        restored: what the repair brought back, and from where.
        lost: what the repair could not bring back, or could not decide.
        original: the file as it was, where the repair replaced it.
    """

    path: str
    problems: tuple[Problem, ...]
    restored: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    original: str | None = None

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """0 when nothing is wrong, else 1."""
        return int(not self.ok)

    def __str__(self) -> str:
        head = f"{self.path}: {f'{len(self.problems)} problems' if self.problems else 'sound'}"
        notes = [f"restored: {item}" for item in self.restored] + [f"lost: {item}" for item in self.lost]
        kept = [f"the file as it was: {self.original}"] if self.original else []
        return "\n".join([head, *(f"  {item}" for item in (*self.problems, *notes, *kept))])


def some(found: Sequence[object]) -> str:
    """The first few of some rows, and how many there are."""
    shown = ", ".join(str(row[0]) if isinstance(row, tuple) else str(row) for row in found[:SHOWN])
    return f"{shown}, ... ({len(found)} in all)" if len(found) > SHOWN else shown
