from graphmem.core.names import normalise
from graphmem.text.lexicon import load_lexicon
from graphmem.text.relation_synonyms import (
    candidate_relations,
    has_literal_objects,
    lexicon_functional,
    other_schema_names,
    synonym_groups,
    synonyms,
)


def test_the_graphs_own_name_stands_for_its_synonyms() -> None:
    names = candidate_relations(["employer"])
    assert names[0] == "employer"
    assert "works for" not in names
    assert "born in" in names


def test_a_paraphrase_in_the_graph_covers_the_lexicons_name() -> None:
    assert "born in" not in candidate_relations(["place of birth"])


def test_a_graph_with_another_schemas_name_needs_no_second_one() -> None:
    assert "adheres to" in candidate_relations(["genre"])
    assert "adheres to" not in candidate_relations(["religion or worldview"])
    known = {relation.relation for relation in load_lexicon()}
    assert set(other_schema_names()) <= known
    assert not any(name in known for others in other_schema_names().values() for name in others)


def test_relations_with_literal_objects() -> None:
    assert has_literal_objects("Date of Birth") is True
    assert has_literal_objects("place of birth") is False
    assert has_literal_objects("frobnicates") is None


def test_unknown_relations_are_candidates_too() -> None:
    assert candidate_relations(["frobnicates"])[0] == "frobnicates"
    assert synonyms("frobnicates") == {"frobnicates"}


def test_no_candidate_twice_and_every_relation_covered() -> None:
    names = candidate_relations([])
    assert len({normalise(name) for name in names}) == len(names)
    covered = set().union(*(synonyms(name) for name in names))
    assert all(normalise(relation.relation) in covered for relation in load_lexicon())


def test_groups_point_to_their_first_member() -> None:
    groups = synonym_groups(load_lexicon())
    assert all(groups[first] == first <= number for number, first in enumerate(groups))


def test_functional_relations_are_known() -> None:
    known = lexicon_functional()
    assert known["born in"] is True
    assert set(known.values()) == {True, False}
