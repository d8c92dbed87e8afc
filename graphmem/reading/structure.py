"""Facts of tables and lists of fields, read as what they are, without a model.

    # Brackwater Mill          | Name    | Role  |
    Owner: Jane Doe            | ------- | ----- |
    Opened: 1987               | Jo Pike | nurse |

A list of fields is about the heading above it, or about its own first line. A row of a table is about its cell in the
key column: the first column of different names. A table of two columns without a head is a list of fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from graphmem.core.errors import InvalidTime
from graphmem.core.names import MAX_NAME, normalise
from graphmem.core.times import read_time
from graphmem.reading.extraction import Candidate, Mention
from graphmem.text.sentences import Stretch

CONFIDENCE = 0.95
"""Confidence in a fact of a table or a list of fields."""

MAX_KEY, MAX_KEY_WORDS, MAX_SENTENCE_WORDS = 48, 6, 3
"""Characters and words of a field's name; words from which a value that ends with a stop is a sentence."""

_LINE_END = re.compile(r"\r\n?|\n")
_BULLETS, _MARKS = ("- ", "* ", "+ "), "*_ \t"
_STOP = re.compile(r"[.!?。！？]['\")\]]?$")
_FIELD_LISTS = ("paragraph_open", "bullet_list_open")


@dataclass(frozen=True, slots=True)
class Structure:
    """Parts of a text that are no prose.

    Attributes:
        facts: what its tables and lists of fields say.
        understood: characters of these, of headings, and of blocks of code, which state nothing.
        opaque: characters of tables that name nothing.
    """

    facts: tuple[Candidate, ...] = ()
    understood: tuple[Stretch, ...] = ()
    opaque: tuple[Stretch, ...] = ()


def read_structure(text: str) -> Structure:
    """Headings, tables, lists of fields and blocks of code of a text in Markdown, or of a plain one."""
    if "|" not in text and ":" not in text and "#" not in text and "`" not in text and "~" not in text:
        return Structure()
    reader = _Reader(text)
    reader.read()
    return Structure(tuple(reader.facts), tuple(reader.understood), tuple(reader.opaque))


def blanked(text: str, spans: Sequence[Stretch]) -> str:
    """The text with spaces in the place of some spans, its line ends kept."""
    parts, end = [], 0
    for first, last in sorted(spans):
        parts += [text[end:first], re.sub(r"[^\r\n]", " ", text[max(end, first) : last])]
        end = max(end, last)
    return "".join([*parts, text[end:]])


@cache
def _parser() -> Any:
    from markdown_it import MarkdownIt

    return MarkdownIt("zero").enable(["table", "heading", "list", "fence"])


@dataclass(slots=True)
class _Reader:
    """Reader of the blocks of one text."""

    text: str
    facts: list[Candidate] = field(default_factory=list)
    understood: list[Stretch] = field(default_factory=list)
    opaque: list[Stretch] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    heading: Mention | None = None

    def read(self) -> None:
        """Fill the stretches and candidates of the text."""
        self.lines = [0, *(match.end() for match in _LINE_END.finditer(self.text)), len(self.text)]
        tokens = _parser().parse(self.text)
        at = 0
        while at < len(tokens):
            token = tokens[at]
            close = at + 1
            if token.nesting == 1:
                while tokens[close].level > token.level:
                    close += 1
            if token.type == "heading_open":
                self.heading = self._mention(tokens[at + 1].content.strip(), self._span(token.map))
                self.understood.append(self._span(token.map))
            elif token.type == "fence":
                self.understood.append(self._span(token.map))
            elif token.type == "table_open":
                self._table(tokens[at:close], self._span(token.map))
            elif token.type in _FIELD_LISTS and token.level == 0:
                self._fields(self._span(token.map))
            at = close + 1 if token.type == "table_open" else at + 1

    def _span(self, rows: Sequence[int]) -> Stretch:
        """Characters of some lines."""
        return self.lines[rows[0]], self.lines[min(rows[1], len(self.lines) - 1)]

    def _mention(self, words: str, within: Stretch) -> Mention:
        start = self.text.find(words, *within)
        start, end = (start, start + len(words)) if start >= 0 else within
        return Mention(words, start, end, "entity" if _is_name(words) else "literal")

    def _add(self, subject: Mention, relation: Mention, value: Mention, sentence: Stretch) -> bool:
        """Add a fact where its three parts can be names."""
        names = (subject.text, relation.text, value.text)
        if not all(any(c.isalnum() for c in name) and len(name) <= MAX_NAME for name in names):
            return False
        self.facts.append(Candidate(subject, relation, value, confidence=CONFIDENCE, sentence=sentence))
        return True

    def _table(self, tokens: Sequence[Any], span: Stretch) -> None:
        rows: list[tuple[Stretch, list[str]]] = []
        for token in tokens:
            if token.type == "tr_open":
                rows.append((self._span(token.map), []))
            elif token.type == "inline":
                rows[-1][1].append(token.content.strip())
        before = len(self.facts)
        (_, head), *body = rows
        if len(head) == 2 and not any(head):
            self._field_table(body)
        elif (key := _key_column([cells for _, cells in body], len(head))) is not None:
            for row in body:
                self._row(head, row, key)
        (self.understood if len(self.facts) > before else self.opaque).append(span)

    def _row(self, head: Sequence[str], row: tuple[Stretch, list[str]], key: int) -> None:
        span, cells = row
        start, mentions = span[0], []
        for cell in cells:
            mentions.append(mention := self._mention(cell, (start, span[1])))
            start = mention.end if mention.end < span[1] else start
        line = (span[0], span[0] + len(self.text[slice(*span)].rstrip()))
        for column, name in enumerate(head):
            if column != key and name and cells[key]:
                self._add(mentions[key], Mention(name), mentions[column], line)

    def _field_table(self, body: Sequence[tuple[Stretch, list[str]]]) -> None:
        if self.heading is None or len({normalise(cells[0]) for _, cells in body}) < len(body):
            return
        for (start, end), (name, value) in body:
            line = (start, start + len(self.text[start:end].rstrip()))
            self._add(self.heading, self._mention(name, line), self._mention(value, line), line)

    def _fields(self, span: Stretch) -> None:
        """Runs of at least two fields of different names in a block."""
        run: list[_Field] = []
        subject = self.heading
        for line in [*self._lines(span), None]:
            found = None if line is None else _field_of(self.text, line)
            if found is not None:
                run.append(found)
                continue
            self._run(subject, run)
            run = []
            if line is not None:
                words = self.text[slice(*line)].strip()
                named = bool(words) and len(words.split()) <= MAX_KEY_WORDS and not _STOP.search(words[-3:])
                subject = self._mention(words.strip("*_: "), line) if named else self.heading

    def _lines(self, span: Stretch) -> Iterator[Stretch]:
        start = span[0]
        for match in _LINE_END.finditer(self.text, *span):
            yield start, match.start()
            start = match.end()
        if start < span[1]:
            yield start, span[1]

    def _run(self, subject: Mention | None, run: Sequence[_Field]) -> None:
        names = {normalise(one.name.text) for one in run}
        if subject is None or len(run) < 2 or len(names) < len(run):
            return
        for one in run:
            if self._add(subject, one.name, one.value, one.line):
                self.understood.append(one.line)
        self.understood.append((subject.start, subject.end))


class _Field(NamedTuple):
    """A line "name: value"."""

    name: Mention
    value: Mention
    line: Stretch


def _field_of(text: str, line: Stretch) -> _Field | None:
    """The field that a line is: a short name, and a value that is no sentence; None for another line."""
    (start, end), whole = line, text[slice(*line)]
    start += len(whole) - len(whole.lstrip())
    start += 2 if text[start:end].startswith(_BULLETS) else 0
    colon = text.find(":", start, end)
    rest = text[colon + 1 : end].lstrip("*_")
    if colon < 0 or not rest[:1].isspace():
        return None
    name, value = _trimmed(text, start, colon), _trimmed(text, colon + 1, end)
    long = len(name.text) > MAX_KEY or len(name.text.split()) > MAX_KEY_WORDS
    if long or "|" in name.text or not value.text or not any(c.isalpha() for c in name.text):
        return None
    sentence = _STOP.search(value.text[-3:]) and len(value.text.split()) > MAX_SENTENCE_WORDS
    return None if sentence else _Field(name, value, line)


def _trimmed(text: str, start: int, end: int) -> Mention:
    """The words between two characters, without spaces and signs of emphasis around them."""
    words = text[start:end]
    first = start + len(words) - len(words.lstrip(_MARKS))
    last = max(first, start + len(words.rstrip(_MARKS)))
    return Mention(text[first:last], first, last, "entity" if _is_name(text[first:last]) else "literal")


def _key_column(rows: Sequence[Sequence[str]], columns: int) -> int | None:
    """The first column of different names; None where there is none."""
    for column in range(columns):
        cells = [row[column] for row in rows if row[column]]
        if cells and len({normalise(cell) for cell in cells}) == len(cells) and all(map(_is_name, cells)):
            return column
    return None


def _is_name(text: str) -> bool:
    """Whether a text may name something: it has letters, and is no date."""
    if not any(character.isalpha() for character in text):
        return False
    try:
        return read_time(text) is None
    except InvalidTime:
        return True
