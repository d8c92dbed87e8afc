"""Language of a question: whether it is in English, the language that graphmem reads."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from graphmem.core.names import fold
from graphmem.text.name_matching import MAX_CHARACTERS, trimmed_words
from graphmem.text.word_classes import STOP_WORDS, ordinary_words

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

ENGLISH_WORDS = 0.7
"""Share of frequent English words, names aside, from which a text is English without a look at the identifier."""

MIN_PROBABILITY, MARGIN = 0.1, 4.0
"""Least probability of another language, and how many times that of English it must be.

Chosen on the questions of the four people's sets, QALD-9-plus, WikiMovies and SQuAD: none of 5,590 in English is taken
for another language; of those in German, Spanish, French and Russian 96 % or more are."""

_ENGLISH = ("en", "pcm")
"""Languages that count as English: Nigerian Pidgin has its words."""


def is_english(question: str) -> bool:
    """Whether a question is in English; one that is too short, or in no language, counts as English.

    Frequent words decide for most questions; the identifier (py3langid) is loaded for the others.
    """
    text = question[:MAX_CHARACTERS]
    if not any(map(str.isalpha, text)):
        return True
    spans = trimmed_words(text)
    words = [fold(text[a:b]) for at, (a, b) in enumerate(spans) if not at or not text[a].isupper()]
    if sum(word in STOP_WORDS or word in ordinary_words() for word in words) >= ENGLISH_WORDS * len(words):
        return True
    ranked = _identifier().rank(text)
    best, probability = ranked[0]
    english = sum(share for language, share in ranked if language in _ENGLISH)
    return best in _ENGLISH or probability < max(MIN_PROBABILITY, MARGIN * english)


@cache
def _identifier() -> LanguageIdentifier:
    """The identifier with the model that its package holds; probabilities add up to 1."""
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
