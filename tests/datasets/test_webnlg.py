"""WebNLG's rows as texts with gold facts."""

from graphmem.datasets.webnlg import webnlg_rows

ROW = {
    "category": "Airport",
    "triples": [["Ava Field (airport)", "cityServed", "Orda"]],
    "text": "The port Ava Field serves Orda.",
    "mentions": [
        {"entity": "Ava Field (airport)", "surface": "The port Ava Field", "type": "name"},
        {"entity": "Orda", "surface": "Orda", "type": "name"},
    ],
}


def test_the_name_that_the_triples_use_is_a_name_of_the_thing() -> None:
    (gold,), relations = webnlg_rows([ROW], [ROW])
    assert relations == ["city served"]
    assert gold.facts == (("port Ava Field", "city served", "Orda"),)
    assert gold.named("Ava Field") == gold.named("the port Ava Field") == "port ava field"
    assert gold.named("Ava") == "ava"
