"""Training of the passage reranker on 2WikiMultiHopQA (``graphmem train passage-reranker``)."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from graphmem.datasets.multihop_passages import PassageQuestion, load
from graphmem.evaluation.passages import open_corpus
from graphmem.retrieval.passages.reranker import FEATURES, PassageReranker
from graphmem.retrieval.passages.search import PassageSearch

Example = tuple[np.ndarray, np.ndarray]
"""Features of a question's candidates, float32 [C, F], and 1 for the gold ones, float32 [C]."""


def make_examples(search: PassageSearch, questions: Sequence[PassageQuestion]) -> list[Example]:
    """Candidates of each question, as in a search. Writes missing vectors."""
    search.refresh()
    examples = []
    for question in questions:
        passages, features = search.features(search.signals(question.text, None))
        nodes = search.store.passages_by_id(passages)
        titles = [str(nodes[passage].attributes.get("title", "")).casefold() for passage in passages]
        examples.append((features, np.asarray([title in question.gold for title in titles], np.float32)))
    return examples


def train(data: Sequence[Example], *, steps: int = 400, seed: int = 0) -> PassageReranker:
    """Fit the weights by full-batch steps so that every gold passage scores above the soft maximum of the others."""
    import torch

    torch.manual_seed(seed)
    pad = torch.nn.utils.rnn.pad_sequence
    features = pad([torch.from_numpy(table) for table, _ in data], batch_first=True)  # [Q, C, F]
    gold = pad([torch.from_numpy(right) for _, right in data], batch_first=True)  # [Q, C]
    real = pad([torch.ones(len(right), dtype=torch.bool) for _, right in data], batch_first=True)
    weights = torch.nn.Parameter(0.1 * torch.randn(len(FEATURES)))
    optimiser = torch.optim.AdamW([weights], lr=1e-2, weight_decay=0.05)
    for _ in range(steps):
        scores = (features @ weights).masked_fill(~real, -1e9)
        others = torch.logsumexp(scores.masked_fill(gold > 0, -1e9), 1, keepdim=True)
        loss = (torch.nn.functional.softplus(others - scores) * gold).sum() / gold.sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return PassageReranker(weights.detach().numpy())


def train_halves(
    folder: str | Path | None = None, *, memory: str | Path | None = None, seed: int = 0
) -> dict[str, PassageReranker]:
    """Rerankers by the half of 2wiki's questions that each is tested on; each is trained on the other half."""
    documents, questions = load("2wiki", folder)
    with tempfile.TemporaryDirectory() as scratch:
        with open_corpus(documents, memory or Path(scratch) / "passages.db") as opened:
            made = make_examples(PassageSearch(opened.store, opened.encoder), questions)
    halves = {half: [e for e, q in zip(made, questions, strict=True) if q.half == half] for half in ("train", "test")}
    return {"test": train(halves["train"], seed=seed), "train": train(halves["test"], seed=seed)}


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the training."""
    parser = argparse.ArgumentParser(prog="graphmem train passage-reranker", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the data sets; else the variable GRAPHMEM_DATA")
    parser.add_argument("--out", type=Path, required=True, help="file for the weights")
    parser.add_argument("--memory", type=Path, help="file of the memory of the corpus, filled where needed")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    reranker = train_halves(given.data, memory=given.memory, seed=given.seed)["test"]
    reranker.save(given.out)
    for name, weight in zip(FEATURES, reranker.weights.tolist(), strict=True):
        print(f"{name:>20} {weight:+.2f}")
