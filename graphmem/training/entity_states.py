"""Training of entity states: which of many entities is a sentence about, when the name in it does not tell?

    graphmem train entity-states --out node_states.safetensors [--cache FOLDER]

Each shipped passage is about one entity. Its name is replaced by the same word everywhere, so that only the rest of the
text tells entities apart. Some sentences of a passage update the state of its entity from zero; a later sentence must
be assigned to the right one of all entities in the batch. Passages are split by title; scores are of unseen titles.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from graphmem.core.paths import WEIGHTS
from graphmem.core.splits import data_split
from graphmem.datasets.plain_text import entity_sentences, passages
from graphmem.encoding.entity_states import EntityStates, save_entity_states
from graphmem.hub import DEFAULT_MODEL, load_encoder
from graphmem.reading.network import load_extractor
from graphmem.training.loop import LoopConfig, run, run_folder
from graphmem.training.reader.corpus import StateCache
from graphmem.training.reader.train import load_frozen


@dataclass(frozen=True)
class EntityText:
    """Sentences about one entity: its title, their mean hidden states [n, F] and text vectors [n, K]."""

    title: str
    hidden: np.ndarray
    vectors: np.ndarray


def entity_texts(count: int, seed: int, states: StateCache, encoder: Any) -> list[EntityText]:
    """A sample of passages with at least three sentences, with their hidden states and text vectors."""
    rows = list(passages())
    random.Random(seed).shuffle(rows)
    found = [(title, entity_sentences(title, text)) for title, text in rows]
    found = [(title, lines) for title, lines in found if len(lines) >= 3][:count]
    states.fill([line for _, lines in found for line in lines])
    return [
        EntityText(title, np.stack([np.float32(states[line][1:]).mean(0) for line in lines]), encoder.encode(lines))
        for title, lines in found
    ]


def batch_loss(network: EntityStates, batch: Sequence[EntityText], rng: random.Random) -> Tensor:
    """Nats of assigning each passage's last drawn sentence to its own entity among those of the batch."""
    drawn = [rng.sample(range(len(e.hidden)), rng.randint(2, len(e.hidden))) for e in batch]
    last = torch.from_numpy(np.stack([e.hidden[rows[-1]] for e, rows in zip(batch, drawn, strict=True)]))
    before = [sorted(rows[:-1]) for rows in drawn]
    states = torch.zeros(len(batch), network.config["width"])
    for step in range(max(map(len, before))):
        active = [place for place, rows in enumerate(before) if step < len(rows)]
        mentions = torch.from_numpy(np.stack([batch[place].hidden[before[place][step]] for place in active]))
        states = states.index_copy(0, torch.tensor(active), network(states[active], mentions))
    return F.cross_entropy(network.fit(states, last), torch.arange(len(batch)))


def train(texts: Sequence[EntityText], *, steps: int, seed: int, folder: Path, batch: int = 96) -> EntityStates:
    """A network trained on batches of passages; ``folder`` keeps the log and the checkpoint."""
    torch.manual_seed(seed)
    network = EntityStates(texts[0].hidden.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)

    def losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        rng = random.Random(f"{seed} {step}")
        return {"nats": batch_loss(network, rng.sample(texts, min(batch, len(texts))), rng)}, {}

    run(network, optimizer, losses, LoopConfig(steps, seed=seed), folder)
    return network.eval()


def scores(network: EntityStates, texts: Sequence[EntityText], *, count: int, seed: int) -> dict[str, float]:
    """Accuracy of assigning the last sentence of one of two entities; chance is 0.5.

    By the states, and by means of text vectors and of hidden states (untrained). The second entity is drawn at random,
    or (``similar``) is the one of ten whose text vectors are closest to the first one's.
    """
    result: dict[str, float] = {"n": float(count)}
    for similar in (False, True):
        rng, right = random.Random(seed), dict[str, list[bool]]()
        for _ in range(count):
            own, *others = rng.sample(texts, 11)
            closeness = [float(own.vectors[:-1].mean(0) @ other.vectors[:-1].mean(0)) for other in others]
            pair = own, others[int(np.argmax(closeness))] if similar else others[0]
            states = [network.updated(None, list(text.hidden[:-1])) for text in pair]
            right.setdefault("states", []).append(bool(network.shares(states, own.hidden[-1]).argmax() == 0))
            for name in ("vectors", "hidden"):
                means = [getattr(text, name)[:-1].mean(0) for text in pair]
                first, second = (getattr(own, name)[-1] @ mean / max(np.linalg.norm(mean), 1e-9) for mean in means)
                right.setdefault(name, []).append(bool(first > second))
        kind = "similar" if similar else "any"
        result |= {f"{kind}, {name}": float(np.mean(values)) for name, values in right.items()}
    return result


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(prog="graphmem train entity-states", description=__doc__)
    parser.add_argument("--out", default="node_states.safetensors", help="weights to write")
    parser.add_argument("--count", type=int, default=1200, help="passages")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="folder that keeps hidden states between runs")
    given = parser.parse_args(arguments)
    config = load_extractor(WEIGHTS / DEFAULT_MODEL / "reader.safetensors").config
    model, tokenizer = load_frozen(config)
    states = StateCache(model.to(torch.bfloat16), tokenizer, config.layers, given.cache)
    texts = entity_texts(given.count, given.seed, states, load_encoder())
    parts = {part: [text for text in texts if data_split(text.title) == part] for part in ("train", "dev", "test")}
    network = train(parts["train"], steps=given.steps, seed=given.seed, folder=run_folder(given))
    found = {part: scores(network, parts[part], count=400, seed=given.seed) for part in ("dev", "test")}
    print(json.dumps({**{part: len(group) for part, group in parts.items()}, "scores": found}, indent=1))
    save_entity_states(network, given.out, found)
