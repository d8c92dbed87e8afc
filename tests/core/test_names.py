from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.core.errors import InvalidName
from graphmem.core.names import check_name, fold, normalise, normalise_relation

PIECES = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("iİıI\u0307\u0323'’–\u200d`")))


@pytest.mark.parametrize(
    "spellings",
    [
        ["O'Brien", "O’Brien", "O‘Brien", "OʼBrien", "O′Brien", "O´Brien", "O`Brien", "o＇brien", "O\u200b’Brien"],
        ['the "Fox"', "the “Fox”", "the „Fox“", "the «Fox»", "the ‟Fox”", "the ＂Fox＂"],
        ["Jean-Luc", "Jean‐Luc", "Jean‑Luc", "Jean–Luc", "Jean—Luc", "Jean−Luc", "Je\u00adan-Luc"],
        ["Ann Lee", "Ann\u00a0Lee", "Ann\u2009Lee", " ann \u3000LEE", "Ann\tLee", "Ann\u202f Lee", "A\u200dnn Lee"],
        ["Noah", "\ufeffNoah", "\u202eNoah\u202c", "No\u2060ah", "Noah\ufe0f", "N\u061coah", "No\u034fah"],
        ["İstanbul", "istanbul", "ISTANBUL", "ıstanbul", "I\u0307stanbul", "İSTANBUL"],
        ["Diyarbakır", "DIYARBAKIR", "diyarbakir", "DİYARBAKIR"],
        ["José", "Jose\u0301", "JOSÉ"], ["wait...", "wait…"], ["Straße", "STRASSE", "strasse"], ["½ cup", "1/2 cup"],
    ],
)  # fmt: skip
def test_spellings_of_one_name_are_one(spellings: list[str]) -> None:
    assert len({normalise(name) for name in spellings}) == 1


def test_other_names_stay_apart() -> None:
    names = ["Jose", "José", "O'Brien", "OBrien", "C", "C++", "C#", "Jean Luc", "Jean-Luc", "Lodz", "Łódź", "x²", "x3"]
    assert len({normalise(name) for name in names}) == len(names)


@given(PIECES)
def test_a_normal_form_is_its_own_and_that_of_either_order_of_marks(name: str) -> None:
    norm = normalise(name)
    assert normalise(norm) == norm
    assert normalise(unicodedata.normalize("NFC", name)) == normalise(unicodedata.normalize("NFD", name)) == norm
    assert fold(fold(name)) == fold(name)


def test_every_dash_quote_and_format_character_counts_for_nothing() -> None:
    """By the categories of Unicode: dashes are one, format characters none but those that are visible."""
    visible = range(0x600, 0x606), (0x6DD, 0x70F, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD), range(0x13430, 0x13440)
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not any(code in shown for shown in visible)]
    inside = {c: normalise(f"a{c}b") for c in characters if unicodedata.category(c) in ("Pd", "Cf")}
    assert {norm for c, norm in inside.items() if unicodedata.category(c) == "Pd"} == {"a-b"}
    assert {norm for c, norm in inside.items() if unicodedata.category(c) == "Cf"} == {"ab"}


@pytest.mark.parametrize(
    "name", ["", " ", "\u200b", "\u200d\ufeff", "\u3164", "\u2800", "\u00ad\u2028", "\x01", "\ufe0f"]
)
def test_a_name_with_nothing_visible_is_refused(name: str) -> None:
    with pytest.raises(InvalidName, match="visible"):
        check_name(name)


def test_names_are_shown_as_they_were_given() -> None:
    assert check_name(" O’Brien\u200b 👩\u200d🚀 ") == "O’Brien\u200b 👩\u200d🚀"


@pytest.mark.parametrize(
    "relation", ["lives in", "lives_in", "lives-in", "LIVES_IN", "Lives–In", "livesIn", " lives  in ", "lives_ in"]
)
def test_relations_are_alike_in_underscores_and_hyphens(relation: str) -> None:
    assert normalise_relation(relation) == "lives in"


def test_other_relations_stay_apart() -> None:
    assert [normalise_relation(r) for r in ("-", "_", "eBay", "DNA", "is2")] == ["-", "_", "ebay", "dna", "is2"]


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("José Núñez", "Jose Nunez"), ("Łukasz Żak", "lukasz zak"), ("Королёв", "Королев"), ("Королёв", "Korolev"),
        ("Straße", "Strasse"), ("Ørsted", "Orsted"), ("Đoković", "Dokovic"), ("Þór", "Thor"), ("Æther", "Aether"),
        ("İstanbul", "Istanbul"), ("O’Brien", "OBrien"), ("Jean-Luc", "Jean Luc"), ("Nguyễn", "Nguyen"),
        ("Œuvre", "oeuvre"),
    ],
)  # fmt: skip
def test_a_folded_name_has_no_accents_and_is_transliterated(name: str, other: str) -> None:
    assert fold(name) == fold(other)
    assert fold(name).isascii()


@pytest.mark.parametrize("text", ["\u0301", "\u0323\u0301", "i\u0307\u0323", "é\u200b", "’–"])
def test_long_runs_of_marks_are_cut_before_they_are_ordered(text: str) -> None:
    """Bringing n marks in order takes n * n steps, so at most 30 of them are looked at."""
    norm = normalise("a" + text * 100_000)
    runs = "".join("m" if unicodedata.combining(c) else " " for c in unicodedata.normalize("NFD", norm[:1000])).split()
    assert max(map(len, runs), default=0) <= 32
