"""Tables of facts: comma- and tab-separated values, with a known head line, given columns, or three plain columns."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any, BinaryIO

from graphmem.core.edits import AddEdge
from graphmem.core.errors import InvalidValue
from graphmem.storage.exchange.fact_files import (
    DETAILS,
    MAX_LINE,
    NAMES,
    Context,
    Item,
    Reject,
    checked,
    columns_of,
    fact,
    plain,
    raw_lines,
    vocabulary,
)

SAMPLE = 200  # lines that are looked at to tell a head line from data

FORMULA = "=+-@\t\r\n＝＋－＠"
"""Characters at the start of a cell that a spreadsheet may take for a formula."""

_QUOTED = re.compile(f"'+[{FORMULA}]")

Row = tuple[int, "list[str] | Reject"]


def read_tsv(file: BinaryIO, context: Context) -> Iterator[tuple[int, Item]]:
    """Tab-separated facts, one a line, without quoting."""
    texts = ((number, line if isinstance(line, Reject) else line.rstrip("\r\n")) for number, line in raw_lines(file))
    rows = ((n, text if isinstance(text, Reject) else text.split("\t")) for n, text in texts)
    return _facts(rows, context)


def read_csv(file: BinaryIO, context: Context) -> Iterator[tuple[int, Item]]:
    """Comma-separated facts; quoted cells may hold line breaks. The number of a row is that of its first line.

    Semicolons separate where the first line has some and no comma, as spreadsheets write in many countries.
    """
    return _facts(_csv_rows(file), context)


def cell(text: str, spreadsheet_safe: bool = False) -> str:
    """A value as a cell: quoted where it must be; with ``spreadsheet_safe`` an apostrophe stands before a formula."""
    if spreadsheet_safe and text and text.lstrip("'")[:1] in FORMULA and text.strip("'"):
        text = f"'{text}"
    return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]|^\s|\s$', text) else text


def _unsafe(text: str) -> str:
    return text[1:] if _QUOTED.match(text) else text


def _csv_rows(file: BinaryIO) -> Iterator[Row]:
    """Rows of cells. A quote that is never closed, or followed by more, costs its line alone."""
    waiting: deque[tuple[int, str | Reject]] = deque()
    source, mark = raw_lines(file), ""
    while True:
        number, line = waiting.popleft() if waiting else next(source, (0, None))
        if line is None:
            return
        if isinstance(line, Reject):
            yield number, line
            continue
        mark = mark or (";" if ";" in line and "," not in line else ",")
        parts, size = [line], len(line)
        more: list[tuple[int, str | Reject]] = []
        state = _quotes(line, False, mark) if '"' in line else "closed"
        while state == "open" and size <= MAX_LINE:
            following = waiting.popleft() if waiting else next(source, (0, None))
            if following[1] is None:
                break
            more.append(following)  # type: ignore[arg-type]
            if isinstance(following[1], Reject):
                break
            parts.append(following[1])
            size += len(following[1])
            state = _quotes(following[1], True, mark)
        if state == "closed":
            row = "".join(parts)
            yield number, _cells(row.rstrip("\r\n") if len(parts) == 1 else _without_end(row), mark)
            continue
        reason = "never closed" if state == "open" else "closed in the middle of a cell; two quotes stand for one"
        yield number, Reject(f"a quoted cell begins here and is {reason}")
        waiting.extendleft(reversed(more))


def _without_end(text: str) -> str:
    return text[:-2] if text.endswith("\r\n") else text[:-1] if text.endswith(("\n", "\r")) else text


def _quotes(line: str, inside: bool, mark: str) -> str:
    """State of a row after a line, which begins inside a quoted cell or at a cell: closed, open, or bad."""
    at, end = 0, len(line.rstrip("\r\n"))
    while True:
        if inside or line.startswith('"', at):
            at = at if inside else at + 1
            inside = False
            while (at := line.find('"', at)) >= 0 and line.startswith('"', at + 1):
                at += 2
            if at < 0:
                return "open"
            at += 1
            if at < end and line[at] != mark:
                return "bad"
        at = line.find(mark, at)
        if at < 0:
            return "closed"
        at += 1


def _cells(row: str, mark: str) -> list[str]:
    if '"' not in row:
        return row.split(mark)
    found, at = [], 0
    while True:
        if row.startswith('"', at):
            start, at = at + 1, at + 1
            while (at := row.find('"', at)) >= 0 and row.startswith('"', at + 1):
                at += 2
            found.append(row[start:at].replace('""', '"'))
            at += 1
        else:
            end = row.find(mark, at)
            found.append(row[at:] if end < 0 else row[at:end])
            at = len(row) if end < 0 else end
        if at >= len(row):
            return found
        at += 1


def _facts(rows: Iterator[Row], context: Context) -> Iterator[tuple[int, Item]]:
    """Rows as facts, by the columns that the user gave, by a head line, or three plain columns."""
    rows = (row for row in rows if isinstance(row[1], Reject) or len(row[1]) > 1 or row[1][0].strip())
    first = list(islice(rows, SAMPLE))
    sample = [cells for _, cells in first if not isinstance(cells, Reject)]
    if context.columns:
        columns, head, width, note = _given(sample, context.columns)
    else:
        try:
            columns, head, width, note = _columns(sample)
        except InvalidValue as error:
            yield next(number for number, cells in first if cells is sample[0]), Reject(str(error))
            return
    context.notes.append(note)
    names = sample[0] if head else []
    kept = {at: name for at, name in _extra(names, columns, context.columns).items()}
    plain_columns = columns == dict(zip(NAMES, range(3), strict=True)) and not kept
    for number, cells in chain(first, rows):
        if isinstance(cells, Reject):
            yield number, cells
        elif head or (names and cells == names):  # once more where tables were joined
            head = False
        elif len(cells) != width:
            yield number, Reject(f"{len(cells)} columns, {width} expected")
        else:
            if context.spreadsheet_safe:
                cells = list(map(_unsafe, cells))
            item = checked(AddEdge, *cells) if plain_columns else checked(_fact, cells, columns, names, kept)
            yield number, item


def _fact(cells: list[str], columns: dict[str, int], names: list[str], kept: dict[int, str]) -> AddEdge:
    fields: dict[str, Any] = {field: cells[at] for field, at in columns.items() if cells[at] != ""}
    known = vocabulary()
    at = columns.get("relation")
    loose = at is None or (names and plain(names[at]) in known["optional_relations"])
    if loose and plain(fields.get("relation", "")) in ("", *known["not_relations"]):
        fields["relation"] = known["default_relation"]
    fields["attributes"] = {name: cells[at] for at, name in kept.items() if cells[at] != ""}
    return fact(fields)


def _extra(names: Sequence[str], columns: dict[str, int], given: Sequence[str]) -> dict[int, str]:
    """Columns that become attributes, by position: those of a head line that are no field, or named by the user."""
    named = given if given and "=" not in "".join(given) else names
    used = {*columns.values()}
    return {at: name.strip() for at, name in enumerate(named) if at not in used and name.strip() not in ("", "-")}


def _columns(rows: list[list[str]]) -> tuple[dict[str, int], bool, int, str]:
    """Columns by field, whether the first row is a head line, the number of columns, and how this was decided.

    Raises:
        InvalidValue: the columns cannot be known.
    """
    three = dict(zip(NAMES, range(3), strict=True))
    if not rows:
        return three, False, 3, "no lines"
    found = columns_of(rows[0])
    if found is not None and ("relation" in found or len(rows[0]) != 3 or _in_vocabulary(rows[0]) == 3):
        named = ", ".join(
            f"{field} = {rows[0][at].strip()!r}" for field, at in sorted(found.items(), key=lambda i: i[1])
        )
        return found, True, len(rows[0]), f"columns by the head line: {named}"
    width, count = len(rows[0]), sum(len(row) == 3 for row in rows)
    if not _looks_like_head(rows) if width == 3 else 2 * count >= len(rows):
        return three, False, 3, "no head line: read as subject, relation, object"
    shown = ", ".join(map(repr, rows[0]))[:200]
    pairs = ", ".join("/".join(pair) for pair in vocabulary()["ends"][:12])
    raise InvalidValue(
        f"the first line ({shown}) is no head line that is known, and the columns are not clearly three names. Known: "
        f"{pairs} for subject and object; {', '.join(vocabulary()['fields']['relation'])} for the relation; "
        f"{', '.join(DETAILS)}. Say what the columns are: --columns subject,relation,object,... (- for none), or "
        "--columns subject=NAME,relation=NAME,object=NAME"
    )


def _given(rows: list[list[str]], given: Sequence[str]) -> tuple[dict[str, int], bool, int, str]:
    fields = (*NAMES, *DETAILS)
    pairs = [[part.strip() for part in column.split("=", 1)] for column in given]
    by_name = any(len(pair) == 2 for pair in pairs)
    names = [cell.strip() for cell in rows[0]] if rows else []
    if by_name:
        wrong = [pair for pair in pairs if len(pair) != 2 or pair[0] not in fields or (names and pair[1] not in names)]
        if wrong:
            raise InvalidValue(f"--columns {'='.join(wrong[0])!r}: FIELD=NAME, a field of {', '.join(fields)}, and a "
                               f"name of the head line ({', '.join(map(repr, names))[:200]})")  # fmt: skip
        columns = {field: names.index(name) for field, name in pairs} if names else {}
    else:
        columns = {field: at for at, (field,) in enumerate(pairs) if field in fields}
    if not {"subject", "object"} <= set(columns) and (names or not by_name):
        raise InvalidValue(f"--columns must name subject and object, and may name {', '.join(fields)}; - is for none")
    same = by_name or (len(names) == len(pairs) and [plain(pair[0]) for pair in pairs] == list(map(plain, names)))
    known = bool(rows) and not by_name and (columns_of(rows[0]) is not None or same or _looks_like_head(rows))
    head = by_name or known
    note = "columns as given" + (f"; line 1 is taken as a head line: {', '.join(names)}"[:300] if head else "")
    return columns, head, len(names) if by_name else len(pairs), note


def _in_vocabulary(row: list[str]) -> int:
    """Number of cells that are names of columns."""
    known = vocabulary()
    words = {word for group in (*known["ends"], *known["fields"].values(), known["header_words"]) for word in group}
    return sum(plain(text) in words for text in row)


def _looks_like_head(rows: list[list[str]]) -> bool:
    """Whether the first row names columns: its words are names of columns, or are written unlike those below."""
    head, below = rows[0], [row for row in rows[1:] if len(row) == len(rows[0]) and row != rows[0]]
    if any(plain(text) == plain(row[at]) for row in below for at, text in enumerate(head)):
        return False  # a name of a column does not stand in the column too
    known = _in_vocabulary(head)
    if known >= 2 or (known and below):
        return True
    if not below:
        return False
    styles = set(map(_style, head))
    usual = [Counter(_style(row[at]) for row in below).most_common(1)[0][0] for at in range(len(head))]
    return (
        len(styles) == 1 and "" not in styles and all(len(text.split()) <= 2 for text in head) and set(usual) != styles
    )


def _style(text: str) -> str:
    """How a name is written; empty where it is no plain word."""
    word = re.sub(r"[\s_-]", "", text)
    if not word.isalpha():
        return ""
    return "lower" if word.islower() else "upper" if word.isupper() else "title" if word[0].isupper() else "mixed"
