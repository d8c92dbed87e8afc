"""Unknown names: names in a question that no name, alias or text of the memory holds."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA

from graphmem.core.names import fold, normalise
from graphmem.core.protocols import GraphStore
from graphmem.text.name_matching import MAX_CHARACTERS, NameMatch, trimmed_words
from graphmem.text.name_parts import other_first_names, titles
from graphmem.text.name_tagging import Tagger
from graphmem.text.word_classes import STOP_WORDS, is_calendar, ordinary_words

MAX_WORDS = 200
"""Words of a question that are looked at."""

MAX_NEAR, MIN_SIMILARITY = 3, 60
"""Known names given for an unknown one, and their least similarity, of 100."""

TITLE_CASE = 0.7
"""Share of ordinary words with a capital from which capitals do not tell names from other words."""

MIN_LETTERS = 3
_PIECE = re.compile(r"[^\W_]+")
_DIGITS, _LETTERS = re.compile(r"\d+"), re.compile(r"[^\W\d_]+")
_LATIN = "\u024f"
"""The last letter that is compared: names in other scripts may be known in Latin letters."""
_ABBREVIATION = re.compile(r"[A-Z\u00c0-\u00de]{2,5}(?:s?$|\W)")
"""A short word in capitals: as in questions about common things, no evidence of an unknown name."""
_SENTENCE_END = re.compile(r"[.!?:…]['\")\]]*\s+$")


@dataclass(frozen=True, slots=True)
class UnknownName:
    """A name in a question that the memory does not hold.

    Attributes:
        text: the name, as in the question from ``start`` to ``end``.
        near: the known names most like it, the best first.
    """

    text: str
    start: int
    end: int
    near: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a question: its span, folded form, and whether it looks like (a part of) a name."""

    start: int
    end: int
    folded: str
    capital: bool
    first: bool


def unknown_names(
    query: str, store: GraphStore, matches: Sequence[NameMatch] = (), tagger: Tagger | None = None
) -> list[UnknownName]:
    """Names in a question that no node, alias or text of the memory holds, in the order of the question.

    Capitals tell names from other words, so a question without capitals, or with most words capitalised, has none but
    numbers and compounds of a kind that the memory names otherwise: ``issue #9`` where it knows ``issue #8``. A name
    of several words is unknown where one of its words is held nowhere and is no misspelling of one letter, or where
    only different names hold its first and its last word. Whatever is doubtful is left out, and what stands in
    parentheses behind a name.

    Args:
        matches: names of the question that were linked, ``Seeds.mentions``.
        tagger: name tagger; finds names that begin a sentence too.
    """
    query = query[:MAX_CHARACTERS]
    words = list(_words(query))[:MAX_WORDS]
    judge = _Judge(query, store, matches)
    runs = [run for run in _runs(query, words, tagger) if not _is_gloss(query, run, words)]
    judge.look_up(runs)
    found = [judge.unknown(run) for run in runs]
    codes = [judge.unknown_code(words, at) for at in range(len(words))]
    kept: list[UnknownName] = []
    for name in sorted(filter(None, [*found, *codes]), key=lambda name: (name.start, -name.end)):
        if not kept or name.start >= kept[-1].end:
            kept.append(name)
    return kept


def _words(query: str) -> Iterator[_Word]:
    for start, end in trimmed_words(query):
        text = query[start:end]
        first = not query[:start].strip() or bool(_SENTENCE_END.search(query[max(0, start - 8) : start]))
        capital = text[:1].isupper() and text[:1] <= _LATIN and not _ABBREVIATION.match(text)
        yield _Word(start, end, fold(text), capital, first)


def _runs(query: str, words: Sequence[_Word], tagger: Tagger | None) -> Iterator[list[_Word]]:
    """Runs of capitalised words with only space between them, without words that begin a sentence by chance."""
    plain = [word for word in words if not word.first and (word.folded in STOP_WORDS or _is_ordinary(word))]
    if sum(query[word.start].isupper() for word in plain) >= max(2, TITLE_CASE * len(plain)):
        return
    spans = tagger([query])[0] if tagger else []
    run: list[_Word] = []
    for word in words:
        if run and (word.first or not query[run[-1].end : word.start].isspace()):
            yield run
            run = []
        tagged = any(start <= word.start < end for start, end in spans)
        if word.capital and not _is_plain(word.folded) and (tagged or not word.first or _begins(query, word, words)):
            run.append(word)
        elif run:
            yield run
            run = []
    if run:
        yield run


def _is_gloss(query: str, run: Sequence[_Word], words: Sequence[_Word]) -> bool:
    """Whether a run is in parentheses behind a capitalised word, as in ``Nature (Journal)``: it says what that is."""
    opening = query.rfind("(", 0, run[0].start)
    if opening < 0 or ")" in query[opening : run[0].start]:
        return False
    before = next((word for word in reversed(words) if word.end <= opening), None)
    return before is not None and before.capital and not query[before.end : opening].strip()


def _begins(query: str, word: _Word, words: Sequence[_Word]) -> bool:
    """Whether a word that begins a sentence is no ordinary word and stands right before a capitalised one."""
    after = next((w for w in words if w.start >= word.end), None)
    near = after is not None and after.capital and query[word.end : after.start].isspace()
    return near and not _is_ordinary(word)


def _is_ordinary(word: _Word) -> bool:
    return word.folded in ordinary_words()


def _is_plain(folded: str) -> bool:
    """Whether a capitalised word is none of a name: a stop word, a title, a month."""
    short = sum(map(str.isalpha, folded)) < MIN_LETTERS
    return short or folded in STOP_WORDS or folded in titles() or is_calendar(folded)


class _Judge:
    """Comparison of the words of one question with the memory."""

    def __init__(self, query: str, store: GraphStore, matches: Sequence[NameMatch]) -> None:
        self.query, self.store, self.matches = query, store, matches
        self.held: set[str] = set()
        nodes = sorted({node for match in matches for node in match.nodes})
        self.linked = {node.id: _pieces((node.name, *node.aliases)) for node in store.nodes(nodes)} if nodes else {}

    def look_up(self, runs: Sequence[Sequence[_Word]]) -> None:
        """Look up every word and run in the texts of the memory."""
        phrases = {form for run in runs for word in run for form in (*self._forms(word), *self._renamed(word, run))}
        phrases |= {self._phrase(run) for run in runs}
        self.held = self.store.held(sorted(phrases)) if phrases else set()

    def unknown(self, run: Sequence[_Word]) -> UnknownName | None:
        """A run as an unknown name; None where it is known, or may be."""
        missing = [word for word in run if not self._is_known(word, run)]
        if not missing:
            return self._named(run) if self._is_mixed(run) else None
        if run[0] in missing and len(run) > 1 and self._is_title(run):
            run, missing = run[1:], missing[1:]
        if missing and not self._is_misspelt(missing, run) and not self._in_relations(missing):
            return self._named(run)
        return None

    def _forms(self, word: _Word) -> set[str]:
        """Forms of which one must be held for the word to be known: as written, folded, without s."""
        return {normalise(self.query[word.start : word.end]), word.folded, word.folded.removesuffix("s")}

    def _renamed(self, word: _Word, run: Sequence[_Word]) -> list[str]:
        """A run with another form of the first name that a word of it is."""
        names = other_first_names(word.folded)
        return [" ".join(name if other is word else other.folded for other in run) for name in names]

    def _phrase(self, run: Sequence[_Word]) -> str:
        return normalise(self.query[run[0].start : run[-1].end])

    def _is_known(self, word: _Word, run: Sequence[_Word]) -> bool:
        if self.held.intersection((*self._forms(word), *self._renamed(word, run))):
            return True
        over = [match for match in self.matches if match.start <= word.start and word.end <= match.end]
        pieces = set().union(*(self.linked.get(node, set()) for match in over for node in match.nodes))
        if pieces & (self._forms(word) | other_first_names(word.folded)):
            return True
        if any(match.text == self.query[word.start : word.end] for match in over):  # the beginning of a first name
            return any(piece.startswith(word.folded) for piece in pieces) and not other_first_names(word.folded)
        is_name = len(run) > 1 and bool(other_first_names(word.folded))
        return _is_ordinary(word) and not is_name

    def _is_mixed(self, run: Sequence[_Word]) -> bool:
        """Whether a run of known words is the first word of some names and the last one of others, but no name."""
        if len(run) < 2 or self._phrase(run) in self.held or any(map(_is_ordinary, run)):
            return False
        if any(match.start <= run[0].start and run[-1].end <= match.end for match in self.matches):
            return False
        first, last = run[0].folded, run[-1].folded
        names = [name.split() for name in self._names([first, last])]
        long = [name for name in names if len(name) > 1]
        if any({first, last} <= set(name) for name in names):
            return False
        return any(name[0] == first for name in long) and any(name[-1] == last for name in long)

    def _is_title(self, run: Sequence[_Word]) -> bool:
        """Whether the first word of a run is a form of address: what follows is linked to a name that begins so."""
        if other_first_names(run[0].folded):
            return False
        rest = [match for match in self.matches if match.start in (run[0].start, run[1].start)]
        nodes = [node for match in rest for node in match.nodes]
        names = [fold(name).split() for node in self.store.nodes(nodes) for name in (node.name, *node.aliases)]
        return any(name[: len(run) - 1] == [word.folded for word in run[1:]][: len(name)] for name in names)

    def _is_misspelt(self, missing: Sequence[_Word], run: Sequence[_Word]) -> bool:
        """Whether one letter more, less, other or moved makes a known name of the run; first names are spelt right."""
        word = missing[0].folded
        if len(missing) > 1 or other_first_names(word):
            return False
        beside = self._names([other.folded for other in run if other not in missing])
        near = {*self.store.similar_words([word])[word], *(part for name in beside for part in name.split())}
        near = {form for form in near if form[:1] == word[:1] and OSA.distance(form, word) == 1}
        return bool(self.store.held([" ".join(form if w in missing else w.folded for w in run) for form in near]))

    def _in_relations(self, missing: Sequence[_Word]) -> bool:
        words = {word for name in self.store.index().relations for word in _pieces([name])}
        return {word.folded for word in missing} <= words

    def _named(self, run: Sequence[_Word]) -> UnknownName:
        start, end = run[0].start, run[-1].end
        return UnknownName(self.query[start:end], start, end, self._near(self.query[start:end]))

    def _near(self, text: str) -> tuple[str, ...]:
        """Known names most like a text, of those that share a word with it or have a similar one."""
        words = _PIECE.findall(fold(text))
        similar = self.store.similar_words(words)
        names = self._names([form for word in words for form in (word, *similar[word])], folded=False)
        best = process.extract(
            text, names, scorer=fuzz.ratio, processor=fold, limit=MAX_NEAR, score_cutoff=MIN_SIMILARITY
        )
        return tuple(name for name, _, _ in best)

    def _names(self, phrases: Sequence[str], *, folded: bool = True) -> list[str]:
        """Names of nodes that contain a phrase."""
        found = self.store.named_with(phrases, limit=16)
        names = self.store.names(sorted({node for nodes in found.values() for node in nodes}))
        return list(dict.fromkeys(fold(name) if folded else name for name in names))

    def unknown_code(self, words: Sequence[_Word], at: int) -> UnknownName | None:
        """A number or compound as an unknown name, where the memory names others of its kind with the same word."""
        word = words[at]
        text = self.query[word.start : word.end]
        pieces = _PIECE.findall(fold(text))
        before = words[at - 1] if at and self.query[words[at - 1].end : word.start].isspace() else None
        if before is not None and (_is_plain(before.folded) or not before.folded.isalpha()):
            before = None
        if not pieces or not (text[-1].isdigit() or len(pieces) > 1):
            return None
        short = before is not None and text.isdigit() and len(text) < MIN_LETTERS
        if self.store.held([" ".join([before.folded, *pieces] if before is not None and short else pieces)]):
            return None
        kin = [pieces[0]] if pieces[0].isalpha() else [before.folded] if before else []
        same = [name for name in self._names(kin, folded=False) if _is_kin(name, text, kin[0])] if kin else []
        if len(same) < (1 if text[-1].isdigit() else 2):
            return None
        start = before.start if before is not None and kin == [before.folded] else word.start
        return UnknownName(self.query[start : word.end], start, word.end, tuple(same[:MAX_NEAR]))


def _is_kin(name: str, text: str, word: str) -> bool:
    """Whether a name has a part of a text's shape, right after a word or beginning with it."""
    parts = name.split()
    shaped = [part for part in parts if _shape(part) == _shape(text)]
    after = [part for one, part in pairwise(parts) if fold(one) == word and part in shaped]
    return bool(after) or any(fold(part).split()[0] == word for part in shaped)


def _shape(text: str) -> str:
    return _LETTERS.sub("a", _DIGITS.sub("0", text.casefold()))


def _pieces(names: Collection[str]) -> set[str]:
    return {piece for name in names for piece in (*fold(name).split(), *_PIECE.findall(fold(name)))}
