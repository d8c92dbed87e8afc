"""PathQuestion after tuning on its own training topics: Hits@1 on test topics, beside shipped weights and baseline.

GRAPHMEM_DATA=... python tests/benchmarks/pathquestion_local.py [--seed 0] [--speak]

With ``--speak`` the questions about all topics that were not tuned on (n = 369) are answered aloud by the frozen
model, out of a memory that searches with the tuned weights and out of one with the shipped ones.

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
    parser.add_argument("--speak", action="store_true", help="answer by the model, all topics but the training ones")
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
        if given.speak:
            return speak(tuned, facts, [q for q in questions if data_split(q.topic) != "train"])
        rows = {
            name: hits(Retriever(memory.store, encoder, weights), halves["test"], ranker)
            for name, weights, ranker in (
                ("tuned", tuned, "gnn"), ("shipped", None, "gnn"), ("path similarity", None, "path"),
            )
        }  # fmt: skip
    rng = np.random.default_rng(seed)
    print(
        f"PathQuestion, {len(halves['train'])} training questions, test topics, n = {len(halves['test'])}, seed {seed}"
    )
    for name, right in rows.items():
        means = right[rng.integers(0, len(right), (2000, len(right)))].mean(1)
        low, high = np.quantile(means, (0.025, 0.975))
        print(f"{name:<16} Hits@1 {right.mean():.3f} [{low:.3f}, {high:.3f}]")


def speak(tuned: Path, facts: list, questions: list) -> None:
    """Print the share of questions whose spoken answer, and whose best node, is right."""
    for name, weights in (("tuned", tuned), ("shipped", None)):
        with GraphMemory.open(":memory:", retriever=weights) as memory:
            memory.add_many(facts)
            model = GraphMemoryModel.from_pretrained("smollm2-135m", memory=memory)
            found = [memory.retrieve(q.question, top_k=model.config.nodes) for q in questions]
            prompts = [chat_prompt(model.tokenizer, q.question) for q in questions]
            model.config = model.config.changed(trust=0.0)  # the memory holds all answers
            said = [text for text, _, _ in generate_texts(model, prompts, found, max_new_tokens=32)]
            model.detach()
        right = np.mean([is_right(text, q.answers) for text, q in zip(said, questions, strict=True)])
        best = np.mean([is_right(f.nodes[0].name, q.answers) for f, q in zip(found, questions, strict=True)])
        print(f"{name:<8} spoken right {right:.3f}, best node {best:.3f}, n = {len(questions)}", flush=True)


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
