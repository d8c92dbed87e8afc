from graphmem.core.types import Fact
from graphmem.reading.candidates import CandidateFact, RelationAlternative
from graphmem.writing.relation_linking import link_relation

HELD = {("Bob", "Acme"): ["works for"], ("Acme", "Bob"): []}


def held(subject: str, value: str) -> list[str]:
    return HELD.get((subject, value), [])


def read(subject: str, relation: str, value: str, *others: RelationAlternative, kind: str = "entity") -> CandidateFact:
    return CandidateFact(
        Fact(subject, relation, value), subject_span=(0, 3), object_span=(9, 12), object_kind=kind,
        as_received=(subject, value), alternatives=others,
    )  # fmt: skip


def test_a_held_alternative_is_taken() -> None:
    linked, inverted = link_relation(
        read("Bob", "employer", "Acme", RelationAlternative("works for", False, 0.2)), held
    )
    assert (str(linked.fact), inverted) == ("Bob | works for | Acme", False)


def test_what_stands_the_other_way_round_is_turned() -> None:
    linked, inverted = link_relation(read("Acme", "employs", "Bob", RelationAlternative("works for", True, 0.2)), held)
    assert (str(linked.fact), inverted) == ("Bob | works for | Acme", True)
    assert (linked.subject_span, linked.object_span, linked.as_received) == ((9, 12), (0, 3), ("Bob", "Acme"))


def test_other_relations_stay() -> None:
    far = read("Bob", "founded", "Acme", RelationAlternative("owner", False, 0.2))
    assert link_relation(far, held) == (far, False)
    same = read("Bob", "works for", "Acme", RelationAlternative("employer", False, 0.4))
    assert link_relation(same, held) == (same, False)


def test_a_literal_is_never_a_subject() -> None:
    date = read("Acme", "founded in", "Bob", RelationAlternative("works for", True, 0.3), kind="literal")
    assert link_relation(date, held) == (date, False)
