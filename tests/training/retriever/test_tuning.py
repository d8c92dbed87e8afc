"""Tuning to one graph: right paths are found from answers, and words that mean something else elsewhere are learned."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.datasets.wikimovies import Question
from graphmem.memory import GraphMemory
from graphmem.retrieval.checkpoints import SHIPPED, load_weights
from graphmem.retrieval.retriever import Retriever
from graphmem.training.retriever.examples import ArcVocabulary
from graphmem.training.retriever.train import main
from graphmem.training.retriever.tuning import tune, tuning_examples

FACTS = [
    *((f"Unit {i}", "zk-alpha", f"Hall {i % 4}") for i in range(16)),
    *((f"Unit {i}", "zk-beta", f"Crew {i % 5}") for i in range(16)),
    *((f"Hall {i}", "zk-gamma", f"Owner {i}") for i in range(4)),
]


def asked(units: range) -> list[Question]:
    """Questions whose wording says nothing to anybody who has not learned this graph's names."""
    made = []
    for i in units:
        made.append(Question(f"Which quorl has Unit {i}?", f"Unit {i}", (f"Hall {i % 4}",), 1))
        made.append(Question(f"Which brenf has Unit {i}?", f"Unit {i}", (f"Crew {i % 5}",), 1))
        made.append(Question(f"Whose quorl has Unit {i}?", f"Unit {i}", (f"Owner {i % 4}",), 2))
    return made


def test_the_right_paths_lead_to_the_answers_and_to_least_else() -> None:
    texts = ArcVocabulary()
    questions = [*asked(range(2)), Question("Who is Unit 1?", "Unit 1", ("nobody here",), 1)]
    examples = tuning_examples(texts, FACTS, questions, Random(0))
    assert len(examples) == 6, "what no path answers is left out"
    for example, question in zip(examples, questions, strict=False):
        lengths = {int((path >= 0).sum()) for path in example.paths[example.gold]}
        assert lengths == {question.hops} and question.topic not in example.question


def test_tuning_learns_the_names_of_a_graph(encoder: Any, tmp_path: Path) -> None:
    modules = load_weights(SHIPPED, encoder.fingerprint)
    tuned = tune(modules, encoder, FACTS, asked(range(12)), tmp_path, steps=30, aligner_steps=60)
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(FACTS)

        def right(weights: Path | None) -> float:
            retriever = Retriever(memory.store, encoder, weights)
            found = [(retriever.retrieve(q.question, top_k=1).nodes, q.answers) for q in asked(range(12, 16))]
            return sum(bool(nodes) and nodes[0].name in answers for nodes, answers in found) / len(found)

        from graphmem.retrieval.checkpoints import save_weights

        save_weights(tmp_path / "tuned.safetensors", tuned, encoder.fingerprint)
        before, after = right(None), right(tmp_path / "tuned.safetensors")
    assert after > before and after >= 0.75


def test_files_that_do_not_fit_say_so(encoder: Any, tmp_path: Path) -> None:
    (tmp_path / "facts.tsv").write_text("\n".join("\t".join(fact) for fact in FACTS), encoding="utf-8")
    (tmp_path / "asked.jsonl").write_text(json.dumps({"question": "Who?", "answer": "X", "topic": "Y"}))
    out = ["--out", str(tmp_path / "out.safetensors"), "--facts", str(tmp_path / "facts.tsv")]
    with pytest.raises(InvalidValue, match="belong together"):
        main(out)
    with pytest.raises(InvalidValue, match="none of the questions"):
        main([*out, "--questions", str(tmp_path / "asked.jsonl")])
