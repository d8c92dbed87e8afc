from graphmem.core.types import Fact
from graphmem.reading.candidates import Candidate, Reading
from graphmem.writing.relation_linking import settled

HELD = {("Bob", "Acme"): ["works for"], ("Acme", "Bob"): []}


def held(subject: str, value: str) -> list[str]:
    return HELD.get((subject, value), [])


def said(subject: str, relation: str, value: str, *others: Reading, kind: str = "entity") -> Candidate:
    return Candidate(
        Fact(subject, relation, value), subject_span=(0, 3), object_span=(9, 12), object_kind=kind,
        heard=(subject, value), others=others,
    )  # fmt: skip


def test_a_held_relation_that_is_possible_is_meant() -> None:
    taken, turned = settled(said("Bob", "employer", "Acme", Reading("works for", False, 0.2)), held)
    assert (str(taken.fact), turned) == ("Bob | works for | Acme", False)


def test_what_stands_the_other_way_round_is_turned() -> None:
    taken, turned = settled(said("Acme", "employs", "Bob", Reading("works for", True, 0.2)), held)
    assert (str(taken.fact), turned) == ("Bob | works for | Acme", True)
    assert (taken.subject_span, taken.object_span, taken.heard) == ((9, 12), (0, 3), ("Bob", "Acme"))


def test_other_relations_stay() -> None:
    far = said("Bob", "founded", "Acme", Reading("owner", False, 0.2))
    assert settled(far, held) == (far, False)
    same = said("Bob", "works for", "Acme", Reading("employer", False, 0.4))
    assert settled(same, held) == (same, False)


def test_a_literal_is_never_a_subject() -> None:
    date = said("Acme", "founded in", "Bob", Reading("works for", True, 0.3), kind="literal")
    assert settled(date, held) == (date, False)
