"""Full-text search by BM25, over nodes and over facts.

BM25 costs a microsecond a matching row, so a word in half of all rows would cost as much as a scan. Rare words are
therefore searched for one by one, and frequent ones in pairs.
"""

from __future__ import annotations

import json
import re
import sqlite3
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache
from itertools import chain, combinations, islice
from typing import TypeVar

import numpy as np
from rapidfuzz import fuzz, process

from graphmem.core.names import fold, fold_long, normalise, normalise_relation
from graphmem.core.types import MENTIONS, PASSAGE, SYSTEM_KINDS, TITLED
from graphmem.storage.index.adjacency import CSRIndex
from graphmem.storage.tables.queries import visible

MAX_WORDS = 64  # words of a query at most; further ones are ignored
ROWS = 2000  # total rows that single words may match
PAIRED = 4  # number of the rarest remaining words that are searched for in pairs
RANKED = 4000  # most rows that are scored
SEEDS = 16  # nodes from which facts without a text of their own are found

FACTS_PER_SEED = 64

MAX_SPELLINGS = 48  # other spellings of a phrase that are tried
MAX_VARIANTS = 1024  # spellings of a word that are looked up
MAX_LETTERS = 64  # letters of a word that is looked up in other spellings

SIMILAR_FROM, MIN_SIMILARITY = 5, 0.8  # letters of a word and similarity from which it is taken for another

CROWDED = 8  # factor of the number of nodes where nodes without facts are dropped afterwards

Match = tuple[int, float]  # id and score of a row

Found = TypeVar("Found")

_WORD = re.compile(r"[^\W_]+")  # as unicode61 splits: a word is one token, never a phrase


def words(query: str) -> list[str]:
    """Distinct words of a query, in order."""
    return list(dict.fromkeys(_WORD.findall(normalise(query))))[:MAX_WORDS]


class WordCounts:
    """Document frequencies of words in a full-text table; those of frequent words are cached."""

    CACHED_FROM = 64

    def __init__(self, table: str) -> None:
        self.table = table
        self._known: dict[str, int] = {}
        self._size = 0

    def __call__(self, raw: sqlite3.Connection, word: str) -> int:
        """Number of rows with a normalised word."""
        count = self._known.get(word) or self._read(raw, word)
        if count >= self.CACHED_FROM:
            self._known[word] = count
        return count

    def grown(self, size: int) -> None:
        """Drop cached counts of a much smaller memory, by number of nodes."""
        if size > 1.2 * self._size:
            self._known, self._size = {}, size

    def _read(self, raw: sqlite3.Connection, word: str) -> int:
        raw.execute(
            f"CREATE VIRTUAL TABLE IF NOT EXISTS temp.{self.table}_words USING fts5vocab('main', '{self.table}', 'row')"
        )
        plain = "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))
        row = raw.execute(f"SELECT doc FROM temp.{self.table}_words WHERE term = ?", (plain,)).fetchone()
        return row[0] if row else 0


def matches(raw: sqlite3.Connection, query: str, counts: WordCounts) -> list[str]:
    """FTS5 expressions to try in turn: the rare words of the query with pairs of frequent ones, then all words."""
    found = sorted(chain.from_iterable(_indexed(raw, word, counts) for word in words(query)))
    rare, total = [], 0
    for count, word in found:
        total += count
        if total > ROWS:
            break
        rare.append(f'"{word}"')
    frequent = [f'"{word}"' for _, word in found[len(rare) :]]
    pairs = [f"({one} AND {other})" for one, other in combinations(frequent[:PAIRED], 2)]
    tries = [" OR ".join([*rare, *pairs]), " OR ".join([*rare, *frequent])]
    return list(dict.fromkeys(expression for expression in tries if expression))


def _indexed(raw: sqlite3.Connection, word: str, counts: WordCounts) -> list[tuple[int, str]]:
    """A word with its count; of a word that is not indexed, its other spellings that are."""
    if count := counts(raw, word):
        return [(count, word)]
    spelt = json.dumps(variants(fold(word)))
    sql = f"SELECT doc, term FROM temp.{counts.table}_words WHERE term IN (SELECT value FROM json_each(?))"
    return raw.execute(sql, (spelt,)).fetchall() or [(0, word)]


def first_full(expressions: Sequence[str], limit: int, search: Callable[[str], list[Found]]) -> list[Found]:
    """Result of the first expression that finds ``limit`` rows, else of the last one."""
    found: list[Found] = []
    for expression in expressions:
        found = search(expression)
        if len(found) >= limit:
            break
    return found


def search_nodes(raw: sqlite3.Connection, ns: int, query: str, limit: int, counts: WordCounts) -> list[Match]:
    """Live nodes, without ``SYSTEM_KINDS``, by BM25 of name, aliases and text, best first; higher is better."""
    if limit <= 0:
        return []
    sql = (
        "SELECT id, score FROM (SELECT n.id AS id, -bm25(node_fts, 4.0, 4.0, 1.0) AS score "
        "FROM node_fts CROSS JOIN nodes n ON n.id = node_fts.rowid "
        "WHERE node_fts MATCH ? AND +n.ns = ? AND n.retired_at IS NULL "
        f"AND n.kind NOT IN {SYSTEM_KINDS} LIMIT {RANKED}) ORDER BY score DESC, id LIMIT ?"
    )
    return first_full(matches(raw, query, counts), limit, lambda match: raw.execute(sql, (match, ns, limit)).fetchall())


def named_with(raw: sqlite3.Connection, ns: int, phrases: Sequence[str], limit: int) -> dict[str, list[int]]:
    """For each phrase, at most ``limit`` live nodes, without ``SYSTEM_KINDS``, with its words in sequence in a name.

    The last word of a phrase that ends in ``*`` is the beginning of a word.
    """
    sql = (
        "SELECT n.id FROM node_fts CROSS JOIN nodes n ON n.id = node_fts.rowid WHERE node_fts MATCH ? AND +n.ns = ? "
        f"AND n.retired_at IS NULL AND n.kind NOT IN {SYSTEM_KINDS} LIMIT ?"
    )
    found = {}
    for phrase in phrases:
        found[phrase] = list[int]()
        for match in _phrase_matches(phrase):
            found[phrase] = [row[0] for row in raw.execute(sql, (f"{{name aliases}} : ({match})", ns, limit))]
            if found[phrase]:
                break
    return found


def held(raw: sqlite3.Connection, ns: int, phrases: Sequence[str]) -> set[str]:
    """Phrases whose words stand in sequence in a name, alias or text of a live entity or passage, or a fact's text."""
    node = (
        "SELECT 1 FROM node_fts CROSS JOIN nodes n ON n.id = node_fts.rowid "
        "WHERE node_fts MATCH :match AND +n.ns = :ns "
        f"AND n.retired_at IS NULL AND (n.kind = '{PASSAGE}' OR n.kind NOT IN {SYSTEM_KINDS}) LIMIT 1"
    )
    condition, values = visible(raw, None)
    edge = (
        "SELECT 1 FROM edge_fts CROSS JOIN edges e ON e.id = edge_fts.rowid "
        f"WHERE edge_fts MATCH :match AND +e.ns = :ns AND {condition} LIMIT 1"
    )
    rows = [(phrase, {"match": match, "ns": ns}) for phrase in phrases for match in _phrase_matches(phrase)]
    found = set[str]()
    for phrase, row in rows:
        if phrase not in found and (raw.execute(node, row).fetchone() or raw.execute(edge, values | row).fetchone()):
            found.add(phrase)
    return found


def _phrase_matches(phrase: str) -> list[str]:
    """FTS5 expressions of a phrase, to try in turn: as it is, then with letters that the index keeps (ı, ø, ł)."""
    inside, end = " ".join(_WORD.findall(phrase)), " *" * phrase.endswith("*")
    others = _spellings(inside)
    return [" OR ".join(f'"{words}"{end}' for words in spelt) for spelt in ([inside], others) if spelt and inside]


@cache
def _letters() -> dict[str, str]:
    """Latin letters as full-text search indexes them, by the ASCII letters that names have for them.

    Search takes marks off letters and keeps those that are no letter with a mark: ``ı`` by ``i``, ``ø`` by ``o`` and
    ``oe``, ``o`` (of ``ö``) by ``oe``; see ``fold`` and ``fold_long``.
    """
    found: dict[str, dict[str, None]] = {}
    for letter in filter(str.islower, map(chr, range(0xDF, 0x180))):
        marks = [unicodedata.normalize(form, letter) for form in ("NFD", "NFKD")]
        if marks[0] == marks[1]:  # no ligature of ASCII letters
            indexed = next(part for part in marks[0] if not unicodedata.combining(part))
            for plain in (fold(f"x{letter}")[1:], fold_long(f"x{letter}")[1:]):
                if plain != indexed:
                    found.setdefault(plain, {})[indexed] = None
    return {plain: "".join(letters) for plain, letters in found.items()}


def variants(word: str) -> list[str]:
    """What a word in ASCII may stand for in the index: each place as it is or another letter, ``MAX_VARIANTS`` at most.

    Of a word with more, the word and those with one place, or all places of a kind, written as another letter; of a
    very long one the word alone.
    """
    if len(word) > MAX_LETTERS:
        return [word]
    choices = [[(1, word[at]), *((len(plain), letter) for plain, letters in _letters().items()
               if word.startswith(plain, at) for letter in letters)] for at in range(len(word))]  # fmt: skip
    tails = [[""]]  # spellings of the rest from each place, the last place first
    for at in range(len(word) - 1, -1, -1):
        tails.append([text + tail for size, text in choices[at] for tail in tails[len(word) - at - size]])
        if len(tails[-1]) > MAX_VARIANTS:
            return [word, *_spellings(word)]
    return list(dict.fromkeys(tails[-1]))


def _spellings(words: str) -> list[str]:
    """Other spellings of words in ASCII: one place, or all places of a kind, written as another letter."""
    if not words.isascii():
        return []
    found: dict[str, None] = {}
    for plain, letters in _letters().items():
        places = [match.start() for match in islice(re.finditer(plain, words), MAX_SPELLINGS)]
        for letter in letters if places else "":
            found |= dict.fromkeys(words[:at] + letter + words[at + len(plain) :] for at in places)
            found[words.replace(plain, letter)] = None
    return list(found)[:MAX_SPELLINGS]


def similar_words(raw: sqlite3.Connection, word: str, counts: WordCounts) -> list[str]:
    """Indexed words that are nearly a word and begin like it, the nearest first; none where the word is indexed."""
    if len(word) < SIMILAR_FROM or counts(raw, word):
        return []
    sql = f"SELECT term FROM temp.{counts.table}_words WHERE term >= ? AND term < ? LIMIT {RANKED}"
    terms = [row[0] for row in raw.execute(sql, (word[:2], word[:2] + chr(0x10FFFF)))]
    found = process.extract(word, terms, scorer=fuzz.ratio, score_cutoff=100 * MIN_SIMILARITY, limit=3)
    return [term for term, _, _ in found]


def search_edges(
    raw: sqlite3.Connection, ns: int, query: str, limit: int, index: CSRIndex, seeds: Sequence[Match],
    counts: WordCounts,
) -> list[Match]:  # fmt: skip
    """Present facts by BM25, best first: by their own text, or else by the names they join and their relation.

    ``seeds`` are the best nodes and their scores, from ``search_nodes``; ``counts`` those of words in facts' own texts.
    """
    if limit <= 0 or not words(query):
        return []
    scores = _by_text(raw, ns, query, limit, counts)
    for edge, score in _by_names(seeds, query, limit, index):
        scores[edge] = max(score, scores.get(edge, 0.0))
    if not scores:
        scores = _by_relation(query, limit, index)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))[:limit]


def has_fact_texts(raw: sqlite3.Connection) -> bool:
    """Whether any fact has a text of its own."""
    return raw.execute("SELECT 1 FROM edge_fts_docsize LIMIT 1").fetchone() is not None


def _by_text(raw: sqlite3.Connection, ns: int, query: str, limit: int, counts: WordCounts) -> dict[int, float]:
    if not has_fact_texts(raw):
        return {}
    condition, values = visible(raw, None)
    sql = (
        "SELECT id, score FROM (SELECT e.id AS id, -bm25(edge_fts) AS score "
        "FROM edge_fts CROSS JOIN edges e ON e.id = edge_fts.rowid "
        f"WHERE edge_fts MATCH :match AND +e.ns = :ns AND {condition} LIMIT {RANKED}) ORDER BY score DESC LIMIT :limit"
    )
    values |= {"ns": ns, "limit": limit}
    search = lambda match: raw.execute(sql, values | {"match": match}).fetchall()
    return dict(first_full(matches(raw, query, counts), limit, search))


def _by_names(seeds: Sequence[Match], query: str, limit: int, index: CSRIndex) -> list[Match]:
    """Facts around the best nodes: the sum of both ends' scores, and a share more for each word of the relation."""
    if not seeds:
        return []
    order = np.argsort([node for node, _ in seeds])
    nodes = np.asarray([node for node, _ in seeds], np.int64)[order]
    own = np.asarray([score for _, score in seeds])[order]
    arcs = index.expand(nodes, FACTS_PER_SEED)
    far = np.minimum(np.searchsorted(nodes, arcs.target), len(nodes) - 1)
    both = (nodes[far] == arcs.target) & (far != arcs.origin)
    relations, where = np.unique(arcs.relation >> 1, return_inverse=True)
    wanted, named = set(words(query)), [_words_of(index.relations[relation]) for relation in relations.tolist()]
    shares = np.asarray([len(one & wanted) / max(len(one), 1) for one in named])
    scores = (own[arcs.origin] + np.where(both, own[far], 0.0)) * (1.0 + shares[where]) / 2 if len(where) else own[:0]
    best = np.lexsort((arcs.edge, -scores))[: 2 * limit]  # a fact between two seeds comes twice
    return list(zip(arcs.edge[best].tolist(), scores[best].tolist(), strict=True))


def _words_of(relation: str) -> set[str]:
    return set(_WORD.findall(normalise_relation(relation)))


def _by_relation(query: str, limit: int, index: CSRIndex) -> dict[int, float]:
    """Facts of the relation that shares most words with the query: the fallback when no name matches."""
    wanted = set(words(query))
    shares: dict[int, float] = {}
    for relation, name in enumerate(index.relations):
        named = _words_of(name)
        if named & wanted and name not in (MENTIONS, TITLED):
            shares[relation] = len(named & wanted) / len(named | wanted)
    best = max(shares, key=lambda relation: shares[relation], default=None)
    return {} if best is None else dict.fromkeys(index.facts_of(best, limit).tolist(), shares[best])
