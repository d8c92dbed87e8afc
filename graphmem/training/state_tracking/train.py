"""Trains the state reader on bAbI: on stories, questions and answers; nobody tells it what a verb means.

    python -m graphmem.training.state_tracking.train --data DIR --out states.safetensors        (graphmem train states ...)

1. Words of a story that are ever asked about or answered with are its names (a weak label); on them the head that
   finds names is trained, with the names swapped for others, so that it learns where names stand.
2. The heads for changes, pronouns and kinds of question are trained together through a soft tracker, by the likelihood
   of the answers: first over the supporting sentences of each question alone, then over whole stories.
3. Sentences of ordinary text tell of no change: on them and the stories the first head is trained, and on others of
   them the least certainty of a change is calibrated.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import time
from collections.abc import Sequence
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from graphmem.datasets.babi import TASKS, Story, load_tasks
from graphmem.state_tracking.extractor import EncodedSentence, PlaceCache, StateChangeExtractor, Word, word_vectors
from graphmem.state_tracking.network import StateNetwork, save_states
from graphmem.training.state_tracking.examples import Prepared, Tables, Vectors, focused, names_of, prepare, told_of
from graphmem.training.state_tracking.negatives import plain_labels, plain_pairs, plain_sentences, pools_of
from graphmem.training.state_tracking.soft_tracker import Asked, likelihoods, loss

LEARNING_RATE = 5e-3
CURIOSITY, PARSIMONY = 0.1, 0.3
"""Weights: of being undecided at first, so that no kind of change is given up too early; and of few changes later, so
that what explains no answer is read as no change."""

# ---------------------------------------------------------------- training through the tracker


def batch_changes(batch: Sequence[Prepared], network: StateNetwork, vectors: Vectors) -> torch.Tensor:
    """Probabilities of placed, taken and left for a batch of stories, [S, T, E, E, 3]."""
    size = 1 + max(len(story.names) for story in batch)
    steps = max(len(story.story.sentences) for story in batch)
    chances = network.change(vectors.phrases).softmax(-1)[:, 1:]  # [phrases, 3]
    means = torch.cat([network.means(vectors.guesses)[:, 0].sigmoid(), torch.ones(1)])  # the last is certain
    index = [(s, r.sentence, r.first, r.second) for s, story in enumerate(batch) for r in story.rows]
    rows = [row for story in batch for row in story.rows]
    flat = torch.tensor([((s * steps + t) * size + a) * size + b for s, t, a, b in index])
    guesses = torch.tensor([[*r.guesses, -1, -1][:2] for r in rows])
    weight = means[guesses].prod(-1, keepdim=True)
    changes = torch.zeros(len(batch) * steps * size * size, 3)
    changes = changes.index_add(0, flat, weight * chances[torch.tensor([r.phrase for r in rows])])
    return changes.clamp(max=1).view(len(batch), steps, size, size, 3)


def batches(stories: Sequence[Prepared], size: int, rng: random.Random) -> list[list[Prepared]]:
    """Stories of like length together, in random order."""
    order = sorted(stories, key=lambda story: (len(story.story.sentences), rng.random()))
    found = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(found)
    return found


def batch_loss(
    batch: Sequence[Prepared], network: StateNetwork, vectors: Vectors, doubt: float = 1e-3, open_minded: bool = False
) -> torch.Tensor:
    """-log likelihood of the answers of a batch, in nats a question; ``open_minded`` takes every kind of question for
    equally likely."""
    asked = [
        Asked(s, a.after, a.first, a.second, a.answers, a.word, a.kind)
        for s, story in enumerate(batch)
        for a in story.asked
    ]
    history = any("before" in question.text for story in batch for question in story.story.questions)
    answers = likelihoods(batch_changes(batch, network, vectors), asked, history)
    kinds = network.question(vectors.questions)[[a.kind for a in asked]]
    return loss(torch.zeros_like(kinds) if open_minded else kinds, answers, doubt)


def taste(changes: torch.Tensor, first: bool) -> torch.Tensor:
    """What is liked beside answers, from logits [phrases, 4]: at first to stay undecided, then few changes."""
    if first:
        return CURIOSITY * (changes.softmax(-1) * changes.log_softmax(-1)).sum(-1).mean()
    return PARSIMONY * changes.softmax(-1)[:, 1:].sum(-1).mean()


def train_changes(
    stories: Sequence[Prepared],
    names: set[str],
    plain: torch.Tensor,
    network: StateNetwork,
    vectors: Vectors,
    epochs: int,
    seed: int,
) -> list[float]:
    """Train the heads for changes, pronouns and questions; returns the loss of each epoch. ``plain`` [n, K]: pairs of
    ordinary text, which change nothing."""
    rng = random.Random(seed)
    heads = [network.change, network.means, network.question]
    parameters = [p for head in heads for p in head.parameters()]
    hints = [hint for story in stories for hint in focused(story, names)]
    rounds = [batches(hints, 96, rng) for _ in range(epochs)] + [batches(stories, 48, rng) for _ in range(epochs)]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.01)
    total = sum(map(len, rounds))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=total, pct_start=0.1)
    history: list[float] = []
    for epoch in rounds:
        sums = 0.0
        for batch in epoch:
            first = len(history) < epochs
            nats = batch_loss(batch, network, vectors, 0.05 if first else 0.003, len(history) < epochs // 2)
            nothing = plain[torch.randint(len(plain), (128,))]
            target = torch.zeros(len(nothing), dtype=torch.long)
            total_loss = nats + 0.3 * F.cross_entropy(network.change(nothing), target)
            total_loss = total_loss + taste(network.change(vectors.phrases), first)
            optimizer.zero_grad()
            total_loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            sums += float(nats.detach())
        history.append(sums / len(epoch))
        print(f"epoch {len(history)}: {history[-1]:.4f} nats a question", flush=True)
    return history


# ---------------------------------------------------------------- names, and whether a sentence tells of a change


def swapped(text: str, names: set[str], pools: tuple[list[str], list[str]], rng: random.Random) -> EncodedSentence:
    """A sentence with other names in the places of its names, two words at times."""
    told, parts, last, words = told_of(text, names), list[str](), 0, list[Word]()
    length = 0
    for word in told.words:
        gap = text[last : word.start]
        new = word.text
        if not word.refers_back and rng.random() < 0.8:
            pool = pools[not word.text[0].isupper()]
            new = " ".join(rng.choice(pool) for _ in range(1 + (rng.random() < 0.2)))
        start = length + len(gap)
        words.append(Word(start, start + len(new), new))
        parts += [gap, new]
        length, last = start + len(new), word.end
    return EncodedSentence("".join(parts) + text[last:], tuple(words))


def train_words(
    stories: Sequence[Story], names: set[str], network: StateNetwork, encoder: Any, seed: int, ordinary: int = 8000
) -> None:
    """Train the heads that find names, and sentences that tell of a change; ``ordinary``: sentences beside them."""
    rng = random.Random(seed)
    plain = plain_sentences("train", ordinary, seed)
    lines = sorted({text for story in stories for text in story.sentences})
    pools = pools_of(plain)
    told = [swapped(rng.choice(lines), names, pools, rng) for _ in range(2500)]
    told += [told_of(text, names) for text in rng.sample(lines, min(500, len(lines)))]
    asked = [swapped(q.text, names, pools, rng) for q in rng.sample([q for s in stories for q in s.questions], 600)]
    texts = [t.text for t in [*told, *asked]] + plain
    own = [*chain(*map(named, [*told, *asked]))]
    labels = np.asarray([*own, *chain(*map(plain_labels, plain))])
    others = np.flatnonzero(labels >= 0)[len(own) :]  # few of them, as they say nothing of names without capitals
    known = [*range(len(own)), *rng.sample(others.tolist(), min(len(own) // 5, len(others)))]
    parts = [encoded(texts[start : start + 256], encoder) for start in range(0, len(texts), 256)]
    words, vectors = np.concatenate([part[1] for part in parts]), np.concatenate([part[0] for part in parts])
    fit(network.names, words[known], labels[known], seed)
    fit(network.tells, vectors, (np.arange(len(texts)) < len(told)).astype(np.float32), seed, epochs=24)


def named(told: EncodedSentence) -> list[float]:
    """Which words of a sentence are its names."""
    inside = [(w.start, w.end) for w in told.words if not w.refers_back]
    places = [match.span() for match in re.finditer(r"\w[\w'’-]*", told.text)]
    return [float(any(a <= start < b for a, b in inside)) for start, _ in places]


def encoded(texts: Sequence[str], encoder: Any) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of texts [n, K], and of all their words, one after another [words, K]."""
    vectors, states, _ = encoder.encode_both(texts)
    rows = zip(texts, states, encoder.offsets(texts), strict=True)
    return vectors, np.concatenate([word_vectors(*row) for row in rows])


def fit(head: torch.nn.Module, features: np.ndarray, labels: np.ndarray, seed: int, epochs: int = 12) -> None:
    """Fit a yes-or-no head."""
    x, y = torch.from_numpy(features.astype(np.float32)), torch.from_numpy(labels.astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.01)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(256):
            nats = F.binary_cross_entropy_with_logits(head(x[rows])[:, 0], y[rows])
            optimizer.zero_grad()
            nats.backward()
            optimizer.step()


# ---------------------------------------------------------------- the command


def train(
    stories: Sequence[Story], encoder: Any, *, epochs: int = 8, seed: int = 0, ordinary: int = 8000
) -> tuple[StateNetwork, dict[str, Any]]:
    """Train a state reader's network on stories; returns it, and the loss of each epoch.

    Args:
        stories: with questions and answers.
        encoder: a text encoder with token states and offsets.
        epochs: passes over the supporting sentences of each question, and then over whole stories.
        seed: of weights, order and swapped names.
        ordinary: sentences that tell of no change, to train beside; half as many to calibrate on.
    """
    torch.manual_seed(seed)
    network, names, tables = StateNetwork(encoder.dim), names_of(stories), Tables()
    prepared = [prepare(story, names, tables) for story in stories]
    vectors = Vectors.of(tables, encoder)
    pairs = list(plain_pairs(plain_sentences("train", 2000, seed), random.Random(seed)))
    plain = torch.from_numpy(PlaceCache(encoder)(pairs))
    history = train_changes(prepared, names, plain, network, vectors, epochs, seed)
    train_words(stories, names, network, encoder, seed, ordinary)
    rates = calibrate(network.eval(), stories, names, encoder, seed, ordinary // 2)
    return network, {"loss": history, "phrases": len(tables.phrases), "names": sorted(names), **rates}


def calibrate(
    network: StateNetwork, stories: Sequence[Story], names: set[str], encoder: Any, seed: int, ordinary: int = 4000
) -> dict[str, float]:
    """Set the network's least certainty: above what ordinary sentences reach right after a story's sentence, unless
    more than 1 in 100 sentences of stories would fall below; returns what lies above it."""
    rng = random.Random(seed + 1)
    lines = sorted({text for story in stories for text in story.sentences})
    plain = plain_sentences("dev", ordinary, seed)
    pools = pools_of(plain)
    told = [swapped(rng.choice(lines), names, pools, rng).text for _ in range(600)]
    reader = StateChangeExtractor(network, encoder, threshold=0.3)
    before = [told_of(rng.choice(lines), names) for _ in range(2)]
    list(reader.told([*plain, *told, *lines]))  # encoded together
    never, ever, own = (np.asarray([certainty(reader, text, before) for text in part]) for part in (plain, told, lines))
    network.least = round(float(max(0.5, min(never.max() + 1e-3, np.quantile(own, 0.01)))), 4)
    shares = {"plain": never, "stories, other names": ever, "stories": own}
    above = {f"{name} above": float((found >= network.least).mean()) for name, found in shares.items()}
    return {"least": network.least, "plain above 0.5": float((never >= 0.5).mean()), **above}


def certainty(reader: StateChangeExtractor, text: str, before: Sequence[EncodedSentence]) -> float:
    """How sure a reader is that a sentence tells of some change; 0 if it is not."""
    changes = (change for _, told in reader.told([text]) for change in reader.changes(told, before))
    return max((change.sure for change in changes), default=0.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """The command line."""
    from graphmem.hub import load_encoder

    parser = argparse.ArgumentParser(prog="graphmem train states", description="Train the state reader on bAbI.")
    parser.add_argument("--data", help="bAbI's `en` folder; what ships with graphmem if left out")
    parser.add_argument("--out", default="states.safetensors", help="weights to write")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", type=int, nargs="+", default=list(TASKS))
    options = parser.parse_args(arguments)
    started, encoder = time.process_time(), load_encoder()
    network, notes = train(
        load_tasks(options.data, options.tasks).train, encoder, epochs=options.epochs, seed=options.seed
    )
    save_states(network, options.out, encoder.fingerprint)
    print(json.dumps({name: value for name, value in notes.items() if isinstance(value, float)}))
    print(f"{options.out}: {notes['phrases']} phrases, {time.process_time() - started:.0f} CPU s")


if __name__ == "__main__":
    main()
