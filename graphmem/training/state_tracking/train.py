"""Training of the state-change extractor on bAbI: on stories, questions and answers, without labels of verbs.

    graphmem train state-tracking --out states.safetensors

1. The words of questions and answers are a weak label of a story's names. The head that finds names is trained on them,
   with the names exchanged for others, so that it learns their positions rather than the words.
2. The heads for changes, pronouns and kinds of question are trained together through the soft tracker, by the
   likelihood of the answers: first on the supporting sentences of each question, then on whole stories.
3. Sentences of ordinary text have no change: the first head is trained on them beside the stories, and the threshold of
   a change is calibrated on others of them.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.datasets.babi import TASKS, Story, load_tasks
from graphmem.hub import load_encoder
from graphmem.state_tracking import extractor
from graphmem.state_tracking.network import StateNetwork, save_states
from graphmem.training.state_tracking import examples
from graphmem.training.state_tracking.soft_tracker import likelihoods, loss

LEARNING_RATE, ENTROPY_WEIGHT, SPARSITY_WEIGHT = 5e-3, 0.1, 0.3
"""Weights of the entropy of changes in the first half, so that no kind of change is given up too early, and of their
number in the second, so that what explains no answer is read as no change."""


def batch_changes(batch: Sequence[examples.EncodedStory], network: StateNetwork, vectors: examples.Vectors) -> Tensor:
    """Probabilities of placed, taken and left for a batch of stories, [S, T, E, E, 3]."""
    size = 1 + max(len(story.names) for story in batch)
    steps = max(len(story.story.sentences) for story in batch)
    kinds = network.change(vectors.phrases).softmax(-1)[:, 1:]  # [phrases, 3]
    resolved = torch.cat([network.means(vectors.antecedents)[:, 0].sigmoid(), torch.ones(1)])  # the last: no pronoun
    rows = [(number, row) for number, story in enumerate(batch) for row in story.rows]
    flat = torch.tensor([((s * steps + r.sentence) * size + r.first) * size + r.second for s, r in rows])
    weight = resolved[torch.tensor([[*r.resolved, -1, -1][:2] for _, r in rows])].prod(-1, keepdim=True)
    changes = torch.zeros(len(batch) * steps * size * size, 3)
    changes = changes.index_add(0, flat, weight * kinds[torch.tensor([r.phrase for _, r in rows])])
    return changes.clamp(max=1).view(len(batch), steps, size, size, 3)


def batches(
    stories: Sequence[examples.EncodedStory], size: int, rng: random.Random
) -> list[list[examples.EncodedStory]]:
    """Stories of similar length together, in random order."""
    order = sorted(stories, key=lambda story: (len(story.story.sentences), rng.random()))
    found = [order[start : start + size] for start in range(0, len(order), size)]
    rng.shuffle(found)
    return found


def batch_loss(
    batch: Sequence[examples.EncodedStory],
    network: StateNetwork,
    vectors: examples.Vectors,
    *,
    floor: float,
    uniform: bool,
) -> Tensor:
    """-log likelihood of the answers, in nats a question; ``uniform``: every kind of question equally likely."""
    questions = [replace(q, story=number) for number, story in enumerate(batch) for q in story.questions]
    history = any("before" in question.text for story in batch for question in story.story.questions)
    answers = likelihoods(batch_changes(batch, network, vectors), questions, history)
    kinds = network.question(vectors.questions)[[question.text for question in questions]]
    return loss(torch.zeros_like(kinds) if uniform else kinds, answers, floor)


def train_changes(
    stories: Sequence[examples.EncodedStory], names: set[str], plain: Tensor, network: StateNetwork,
    vectors: examples.Vectors, epochs: int, seed: int,
) -> list[float]:  # fmt: skip
    """Train the heads for changes, pronouns and questions on whole stories; the loss of each epoch.

    ``plain`` are pairs of ordinary text [n, 2K], which have no change. There are ``epochs`` passes over the supporting
    sentences of each question, and as many over whole stories.
    """
    rng = random.Random(seed)
    parameters = [p for head in (network.change, network.means, network.question) for p in head.parameters()]
    short = [part for story in stories for part in examples.focused(story, names)]
    rounds = [batches(short, 96, rng) for _ in range(epochs)] + [batches(stories, 48, rng) for _ in range(epochs)]
    optimizer = torch.optim.AdamW(parameters, lr=LEARNING_RATE, weight_decay=0.01)
    total = sum(map(len, rounds))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=total, pct_start=0.1)
    history: list[float] = []
    for number, epoch in enumerate(rounds):
        sums, first = 0.0, number < epochs
        for batch in epoch:
            nats = batch_loss(batch, network, vectors, floor=0.05 if first else 0.003, uniform=number < epochs // 2)
            negatives = network.change(plain[torch.randint(len(plain), (128,))])
            no_change = F.cross_entropy(negatives, torch.zeros(len(negatives), dtype=torch.long))
            changes = network.change(vectors.phrases)
            if first:
                penalty = ENTROPY_WEIGHT * (changes.softmax(-1) * changes.log_softmax(-1)).sum(-1).mean()
            else:
                penalty = SPARSITY_WEIGHT * changes.softmax(-1)[:, 1:].sum(-1).mean()
            optimizer.zero_grad()
            (nats + 0.3 * no_change + penalty).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            sums += float(nats.detach())
        history.append(sums / len(epoch))
        print(f"epoch {len(history)}: {history[-1]:.4f} nats a question", flush=True)
    return history


def train_words(
    stories: Sequence[Story], names: set[str], network: StateNetwork, encoder: Any, seed: int, ordinary: int = 8000
) -> None:
    """Train the heads for names and for sentences with a change, with ``ordinary`` sentences that have none."""
    rng = random.Random(seed)
    plain = examples.plain_sentences("train", ordinary, seed)
    lines = sorted({text for story in stories for text in story.sentences})
    pools = examples.name_pools(plain)
    positive = [examples.with_other_names(rng.choice(lines), names, pools, rng) for _ in range(2500)]
    positive += [examples.encode_sentence(text, names) for text in rng.sample(lines, min(500, len(lines)))]
    questions = rng.sample([q for s in stories for q in s.questions], 600)
    sentences = [*positive, *(examples.with_other_names(question.text, names, pools, rng) for question in questions)]
    texts = [sentence.text for sentence in sentences] + plain
    own = [*chain(*map(name_labels, sentences))]
    labels = np.asarray([*own, *chain(*map(examples.plain_labels, plain))])
    others = np.flatnonzero(labels >= 0)[len(own) :]  # few, for they give no evidence of names without capitals
    known = [*range(len(own)), *rng.sample(others.tolist(), min(len(own) // 5, len(others)))]
    vectors, words = list[np.ndarray](), list[np.ndarray]()
    for start in range(0, len(texts), 256):
        part = texts[start : start + 256]
        found, states, _ = encoder.encode_both(part)
        vectors.append(found)
        words += map(extractor.word_vectors, part, states, encoder.offsets(part))
    _fit(network.names, np.concatenate(words)[known], labels[known], seed)
    _fit(network.tells, np.concatenate(vectors), np.arange(len(texts)) < len(positive), seed, epochs=24)


def name_labels(sentence: extractor.EncodedSentence) -> list[float]:
    """Whether each word of a sentence belongs to a name."""
    names = [(w.start, w.end) for w in sentence.words if not w.is_pronoun]
    starts = (match.start() for match in extractor.WORD.finditer(sentence.text))
    return [float(any(a <= start < b for a, b in names)) for start in starts]


def _fit(head: nn.Module, features: np.ndarray, labels: np.ndarray, seed: int, epochs: int = 12) -> None:
    """Fit a binary head."""
    x, y = torch.from_numpy(features.astype(np.float32)), torch.from_numpy(labels.astype(np.float32))
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.01)
    for _ in range(epochs):
        for rows in torch.randperm(len(x), generator=generator).split(256):
            optimizer.zero_grad()
            F.binary_cross_entropy_with_logits(head(x[rows])[:, 0], y[rows]).backward()  # type: ignore[no-untyped-call]
            optimizer.step()


def train(
    stories: Sequence[Story], encoder: Any, *, epochs: int = 8, seed: int = 0, ordinary: int = 8000
) -> tuple[StateNetwork, dict[str, Any]]:
    """A network trained and calibrated on stories, with the loss of each epoch and the calibration.

    ``ordinary`` sentences without a change are used for training, half as many for calibration.
    """
    torch.manual_seed(seed)
    network, names, tables = StateNetwork(encoder.dim), examples.names_of(stories), examples.Tables()
    encoded = [examples.encode_story(story, names, tables) for story in stories]
    vectors = examples.Vectors.of(tables, encoder)
    pairs = list(examples.plain_pairs(examples.plain_sentences("train", 2000, seed), random.Random(seed)))
    plain = torch.from_numpy(extractor.SpanStateCache(encoder)(pairs))
    history = train_changes(encoded, names, plain, network, vectors, epochs, seed)
    train_words(stories, names, network, encoder, seed, ordinary)
    rates = calibrate(network.eval(), stories, names, encoder, seed, ordinary // 2)
    return network, {"loss": history, "phrases": len(tables.phrases), **rates}


def calibrate(
    network: StateNetwork, stories: Sequence[Story], names: set[str], encoder: Any, seed: int, ordinary: int = 4000
) -> dict[str, float]:
    """Set the network's threshold, and return the shares of sentences above it.

    It lies above the scores of ordinary sentences right after a story's sentence, unless more than 1 in 100 sentences
    of stories would fall below.
    """
    rng = random.Random(seed + 1)
    lines = sorted({text for story in stories for text in story.sentences})
    plain = examples.plain_sentences("dev", ordinary, seed)
    pools = examples.name_pools(plain)
    renamed = [examples.with_other_names(rng.choice(lines), names, pools, rng).text for _ in range(600)]
    finder = extractor.StateChangeExtractor(network, encoder, threshold=0.3)
    before = [examples.encode_sentence(rng.choice(lines), names) for _ in range(2)]
    list(finder.encode([*plain, *renamed, *lines]))  # one batch
    groups = {"plain": plain, "stories, other names": renamed, "stories": lines}
    scores = {name: np.asarray([_score(finder, text, before) for text in part]) for name, part in groups.items()}
    highest = float(max(0.5, min(scores["plain"].max() + 1e-3, np.quantile(scores["stories"], 0.01))))
    network.threshold = round(highest, 4)
    above = {f"{name} above": float((found >= network.threshold).mean()) for name, found in scores.items()}
    return {"threshold": network.threshold, "plain above 0.5": float((scores["plain"] >= 0.5).mean()), **above}


def _score(finder: extractor.StateChangeExtractor, text: str, before: Sequence[extractor.EncodedSentence]) -> float:
    """Probability of the likeliest change in a sentence; 0 where there is none."""
    changes = (change for sentence in finder.encode([text]) for change in finder.changes(sentence, before))
    return max((change.probability for change in changes), default=0.0)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(prog="graphmem train state-tracking", description=__doc__)
    parser.add_argument("--data", help="bAbI's `en` folder; what ships with graphmem if left out")
    parser.add_argument("--out", default="states.safetensors", help="weights to write")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tasks", type=int, nargs="+", default=list(TASKS))
    given = parser.parse_args(arguments)
    started, encoder = time.process_time(), load_encoder()
    network, notes = train(load_tasks(given.data, given.tasks).train, encoder, epochs=given.epochs, seed=given.seed)
    save_states(network, given.out, encoder.fingerprint)
    print(json.dumps({name: value for name, value in notes.items() if isinstance(value, float)}))
    print(f"{given.out}: {notes['phrases']} phrases, {time.process_time() - started:.0f} CPU s")
