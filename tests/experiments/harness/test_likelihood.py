"""Nats of passages: which tokens count, what the memory is asked with, and where passages come from."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
import torch

from graphmem.core.errors import InvalidValue
from graphmem.datasets.webnlg import FactText, fact_text, name_spans
from graphmem.evaluation.statistics import ratio_interval
from graphmem.experiments.harness.likelihood import modelling, surprise
from graphmem.experiments.harness.runs import Run
from graphmem.experiments.methods.base import Language
from graphmem.experiments.methods.best_node import Top1Retrieval
from graphmem.experiments.methods.prompting import ClosedBook, InContextFacts
from graphmem.experiments.modelling import fact_sets
from graphmem.experiments.tasks.described_facts import FILE, described
from graphmem.experiments.tasks.fact_set import FactSet, LookUp, plain_pairs
from graphmem.memory import GraphMemory

ROWS = [{"text": f"Town {i} lies in Land {i}.", "triples": [[f"Town_{i}", "isPartOf", f"Land {i}"]]} for i in range(6)]
PASSAGE = FactText("Ada lives in Rome.", ((0, 3), (13, 17)), (("Ada", "lives in", "Rome"),), "Ada")


def test_names_are_found_as_whole_words() -> None:
    assert name_spans("Romeo left rome for Rome.", ["Rome", ""]) == ((11, 15), (20, 24))
    made = fact_text(ROWS[0])
    assert made.gold == (("Town 0", "is part of", "Land 0"),) and made.topic == "Town 0"
    assert [made.text[a:b] for a, b in made.mentions] == ["Town 0", "Land 0"]


def test_passages_stand_among_other_facts(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.parent.mkdir()
    with gzip.open(path, "wt") as file:
        file.write("\n".join(map(json.dumps, [*ROWS, {**ROWS[0], "text": "No name."}])))
    facts = described(path, 2, among=3, seed=1)
    assert len(facts.passages) == 2 and len(facts.all_facts) == 5 and facts == facts
    assert all(fact in facts.all_facts for passage in facts.passages for fact in passage.gold)
    assert [f.name for f in fact_sets(Run("modelling", n=2, data=tmp_path, datasets=("WebNLG",)))] == ["WebNLG"]
    path.write_bytes(b"no gzip")
    with pytest.raises(InvalidValue, match="cannot read"):
        described(path, 2)


def test_only_tokens_from_the_start_on_count() -> None:
    ids, offsets = torch.tensor([[0, 1, 2, 3, 4]]), [(0, 3), (3, 9), (9, 12), (12, 17), (17, 18)]
    logits = torch.zeros(5, 5)  # every token costs log 5
    whole, later = surprise(logits, ids, offsets, PASSAGE), surprise(logits, ids, offsets, PASSAGE, 10)
    assert (whole.tokens, whole.names, later.tokens, later.names) == (4, 1, 2, 1)
    assert math.isclose(whole.every, 4 * math.log(5), rel_tol=1e-5) and math.isclose(
        later.named, math.log(5), rel_tol=1e-5
    )


def test_the_interval_of_a_ratio_is_over_passages() -> None:
    value, low, high = ratio_interval([(2.0, 1), (4.0, 2), (6.0, 3)] * 5)
    assert value == low == high == 2.0
    value, low, high = ratio_interval([(1.0, 1), (9.0, 1)] * 10, 3)
    assert low < value == 5.0 < high and all(map(math.isnan, ratio_interval([])))


def test_methods_are_measured_and_asked_with_no_more_than_the_text_so_far(language: Language) -> None:
    facts = FactSet("made", ((), ()), (), plain_pairs, passages=(PASSAGE,))
    with GraphMemory.open(":memory:") as memory:
        memory.add_many(PASSAGE.gold)
        look_up = LookUp(memory)
        closed = modelling(facts, ClosedBook(language), language, look_up)
    assert set(look_up.known) == {"Ada"}  # the topic, and the text up to the end of its first name
    gold = modelling(facts, InContextFacts(language, "gold"), language, look_up)
    assert [row.measure for row in closed] == ["nats/token", "nats/name token", "nats/name token, text so far"]
    assert closed[0].n == len(language.ids(PASSAGE.text)) - 1 and closed[0].value != gold[0].value
    assert modelling(facts, Top1Retrieval(), language, look_up) == []
