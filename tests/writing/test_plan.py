"""Plans: what is written, what is offered and accepted, and the texts that are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.core.errors import Conflict, InvalidValue
from graphmem.core.types import Fact
from graphmem.hub import load_encoder
from graphmem.memory import GraphMemory
from graphmem.reading.extraction import Candidate, Mention
from graphmem.writing.gate_rules import WriteGateConfig
from graphmem.writing.pipeline import read_text

TEXT = "Ann Berg moved to Oslo. Bo Lind works for Acme. Cy Dahl may like tea. The heron slept on the pier."


class Reader:
    """Gives the facts of ``TEXT`` with some confidence each."""

    def __init__(self, **confidence: float) -> None:
        self.confidence = {"Oslo": 1.0, "Acme": 0.5, "tea": 0.5} | confidence

    def extract(self, text: str, at: object = None) -> list[Candidate]:
        rows = [("Ann Berg", "lives in", "Oslo"), ("Bo Lind", "works for", "Acme"), ("Cy Dahl", "likes", "tea")]
        return [
            Candidate(mention(text, s), Mention(r), mention(text, o), confidence=self.confidence[o], sentence=(
                start := text.index(s), text.index(".", start) + 1
            ))
            for s, r, o in rows
        ]  # fmt: skip


def mention(text: str, words: str) -> Mention:
    return Mention(words, start := text.index(words), start + len(words))


@pytest.fixture(scope="module")
def encoder() -> Any:
    return load_encoder()


@pytest.fixture
def memory(encoder: Any) -> Iterator[GraphMemory]:
    with GraphMemory.open(":memory:", encoder=encoder, evidence=False) as opened:
        yield opened


def plan_of(memory: GraphMemory, text: str = TEXT, **options: Any) -> Any:
    return read_text(SimpleNamespace(memory=memory), text, extractor=options.pop("extractor", Reader()), **options)


def held(memory: GraphMemory) -> list[str]:
    return sorted(fact.object for fact in memory.facts())


def test_the_sure_facts_are_written_and_the_others_offered(memory: GraphMemory) -> None:
    plan = plan_of(memory)
    assert [str(fact) for fact in plan.facts] == ["Ann Berg | lives in | Oslo"]
    assert [str(fact) for fact in plan.proposed] == ["Bo Lind | works for | Acme", "Cy Dahl | likes | tea"]
    assert [fact.confidence for fact in plan.proposed] == [0.4, 0.4]  # the trust in a text is 0.8
    assert plan.proposed[0].text == "Bo Lind works for Acme."
    memory.apply(plan)
    assert held(memory) == ["Oslo"]


@pytest.mark.parametrize(
    ("accept", "objects"),
    [
        ("all", ["Acme", "Oslo", "tea"]),
        ((), ["Oslo"]),
        ([0], ["Acme", "Oslo"]),
        (1, ["Oslo", "tea"]),
        ("acme", ["Acme", "Oslo"]),
        (["Cy Dahl | likes | tea"], ["Oslo", "tea"]),
        ({0, 1}, ["Acme", "Oslo", "tea"]),
    ],
)
def test_offers_are_accepted_by_position_object_or_all(memory: GraphMemory, accept: Any, objects: list[str]) -> None:
    memory.apply(plan_of(memory), accept=accept)
    assert held(memory) == objects


def test_an_offer_is_accepted_by_itself(memory: GraphMemory) -> None:
    plan = plan_of(memory)
    memory.apply(plan, accept=plan.proposed[1:])
    assert held(memory) == ["Oslo", "tea"]


@pytest.mark.parametrize("accept", [2, -1, True, "coffee", [0, "coffee"], Fact("x", "y", "z"), None, 1.5])
def test_what_is_not_offered_is_refused_and_writes_nothing(memory: GraphMemory, accept: Any) -> None:
    plan = plan_of(memory)
    with pytest.raises(InvalidValue, match="accept"):
        memory.apply(plan, accept=accept)
    assert memory.journal() == []


def test_a_fact_pinned_since_is_not_replaced_by_an_accepted_offer(memory: GraphMemory) -> None:
    memory.add("Ann Berg", "lives in", "Bergen", valid_from="2001", confidence=0.5)
    plan = plan_of(memory, extractor=Reader(Oslo=0.6), at="2020-01-01", config=WriteGateConfig(min_sure=0.7))
    assert [offer.action for offer in plan.offers][0] == "update"
    memory.pin(memory.facts("Ann Berg")[0])
    with pytest.raises(Conflict, match="pinned"):
        memory.apply(plan, accept=[0])
    memory.apply(plan)
    assert held(memory) == ["Bergen"]


def test_two_accepted_offers_that_replace_one_fact_are_both_written(memory: GraphMemory) -> None:
    memory.add("Ann Berg", "lives in", "Bergen", valid_from="2001", confidence=0.5)

    class Two:
        def extract(self, text: str, at: object = None) -> Sequence[Candidate]:
            return [
                Candidate(Mention("Ann Berg"), Mention("lives in"), Mention(city), confidence=0.6)
                for city in ("Oslo", "Turku")
            ]

    plan = plan_of(memory, extractor=Two(), at="2020-01-01")
    memory.apply(plan, accept="all")
    assert held(memory) == ["Oslo", "Turku"]
    assert [fact.object for fact in memory.facts(as_of="2010")] == ["Bergen"]


def test_sentences_from_which_nothing_was_found_are_listed(memory: GraphMemory) -> None:
    assert plan_of(memory).not_understood == ("The heron slept on the pier.",)
    unsure = plan_of(memory, extractor=Reader(tea=0.1))
    assert unsure.not_understood == ("Cy Dahl may like tea.", "The heron slept on the pier.")


def test_a_plan_prints_as_a_checklist(memory: GraphMemory) -> None:
    memory.add("Ann Berg", "lives in", "Bergen", valid_from="2001", confidence=0.5)
    lines = str(plan_of(memory, at="2020-01-01")).splitlines()
    assert lines[0].startswith("[x] update Ann Berg | lives in | Oslo  [2020-01-01 → now]")
    assert "(instead of: Ann Berg | lives in | Bergen)" in lines[0] and lines[0].endswith("80 %")
    assert lines[1].strip() == "from: Ann Berg moved to Oslo."
    assert [line[:6] for line in lines if line.startswith("[ ]")] == ["[ ] 0:", "[ ] 1:"]
    assert "    The heron slept on the pier." in lines
    assert "      only offered: the probability that the text says so is below 0.7" in lines
    assert lines[-1] == "[x] keep   the text, as a document"
    assert str(plan_of(memory, "", keep=False)) == "nothing is found in the text"


def test_a_text_is_kept_with_its_facts_and_undone_with_them(memory: GraphMemory) -> None:
    memory.apply(plan_of(memory, title="Minutes", source="mail 7", at="2020-05-01"))
    assert len(memory.journal()) == 1
    (passage,) = memory.retrieve("Where did the heron sleep?").passages
    assert (passage.title, passage.text) == ("Minutes", TEXT)
    node = memory.store.nodes([passage.id])[0]
    assert node.date == "2020-05-01"
    assert {fact.source for fact in memory.facts(node.name, links=True)} == {"mail 7"}
    assert len(memory.store.sentences([passage.id])[passage.id]) == 4
    memory.undo()
    assert memory.retrieve("Where did the heron sleep?").passages == () and memory.facts() == []


def test_a_text_is_not_kept_twice(memory: GraphMemory) -> None:
    for _ in range(2):
        memory.apply(plan_of(memory, at="2020-05-01"))
    assert len(memory.store.passage_ids()) == 1
    memory.apply(plan_of(memory, "Another text about Oslo: Ann Berg, Acme, Bo Lind, Cy Dahl, tea."))
    assert len(memory.store.passage_ids()) == 2


@pytest.mark.parametrize("options", [{"keep": False}, {"trust": 0.1}])
def test_a_text_is_left_out_where_that_is_said_or_it_is_not_trusted(memory: GraphMemory, options: Any) -> None:
    plan = plan_of(memory, **options)
    memory.apply(plan) if plan.edits else None
    assert not plan.keeps_text and len(memory.store.passage_ids()) == 0


@pytest.mark.parametrize("title", ["x" * 5_000, "a\0b"])
def test_a_title_that_is_no_name_is_refused(memory: GraphMemory, title: str) -> None:
    with pytest.raises(InvalidValue):
        plan_of(memory, title=title)
