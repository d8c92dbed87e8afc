"""Names as slots, and the rank features of candidates."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from graphmem.core.types import Subgraph
from graphmem.fusion.candidates import FEATURES, add_refusal, candidates, rank_features
from graphmem.fusion.memory_tokens import END, START, START_AFTER_SPACE, NameTokenizer, case_variant, collate
from graphmem.memory import GraphMemory

STOP = 7


class Letters:
    """One token a character; a space and the letter after it are one token, as byte-pair tokenizers have it."""

    def __call__(self, text: str, add_special_tokens: bool = False) -> dict[str, list[int]]:
        ids, space = [], 0
        for letter in text:
            if letter == " " and not space:
                space = 100_000
            else:
                ids.append(10 + ord(letter) + space)
                space = 0
        return {"input_ids": ids + ([42] if space else [])}


@pytest.fixture
def reader() -> NameTokenizer:
    return NameTokenizer(Letters(), STOP, 12)


def found(names: list[str], relevance: list[float], answerable: float = 0.9) -> Any:
    scores = np.array(relevance, np.float32)
    none = np.zeros(0, np.int64)
    graph = Subgraph(
        np.arange(len(names)) + 5, scores, np.exp(np.minimum(scores, 0)), np.zeros((2, 0), np.int64), none, none
    )
    nodes = [SimpleNamespace(id=i + 5, name=name) for i, name in enumerate(names)]
    return SimpleNamespace(nodes=nodes, subgraph=graph, answerable=answerable)


def spell(reader: NameTokenizer, name: str, start: int) -> list[int]:
    """Follow the slots of a name as an induction head would: from its start, each token leads to the next."""
    slots = reader.slots(name)
    here = next(slot for slot in slots if slot.kind == start)
    out = [here.token]
    while out[-1] != STOP:
        nexts = [s for s in slots if s.prefixes[0][:1] == (out[-1],) and len(s.prefixes[0]) >= len(out) - 1]
        here = min(nexts, key=lambda s: abs(len(s.prefixes[0]) - len(out)))
        out.append(here.token)
    return out


@settings(max_examples=60, deadline=None)
@given(st.text("abcdefgh. ", min_size=1, max_size=9).map(lambda t: "x" + t.strip() + "y"))
def test_following_the_slots_spells_the_name_in_both_tokenizations(name: str) -> None:
    reader = NameTokenizer(Letters(), STOP, 40)
    unique = len(set(Letters()(name)["input_ids"])) == len(Letters()(name)["input_ids"])
    if unique:  # a repeated token needs more context than the one before it
        assert tuple(spell(reader, name, START)) == (*Letters()(name)["input_ids"], STOP)
        assert tuple(spell(reader, name, START_AFTER_SPACE)) == (*Letters()(" " + name)["input_ids"], STOP)


def test_one_slot_a_token_with_the_tokens_before(reader: NameTokenizer) -> None:
    slots = reader.slots("ab.c")
    plain = [s for s in slots if s.kind != START_AFTER_SPACE][:5]
    assert [s.token for s in plain] == [*Letters()("ab.c")["input_ids"], STOP]
    assert [s.prefixes[0] for s in plain] == [tuple(s.token for s in plain[:i])[::-1] for i in range(5)]
    assert plain[-1].kind == END
    assert len(slots) == 5 + 2, "after a space only the first token and what leads out of it differ"


def test_long_names_are_cut_and_get_no_end(reader: NameTokenizer) -> None:
    ids = [s.token for s in reader.slots("abcdefghijklmnop") if s.kind != START_AFTER_SPACE]
    assert STOP not in ids and len(reader.tokens("abcdefghijklmnop")) == 12


def test_candidates_are_sorted_and_scale_free() -> None:
    small = candidates(found(["b", "a", "c"], [-1.0, 0.0, -2.0]), 10)
    assert small.names == ("a", "b", "c") and small.ids == (6, 5, 7)
    assert small.features[:, FEATURES.index("top")].tolist() == [1, 0, 0]
    huge = candidates(found(["a", "b"], [1e6, -1e6]), 10).features
    assert np.isfinite(huge).all() and np.abs(huge).max() <= 4
    assert candidates(found(["b", "a", "c"], [-1.0, 0.0, -2.0]), 2).names == ("a", "b")


def test_a_node_outside_the_subgraph_gets_the_least_relevance() -> None:
    retrieval = found(["a", "b"], [0.0, -1.0])
    retrieval.nodes.append(SimpleNamespace(id=99, name="stranger"))
    assert candidates(retrieval, 10).names[-1] == "stranger"


def test_the_refusal_stands_last_and_only_beside_candidates() -> None:
    seen = candidates(found(["a"], [0.0], answerable=0.1), 10, refusal="I don't know.")
    assert seen.names == ("a", "I don't know.") and seen.ids[-1] == -1
    assert seen.features[-1, FEATURES.index("refusal")] == 1
    assert (
        seen.features[-1, FEATURES.index("refusal_answerable")] < 0 < rank_features(np.zeros(1), np.ones(1), 0.9)[0, 5]
    )
    empty = candidates(found([], []), 10, refusal="no")
    assert empty.names == () and add_refusal(empty, "no").names == ()


def test_collate_pads_to_the_longest_and_masks(reader: NameTokenizer) -> None:
    one, two = candidates(found(["ab"], [0.0]), 9), candidates(found(["abc", "d"], [0.0, -1.0]), 9)
    tokens = collate(reader, [one, two, candidates(found([], []), 9)])
    assert len(tokens.mask) == 3 and tokens.slots == len(reader.slots("abc")) + len(reader.slots("d"))
    assert tokens.mask.sum(1).tolist() == [len(reader.slots("ab")), tokens.slots, 0]
    assert tokens.node[1].tolist() == [0] * len(reader.slots("abc")) + [1] * len(reader.slots("d"))
    assert torch.equal(tokens.features[1, -1], torch.from_numpy(two.features[1]))
    assert collate(reader, []).slots == 0


@pytest.mark.parametrize(("answerable", "offered"), [(0.1, False), (0.54, False), (0.56, True)])
def test_low_answerability_offers_no_candidates(answerable: float, offered: bool) -> None:
    doubtful = found(["a", "b"], [0.0, -1.0], answerable=answerable)
    assert bool(candidates(doubtful, 10, min_answerability=0.55).names) is offered
    assert candidates(doubtful, 10, min_answerability=0.55, trust=0.0).names == ("a", "b"), "always certain"
    assert candidates(doubtful, 10, "I don't know.", min_answerability=0.55).names[-1] == "I don't know.", (
        "it may be generated"
    )


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Contributing property", "contributing property"), ("frangipane", "Frangipane"), ("New York", None),
        ("Java", None), ("", None), ("1634: The Ram Rebellion", None), ("éclair", "Éclair"), ("東京", None),
        ("A b", "a b"),
    ],
)  # fmt: skip
def test_case_variants(name: str, other: str | None) -> None:
    assert case_variant(name) == other


def test_questions_without_a_known_name_need_a_higher_answerability() -> None:
    with GraphMemory.open(":memory:") as memory:
        memory.add_many([("Ada Lovelace", "born in", "London"), ("Freedonia", "capital", "Fredville")])
        found = memory.retrieve("Where was she born?")
        doubtful = replace(found, subgraph=replace(found.subgraph, answerable=0.8))
        assert not candidates(doubtful, 5, min_answerability=0.55).names
        assert candidates(doubtful, 5, min_answerability=0.55, trust=0).names and candidates(doubtful, 5).names
        certain = replace(found, subgraph=replace(found.subgraph, answerable=0.96))
        assert candidates(certain, 5, min_answerability=0.55).names
