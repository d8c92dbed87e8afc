"""Nats of passages: which tokens count, what the memory is searched with, and where passages come from."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path

import pytest
import torch

from graphmem.core.errors import InvalidValue
from graphmem.datasets.webnlg import FactText, fact_text, name_spans
from graphmem.experiments.harness.runs import Run
from graphmem.experiments.harness.scoring import likelihood_rows, passage_nats
from graphmem.experiments.methods.base import Language
from graphmem.experiments.methods.prompting import ClosedBook, InContextFacts, Top1Retrieval
from graphmem.experiments.modelling import fact_sets
from graphmem.experiments.tasks.benchmark_facts import FILES, described_facts
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet, plain_pairs
from graphmem.memory import GraphMemory

ROWS = [{"text": f"Town {i} lies in Land {i}.", "triples": [[f"Town_{i}", "isPartOf", f"Land {i}"]]} for i in range(6)]
PASSAGE = FactText("Ada lives in Rome.", ((0, 3), (13, 17)), (("Ada", "lives in", "Rome"),), "Ada")


def test_names_are_found_as_whole_words() -> None:
    assert name_spans("Romeo left rome for Rome.", ["Rome", ""]) == ((11, 15), (20, 24))
    made = fact_text(ROWS[0])
    assert made.gold == (("Town 0", "is part of", "Land 0"),) and made.topic == "Town 0"
    assert [made.text[a:b] for a, b in made.mentions] == ["Town 0", "Land 0"]


def test_passages_stand_among_other_facts(tmp_path: Path) -> None:
    path = tmp_path / FILES["WebNLG"]
    path.parent.mkdir()
    with gzip.open(path, "wt") as file:
        file.write("\n".join(map(json.dumps, [*ROWS, {**ROWS[0], "text": "No name."}])))
    facts = described_facts(tmp_path, 2, among=3, seed=1)
    assert len(facts.passages) == 2 and len(facts.all_facts) == 5 and facts == facts
    assert all(fact in facts.all_facts for passage in facts.passages for fact in passage.gold)
    assert [f.name for f in fact_sets(Run("modelling", n=2, data=tmp_path, datasets=("WebNLG",)))] == ["WebNLG"]
    path.write_bytes(b"no gzip")
    with pytest.raises(InvalidValue, match="cannot read"):
        described_facts(tmp_path, 2)


def test_only_tokens_from_the_start_on_count() -> None:
    ids, offsets = torch.tensor([[0, 1, 2, 3, 4]]), [(0, 3), (3, 9), (9, 12), (12, 17), (17, 18)]
    logits = torch.zeros(5, 5)  # every token costs log 5
    whole, later = passage_nats(logits, ids, offsets, PASSAGE), passage_nats(logits, ids, offsets, PASSAGE, 10)
    assert (whole.tokens, whole.name_tokens, later.tokens, later.name_tokens) == (4, 1, 2, 1)
    assert math.isclose(whole.total, 4 * math.log(5), rel_tol=1e-5) and math.isclose(
        later.name_total, math.log(5), rel_tol=1e-5
    )


def test_methods_read_no_more_than_the_text_so_far(language: Language) -> None:
    facts = FactSet("made", ((), ()), (), plain_pairs, passages=(PASSAGE,))
    with GraphMemory.open(":memory:") as memory:
        memory.add_many(PASSAGE.gold)
        retriever = CachedRetriever(memory)
        closed = likelihood_rows(facts, ClosedBook(language), language, retriever)
    assert set(retriever.queries) == {"Ada"}  # the topic, and the text up to the end of its first name
    gold = likelihood_rows(facts, InContextFacts(language, "gold"), language, retriever)
    assert [row.measure for row in closed] == ["nats/token", "nats/name token", "nats/name token, text so far"]
    assert closed[0].n == len(language.ids(PASSAGE.text)) - 1 and closed[0].value != gold[0].value
    assert likelihood_rows(facts, Top1Retrieval(), language, retriever) == []
