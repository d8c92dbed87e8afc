"""Training of the answer-type classifier on the questions of the evidence encoder's sets."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch.nn import functional

from graphmem.core.splits import held
from graphmem.datasets.files import data_folder
from graphmem.hub import load_encoder
from graphmem.questions.answer_type import SHIPPED, AnswerTypeClassifier, type_features
from graphmem.training.evidence.chain_examples import over_worlds
from graphmem.training.evidence.claim_examples import boolq, creak, fever
from graphmem.training.evidence.examples import sample
from graphmem.training.evidence.fact_examples import simple_questions, vquanda
from graphmem.training.evidence.lexicon_examples import lexicon
from graphmem.training.evidence.passage_examples import multihop, qed, squad
from graphmem.training.loop import started


def questions(folder: Path, seed: int, each: int) -> list[tuple[str, bool]]:
    """Questions with whether yes or no answers them, at most ``each`` of a set and type."""
    rng = Random(seed)
    sets = [list(make(folder, rng)) for make in (boolq, fever, creak, vquanda, squad, multihop, qed)]
    sets += [list(lexicon(rng, each=6)), list(over_worlds(rng, worlds=6))]
    found = [(e.question, e.asks_verdict) for examples in sets for kind in (True, False)
             for e in sample([e for e in examples if e.asks_verdict == kind], each, rng)]  # fmt: skip
    found += [(one.question, False) for one in rng.sample(simple_questions(folder), each)]
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(prog="graphmem train answer-type", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the data sets; GRAPHMEM_DATA if left out")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--each", type=int, default=700, help="questions of a set and type, at most")
    parser.add_argument("--steps", type=int, default=400)
    given = started(parser, arguments)
    torch.manual_seed(given.seed)
    encoder = load_encoder()
    rows = questions(data_folder(given.data), given.seed, given.each)
    features = []
    for start in range(0, len(rows), 256):
        features.append(type_features(*encoder.encode_both([q for q, _ in rows[start : start + 256]])[1:]))
    x, y = np.concatenate(features), np.array([kind for _, kind in rows], np.float32)
    test = np.array([held(question, 10) for question, _ in rows])
    mean, scale = x[~test].mean(0), x[~test].std(0) + 1e-3
    inputs, wanted = torch.as_tensor((x - mean) / scale), torch.as_tensor(y)
    train = torch.as_tensor(~test)
    layer = torch.nn.Linear(x.shape[1], 1)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=3e-3, weight_decay=0.3)
    for _ in range(given.steps):
        loss = functional.binary_cross_entropy_with_logits(layer(inputs[train])[:, 0], wanted[train])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    made = AnswerTypeClassifier(layer.weight[0].detach().numpy(), float(layer.bias[0].detach()), mean, scale)
    right = (made.verdict(encoder, [q for (q, _), t in zip(rows, test, strict=True) if t]) > 0.5) == y[test].astype(
        bool
    )
    made.save(given.out, encoder.fingerprint, seed=given.seed, questions=len(rows))
    print(json.dumps({"out": str(given.out), "n": int(test.sum()), "right, held out": float(right.mean())}))
