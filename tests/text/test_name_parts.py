from __future__ import annotations

from typing import Any

import pytest

from graphmem.core.edits import AddNode
from graphmem.text.name_parts import match_parts, other_first_names, titles


@pytest.fixture
def names(store: Any) -> Any:
    kinds = {"May 1901": "literal", "claim of x: Zed Alder married": "episode"}
    known = [
        "Ada Lovelace", "Ada Palmer", "John Smith", "Tarnwick Instruments", "Tarnwick Instruments Ltd", "José Núñez",
        "New York City", "Saint Louis", *kinds,
    ]  # fmt: skip
    store.apply([AddNode(name, kinds.get(name, "entity")) for name in known])
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Where was Ada born?", {"Ada": {"Ada Lovelace", "Ada Palmer"}}),
        ("Does Prof. Smith know Tarnwick?", {"Prof. Smith": {"John Smith"}, "Tarnwick": {"Tarnwick Instruments"}}),
        ("New York, Nunez", {"New York": {"New York City"}, "Nunez": {"José Núñez"}}),
        ("What does Tarnwick Holdings make, or Ada Byron?", {}),  # other names with the same word
        ("Is Aunt Lovelace here?", {"Aunt Lovelace": {"Ada Lovelace"}}),
        ("Describe Smith", {"Smith": {"John Smith"}}),
        ("is smith there", {"smith": {"John Smith"}}),
        ("Is smith there, Bob?", {}),  # a text with capitals means its capitals
        ("Where does Smyth live, and Lovelase?", {"Smyth": {"John Smith"}, "Lovelase": {"Ada Lovelace"}}),
        ("In May the Saint met Zed", {}),  # a month, a title, an episode
        ("who is there", {}), ("", {}), ("?!", {}), ("\u202e\u0000", {}),
    ],
)  # fmt: skip
def test_parts_mean_the_names_that_begin_or_end_with_them(names: Any, text: str, found: dict[str, set[str]]) -> None:
    matches = match_parts(text, names, relation_words={"born"})
    assert {match.text: set(names.names(match.nodes)) for match in matches} == found


@pytest.fixture
def people(store: Any) -> Any:
    known = [AddNode(n) for n in ("Tobias Renn", "William Shaw", "Bill Shaw Ltd", "Elizabeth Pike", "Betty Pyke")]
    known += [AddNode(n) for n in ("Robert Hale", "Bob Ames", "Lena Thomas", "Release 2.1")]
    store.apply([*known, AddNode("Edwin Cole", aliases=("Ned",))])
    return store


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Where does Toby live?", {"Toby": {"Tobias Renn"}}),
        ("who is toby's wife", {"toby": {"Tobias Renn"}}),
        ("who is tobys wife", {"tobys": {"Tobias Renn"}}),
        ("Where did Toby Renn go?", {"Toby Renn": {"Tobias Renn"}}),
        ("Where did Toby Wren-Jones go?", {}),  # another surname
        ("Is Willie here?", {"Willie": {"William Shaw", "Bill Shaw Ltd"}}),  # unclear, as two of one name are
        ("Is Al here?", {}),  # too short for a part
        ("Is Beth here?", {"Beth": {"Elizabeth Pike", "Betty Pyke"}}),
        ("Does Bobby know Robert?", {"Bobby": {"Robert Hale", "Bob Ames"}, "Robert": {"Robert Hale"}}),  # as written
        ("Does Tom know her?", {}),  # Thomas is a surname
        ("Is Tob here, and Rel?", {"Tob": {"Tobias Renn"}, "Rel": {"Release 2.1"}}),
        ("Is Eli here?", {}),  # a first name of its own
        ("is tob here", {}), ("is tob's key here", {"tob": {"Tobias Renn"}}),
        ("can i pay a bill here", {"bill": {"Bill Shaw Ltd"}}),
        ("what is the penny for", {}),
        ("where are neds keys", {"neds": {"Edwin Cole"}}),
        ("what came with 2.1?", {"2.1": {"Release 2.1"}}),
        ("what came with release 2.2?", {}),
    ],
)  # fmt: skip
def test_short_and_full_forms_of_first_names(people: Any, text: str, found: dict[str, set[str]]) -> None:
    matches = match_parts(text, people)
    assert {match.text: set(people.names(match.nodes)) for match in matches} == found


def test_another_form_of_a_first_name_scores_below_a_part_as_written(people: Any) -> None:
    written, short = (match_parts(f"Is {name} here?", people)[0] for name in ("Tobias", "Toby"))
    assert short.score / len("Toby") < written.score / len("Tobias")


def test_forms_of_first_names_go_both_ways() -> None:
    assert "tobias" in other_first_names("toby") and "toby" in other_first_names("tobias")
    assert other_first_names("") == other_first_names("xyzzy") == frozenset()


def test_words_of_relations_are_no_names_in_lower_case(names: Any) -> None:
    names.apply([AddNode("Birthday Party")])
    assert match_parts("whose birthday is it", names, {"birthday"}) == []
    assert [match.text for match in match_parts("whose Birthday is it", names, {"birthday"})] == ["Birthday"]


def test_the_look_ups_of_a_long_text_are_bounded(names: Any) -> None:
    asked: list[str] = []

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(names, name)

        def named_with(self, phrases: list[str], *, limit: int) -> dict[str, list[int]]:
            asked.extend(phrases)
            return names.named_with(phrases, limit=limit)

    match_parts(", ".join(f"Word{number}" for number in range(5_000)), Counting())
    assert 0 < len(asked) <= 200


def test_titles_are_data() -> None:
    assert {"mr", "mrs", "dr", "prof"} <= titles() and "king" not in titles()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Where does Mueller live?", {"Hans Müller"}), ("Where does Mr. Böhm live?", {"Carl Boehm"}),
        ("Where does Prof. Bergaard live?", {"Åse Bergård"}), ("Where does Bergard live?", {"Åse Bergård"}),
        ("Where does Muellers Maas live?", set()), ("Where does Dr. Maas live?", set()),
    ],
)  # fmt: skip
def test_parts_with_umlauts_are_found_by_both_ways_of_writing_them(store: Any, text: str, found: set[str]) -> None:
    store.apply([AddNode(name) for name in ("Hans Müller", "Carl Boehm", "Åse Bergård", "Ann Mas", "Eva Mås-Lund")])
    assert {name for match in match_parts(text, store) for name in store.names(match.nodes)} == found
