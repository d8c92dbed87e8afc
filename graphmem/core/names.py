"""Names of nodes and relations: validity, the normal form of identity, the folded form of search."""

from __future__ import annotations

import re
import unicodedata
from itertools import islice, product
from typing import Any

from graphmem.core.errors import InvalidName

MAX_NAME = 1024
"""Longest name of a node or relation, in characters."""

# Unicode 16. Dash and Quotation_Mark are the properties of those names, with the letters and symbols that stand for an
# apostrophe or a prime. Ignored is Default_Ignorable_Code_Point with the other invisible format characters.
_DASH = "\u2010-\u2015\u058a\u05be\u1400\u1806\u2043\u2053\u207b\u208b\u2212\u2e17\u2e1a\u2e3a\u2e3b\u2e40\u2e5d"
_DASH += "\u301c\u3030\u30a0\ufe31\ufe32\ufe58\ufe63\uff0d\U00010ead"
_SINGLE = "`\xb4\u02b9\u02bb-\u02bd\u02c8\u0374\u055a\u05f3\u07f4\u07f5\u1fbd\u1fbf\u1fef\u1ffd\u1ffe\u2018-\u201b"
_SINGLE += "\u2032\u2035\u2039\u203a\u275b\u275c\u275f\ua78b\ua78c\uff07\uff40"
_DOUBLE = "\xab\xbb\u02ba\u02dd\u02ee\u05f4\u201c-\u201f\u2033\u2036\u275d\u275e\u2760\u2e42\u300c-\u300f\u301d-\u301f"
_DOUBLE += "\ufe41-\ufe44\uff02\uff62\uff63\U0001f676-\U0001f678"
_IGNORED = "\0-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
_IGNORED += "\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
_IGNORED += "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"

_SPELLINGS = {
    f"[{_IGNORED}]": "", f"[{_DASH}]": "-", f"[{_SINGLE}]": "'", f"[{_DOUBLE}]": '"', "\u22ef": "...",
    "[\u2044\u2215]": "/", "\u2800": " ", "\u0131": "i",
}  # fmt: skip
# Letters that names in ASCII write as two, where the transliteration writes one: those of ICAO Doc 9303, part 3,
# section 6 A (Latin letters in passports, where its other letters are the transliteration's), and the d with a stroke,
# for which it has d, while Bosnian, Croatian and Serbian names have dj too.
_TWO_LETTERS = {"\xe4": "ae", "\xe5": "aa", "\xf6": "oe", "\xf8": "oe", "\xfc": "ue", "\u0111": "dj"}
_LONG = str.maketrans(_TWO_LETTERS)
_PAIR = re.compile("|".join(dict.fromkeys(_TWO_LETTERS.values())))
_MOST_PAIRS = 4
_TO = tuple(_SPELLINGS.values())
_SPECIAL = re.compile("|".join(f"({pattern})" for pattern in _SPELLINGS))
_APART = re.compile(r"[\s'`-]+")  # what folded forms and names may differ in
_DOTTED = re.compile("i([^a-z\\s\u0307]{0,16})\u0307+")
_CAMEL = re.compile(r"[a-z]{2,}(?:[A-Z][a-z]+)+\d*")


def normalise(name: str) -> str:
    """The form under which names are compared: letter case, spacing, typography and invisible characters set aside.

    NFKC, case folded, white space collapsed. All dashes are one, so are all single and all double quotation marks, and
    the Turkish i with and without its dot. ``normalise`` of a normal form is that form.
    """
    if name.isascii() and name.isprintable():
        return " ".join(name.lower().replace("`", "'").split())
    plain = name.casefold()
    composed = unicodedata.is_normalized("NFC", name) and unicodedata.is_normalized("NFKC", plain)
    if composed and "\u0307" not in plain and not _SPECIAL.search(plain):
        return " ".join(plain.split())
    name = _bounded(name)
    for _ in range(8):  # removing one character may let two others compose; names settle in one or two rounds
        before = name
        name = _SPECIAL.sub(_spelling, unicodedata.normalize("NFD", name))
        name = unicodedata.normalize("NFKC", name).casefold()
        if "i" in name:
            name = _DOTTED.sub(_undotted, unicodedata.normalize("NFD", name))
        name = " ".join(unicodedata.normalize("NFKC", name).split())
        if name == before:
            break
    return name


def normalise_lines(text: str) -> list[str] | None:
    """Normal forms of the lines of an ASCII text where ``normalise`` changes only letter case and quotes, else None."""
    spaced = text.startswith(" ") or text.endswith(" ") or any(pair in text for pair in ("  ", "\n ", " \n"))
    if spaced or not text.isascii() or not text.replace("\n", "").isprintable():
        return None
    return text.lower().replace("`", "'").split("\n")


def _bounded(name: str) -> str:
    """The text without the marks beyond 30 in a row: bringing them in order takes the square of their number."""
    if len(name) <= 64:
        return name
    kept, run = [], 0
    for character in name:
        run = run + 1 if unicodedata.combining(character) else 0
        if run <= 30:
            kept.append(character)
    return "".join(kept)


def _spelling(match: re.Match[str]) -> str:
    return _TO[(match.lastindex or 1) - 1]


def _undotted(match: re.Match[str]) -> str:
    """An i without a dot above: one that no other mark above it comes before."""
    marks = match[1]
    return f"i{marks}" if all(unicodedata.combining(c) not in (0, 230) for c in marks) else match[0]


def normalise_relation(name: str) -> str:
    """The form under which relations are compared: ``lives_in``, ``lives-in``, ``livesIn`` and ``lives in`` are one."""
    norm = normalise(split_camel_case(name))
    return " ".join(norm.replace("_", " ").replace("-", " ").split()) or norm


def split_camel_case(name: str) -> str:
    """A name in camel case in words, ``lives In`` for ``livesIn``; any other name as it is."""
    return re.sub("([A-Z])", r" \1", name) if _CAMEL.fullmatch(name) else name


def fold(name: str) -> str:
    """The form under which a name is searched when its normal form is unknown, in ASCII.

    Without accents, transliterated, without apostrophes, with a space for a hyphen. Several nodes may share it.
    """
    norm = normalise(name)
    text = _in_ascii(norm)
    return " ".join(text.replace("'", "").replace("`", "").replace("-", " ").split()) or norm


def _in_ascii(norm: str) -> str:
    if norm.isascii():
        return norm
    from anyascii import anyascii

    letters = (c for c in unicodedata.normalize("NFKD", norm) if not unicodedata.combining(c))
    return anyascii("".join(letters)).casefold()


def fold_long(name: str) -> str:
    """The folded form in which umlauts and their like are two letters, as in a passport: ``Mueller`` for Müller."""
    return fold(normalise(name).translate(_LONG))


def spellings(name: str) -> tuple[str, ...]:
    """Folded forms under which a name is searched, the usual one first."""
    return tuple(dict.fromkeys((fold(name), fold_long(name))))


def shortened(folded: str) -> list[str]:
    """Folded forms of the names that a folded name may stand for with two letters for one: ``muller`` for ``mueller``.

    Of the first places alone, so that their number is bounded.
    """
    places = [match.span() for match in islice(_PAIR.finditer(folded), _MOST_PAIRS)]
    forms = []
    for kept in product((False, True), repeat=len(places)):
        form, end = "", 0
        for (start, stop), whole in zip(places, kept, strict=True):
            form, end = form + folded[end : stop if whole else start + 1], stop
        forms.append(form + folded[end:])
    return forms[:-1]  # the last one is the name itself


def is_spelling(folded: str, name: str) -> bool:
    """Whether a folded name is a name in ASCII, with one or two letters for each letter that has two.

    ``djordje moller`` and ``dorde moeller`` are both spellings of a name with both such letters.
    """
    letters = [(letter, _in_ascii(letter)) for letter in normalise(name)]
    parts = [f"(?:{re.escape(short)}|{_TWO_LETTERS[letter]})" if letter in _TWO_LETTERS else
             re.escape(_APART.sub("", short)) for letter, short in letters]  # fmt: skip
    return re.fullmatch("".join(parts), _APART.sub("", folded)) is not None


def check_name(name: Any, what: str = "name") -> str:
    """Return ``name`` stripped.

    Raises:
        InvalidName: not text, nothing visible, longer than ``MAX_NAME``, a NUL or a lone surrogate inside.
    """
    if not isinstance(name, str):
        raise InvalidName(f"{what} must be text, not {type(name).__name__}: {name!r}")
    stripped = name.strip()
    if len(stripped) > MAX_NAME:
        raise InvalidName(f"{what} has {len(stripped)} characters, {MAX_NAME} at most; use `text`: {stripped[:40]!r}")
    if reason := unstorable(stripped):
        raise InvalidName(f"{what} {reason}: {stripped[:40]!r}")
    if not stripped or not ("0" <= stripped[0] <= "z" or normalise(stripped)):
        raise InvalidName(f"{what} is empty; give it at least one visible character: {stripped[:40]!r}")
    return stripped


def unstorable(text: str) -> str | None:
    """Why a text cannot be stored (a NUL character or a lone surrogate inside), or None."""
    if "\x00" in text:
        return f"holds a NUL character at {text.index(chr(0))}"
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"is not valid Unicode (lone surrogate at {error.start})"
    return None
