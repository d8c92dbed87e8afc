from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.datasets.wordnet import Thesaurus
from graphmem.synthetic.question_wordings import question_of_names

INDEX = """  1 a line of the licence
gender n 1 1 @ 1 0 00000001
child n 2 1 ~ 2 1 00000002 00000003
"""
DATA = """  1 a line of the licence
00000001 03 n 03 gender 0 sex 0 Gender_Studies 0 000 | what it is
00000002 18 n 02 child 0 kid 0 001 ~ 00000004 n 0000 | a young person; "a child"
00000003 18 n 02 child 1 baby 0 000 | an immature person
00000004 18 n 01 foster_child 0 001 @ 00000002 n 0000 | not one's own
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.noun").write_text(INDEX)
    (tmp_path / "data.noun").write_text(DATA)
    return tmp_path


def test_other_words_are_those_of_the_first_senses_and_of_kinds(folder: Path) -> None:
    thesaurus = Thesaurus(folder)
    assert thesaurus.others("gender") == (("sex",), ())
    assert thesaurus.others("child") == (("kid", "baby"), ("foster child",))
    assert thesaurus.others("unheard of") == ((), ())


def test_the_last_word_is_varied_and_what_has_no_other_word_stays(folder: Path) -> None:
    always = Thesaurus(folder, share=1.0, hyponyms=0.0)
    assert always("legal gender", Random(0)) == "legal sex" and always("postcode", Random(0)) == "postcode"
    assert Thesaurus(folder, share=0.0)("gender", Random(0)) == "gender"
    asked = {
        question_of_names([("child", 0), ("gender", 0)], False, Random(seed), "it", always).lower()
        for seed in range(20)
    }
    assert all("sex" in text and ("kid" in text or "baby" in text) for text in asked)


def test_a_folder_without_the_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="index.noun"):
        Thesaurus(tmp_path)
