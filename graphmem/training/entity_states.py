"""Trains node states: which of many things does a sentence speak of, when the name in it does not tell?

    python -m graphmem.training.entity_states --out node_states.safetensors [--cache states.npz]

Each shipped passage tells of one thing. Its name is put as the same word everywhere, so that only what is said can tell
things apart. Some of a passage's sentences move the state of its thing from zero; a later sentence must be given to the
right one of all things in the batch. Passages are split by title; scores are of titles that no training saw.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from graphmem.core.splits import data_split
from graphmem.datasets.plain_text import entity_sentences, passages
from graphmem.encoding.entity_states import EntityStates, save_entity_states


@dataclass(frozen=True)
class Course:
    """What is said of one thing: its title, and a row for each sentence: hidden states [n, F], text vectors [n, K]."""

    title: str
    texts: tuple[str, ...]
    hidden: np.ndarray
    vectors: np.ndarray


def courses(count: int, seed: int, encode: Callable[[list[str]], tuple[np.ndarray, np.ndarray]]) -> list[Course]:
    """A sample of passages with at least three sentences, read by a frozen model and a text encoder."""
    rows = list(passages())
    random.Random(seed).shuffle(rows)
    told = [(title, entity_sentences(title, text)) for title, text in rows]
    told = [(title, lines) for title, lines in told if len(lines) >= 3][:count]
    hidden, vectors = encode([line for _, lines in told for line in lines])
    made, start = [], 0
    for title, lines in told:
        rows_of = slice(start, start + len(lines))
        made.append(Course(title, tuple(lines), hidden[rows_of], vectors[rows_of]))
        start += len(lines)
    return made


def encoded(texts: list[str], model: Any, tokenizer: Any, layers: tuple[int, int], encoder: Any) -> Any:
    """Mean hidden state of each sentence by itself, float32 [n, F], and its text vector [n, K]."""
    from graphmem.reading.hidden_states import token_states

    hidden: dict[int, np.ndarray] = {}
    order = sorted(range(len(texts)), key=lambda place: len(texts[place]))
    for start in range(0, len(order), 16):
        part = order[start : start + 16]
        states = token_states(model, tokenizer, [texts[place] for place in part], layers, surprise=False)
        hidden |= {place: state.hidden[1:].mean(0).numpy() for place, state in zip(part, states, strict=True)}
    return np.stack([hidden[place] for place in range(len(texts))]), encoder.encode(texts)


def batch_loss(network: EntityStates, batch: Sequence[Course], rng: random.Random) -> torch.Tensor:
    """Nats of giving each passage's last drawn sentence to its own thing among those of the batch."""
    drawn = [rng.sample(range(len(c.hidden)), rng.randint(2, len(c.hidden))) for c in batch]
    asked = torch.from_numpy(np.stack([c.hidden[rows[-1]] for c, rows in zip(batch, drawn, strict=True)]))
    told = [sorted(rows[:-1]) for rows in drawn]
    states = torch.zeros(len(batch), network.sizes["width"])
    for step in range(max(map(len, told))):
        going = [place for place, rows in enumerate(told) if step < len(rows)]
        mentions = torch.from_numpy(np.stack([batch[place].hidden[told[place][step]] for place in going]))
        states = states.index_copy(0, torch.tensor(going), network.move(states[going], mentions))
    return F.cross_entropy(network.fit(states, asked), torch.arange(len(batch)))


def train(seen: Sequence[Course], *, steps: int, seed: int, batch: int = 96) -> EntityStates:
    """Train on passages; AdamW, one cycle."""
    torch.manual_seed(seed)
    rng, network = random.Random(seed), EntityStates(seen[0].hidden.shape[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps, pct_start=0.1)
    for step in range(steps):
        nats = batch_loss(network, rng.sample(seen, min(batch, len(seen))), rng)
        optimizer.zero_grad()
        nats.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 99:
            print(f"step {step + 1}: {float(nats.detach()):.3f} nats of {np.log(batch):.2f}", flush=True)
    return network.eval()


def pairs(held: Sequence[Course], count: int, seed: int, *, alike: bool) -> list[tuple[Course, Course]]:
    """Namesakes: two things each; ``alike`` takes the one of ten that is most like the first, by the text encoder."""
    rng, found = random.Random(seed), []
    for _ in range(count):
        first, *others = rng.sample(held, 11)
        likeness = [float(first.vectors[:-1].mean(0) @ other.vectors[:-1].mean(0)) for other in others]
        found.append((first, others[int(np.argmax(likeness))] if alike else others[0]))
    return found


def scores(network: EntityStates, held: Sequence[Course], *, count: int, seed: int) -> dict[str, float]:
    """Share of last sentences given to the right one of two namesakes, by the states, and by means of text vectors and
    of hidden states (nothing trained); chance is 0.5."""
    result: dict[str, float] = {"n": float(count)}
    for kind in (False, True):
        right: dict[str, list[bool]] = {"states": [], "text vectors": [], "hidden states": []}
        for own, other in pairs(held, count, seed, alike=kind):
            states = [_read(network, course.hidden[:-1]) for course in (own, other)]
            right["states"].append(bool(network.shares(states, own.hidden[-1]).argmax() == 0))
            for name, rows in (("text vectors", "vectors"), ("hidden states", "hidden")):
                means = [_unit(getattr(course, rows)[:-1].mean(0)) for course in (own, other)]
                last = _unit(getattr(own, rows)[-1])
                right[name].append(bool(means[0] @ last > means[1] @ last))
        result |= {f"{'alike' if kind else 'any'}, {name}": float(np.mean(said)) for name, said in right.items()}
    return result


def _read(network: EntityStates, rows: np.ndarray) -> np.ndarray:
    state = None
    for row in rows:
        state = network.moved(state, row)
    return np.asarray(state)


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9))


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m graphmem.training.entity_states", description=__doc__)
    parser.add_argument("--out", default="node_states.safetensors", help="weights to write")
    parser.add_argument("--count", type=int, default=1200, help="passages")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cache", type=Path, help="file that keeps what the frozen model read")
    given = parser.parse_args(arguments)
    every = courses(given.count, given.seed, lambda texts: _kept(texts, given.cache))
    seen = [course for course in every if data_split(course.title) == "train"]
    parts = {part: [c for c in every if data_split(c.title) == part] for part in ("dev", "test")}
    network = train(seen, steps=given.steps, seed=given.seed)
    found = {part: scores(network, held, count=400, seed=given.seed) for part, held in parts.items()}
    print(json.dumps({"passages": len(seen), **{part: len(held) for part, held in parts.items()}, **found}, indent=1))
    save_entity_states(network, given.out, found)


def _kept(texts: list[str], cache: Path | None) -> tuple[np.ndarray, np.ndarray]:
    if cache is not None and cache.exists():
        with np.load(cache) as kept:
            if list(kept["texts"]) == texts:
                return kept["hidden"].astype(np.float32), kept["vectors"].astype(np.float32)
    from graphmem.core.paths import WEIGHTS
    from graphmem.hub import DEFAULT_MODEL, load_encoder, load_language_model
    from graphmem.reading.network import load_extractor

    base, tokenizer = load_language_model(DEFAULT_MODEL)
    layers = load_extractor(WEIGHTS / DEFAULT_MODEL / "reader.safetensors").config.layers
    base.model.layers = base.model.layers[: max(layers) + 1]  # no later layer is looked at
    hidden, vectors = encoded(texts, base.to(torch.bfloat16), tokenizer, layers, load_encoder())
    if cache is not None:
        np.savez(cache, texts=np.asarray(texts), hidden=hidden.astype(np.float16), vectors=vectors.astype(np.float16))
    return hidden, vectors


if __name__ == "__main__":
    main()
