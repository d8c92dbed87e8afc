from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact, RelationAlternative
from graphmem.writing.relation_linking import link_relation

HELD = {("Bob", "Acme"): ["works for"], ("Acme", "Bob"): []}


def held(subject: str, value: str) -> list[str]:
    return HELD.get((subject, value), [])


def said(subject: str, relation: str, value: str, *others: RelationAlternative, kind: str = "entity") -> CandidateFact:
    return CandidateFact(
        Fact(subject, relation, value), subject_span=(0, 3), object_span=(9, 12), object_kind=kind,
        heard=(subject, value), others=others,
    )  # fmt: skip


def test_a_held_relation_that_is_possible_is_meant() -> None:
    taken, turned = link_relation(said("Bob", "employer", "Acme", RelationAlternative("works for", False, 0.2)), held)
    assert (str(taken.fact), turned) == ("Bob | works for | Acme", False)


def test_what_stands_the_other_way_round_is_turned() -> None:
    taken, turned = link_relation(said("Acme", "employs", "Bob", RelationAlternative("works for", True, 0.2)), held)
    assert (str(taken.fact), turned) == ("Bob | works for | Acme", True)
    assert (taken.subject_span, taken.object_span, taken.heard) == ((9, 12), (0, 3), ("Bob", "Acme"))


def test_other_relations_stay() -> None:
    far = said("Bob", "founded", "Acme", RelationAlternative("owner", False, 0.2))
    assert link_relation(far, held) == (far, False)
    same = said("Bob", "works for", "Acme", RelationAlternative("employer", False, 0.4))
    assert link_relation(same, held) == (same, False)


def test_a_literal_is_never_a_subject() -> None:
    date = said("Acme", "founded in", "Bob", RelationAlternative("works for", True, 0.3), kind="literal")
    assert link_relation(date, held) == (date, False)
