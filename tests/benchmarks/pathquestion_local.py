"""PathQuestion after tuning on its own training topics: Hits@1 on test topics, with shipped weights and a baseline.

GRAPHMEM_DATA=... python tests/benchmarks/pathquestion_local.py [--seed 0] [--generate]

With ``--generate`` the questions about all topics that were not tuned on (n = 369) are answered by the frozen model,
from a memory with the tuned retriever and from one with the shipped one.

Topics are split by name (`graphmem.core.splits.data_split`); the tuned weights stay in a temporary folder.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.names import normalise
from graphmem.core.splits import data_split
from graphmem.evaluation.question_graphs import load_graphs
from graphmem.evaluation.statistics import bootstrap_interval
from graphmem.generation.batching import generate_texts
from graphmem.hub import load_encoder
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel
from graphmem.retrieval.checkpoints import SHIPPED, load_weights, save_weights
from graphmem.retrieval.retriever import Retriever
from graphmem.text.answer_matching import is_right
from graphmem.training.retriever.tuning import tune


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--generate", action="store_true", help="score generated answers")
    given = parser.parse_args()
    seed = given.seed
    ((facts, questions),) = load_graphs("pathquestion", "test", 10**6, seed)
    halves = {half: [q for q in questions if data_split(q.topic) == half] for half in ("train", "test")}
    encoder = load_encoder()
    with tempfile.TemporaryDirectory() as folder, GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_many(facts)
        tuned = Path(folder) / "tuned.safetensors"
        modules = load_weights(SHIPPED, encoder.fingerprint)
        made = tune(modules, encoder, facts, halves["train"], Path(folder), seed=seed)
        save_weights(tuned, made, encoder.fingerprint)
        if given.generate:
            return generate(tuned, facts, [q for q in questions if data_split(q.topic) != "train"])
        rows = {
            name: hits(Retriever(memory.store, encoder, weights), halves["test"], ranker)
            for name, weights, ranker in (
                ("tuned", tuned, "activation"), ("shipped", None, "activation"), ("path similarity", None, "path"),
            )
        }  # fmt: skip
    print(
        f"PathQuestion, {len(halves['train'])} training questions, test topics, n = {len(halves['test'])}, seed {seed}"
    )
    for name, right in rows.items():
        low, high = bootstrap_interval(right, seed)
        print(f"{name:<16} Hits@1 {right.mean():.3f} [{low:.3f}, {high:.3f}]")


def generate(tuned: Path, facts: list, questions: list) -> None:
    """Print the shares of questions whose generated answer, and whose best node, is right."""
    for name, weights in (("tuned", tuned), ("shipped", None)):
        with GraphMemory.open(":memory:", retriever=weights) as memory:
            memory.add_many(facts)
            model = GraphMemoryModel.from_pretrained("smollm2-135m", memory=memory)
            found = [memory.retrieve(q.question, top_k=model.config.max_nodes) for q in questions]
            prompts = [chat_prompt(model.tokenizer, q.question) for q in questions]
            model.config = model.config.replaced(trust=0.0)  # the memory holds all answers
            texts = [text for text, _, _ in generate_texts(model, prompts, found, max_new_tokens=32)]
            model.detach()
        right = np.mean([is_right(text, q.answers) for text, q in zip(texts, questions, strict=True)])
        best = np.mean([is_right(f.nodes[0].name, q.answers) for f, q in zip(found, questions, strict=True)])
        print(f"{name:<8} generated right {right:.3f}, top-1 retrieval {best:.3f}, n = {len(questions)}", flush=True)


def hits(retriever: Retriever, questions: list, ranker: str) -> np.ndarray:
    """Whether the first node is a right answer, float [n]."""
    right = []
    for question in questions:
        nodes = retriever.retrieve(question.question, top_k=1, ranker=ranker).nodes
        answers = {normalise(answer) for answer in question.answers}
        right.append(bool(nodes) and normalise(nodes[0].name) in answers)
    return np.asarray(right, float)


if __name__ == "__main__":
    main()
