"""Linking: the node of the graph that a name in a text refers to, if any, and the held relation between two nodes."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from rapidfuzz import fuzz

from graphmem.core.errors import NotFound
from graphmem.core.names import normalise, normalise_relation
from graphmem.core.protocols import GraphStore
from graphmem.core.types import SYSTEM_KINDS, Node
from graphmem.core.validation import require
from graphmem.reading.candidates import CandidateFact
from graphmem.text.name_matching import MAX_SPAN
from graphmem.text.name_parts import titles

if TYPE_CHECKING:
    from graphmem.encoding.entity_states import EntityStates

LinkStrategy = Literal["exact", "text", "context", "recent", "fuzzy", "new"]
FEATURES: Final = (
    "same letters", "prefix", "suffix", "words shared", "letters shared", "initials", "digits differ",
    "rivals", "recent", "one word", "length ratio", "other initial", "bias",
)  # fmt: skip
MIN_MATCH: Final = 0.85
"""Minimum probability that a similar name is the same node."""
_MIN_SHARE: Final = 0.6
"""Minimum probability of the node that fits a sentence best."""
_MAX_NODES: Final = 12
"""Nodes that a name is compared with."""


@dataclass(frozen=True, slots=True)
class LinkedEntity:
    """A linked name: ``name`` as the graph (or the fuller mention in the text) has it; ``node`` None if it is new."""

    name: str
    node: Node | None
    probability: float
    strategy: LinkStrategy


class NameMatcher:
    """Probability that a name in a text refers to a node: a logistic model over ``FEATURES`` with weights [13]."""

    def __init__(self, weights: np.ndarray) -> None:
        self.weights = np.asarray(weights, dtype=np.float64)
        require(self.weights.shape == (len(FEATURES),), "weights", self.weights.shape, f"of shape ({len(FEATURES)},)")

    def probability(self, name: str, known: str, *, rivals: int = 0, recent: bool = False) -> float:
        """Probability that ``name`` is the node ``known``; ``rivals`` other nodes match it about as well."""
        if _numbers(name) != _numbers(known):
            return 0.0  # "Rocky II" is never "Rocky III", nor "Apollo 11" "Apollo 12"
        score = float(self.weights @ name_features(name, known, rivals=rivals, recent=recent))
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score))))


def name_features(name: str, known: str, *, rivals: int = 0, recent: bool = False) -> np.ndarray:
    """The matcher's inputs for two names, float64 [13], in the order of ``FEATURES``."""
    a, b = _words(name), _words(known)
    plain_a, plain_b = "".join(a), "".join(b)
    shared = len(set(a) & set(b)) / max(1, len(set(a) | set(b)))
    shorter, longer = sorted((a, b), key=len)
    similarity = fuzz.ratio(plain_a, plain_b) / 100 if plain_a and plain_b else 0.0
    is_part = bool(shorter) and len(shorter) < len(longer)
    return np.array([
        plain_a == plain_b != "", is_part and longer[: len(shorter)] == shorter,
        is_part and longer[-len(shorter) :] == shorter, shared, similarity, _initials_match(a, b),
        _numbers(name) != _numbers(known), min(math.log1p(rivals), 3.0), recent, len(a) == 1,
        min(len(plain_a), len(plain_b)) / max(1, len(plain_a), len(plain_b)), plain_a[:1] != plain_b[:1], 1.0,
    ], dtype=np.float64)  # fmt: skip


@lru_cache(maxsize=20_000)
def _words(name: str) -> tuple[str, ...]:
    """Words of a name without accents, punctuation, articles and titles."""
    words = "".join(c if c.isalnum() else " " for c in _without_accents(name)).split()
    return tuple(word for word in words if word not in titles() and word != "the") or tuple(words)


def _without_accents(name: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", normalise(name)) if not unicodedata.combining(c))


def _numbers(name: str) -> list[str]:
    """Numbers in a name: words with digits, or Roman numerals after another word."""
    words = _words(name)
    return [w for i, w in enumerate(words) if any(c.isdigit() for c in w) or (i and set(w) <= set("ivx"))]


def plain_letters(name: str) -> str:
    """A name's letters and digits alone, the same for "Ada-Lovelace " and "ada lovelace"."""
    return "".join(c for c in _without_accents(name) if c.isalnum())


def _initials_match(a: Sequence[str], b: Sequence[str]) -> bool:
    """Whether two names of equally many words agree once words are cut to initials: "J. Smith", "John Smith"."""
    if len(a) != len(b) or len(a) < 2 or a[-1] != b[-1]:
        return False
    return all(x == y or (min(len(x), len(y)) == 1 and x[0] == y[0]) for x, y in zip(a, b, strict=True)) and a != b


def is_short_for(short: str, full: str) -> bool:
    """Whether ``short`` is the beginning or the end of ``full``, word by word: "Ada" of "Ada Lovelace"."""
    a, b = _words(short), _words(full)
    return 0 < len(a) < len(b) and (b[: len(a)] == a or b[-len(a) :] == a)


def fuller_names(names: Iterable[str]) -> Callable[[str], list[str]]:
    """A function that gives those of the names for which a name is short, as by ``is_short_for``."""
    fuller: dict[tuple[str, ...], list[str]] = {}
    for name in dict.fromkeys(names):
        words = _words(name)
        parts = (part for k in range(1, min(len(words), MAX_SPAN)) for part in (words[:k], words[-k:]))
        for part in dict.fromkeys(parts):
            fuller.setdefault(part, []).append(name)
    return lambda name: fuller.get(_words(name), [])[:2]


class EntityLinker:
    """Finds nodes for names: by a fuller name in the same text, by exact name or alias, then by a learned match.

    Args:
        store: the live graph; only read.
        matcher: of similar names; None links only exact ones.
        recent: names of recently touched nodes, latest first.
        aliases: other names that the text itself gives, with the name each stands for.
        states: network that chooses by the sentence among several nodes; None leaves it to ``recent``.
    """

    def __init__(
        self, store: GraphStore, matcher: NameMatcher | None = None, *, recent: Sequence[str] = (),
        aliases: Mapping[str, str] | None = None, states: EntityStates | None = None,
    ) -> None:  # fmt: skip
        self._store, self._matcher, self._recent, self._states = store, matcher, list(recent), states
        self._aliases = {normalise(other): name for other, name in (aliases or {}).items()}

    def link(self, name: str, mentioned: Sequence[str] = (), sentence: np.ndarray | None = None) -> LinkedEntity:
        """Link a name; ``mentioned``: other names in its text, ``sentence``: its sentence's mean hidden state."""
        alias_of = self._aliases.get(normalise(name))
        if alias_of is not None and normalise(alias_of) != normalise(name) and self._exact(name) is None:
            return self._in_text(alias_of)
        fuller = [other for other in dict.fromkeys(mentioned) if is_short_for(name, other)]
        if len(fuller) == 1:
            return self._in_text(fuller[0])
        exact = self._exact(name)
        by_alias = exact is None or normalise(exact.name) != normalise(name)
        if by_alias and (chosen := self._disambiguated(name, sentence)) is not None:
            return chosen
        if exact is not None:
            return LinkedEntity(exact.name, exact, 1.0, "exact")
        for other in self._recent:
            if is_short_for(name, other) and (known := self._exact(other)) is not None:
                return LinkedEntity(known.name, known, 0.9, "recent")
        return self._fuzzy(name) or LinkedEntity(name, None, 1.0, "new")

    def _in_text(self, name: str) -> LinkedEntity:
        node = self._exact(name)
        return LinkedEntity(node.name if node else name, node, 1.0, "text")

    def _exact(self, name: str) -> Node | None:
        node = self._store.resolve(name)
        return None if node is None or node.retired or node.kind in SYSTEM_KINDS else node

    def _search(self, name: str) -> list[Node]:
        found = (self._store.node(i) for i, _ in self._store.search_text(name, limit=_MAX_NODES))
        return [node for node in found if node.kind == "entity"]

    def _disambiguated(self, name: str, sentence: np.ndarray | None) -> LinkedEntity | None:
        """Of several nodes that a name is short for, or an alias of, the one that fits the sentence."""
        if self._states is None or sentence is None or not any(c.isalpha() for c in name):
            return None
        fits = lambda node: is_short_for(name, node.name) or normalise(name) in map(normalise, node.aliases)
        nodes = list(filter(fits, self._search(name)))
        states = [state for node in nodes if (state := self._store.state(node.id)) is not None]
        if len(states) < max(2, len(nodes)):
            return None
        shares = self._states.shares(states, sentence)
        node, share = nodes[int(shares.argmax())], float(shares.max())
        return LinkedEntity(node.name, node, share, "context") if share >= _MIN_SHARE else None

    def _fuzzy(self, name: str) -> LinkedEntity | None:
        if self._matcher is None or not any(c.isalpha() for c in name):
            return None
        features = ((node, name_features(name, node.name)) for node in self._search(name))
        close = [node for node, f in features if f[0] or f[1] or f[2] or f[4] > 0.75 or f[5]]
        if not close:
            return None
        probabilities = [
            self._matcher.probability(name, node.name, rivals=len(close) - 1, recent=node.name in self._recent)
            for node in close
        ]
        probability, best = max(zip(probabilities, close, strict=True), key=itemgetter(0))
        return LinkedEntity(best.name, best, probability, "fuzzy") if probability >= MIN_MATCH else None


def recent_names(store: GraphStore, entries: int = 8, limit: int = 64) -> list[str]:
    """Names of the nodes that the latest small journal entries touched, latest first."""
    ids: dict[int, None] = {}
    for entry in sorted(store.journal(entries), key=lambda entry: -entry.id):
        if not entry.undone and len(entry.node_ids) <= limit:
            ids |= dict.fromkeys(entry.node_ids)
    names: list[str] = []
    for node in list(ids)[:limit]:
        with suppress(NotFound):  # an undo may have removed the node
            found = store.node(node)
            names += [found.name] if found.kind not in SYSTEM_KINDS else []
    return names


def link_relation(candidate: CandidateFact, held: Callable[[str, str], list[str]]) -> tuple[CandidateFact, bool]:
    """The candidate with the likeliest relation that is held between its two entities, and whether it was inverted.

    ``held`` gives the relations that join a subject to an object now; literals are never subjects. Where the extractor
    is undecided between "employer" and "works for", and one of them already joins the two entities, that one is taken.
    A paraphrase then repeats a fact instead of duplicating it.
    """
    fact = candidate.fact
    ahead = _forms(held(fact.subject, fact.object))
    if normalise_relation(fact.relation) in ahead or not candidate.alternatives:
        return candidate, False
    back = _forms(held(fact.object, fact.subject)) if candidate.object_kind != "literal" else set()
    for other in candidate.alternatives:
        if normalise_relation(other.relation) in (back if other.inverted else ahead):
            fact = replace(fact, relation=other.relation)
            if not other.inverted:
                return replace(candidate, fact=fact), False
            return replace(
                candidate, fact=replace(fact, subject=fact.object, object=fact.subject),
                as_received=candidate.as_received[::-1], subject_span=candidate.object_span,
                object_span=candidate.subject_span, object_kind="entity",
            ), True  # fmt: skip
    return candidate, False


def _forms(relations: Sequence[str]) -> set[str]:
    return set(map(normalise_relation, relations))
