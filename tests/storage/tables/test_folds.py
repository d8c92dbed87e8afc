from __future__ import annotations

from typing import Any

import pytest

from graphmem.core.edits import AddEdge, AddNode, MergeNodes, Retire, UpdateNode
from graphmem.core.errors import Ambiguous, Conflict, GraphMemError, InvalidName
from graphmem.core.names import is_spelling, shortened
from graphmem.storage.exchange.export import export
from graphmem.storage.exchange.load_dump import load_jsonl
from graphmem.storage.sqlite import SQLiteStore
from graphmem.storage.tables.folds import rebuild_folds
from graphmem.text.name_matching import match_names

NAMES = ["José Núñez", "Łukasz Żak", "Королёв", "O’Brien", "Ann Lee"]


def folds(store: SQLiteStore) -> set[tuple[str, str]]:
    sql = "SELECT f.fold, n.name FROM folds f JOIN nodes n ON n.id = f.node"
    return set(store.connection.rows(sql))


def is_complete(store: SQLiteStore) -> bool:
    """Whether the index is what a rebuild makes of the names."""
    before = folds(store)
    with store.connection.writing() as raw:
        rebuild_folds(raw)
    return before == folds(store)


def test_every_write_keeps_the_folded_names(store: Any) -> None:
    store.apply([AddNode(name) for name in NAMES])
    assert folds(store) == {
        ("jose nunez", "José Núñez"), ("lukasz zak", "Łukasz Żak"), ("korolev", "Королёв"), ("obrien", "O’Brien"),
    }  # fmt: skip
    writes = [
        lambda: store.apply([UpdateNode("Ann Lee", add_aliases=("Anña",))]),
        lambda: store.apply([UpdateNode("José Núñez", name="Pepe Ñ")]),
        lambda: store.bulk_load(["Ørsted", "plain"], [("Ørsted", "knows", "Đoković")]),
        lambda: store.apply([MergeNodes(store.find("Łukasz Żak").id, store.find("Королёв").id)]),
    ]
    for write in writes:
        before = folds(store)
        write()
        after = folds(store)
        assert after != before and is_complete(store)
        store.undo()
        assert folds(store) == before and is_complete(store)
        store.redo()
        assert folds(store) == after and is_complete(store)


def test_dumps_are_searched_by_folded_names_too(store: Any, tmp_path: Any) -> None:
    store.apply([AddEdge(NAMES[0], "knows", NAMES[1])])
    export(store, tmp_path / "dump.jsonl")
    load_jsonl(tmp_path / "dump.jsonl", tmp_path / "loaded.db")
    with SQLiteStore.open(str(tmp_path / "loaded.db")) as loaded:
        assert loaded.find("jose nunez").name == "José Núñez" and is_complete(loaded)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("Jose Nunez", "José Núñez"), ("LUKASZ ZAK", "Łukasz Żak"), ("Королев", "Королёв"), ("Korolev", "Королёв"),
        ("O'Brien", "O’Brien"), ("OBrien", "O’Brien"), ("Añn Lée", "Ann Lee"), ("ann-lee", "Ann Lee"),
    ],
)  # fmt: skip
def test_a_name_is_found_without_its_accents(store: Any, asked: str, name: str) -> None:
    store.apply([AddNode(known) for known in NAMES])
    assert store.find(asked).name == store.resolve(asked).name == name


def test_folding_never_merges_and_says_where_it_cannot_decide(store: Any) -> None:
    store.apply([AddNode("José Núñez"), AddNode("Jose Núñez")])
    assert store.stats()["nodes"] == 2
    assert store.find("jose núñez").name == "Jose Núñez"
    assert store.resolve("Jose Nunez") is None
    with pytest.raises(Ambiguous, match="'José Núñez' or 'Jose Núñez'"):
        store.find("Jose Nunez")
    store.apply([AddNode("Jose Nunez")])
    assert store.find("Jose Nunez").name == "Jose Nunez"  # a name comes before a folded one


def test_an_alias_of_two_nodes_is_refused_or_asked_back(store: Any) -> None:
    store.apply([AddNode("Robert", aliases=("Bob",)), AddNode("Bobby Ray")])
    for edit in (UpdateNode("Bobby Ray", add_aliases=("bob",)), AddNode("Bobby Ray", aliases=("BOB",))):
        with pytest.raises(Conflict, match="alias of 'Robert'"):
            store.apply([edit])
    assert store.find("Bob").name == "Robert"
    store.apply([UpdateNode("Bobby Ray", add_aliases=("Bob",), ambiguous=True)])
    assert store.resolve("Bob") is None
    uses = [
        lambda: store.find("Bob"), lambda: store.apply([AddEdge("Bob", "likes", "tea")]),
        lambda: store.bulk_load([], [("Bob", "likes", "tea")]),
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(GraphMemError, match="'Robert' (and|or) 'Bobby Ray'"):
            use()
    assert store.facts() == []


def test_an_alias_that_is_the_name_of_another_node_is_refused(store: Any) -> None:
    store.apply([AddNode("Robert"), AddNode("Bobby Ray")])
    for edit in (UpdateNode("Bobby Ray", add_aliases=("robert",)), AddNode("New", aliases=("ROBERT",))):
        with pytest.raises(Conflict, match="is the name of node"):
            store.apply([edit])
    assert store.find("Robert").name == "Robert" and store.resolve("New") is None
    store.apply([AddNode("New", aliases=("Robert",), ambiguous=True)])
    assert store.find("Robert").name == "Robert" and store.find("New").aliases == ("Robert",)
    store.apply([Retire(store.find("Robert").id, "node"), UpdateNode("Bobby Ray", add_aliases=("Bob",))])
    assert store.find("robert").name == "New"


def test_a_new_name_that_is_an_alias_of_another_node_is_refused(store: Any) -> None:
    store.apply([AddNode("Robert", aliases=("Bob",)), AddNode("Bobby Ray")])
    with pytest.raises(Conflict, match="alias of 'Robert'"):
        store.apply([UpdateNode("Bobby Ray", name="Bob")])
    store.apply([UpdateNode("Robert", name="Bob")])
    assert store.find("Robert").name == "Bob"


@pytest.mark.parametrize("aliases", ["abc", b"abc", 5, None, {"a": 1}])
def test_aliases_that_are_no_list_are_refused(store: Any, aliases: Any) -> None:
    store.apply([AddNode("N")])
    for edit in (AddNode("N", aliases=aliases), UpdateNode("N", add_aliases=aliases)):
        with pytest.raises(InvalidName, match="list"):
            store.apply([edit])
    assert store.find("N").aliases == ()


UMLAUTS = ["Jürgen Müller", "Åse Ødegård", "Boehm", "Mas", "Móas", "Samuel Jäger-Süß", "Aaron"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("Juergen Mueller", "Jürgen Müller"), ("Jurgen Muller", "Jürgen Müller"), ("Jürgen Mueller", "Jürgen Müller"),
        ("Aase Oedegaard", "Åse Ødegård"), ("Ase Odegard", "Åse Ødegård"), ("Böhm", "Boehm"), ("boehm", "Boehm"),
        ("Samuel Jaeger Suess", "Samuel Jäger-Süß"), ("Samuel Jager-Suss", "Samuel Jäger-Süß"), ("Aaron", "Aaron"),
        ("Moas", "Móas"),
        ("Maas", None), ("Bohm", None), ("Moaas", None), ("Áaron", "Aaron"), ("Juergen Mueller Ae Oe Ue Aa", None),
    ],
)  # fmt: skip
def test_umlauts_are_found_by_both_ways_of_writing_them(store: Any, asked: str, meant: str | None) -> None:
    store.apply([AddNode(name) for name in UMLAUTS])
    node = store.resolve(asked)
    assert (node and node.name) == meant
    matches = match_names(f"Where does {asked} live now?", store)
    assert (meant in {name for match in matches for name in store.names(match.nodes)}) is (meant is not None)


def test_two_nodes_that_one_spelling_may_mean_are_both_named(store: Any) -> None:
    store.apply([AddNode("Muller"), AddNode("Müller")])
    assert store.resolve("Müller").name == "Müller" and store.resolve("Muller").name == "Muller"
    assert store.resolve("Mueller").name == "Müller"
    store.apply([AddNode("Møller"), AddNode("Möller")])
    with pytest.raises(Ambiguous):
        store.look_up("Moeller")


def test_the_ways_of_reading_a_long_name_are_bounded() -> None:
    assert shortened("mueller") == ["muller"] and shortened("muller") == []
    assert sorted(shortened("jaeger suess")) == ["jaeger suss", "jager suess", "jager suss"]
    assert len(shortened("ae" * 500)) == 15


NORDIC = {
    "Đorđe Petrović": ("Djordje Petrovic", "Dorde Petrovic", "Djordje Petrović", "Đorde Petrovic"),
    "Søren Møller": ("Soren Moller", "Soeren Moeller", "Soren Moeller", "Soeren Moller"),
    "Łukasz Żak": ("Lukasz Zak",),
    "Ħamrun Għarb": ("Hamrun Gharb",),
    "Kıvanç Işık": ("Kivanc Isik", "KIVANC ISIK"),
    "Ærøskøbing": ("Aeroskobing", "Aeroeskoebing", "Aeroskoebing"),
    "Œuvre Ægir": ("Oeuvre Aegir",),
    "Þórður Ðaníel": ("Thordur Daniel",),
    "Strauß Größe": ("Strauss Grosse", "Strauss Groesse"),
    "Tŧa Åse": ("Tta Ase", "Tta Aase"),
}


def test_letters_without_a_decomposition_are_found_in_names_parts_and_search(store: Any) -> None:
    store.apply([AddNode(name) for name in NORDIC])
    for name, forms in NORDIC.items():
        for form in forms:
            assert store.resolve(form) == store.resolve(name), form
            for part in (form, form.split()[0], form.split()[-1]):
                found = [identifier for identifier, _ in store.search_text(part, limit=3)]
                assert found[:1] == [store.resolve(name).id], part
    for other in ("Djorje Petrovic", "Dordje Petrowic", "Soeroen Moller", "Aeroskjobing"):
        assert store.resolve(other) is None
        assert is_spelling("djordje petrovic", "Đorđe Petrović") and not is_spelling(other.lower(), "Đorđe Petrović")


def test_a_word_that_is_indexed_is_not_taken_for_another(store: Any) -> None:
    store.apply([AddNode("Lodz"), AddNode("Łódź"), AddNode("Soren", text="a name")])
    assert [identifier for identifier, _ in store.search_text("lodz")] == [store.resolve("Lodz").id]
    assert [identifier for identifier, _ in store.search_text("Søren")] == [store.resolve("Soren").id]
