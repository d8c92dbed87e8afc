"""Training of the operation classifier on questions of real sets and on questions made from templates.

Two runs: the first without the held-out third of the frames and of the adjectives, for the reported figures; the
second, which is written, with them as well. What a real set holds out is left out of both.
"""

from __future__ import annotations

import argparse
import json
import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from graphmem.datasets.files import data_folder
from graphmem.hub import load_encoder
from graphmem.questions.operation import OPERATIONS, SHIPPED, OperationClassifier, OperationNetwork, forms_of
from graphmem.synthetic.operation_questions import OperationQuestion, OperationQuestions
from graphmem.training.evidence.examples import reworded
from graphmem.training.evidence.operation_sets import all_sets, qald10
from graphmem.training.loop import one_cycle, started

CONTRADICTED = 0.1
"""Probability of its label below which an uncertain question is left out."""
SHARES = {"lookup": 2.0, "superlative": 2.0, "verify": 1.5, "intersect": 2.0, "except": 1.5}
"""How much more often an operation is drawn than another."""
BATCH, TOGETHER = 64, 12
"""Questions of a step, and steps whose questions are drawn together."""
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Row:
    """A question as it is read, what it asks for, its token states [T, K] (float16) and whether it is held out."""

    asked: OperationQuestion
    states: np.ndarray
    held: bool


def template_questions(rng: Random, each: int) -> list[tuple[OperationQuestion, bool]]:
    """Questions from templates, ``each`` of an operation and twice as many superlatives, as people type them."""
    maker = OperationQuestions(rng)
    found: dict[str, OperationQuestion] = {}
    for operation in OPERATIONS:
        for _ in range(2 * each if operation == "superlative" else each):
            made = maker.make(operation)
            made = replace(made, question=reworded(made.question, rng))
            found.setdefault(made.question, made)
    return [(one, bool(one.unseen)) for one in found.values()]


def real_questions(folder: Path, rng: Random, each: int) -> list[tuple[OperationQuestion, bool]]:
    """Questions of real sets, at most ``each`` of a set, an operation, and a side of the split."""
    kept: list[tuple[OperationQuestion, bool]] = []
    for rows in (*all_sets(folder, rng), qald10(folder)):
        groups: dict[Any, list[OperationQuestion]] = defaultdict(list)
        for asked, apart in rows:
            groups[asked.source, asked.operation, asked.certain, apart].append(asked)
        for (*_, apart), found in groups.items():
            drawn = rng.sample(found, min(each // 4 if apart else each, len(found)))
            kept += [(one if apart else replace(one, question=reworded(one.question, rng)), apart) for one in drawn]
    return kept


def encoded(encoder: Any, rows: Sequence[tuple[OperationQuestion, bool]]) -> list[Row]:
    """Questions with their token states."""
    made: dict[int, Row] = {}
    order = sorted(range(len(rows)), key=lambda k: len(rows[k][0].question))
    for start in range(0, len(order), 128):
        part = order[start : start + 128]
        states, mask = encoder.encode_both([rows[k][0].question for k in part])[1:]
        for k, state, length in zip(part, states, mask.sum(1), strict=True):
            made[k] = Row(rows[k][0], state[: min(64, max(1, int(length)))].astype(np.float16), rows[k][1])
    return [made[k] for k in range(len(rows))]


def batch_of(rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
    """States [n, T, K] and mask [n, T] of rows."""
    longest = max(len(row.states) for row in rows)
    states = np.zeros((len(rows), longest, rows[0].states.shape[1]), np.float32)
    mask = np.zeros((len(rows), longest), bool)
    for at, row in enumerate(rows):
        states[at, : len(row.states)], mask[at, : len(row.states)] = row.states, True
    return torch.as_tensor(states), torch.as_tensor(mask)


def loss_of(logits: Tensor, rows: Sequence[Row]) -> Tensor:
    """Cross-entropy of the operations, and of both ends of the scale where they are known."""
    wanted = torch.tensor([OPERATIONS.index(row.asked.operation) for row in rows])
    count = len(OPERATIONS)
    loss = functional.cross_entropy(logits[:, :count], wanted, label_smoothing=0.02)
    for column, ends in enumerate(([row.asked.larger for row in rows], [row.asked.later for row in rows])):
        known = [k for k, end in enumerate(ends) if end is not None]
        if known:
            values = torch.tensor([float(end) for end in ends if end is not None])
            loss = loss + functional.binary_cross_entropy_with_logits(logits[known, count + column], values)
    return loss


def trained(rows: Sequence[Row], steps: int, rate: float, seed: int) -> OperationNetwork:
    """A network trained on rows; operations are drawn by ``SHARES``."""
    torch.manual_seed(seed)
    rng = Random(seed)
    groups: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        groups[row.asked.operation][row.asked.source].append(row)
    operations, shares = list(groups), [SHARES.get(operation, 1.0) for operation in groups]
    network = OperationNetwork(rows[0].states.shape[1]).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.05)
    batches: list[list[Row]] = []
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = rate * one_cycle(step, steps, 0.1)
        if not batches:  # questions of like length together, so that little is padding
            names = rng.choices(operations, shares, k=BATCH * TOGETHER)
            pool = sorted((_drawn(groups[name], rng) for name in names), key=lambda row: len(row.states))
            batches = [pool[start : start + BATCH] for start in range(0, len(pool), BATCH)]
            rng.shuffle(batches)
        drawn = batches.pop()
        loss = loss_of(network(*batch_of(drawn)), drawn)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 500 == 0:
            log.info("step %d of %d, loss %.3f", step + 1, steps, float(loss.detach()))
    return network.eval()


def _drawn(by_source: dict[str, list[Row]], rng: Random) -> Row:
    """A row: of the templates in half of the cases, else of a set, by the square root of its size."""
    real = [name for name in by_source if name != "templates"]
    if "templates" in by_source and (not real or rng.random() < 0.5):
        return rng.choice(by_source["templates"])
    name = rng.choices(real, [len(by_source[name]) ** 0.5 for name in real])[0]
    return rng.choice(by_source[name])


@torch.inference_mode()
def logits_of(network: OperationNetwork, rows: Sequence[Row]) -> Tensor:
    """Logits [n, 11] of rows."""
    parts = [network(*batch_of(rows[start : start + 256])) for start in range(0, len(rows), 256)]
    return torch.cat(parts)


def agreed(network: OperationNetwork, rows: Sequence[Row]) -> list[Row]:
    """Rows whose label is certain, or not contradicted by the network."""
    chances = logits_of(network, rows)[:, : len(OPERATIONS)].softmax(1).tolist()
    return [row for row, chance in zip(rows, chances, strict=True)
            if row.asked.certain or chance[OPERATIONS.index(row.asked.operation)] >= CONTRADICTED]  # fmt: skip


def figures(network: OperationNetwork, rows: Iterable[Row]) -> dict[str, str]:
    """Right operations of each set, and right ends of scales where they are known and the question compares."""
    found: dict[str, list[bool]] = defaultdict(list)
    known = list(rows)
    for row, form in zip(known, forms_of(logits_of(network, known)), strict=True):
        where = f"{row.asked.source} {row.asked.unseen}".strip()
        found[f"{where}: {row.asked.operation}"].append(form.operation == row.asked.operation)
        for name, end, chance in (("larger", row.asked.larger, form.larger_number),
                                  ("later", row.asked.later, form.later_date)):  # fmt: skip
            if end is not None:
                found[f"{where}: {name}"].append((chance > 0.5) == (end > 0.5))
    return {name: f"{sum(right)}/{len(right)}" for name, right in sorted(found.items())}


def in_rounds(
    templates: Sequence[Row], real: Sequence[Row], train: Callable[[Sequence[Row]], OperationNetwork], rounds: int = 2
) -> OperationNetwork:
    """A network trained on certain labels; in each further round, on all labels that the former does not contradict."""
    kept = [row for row in real if row.asked.certain]
    network = train([*templates, *kept])
    for _ in range(rounds - 1):
        kept = agreed(network, real)
        log.info("%d of %d questions of real sets are kept", len(kept), len(real))
        network = train([*templates, *kept])
    return network


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(prog="graphmem train operation", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the data sets; GRAPHMEM_DATA if left out")
    parser.add_argument("--out", type=Path, default=SHIPPED)
    parser.add_argument("--each", type=int, default=600, help="questions of a set and operation, at most")
    parser.add_argument("--templates", type=int, default=2500, help="questions made for each operation")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--rate", type=float, default=2e-3)
    given = started(parser, arguments)
    encoder, rng = load_encoder(), Random(given.seed)
    made = encoded(encoder, template_questions(rng, given.templates))
    real = encoded(encoder, real_questions(data_folder(given.data), rng, given.each))
    known = [row for row in real if not row.held]
    train = lambda rows: trained(rows, given.steps, given.rate, given.seed)
    apart = in_rounds([row for row in made if not row.held], known, train)
    certain = [row for row in real if row.held and row.asked.certain]
    uncertain = [row for row in real if row.held and not row.asked.certain]
    report = figures(apart, [row for row in made if row.held])
    network = in_rounds(made, known, train)
    report |= figures(network, certain)
    report |= {f"{name} (uncertain)": right for name, right in figures(network, uncertain).items()}
    OperationClassifier(network).save(
        given.out, encoder.fingerprint, seed=given.seed, questions=len(made) + len(known), right=report
    )
    print(json.dumps({"out": str(given.out), "right, held out": report}, indent=1))
