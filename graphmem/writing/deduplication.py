"""Read history: a digest of every sentence that was read, so that the same text again adds nothing.

Reading a text adds one node of kind ``reading`` whose aliases are the digests of its sentences, in the same transaction
as its facts; an undo removes both. A self-contained sentence counts as read in any text; one with a pronoun only after
the sentence that it followed. A short sentence ("Bob lives in Rome.") counts as read only after the same long one in
the same text, or in a text that was read before as a whole, since the same few words may be a new statement.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left
from typing import Any

from graphmem.core.edits import AddNode, Edit
from graphmem.core.names import normalise
from graphmem.core.protocols import GraphStore
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.types import READ_MARK
from graphmem.reading.candidates import CandidateFact
from graphmem.text.sentences import is_question, sentences

MIN_LENGTH = 40
"""Characters from which a sentence or text is recognised on its own."""
_PREFIX = f"{READ_MARK}:"
_PRONOUN = re.compile(
    r"\b(he|she|it|they|him|her|them|his|hers|its|theirs?|this|that|these|those|i|me|my|we|us|our|you|your)\b",
    re.IGNORECASE,
)


class ReadHistory:
    """Which sentences of a text were read before, of the same time (None: any) and from a source trusted as much.

    Raises:
        InvalidTime: ``at`` cannot be read.
    """

    def __init__(self, store: GraphStore, text: str, *, context: str = "", trust: float = 1.0, at: Time | None = None):
        self._trust, self._at = trust, from_micros(to_micros(at))
        self._bounds = sentences(text)
        self._ends = [end for _, end in self._bounds]
        own = [" ".join(text[a:b].split()) for a, b in self._bounds]
        before = [" ".join(context[a:b].split()) for a, b in sentences(context)[-1:]] or [""]
        self._keys = [_key(*pair, first=not i) for i, pair in enumerate(zip([*before, *own], own, strict=False))]
        self._begins = text.strip()[:60]
        self._whole = _digest("text", text) if len(text.strip()) >= MIN_LENGTH else ""
        wanted = dict.fromkeys(key for key in (*self._keys, self._whole) if key)
        found = store.resolve_many([_PREFIX + key for key in wanted], records=True) if wanted else {}
        self._known = {key for key in wanted if any(map(self._matches, store.nodes(found[_PREFIX + key])))}

    @property
    def is_known(self) -> bool:
        """Whether the whole text was read before; never of one shorter than ``MIN_LENGTH``."""
        return self._whole in self._known

    def contains(self, candidate: CandidateFact) -> bool:
        """Whether the sentence of a candidate was read before."""
        if self._whole in self._known:
            return True
        place = bisect_left(self._ends, candidate.end)
        inside = place < len(self._ends) and self._bounds[place][0] < candidate.end
        return inside and self._keys[place] in self._known

    def mark(self, source: str | None = None) -> list[Edit]:
        """The edit that records the sentences that are new; none where nothing is."""
        new = [key for key in dict.fromkeys((*self._keys, self._whole)) if key and key not in self._known]
        if not new:
            return []
        attributes: dict[str, Any] = {"trust": self._trust, "at": self._at, "source": source, "begins": self._begins}
        name = _digest(*new, *map(str, attributes.values()))
        return [AddNode(_PREFIX + name, READ_MARK, "", tuple(_PREFIX + key for key in new), attributes, ambiguous=True)]

    def _matches(self, node: Any) -> bool:
        if not node.name.startswith(_PREFIX) or node.attributes.get("trust", 0.0) < self._trust:
            return False
        return self._at is None or node.attributes.get("at") == self._at


def is_mark(edit: Edit) -> bool:
    """Whether an edit only records that something was read."""
    return isinstance(edit, AddNode) and edit.kind == READ_MARK and edit.name.startswith(_PREFIX)


def _key(before: str, sentence: str, *, first: bool) -> str:
    """Digest of a sentence; "" where it is never recognised."""
    if is_question(sentence):
        return ""
    if len(sentence) < MIN_LENGTH:
        return "" if first or len(before) < MIN_LENGTH else _digest(before, sentence)
    return _digest(before, sentence) if _PRONOUN.search(sentence) else _digest(sentence)


def _digest(*texts: str) -> str:
    data = "\0".join(" ".join(normalise(text).split()) for text in texts)
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[:16]
