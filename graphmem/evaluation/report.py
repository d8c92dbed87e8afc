"""Reports of measurements: rows as a Markdown table and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Report:
    """Rows of a measurement, and the answers behind them.

    Attributes:
        rows: dataclasses or mappings, all with the same fields.
        seed: of the draw of questions.
        answers: one mapping an answer; in the JSON, not in the table.
    """

    rows: list[Any]
    seed: int = 0
    answers: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def table(self) -> str:
        """Rows as a Markdown table."""
        return markdown_table(self.rows)

    def json(self) -> str:
        """Rows and answers as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)


def markdown_table(rows: Sequence[Any]) -> str:
    """A Markdown table of dataclasses or mappings: a column a field, nested mappings a column each entry."""
    cells = [_flat(row) if isinstance(row, Mapping) else _flat(asdict(row), "_") for row in rows]
    names = list(dict.fromkeys(name for row in cells for name in row))
    lines = [f"| {' | '.join(_cell(row.get(name)) for name in names)} |" for row in cells]
    return "\n".join([f"| {' | '.join(names)} |", "|" + "---|" * len(names), *lines])


def _flat(row: Mapping[str, Any], blank: str = " ") -> dict[str, Any]:
    """The entries of nested mappings by joined keys; ``blank`` in a key becomes a space."""
    cells: dict[str, Any] = {}
    for key, value in row.items():
        inner = _flat(value) if isinstance(value, Mapping) else {"": value}
        cells |= {f"{key.replace(blank, ' ')} {name}".rstrip(): cell for name, cell in inner.items()}
    return cells


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_cell, value))}]"
    return f"{value:.3f}" if isinstance(value, float) else str(value)
