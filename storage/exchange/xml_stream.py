"""XML of strangers, parsed as a stream within bounds: no entities of size, no endless tokens, no endless depth."""

from __future__ import annotations

import re
from typing import Any, BinaryIO
from xml.parsers import expat

BLOCK = 1 << 16

MAX_TOKEN = 1 << 20
"""Longest tag with its attributes, comment or declaration, in bytes: expat reads an unfinished one again each time."""

MAX_DEPTH = 256

MAX_ENTITY = 1000  # characters of an entity, where entities are allowed at all

NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that no XML document can hold, not even escaped."""


class BrokenXml(ValueError):
    """A document that cannot be read any further."""


class XmlStream:
    """One pass over a document.

    Args:
        handlers: object with ``start(tag, attributes)``, ``end(tag)`` and ``characters(text)``, or None for none.
        entities: short entities that hold no others are read; else every entity is refused.
    """

    def __init__(self, handlers: Any = None, *, entities: bool = False) -> None:
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.handlers, self.entities = handlers, entities
        self._fed = self._depth = 0
        self.parser.EntityDeclHandler = self._declared
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        if handlers is not None:
            self.parser.CharacterDataHandler = handlers.characters

    @property
    def line(self) -> int:
        """The line where the parser stands."""
        return self.parser.CurrentLineNumber

    def feed(self, file: BinaryIO) -> bool:
        """Parse the next block of a file; False at its end.

        Raises:
            BrokenXml: no XML, or beyond the bounds; the message says what.
        """
        block = file.read(BLOCK)
        self._fed += len(block)
        try:
            self.parser.Parse(block, not block)
        except (expat.ExpatError, ValueError) as error:
            if isinstance(error, BrokenXml):
                raise
            raise BrokenXml(f"broken XML: {error}") from None
        if block and self._fed - self.parser.CurrentByteIndex > MAX_TOKEN:
            raise BrokenXml(f"a tag, comment or declaration is longer than {MAX_TOKEN} bytes")
        return bool(block)

    def _declared(self, name: str, parameter: bool, value: str | None, *_: object) -> None:
        if self.entities and value is not None and not parameter and len(value) <= MAX_ENTITY and "&" not in value:
            return
        raise BrokenXml(f"the document defines entities ({name:.40}), which are not supported")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise BrokenXml(f"more than {MAX_DEPTH} elements inside each other")
        if self.handlers is not None:
            self.handlers.start(tag.rpartition(":")[2], attributes)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self.handlers is not None:
            self.handlers.end(tag.rpartition(":")[2])
