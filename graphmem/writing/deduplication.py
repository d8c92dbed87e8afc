"""What was told before: the memory keeps a digest of every sentence that was judged, so that the same text again is
no news, whatever else was learned since.

A text that is read leaves one node of kind ``reading`` whose other names are the digests of its sentences, in the same
transaction as its facts: an undo forgets them too. Sentences that stand on their own count as read wherever they were;
those with a pronoun only after the sentence that they followed; short ones ("Bob lives in Rome.") only after the same
long one in the same text, or in a text that was read before as a whole, for the same few words may be said anew.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from graphmem.core.edits import AddNode, Edit
from graphmem.core.names import normalise
from graphmem.core.protocols import GraphStore
from graphmem.core.times import Time, from_micros, to_micros
from graphmem.core.types import READ_MARK
from graphmem.reading.candidates import CandidateFact
from graphmem.text.sentences import sentences

LONG = 40
"""Characters from which a sentence or text is taken for the same one when it comes again."""
_MARK = f"{READ_MARK}:"
_PRONOUN = re.compile(
    r"\b(he|she|it|they|him|her|them|his|hers|its|theirs?|this|that|these|those|i|me|my|we|us|our|you|your)\b",
    re.IGNORECASE,
)
_ASKS = ("?", "？", "؟")


class ReadHistory:
    """Which sentences of a text the memory has read before, as said at the same time by a source trusted as much.

    Args:
        store: the memory's store; it is only looked at.
        text: what is read now.
        context: what was said before it.
        trust: how far its source is trusted, 0..1.
        at: when it was said; None where that is not given, which any earlier reading will do for.

    Raises:
        InvalidTime: ``at`` cannot be read.
    """

    def __init__(self, store: GraphStore, text: str, *, context: str = "", trust: float = 1.0, at: Time | None = None):
        self._trust, self._at = trust, from_micros(to_micros(at))
        self._bounds = sentences(text)
        spoken = [" ".join(text[a:b].split()) for a, b in self._bounds]
        before = [" ".join(context[a:b].split()) for a, b in sentences(context)[-1:]] or [""]
        self._keys = [_key(*pair, first=not i) for i, pair in enumerate(zip([*before, *spoken], spoken, strict=False))]
        self._begins = text.strip()[:60]
        self._whole = _digest("text", text) if len(text.strip()) >= LONG else ""
        asked = dict.fromkeys(key for key in (*self._keys, self._whole) if key)
        found = store.resolve_many([_name(key) for key in asked]) if asked else {}
        self._known = {key for key in asked if any(map(self._fits, store.nodes(found[_name(key)])))}

    def __call__(self, candidate: CandidateFact) -> bool:
        """Whether the sentence that says this was read before."""
        if self._whole in self._known:
            return True
        place = max(candidate.subject_span[1], candidate.object_span[1])
        return any(a < place <= b and key in self._known for (a, b), key in zip(self._bounds, self._keys, strict=True))

    def mark(self, source: str | None = None) -> list[Edit]:
        """The edit that remembers what is new to the memory here; none where nothing is."""
        new = [key for key in dict.fromkeys((*self._keys, self._whole)) if key and key not in self._known]
        if not new:
            return []
        seen: dict[str, Any] = {"trust": self._trust, "at": self._at, "source": source, "begins": self._begins}
        name = _digest(*new, *map(str, seen.values()))
        return [AddNode(f"{_MARK}{name}", READ_MARK, "", tuple(map(_name, new)), seen)]

    def _fits(self, node: Any) -> bool:
        seen = node.attributes
        if not node.name.startswith(_MARK) or seen.get("trust", 0.0) < self._trust:
            return False
        return self._at is None or seen.get("at") == self._at


def is_mark(edit: Edit) -> bool:
    """Whether an edit only remembers that something was read."""
    return isinstance(edit, AddNode) and edit.kind == READ_MARK and edit.name.startswith(_MARK)


def _key(before: str, sentence: str, *, first: bool) -> str:
    """What a sentence is known by; empty where it must be taken anew each time."""
    if sentence.rstrip("\"'”’) ").endswith(_ASKS):
        return ""
    if len(sentence) < LONG:
        return "" if first or len(before) < LONG else _digest(before, sentence)
    return _digest(before, sentence) if _PRONOUN.search(sentence) else _digest(sentence)


def _digest(*texts: str) -> str:
    data = "\0".join(" ".join(normalise(text).split()) for text in texts)
    return hashlib.sha256(data.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _name(key: str) -> str:
    return f"{_MARK}{key}"
