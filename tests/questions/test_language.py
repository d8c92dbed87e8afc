from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.questions.language import is_english


@pytest.mark.parametrize(
    "question",
    [
        "Where was Gila born?", "whats gilas blood type", "who's toby's wife", "is tinker a dog?",
        "how tall is paddy by now?",
        "Was Sunniva born in Arendal?", "Has Conor got diabetes?", "When did Oma Klara die?", "is jo lewis's boss?",
        "Who works at Brasserie de la Gare in Aix-en-Provence?", "Wo Hu Cang Long was directed by who",
        "Who is Heinrich von Ofterdingen's friend Klaus Zimmermann?", "Juniper's vet?", "tel no Samira Haddad",
        "who maintains quillmesh-mobile?", "Is larder written in Go?", "wow lol ok",
        "Do we still carry ammonium nitrate?",
        "", "?", "Gila?", "x" * 3_000, "x" * 100_000, "12 + 3 = ?", "\u202e\u0000", "🙂🙂🙂",
    ],
)  # fmt: skip
def test_english_and_what_is_no_language(question: str) -> None:
    assert is_english(question)


@pytest.mark.parametrize(
    "question",
    [
        "¿Dónde nació Gila?", "¿Quién es el jefe de Hana?", "¿Cuánto pesa Biscuit?", "donde vive la mujer de Toby",
        "Où est née Gila ?", "Quel est le métier de Farid ?", "où habite jo", "Combien coûte le scanner ?",
        "Wo wurde Gila geboren?", "Wer ist Tobys Frau?", "wie heißt der hund von ted", "Was macht Farid beruflich?",
        "Dove è nato Farid?", "Onde nasceu a Gila?", "Где родилась Гила?",
        "吉拉在哪里出生？", "ギラはどこで生まれましたか", "أين ولدت جيلا؟",
    ],
)  # fmt: skip
def test_other_languages(question: str) -> None:
    assert not is_english(question)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_any_text_is_judged(question: str) -> None:
    assert is_english(question) in (True, False)


def test_a_question_of_frequent_words_loads_nothing() -> None:
    code = (
        "import sys\nfrom graphmem.questions.language import is_english\n"
        "assert is_english('Where was the mother of Ada Lovelace born?') and 'py3langid' not in sys.modules\n"
        "assert not is_english('Wo wurde Gila geboren?') and 'py3langid' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
