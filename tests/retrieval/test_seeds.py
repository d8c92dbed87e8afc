from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphmem.core.edits import AddEdge, AddNode
from graphmem.retrieval.seeds import SeedFinder, Seeds, encode_missing, fuse


@pytest.fixture
def films(store: Any) -> Any:
    store.apply([
        AddEdge("Alien", "directed by", "Ridley Scott"), AddEdge("Alien", "has genre", "Horror"),
        AddEdge("Heat", "directed by", "Michael Mann"), AddEdge("It", "has genre", "Horror"),
    ])  # fmt: skip
    return store


def find_seeds(query: str, store: Any, encoder: Any) -> Seeds:
    return SeedFinder(store, encoder).find(query)


def names(store: Any, seeds: Any) -> list[str]:
    return store.names(seeds.nodes)


def test_a_name_in_the_query_is_the_seed(films: Any, encoder: Any) -> None:
    seeds = find_seeds("who directed Alien?", films, encoder)
    assert seeds.strategy == "exact" and names(films, seeds) == ["Alien"] and seeds.weights.tolist() == [1.0]
    assert seeds.masked_query == "who directed it?"
    assert not films.vectors(encoder.fingerprint)[0].size  # nothing was encoded


def test_bm25_and_vectors_where_nothing_is_named(films: Any, encoder: Any) -> None:
    films.apply([AddNode("Ridley Scott", text="a maker of films about space")])
    seeds = find_seeds("a frightening genre, full of terror, by a maker of things in space", films, encoder)
    assert seeds.strategy == "hybrid" and {"Ridley Scott", "Horror"} <= set(names(films, seeds))
    assert seeds.weights[0] == 1 and (np.diff(seeds.weights) <= 0).all()


@pytest.mark.parametrize(
    ("query", "name", "masked"),
    [
        ("who directed Alienn?", "Alien", "who directed it?"),
        ("what did ridly scott direct", "Ridley Scott", "what did it direct"),
        ("films of the Michael Man kind", "Michael Mann", "films of the it kind"),
    ],
)
def test_a_misspelt_name_is_a_seed_and_is_masked(films: Any, encoder: Any, query: str, name: str, masked: str) -> None:
    seeds = find_seeds(query, films, encoder)
    assert seeds.strategy == "fuzzy" and names(films, seeds) == [name] and seeds.masked_query == masked


def test_vectors_find_what_shares_no_word(films: Any, encoder: Any) -> None:
    encode_missing(films, encoder)
    ids, cosines = films.nearest(encoder.encode(["terror, fright"])[0], encoder.fingerprint, 2)
    assert "Horror" in films.names(ids) and cosines[0] >= cosines[1]


@pytest.mark.parametrize("query", ["", "   ", "who is there?", "\u202e\u0000", "какой фильм"])
def test_an_empty_memory_has_no_seeds(store: Any, encoder: Any, query: str) -> None:
    seeds = find_seeds(query, store, encoder)
    assert seeds.strategy == "none" and not len(seeds.nodes) and seeds.pairs() == ()


def test_a_very_long_query_is_searched_in_its_first_part(films: Any, encoder: Any) -> None:
    seeds = find_seeds("Alien " + "x" * 100_000, films, encoder)
    assert names(films, seeds)[0] == "Alien" and len(seeds.masked_query) <= 4000


@pytest.fixture
def club(store: Any) -> Any:
    store.apply([
        AddEdge("Lewis Tarrant", "also known as", "Lew"), AddEdge("Lewis Tarrant", "job", "groom"),
        AddEdge("Hana Okabe", "boss of", "Lewis Tarrant"), AddEdge("Hana Okabe", "status", "open"),
        AddEdge("Version 2", "also known as", "Ibis"), AddEdge("Version 2", "led by", "Hana Okabe"),
        AddEdge("Hana Okabe", "role", "release manager"), AddEdge("Ann Ott", "also known as", "Sunny"),
        AddEdge("Ben Orr", "also known as", "Sunny"), AddEdge("ticket #633", "given to", "Ann Ott"),
        AddEdge("larder", "written in", "Go"), AddEdge("Hana Okabe", "away for", "ten days"),
        AddEdge("Biscuit", "owner", "Ann Ott"), AddEdge("Nettlebed and Marmalade Inn", "owner", "Ben Orr"),
        AddEdge("Finn Vale", "married", "Jasmine-Louise Tran"),
    ])  # fmt: skip
    return store


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("What is Lew's job?", {"Lewis Tarrant", "Lew"}),  # other names that are kept as facts
        ("whats lews job", {"Lewis Tarrant", "Lew"}),
        ("who was the ibis release manager", {"Version 2", "Ibis", "release manager"}),
        ("is hana's claim open?", {"Hana Okabe", "open"}),  # a part beside a name
        ("which ticket is open as a duplicate of #633", {"ticket #633", "open"}),
        ("Is larder written in Go?", {"larder", "Go"}),
        ("Does Biscuit come to the Nettlebed and Marmalade Inn?", {"Biscuit", "Nettlebed and Marmalade Inn"}),
        ("When did Finn and Jasmine-Louise marry?", {"Finn Vale", "Jasmine-Louise Tran"}),
        ("where's hana living these days?", {"Hana Okabe"}),  # "days" is no part of "ten days" here
    ],
)
def test_names_of_any_length_and_case_are_found_together(club: Any, encoder: Any, query: str, found: set[str]) -> None:
    seeds = find_seeds(query, club, encoder)
    assert set(names(club, seeds)) == found and seeds.unclear == ()


def test_another_name_of_two_is_unclear(club: Any, encoder: Any) -> None:
    assert find_seeds("Where is Sunny?", club, encoder).unclear == (("Sunny", ("Ann Ott", "Ben Orr")),)


def test_ordinary_words_beside_a_name_are_no_names(films: Any, encoder: Any) -> None:
    films.apply([AddEdge("Together", "has genre", "Drama"), AddEdge("Listen Up Philip", "has genre", "Drama")])
    for query in ("who wrote films together with ridley scott", "who is listed as director of alien"):
        assert set(names(films, find_seeds(query, films, encoder))) <= {"Ridley Scott", "Alien"}


@given(st.lists(st.lists(st.integers(0, 30), max_size=8, unique=True), min_size=1, max_size=4))
def test_a_node_that_tops_every_ranking_is_first(rankings: list[list[int]]) -> None:
    filled = [ranking for ranking in rankings if ranking] or [[1]]
    nodes, weights = fuse([(1.0, ranking) for ranking in filled], 8)
    assert len(nodes) == len(set(nodes.tolist())) <= 8 and weights[0] == 1
    first = {ranking[0] for ranking in filled}
    if len(first) == 1:  # one node tops every ranking
        assert nodes[0] in first


@pytest.mark.parametrize(
    "query", ["whom did Zed marry?", "Zed married Yma", "heard: Zed married Yma", "a wedding rumour"]
)
def test_episodes_and_sessions_are_never_seeds(films: Any, encoder: Any, query: str) -> None:
    films.apply([
        AddNode("heard from x: Zed married Yma", "episode", "Zed married Yma: a wedding"),
        AddNode("session:Zed", "session", "Zed married Yma"),
    ])  # fmt: skip
    found = names(films, find_seeds(query, films, encoder))
    assert not [name for name in found if "Zed" in name]
    assert films.search_text(query) == []
    assert len(films.vectors(encoder.fingerprint)[0]) == films.stats()["nodes"] - 2


@pytest.fixture
def people(store: Any) -> Any:
    store.apply([
        AddEdge("Ada Lovelace", "born in", "London"), AddEdge("Ada Lovelace", "friend of", "Charles Babbage"),
        AddEdge("John Smith", "works at", "Tarnwick Instruments"), AddEdge("Helena Brandt", "birthday", "4 May 1901"),
        AddEdge("José Núñez", "lives in", "Łódź"), AddEdge("Ann Berg", "lives in", "Oslo"),
        AddEdge("Ann Field", "works at", "Acme"), AddEdge("The Capital One Bank", "chief", "Rich Fair"),
        AddEdge("Tarnwick Instruments Museum", "in", "Leeds"),
        AddNode("Ann Berg", aliases=("Annie",)), AddNode("Ann Field", aliases=("Annie",), ambiguous=True),
    ])  # fmt: skip
    return store


@pytest.mark.parametrize(
    ("query", "name", "masked"),
    [
        ("Where was Ada born?", "Ada Lovelace", "Where was it born?"),
        ("where was ada born", "Ada Lovelace", "where was it born"),
        ("Where does Mr. Smith work?", "John Smith", "Where does it work?"),
        ("Where does Dr Smith’s boss live?", "John Smith", "Where does it’s boss live?"),
        ("helenas birthday", "Helena Brandt", "it birthday"),
        ("When is Helena's birthday?", "Helena Brandt", "When is it's birthday?"),
        ("Where is Tarnwick?", "Tarnwick Instruments", "Where is it?"),
        ("Where does Jose Nunez live?", "José Núñez", "Where does it live?"),
        ("Where does Nunez live?", "José Núñez", "Where does it live?"),
        ("Who lives in LODZ?", "Łódź", "Who lives in it?"),
        ("Where does Ann live?", "Ann Berg", "Where does it live?"),
        ("Where does Annie work?", "Ann Field", "Where does it work?"),
    ],
)
def test_one_likely_reading_is_the_seed(people: Any, encoder: Any, query: str, name: str, masked: str) -> None:
    seeds = find_seeds(query, people, encoder)
    assert (names(people, seeds), seeds.masked_query, seeds.unclear) == ([name], masked, ())


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Where did Ada meet Charles Babbage?", {"Ada Lovelace", "Charles Babbage"}),
        ("Does Mr Smith live in Oslo?", {"John Smith", "Oslo"}),
        ("Does Ann know John Smith?", {"John Smith"}),  # there are two
        ("What did Project Ada do for John Smith?", {"John Smith"}),
        ("does ada know john smith?", {"Ada Lovelace", "John Smith"}),
    ],
)
def test_parts_of_names_stand_beside_whole_names(people: Any, encoder: Any, query: str, found: set[str]) -> None:
    seeds = find_seeds(query, people, encoder)
    assert set(names(people, seeds)) == found and seeds.unclear == ()


@pytest.mark.parametrize("query", ["Who is Ann?", "What about Annie?", "Tell me about ann"])
def test_several_readings_are_said(people: Any, encoder: Any, query: str) -> None:
    ((_, readings),) = find_seeds(query, people, encoder).unclear
    assert set(readings) == {"Ann Berg", "Ann Field"}


@pytest.mark.parametrize("query", ["What is the capital of Mongolia?", "Who was born in May?", "hello there"])
def test_ordinary_words_are_no_parts_of_names(people: Any, encoder: Any, query: str) -> None:
    assert find_seeds(query, people, encoder).strategy == "hybrid"
