"""Training of the evidence encoder on the sets of the modules beside this one."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel

from graphmem.core.checkpoints import load_module
from graphmem.datasets.files import data_folder
from graphmem.encoding.evidence_encoder import (
    KIND,
    SHARED_LAYERS,
    EvidenceNetwork,
    encode_pairs,
    save_evidence_encoder,
    save_joint_reader,
)
from graphmem.hub import load_encoder
from graphmem.text.name_tagging import capitalised
from graphmem.training.evidence.chain_examples import all_chains
from graphmem.training.evidence.claim_examples import all_claims
from graphmem.training.evidence.examples import Example, Strangers, sample, with_wrong_chains
from graphmem.training.evidence.fact_examples import all_facts
from graphmem.training.evidence.joint_examples import joined
from graphmem.training.evidence.passage_examples import all_passages
from graphmem.training.evidence.set_examples import all_sets
from graphmem.training.loop import LoopConfig, run, run_folder, started

NULL_WEIGHT = 0.3
"""Weight of the span loss of a unit that does not hold the answer; there are several for each that does."""

PACKED = 4096
"""Tokens, padding included, that the encoder reads at once; units of similar length are read together."""


FEWER = {
    "simplequestions": 0.5, "boolq": 0.4, "fever": 0.25, "creak": 0.2, "qamr": 0.2, "fairytaleqa": 0.2, "drop": 0.15,
    "worlds": 0.16, "tables": 0.17,
}  # fmt: skip
"""Sets of which a smaller share of the bound is taken: narrow ones, and long ones."""


def training_examples(folder: Path, seed: int, most: int) -> list[Example]:
    """At most ``most`` examples of each set."""
    made: list[Example] = []
    for sets in (all_facts, all_sets, all_chains, all_passages, all_claims):
        for number, examples in enumerate(sets(folder, Random(f"{seed} {sets.__name__}"))):
            bound = round(most * FEWER.get(examples[0].source, 1.0))
            made += sample(examples, bound, Random(f"{seed} {sets.__name__} {number}"))
    strangers, rng = Strangers(made, capitalised), Random(f"{seed} strangers")
    return [strangers.beside(with_wrong_chains(example, rng), rng) for example in made]


def length_of(example: Example) -> float:
    """Tokens of an example's units with the question, about; four characters a token."""
    return sum((len(example.question) + len(unit.text)) / 4 + 4 for unit in example.units)


def batches(examples: Sequence[Example], tokens: int, epochs: int, seed: int) -> list[list[int]]:
    """Positions of the examples of each step, in random order: about ``tokens`` tokens a step without padding."""
    steps: list[list[int]] = []
    for epoch in range(epochs):
        rng, rows, length = Random(f"{seed} {epoch}"), [], 0.0
        for at in rng.sample(range(len(examples)), len(examples)):
            rows.append(at)
            length += length_of(examples[at])
            if length >= tokens:
                steps.append(rows)
                rows, length = [], 0.0
        steps += [rows] if rows else []
    return steps


def groups(lengths: Sequence[int], tokens: int = PACKED) -> list[list[int]]:
    """Units that are read together, of similar length: at most ``tokens`` tokens with padding, one unit at least."""
    made: list[list[int]] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        last = made[-1] if made else []
        wasted = sum(lengths[row] - lengths[other] for other in last) > 0.2 * lengths[row] * (len(last) + 1)
        if not last or lengths[row] * (len(last) + 1) > tokens or wasted:
            made.append([row])
        else:
            last.append(row)
    return made


def losses_of(network: EvidenceNetwork, tokenizer: Any, examples: Sequence[Example]) -> dict[str, Tensor]:
    """Losses of spans, of relevance over the units of each question, of verdicts and of the kind of question."""
    units = [(number, unit) for number, example in enumerate(examples) for unit in example.units]
    lengths = [(len(examples[n].question) + len(unit.text)) // 4 + 4 for n, unit in units]
    order: list[int] = []
    logits_of, span_losses, weights_of = [], [], []
    read = groups(lengths)
    pairs = [[(examples[units[row][0]].question, units[row][1].text) for row in rows] for rows in read]
    encoded_groups = [encode_pairs(tokenizer, [q for q, _ in rows], [text for _, text in rows]) for rows in pairs]
    # one context of autocast: the weights are converted once a step; plain attention: its backward pass is faster here
    with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):
        outputs = [network(encoded.features)[1:] for encoded in encoded_groups]
    for rows, encoded, (spans, logits) in zip(read, encoded_groups, outputs, strict=True):
        chosen = [units[row] for row in rows]
        starts, ends, weights = _span_targets(encoded.offsets, chosen, examples, spans.shape[1])
        log = functional.log_softmax(spans, 1)
        span_losses.append(-(_marginal(log[..., 0], starts) + _marginal(log[..., 1], ends)) / 2)
        logits_of.append(logits)
        weights_of.append(weights)
        order += rows
    units = [units[row] for row in order]
    span, logits, weights = torch.cat(span_losses), torch.cat(logits_of), torch.cat(weights_of)
    relevant = torch.tensor([unit.relevant for _, unit in units])
    rank = _ranking_loss(logits[:, 0], relevant, torch.tensor([n for n, _ in units]), len(examples))
    single = functional.binary_cross_entropy_with_logits(logits[:, 0], relevant.float())
    asks = torch.tensor([float(examples[n].asks_verdict) for n, _ in units])
    found = {
        "span": (span * weights).sum() / weights.sum().clamp(min=1.0),
        "rank": 0.5 * rank + 0.5 * single,
        "asks": 0.2 * functional.binary_cross_entropy_with_logits(logits[:, 1], asks),
    }
    if (rows_ := asks.nonzero()[:, 0]).numel():
        says = torch.tensor([unit.verdict for _, unit in units])[rows_]
        found["verdict"] = functional.cross_entropy(logits[rows_, 2:], says)
    return found


def _span_targets(
    offsets: Sequence[Sequence[tuple[int, int]]], units: Sequence[tuple[int, Any]], examples: Sequence[Example],
    length: int,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    """Masks of right starts and ends, bool [U, L], and weights [U]; position 0 where the unit holds no answer."""
    starts = torch.zeros(len(units), length, dtype=torch.bool)
    ends, weights = torch.zeros_like(starts), torch.zeros(len(units))
    for row, (number, unit) in enumerate(units):
        for first, last in unit.spans:
            inside = [k for k, (a, b) in enumerate(offsets[row]) if b > a and a < last and b > first]
            if inside:
                starts[row, inside[0]] = ends[row, inside[-1]] = True
        if starts[row].any():
            weights[row] = 1.0
        elif not unit.spans:  # a span that was cut off is no evidence that there is none
            starts[row, 0] = ends[row, 0] = True
            weights[row] = 0.0 if unit.relevant or examples[number].asks_verdict else NULL_WEIGHT
    return starts, ends, weights


def _marginal(log: Tensor, right: Tensor) -> Tensor:
    """Log-probability of any right position; 0 where there is none."""
    known = right.any(1)
    total = torch.logsumexp(log.masked_fill(~right, -1e4), 1)
    return torch.where(known, total, torch.zeros_like(total))


def _ranking_loss(logits: Tensor, relevant: Tensor, group: Tensor, groups: int) -> Tensor:
    """Cross-entropy of a question's relevant units among all of them and "none", whose logit is 0."""
    total = []
    for number in range(groups):
        own = group == number
        all_ = torch.logsumexp(torch.cat([logits[own], logits.new_zeros(1)]), 0)
        right = logits[own & relevant]
        total.append(all_ - torch.logsumexp(right, 0) if len(right) else all_)
    return torch.stack(total).mean()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = _parser()
    given = started(parser, arguments)
    if not 0 < given.interpolate <= 1 or (given.interpolate < 1 and not given.start):
        parser.error("--interpolate takes a share above 0, up to 1, of the weights trained from those of --start")
    folder, encoder = data_folder(given.data), load_encoder()
    torch.manual_seed(given.seed)
    network = EvidenceNetwork.of(encoder.transformer)
    begun: Mapping[str, Tensor] = {}
    if given.start:
        begun = load_module(given.start, kind=KIND, fingerprint=encoder.fingerprint).tensors
        network.load_trained(begun)
    examples = training_examples(folder, given.seed, given.each)
    if given.joint:
        examples = list(joined(examples, Random(f"{given.seed} joint")))
    counts = Counter(example.source for example in examples)
    steps = batches(examples, given.tokens, given.epochs, given.seed)
    print(json.dumps({"examples": counts, "steps": len(steps)}), flush=True)
    if given.joint:
        network.bert.encoder.layer[:SHARED_LAYERS].requires_grad_(False)
    trained = [p for p in network.parameters() if p.requires_grad]
    matrices, vectors = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim < 2]
    optimizer = torch.optim.AdamW(
        [
            {"params": matrices, "lr": given.rate, "weight_decay": 0.01},
            {"params": vectors, "lr": given.rate, "weight_decay": 0.0},
        ]
    )
    network.eval()  # no dropout: one pass over the examples does not overfit, and drawing masks takes half of the time

    def losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        torch.manual_seed(given.seed * 1_000_003 + step)
        return losses_of(network, encoder.tokenizer, [examples[at] for at in steps[step]]), {}

    config = LoopConfig(steps=min(len(steps), given.steps or len(steps)), warm_up=0.06, seed=given.seed)
    lines = run(network, optimizer, losses, config, run_folder(given))
    if begun and given.interpolate < 1:
        network.load_trained(interpolated(begun, network.trained_state(), given.interpolate))
    notes = {
        "seed": given.seed, "examples": dict(counts), "steps": config.steps, "data": data_hash(folder),
        "interpolate": given.interpolate,
    }  # fmt: skip
    save = save_joint_reader if given.joint else save_evidence_encoder
    save(given.out, network.eval(), encoder.fingerprint, **notes)
    print(json.dumps({"out": str(given.out), "log": lines[-1:]}))


def interpolated(begun: Mapping[str, Tensor], trained: Mapping[str, Tensor], share: float) -> dict[str, Tensor]:
    """Weights between those that training began with and those that it ended with (WiSE-FT, 2109.01903).

    ``share`` is that of the trained ones, 0 to 1. What was learned stays, and what was there before is lost less on
    questions unlike the training questions.
    """
    return {key: begun[key].float() + share * (value.float() - begun[key].float()) for key, value in trained.items()}


def data_hash(folder: Path) -> str:
    """Hash over names and sizes of the files that training reads."""
    digest = sha256()
    for name in sorted(SETS):
        for path in sorted((folder / name).rglob("*")):
            if path.is_file():
                digest.update(f"{path.relative_to(folder)} {path.stat().st_size}\n".encode())
    return digest.hexdigest()[:16]


SETS = (
    "2wiki", "boolq", "creak", "dialog_friendsqa", "drop", "fairytaleqa", "fever", "hotpotqa", "kgc",
    "kgc_inductive_grail", "kgqa_vquanda", "metaqa", "multihop_2wiki_musique", "nq", "popqa", "qasrl_qamr",
    "simplequestions", "squad", "wikitablequestions",
)  # fmt: skip
"""Folders of the data that training reads."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="graphmem train evidence", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the data sets; GRAPHMEM_DATA if left out")
    parser.add_argument("--out", type=Path, required=True, help="weights; logs and checkpoints go to .run beside them")
    parser.add_argument("--start", type=Path, help="weights to train further; the text encoder's layers if left out")
    parser.add_argument(
        "--interpolate", type=float, default=1.0,
        help="share of the trained weights in those that are written; the rest is of those of --start",
    )  # fmt: skip
    parser.add_argument("--joint", action="store_true", help="read the units of a question together, as one text")
    parser.add_argument("--each", type=int, default=14_000, help="examples of each set, at most")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--steps", type=int, default=0, help="stop after this many steps; 0 goes through all examples")
    parser.add_argument("--tokens", type=int, default=3000, help="tokens of one step, about")
    parser.add_argument("--rate", type=float, default=1.2e-4, help="peak learning rate")
    return parser
