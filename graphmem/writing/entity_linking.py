"""Entity resolution: which node of the graph a name in a text means, if any."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from graphmem.core.errors import NotFound
from graphmem.core.names import normalise
from graphmem.core.protocols import GraphStore
from graphmem.core.types import Node
from graphmem.core.validation import require

if TYPE_CHECKING:
    from graphmem.encoding.entity_states import EntityDisambiguator

LinkStrategy = Literal["exact", "text", "context", "recent", "similar", "new"]
FEATURES: Final = (
    "same letters", "prefix", "suffix", "words shared", "letters shared", "initials", "digits differ",
    "rivals", "recent", "one word", "length ratio", "other initial", "bias",
)  # fmt: skip
_TITLES: Final = frozenset("mr mrs ms dr sir lady lord prof professor saint st the".split())


@dataclass(frozen=True, slots=True)
class LinkingConfig:
    """How bold resolution is: ``threshold`` is the least probability at which a similar name is the same node."""

    threshold: float = 0.85
    candidates: int = 12

    def __post_init__(self) -> None:
        require(0.0 <= self.threshold <= 1.0, "threshold", self.threshold, "a probability, 0..1")
        require(self.candidates > 0, "candidates", self.candidates, "positive")


@dataclass(frozen=True, slots=True)
class LinkedEntity:
    """What a name means: ``name`` as the graph (or the fuller mention in the text) has it; ``node`` None if new."""

    name: str
    node: Node | None
    probability: float
    how: LinkStrategy


class NameMatcher:
    """Probability that a name in a text means a node: a logistic model over ``FEATURES``.

    Args:
        weights: float [13]. Trained ones ship with the write gate.
    """

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = np.asarray(weights, dtype=np.float64)
        require(self.weights.shape == (len(FEATURES),), "weights", self.weights.shape, f"of shape ({len(FEATURES)},)")

    def probability(self, name: str, known: str, *, rivals: int = 0, recent: bool = False) -> float:
        """Chance that ``name`` means the node ``known``; ``rivals`` other nodes match it about as well."""
        if _numbers(name) != _numbers(known):
            return 0.0  # "Rocky II" is never "Rocky III", nor "Apollo 11" "Apollo 12"
        score = float(self.weights @ name_features(name, known, rivals=rivals, recent=recent))
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score))))


def name_features(name: str, known: str, *, rivals: int = 0, recent: bool = False) -> np.ndarray:
    """What the matcher sees of two names, float64 [13], in the order of ``FEATURES``."""
    a, b = _words(name), _words(known)
    plain_a, plain_b = "".join(a), "".join(b)
    shared = len(set(a) & set(b)) / max(1, len(set(a) | set(b)))
    shorter, longer = sorted((a, b), key=len)
    alike = SequenceMatcher(None, plain_a, plain_b, autojunk=False).ratio() if plain_a and plain_b else 0.0
    return np.array([
        plain_a == plain_b != "",
        bool(shorter) and len(shorter) < len(longer) and longer[: len(shorter)] == shorter,
        bool(shorter) and len(shorter) < len(longer) and longer[-len(shorter) :] == shorter,
        shared,
        alike,
        _initials_fit(a, b),
        _numbers(name) != _numbers(known),
        min(math.log1p(rivals), 3.0),
        recent,
        len(a) == 1,
        min(len(plain_a), len(plain_b)) / max(1, len(plain_a), len(plain_b)),
        plain_a[:1] != plain_b[:1],
        1.0,
    ], dtype=np.float64)  # fmt: skip


@lru_cache(maxsize=20_000)
def _words(name: str) -> tuple[str, ...]:
    """Words of a name without accents, punctuation, articles and titles."""
    letters = (c for c in unicodedata.normalize("NFKD", normalise(name)) if not unicodedata.combining(c))
    words = "".join(c if c.isalnum() else " " for c in letters).split()
    return tuple(word for word in words if word not in _TITLES) or tuple(words)


def _numbers(name: str) -> list[str]:
    """Words of a name that count something: with digits, or Roman after another word."""
    words = _words(name)
    return [w for i, w in enumerate(words) if any(c.isdigit() for c in w) or (i and set(w) <= set("ivx"))]


def plain_letters(name: str) -> str:
    """A name's letters and digits alone: what is left of "Ada-Lovelace " and "ada lovelace" is the same."""
    letters = (c for c in unicodedata.normalize("NFKD", normalise(name)) if not unicodedata.combining(c))
    return "".join(c for c in letters if c.isalnum())


def _initials_fit(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether two names of equally many words agree once words are cut to initials: "J. Smith", "John Smith"."""
    if len(a) != len(b) or len(a) < 2 or a[-1] != b[-1]:
        return False
    return all(x == y or (min(len(x), len(y)) == 1 and x[0] == y[0]) for x, y in zip(a, b, strict=True)) and a != b


def is_short_for(short: str, full: str) -> bool:
    """Whether ``short`` is the beginning or the end of ``full``, word by word: "Ada" of "Ada Lovelace"."""
    a, b = _words(short), _words(full)
    return 0 < len(a) < len(b) and (b[: len(a)] == a or b[-len(a) :] == a)


class EntityLinker:
    """Finds nodes for names: by exact name or alias, by a fuller name in the same text, then by a learned match.

    Args:
        store: the live graph.
        matcher: judges similar names; None takes none but exact ones.
        config: how bold to be.
        recent: names of nodes that were spoken of lately, latest first.
        renamed: other names that the text itself gives, with the name each stands for.
        namesakes: tells by the sentence which of several nodes is meant; None leaves it to what was spoken of lately.
    """

    def __init__(
        self, store: GraphStore, matcher: NameMatcher | None = None, config: LinkingConfig | None = None,
        recent: Sequence[str] = (), renamed: Mapping[str, str] | None = None, namesakes: EntityDisambiguator | None = None,
    ) -> None:  # fmt: skip
        self._store, self._matcher = store, matcher
        self._config = config or LinkingConfig()
        self._recent, self._namesakes = list(recent), namesakes
        self._renamed = {normalise(other): name for other, name in (renamed or {}).items()}

    def resolve(self, name: str, mentioned: Sequence[str] = (), sentence: np.ndarray | None = None) -> LinkedEntity:
        """Return what ``name`` means, given the other names that its text mentions, and its sentence's mean state."""
        known_as = self._renamed.get(normalise(name))
        if known_as is not None and normalise(known_as) != normalise(name) and self._exact(name) is None:
            known = self._exact(known_as)
            return LinkedEntity(known.name if known else known_as, known, 1.0, "text")
        fuller = [other for other in dict.fromkeys(mentioned) if is_short_for(name, other)]
        if len(fuller) == 1:
            known = self._exact(fuller[0])
            return LinkedEntity(known.name if known else fuller[0], known, 1.0, "text")
        known = self._exact(name)
        if (known is None or normalise(known.name) != normalise(name)) and (meant := self._of_several(name, sentence)):
            return meant
        if known is not None:
            return LinkedEntity(known.name, known, 1.0, "exact")
        for other in self._recent:
            if is_short_for(name, other) and (known := self._exact(other)) is not None:
                return LinkedEntity(known.name, known, 0.9, "recent")
        return self._similar(name) or LinkedEntity(name, None, 1.0, "new")

    def _exact(self, name: str) -> Node | None:
        node = self._store.resolve(name)
        return None if node is None or node.retired else node

    def _of_several(self, name: str, sentence: np.ndarray | None) -> LinkedEntity | None:
        """Of several nodes that a name is short for, or another name of, the one that the sentence speaks of."""
        if self._namesakes is None or sentence is None or not any(c.isalpha() for c in name):
            return None
        nodes = (self._store.node(i) for i, _ in self._store.search_text(name, limit=self._config.candidates))
        bearers = [
            node
            for node in nodes
            if node.kind == "entity"
            and (is_short_for(name, node.name) or normalise(name) in map(normalise, node.aliases))
        ]
        node, share = self._namesakes.meant(bearers, sentence)
        return LinkedEntity(node.name, node, share, "context") if node else None

    def _similar(self, name: str) -> LinkedEntity | None:
        if self._matcher is None or not any(c.isalpha() for c in name):
            return None
        known = [self._store.node(i) for i, _ in self._store.search_text(name, limit=self._config.candidates)]
        close = [node for node in known if node.kind == "entity" and _close(name, node.name)]
        if not close:
            return None
        matches = [
            (self._matcher.probability(name, node.name, rivals=len(close) - 1, recent=node.name in self._recent), node)
            for node in close
        ]
        probability, best = max(matches, key=lambda match: match[0])
        return LinkedEntity(best.name, best, probability, "similar") if probability >= self._config.threshold else None


def _close(name: str, known: str) -> bool:
    """Whether a known name is worth a closer look."""
    features = name_features(name, known)
    return bool(features[0] or features[1] or features[2] or features[4] > 0.75 or features[5])


def recent_names(store: GraphStore, entries: int = 8, limit: int = 64) -> list[str]:
    """Names of the nodes that the latest small journal entries touched, latest first: the working memory."""
    ids: dict[int, None] = {}
    for entry in sorted(store.journal(entries), key=lambda entry: -entry.id):
        if not entry.undone and len(entry.node_ids) <= limit:
            ids |= dict.fromkeys(entry.node_ids)
    names: list[str] = []
    for node in list(ids)[:limit]:
        with suppress(NotFound):  # an entry may name a node that an undo has taken away
            names += store.names([node])
    return names
