"""Trains the write gate on streams of events in made-up worlds, read by the trained reader; scores it on new worlds.

python -m graphmem.training.gate --reader reader.safetensors --out gate.safetensors
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch.nn import functional as F

from graphmem.encoder import TextCache
from graphmem.graph import Fact, normalise
from graphmem.lexicon import Relation, load_lexicon, split_relations
from graphmem.passages import Event
from graphmem.relations import synonyms
from graphmem.resolution import is_short_for, name_features
from graphmem.settling import settled
from graphmem.splits import data_split
from graphmem.text_reader import Candidate, LearnedReader
from graphmem.training.gate_scores import Case, Played, best_surprise, report, tensors
from graphmem.worlds import World
from graphmem.write_gate import (
    ACTIONS,
    NUMBERS,
    Neighbourhood,
    WriteGate,
    blended,
    load_gate,
    save_gate,
)

Priors = Callable[[str], tuple[float, float]]
"""How functional and how changeable a relation sounds."""


class Stage:
    """A made-up graph that events change: keeps what is held, with the trust it was told with."""

    def __init__(self, world: World, priors: Priors) -> None:
        self.names = {bare(name): name for name in world.names} | {normalise(name): name for name in world.names}
        self.symmetric = {name for name, relation in world.relations.items() if relation.symmetric}
        self.held: dict[tuple[str, str], list[Fact]] = {}
        self.past: set[tuple[str, str, str]] = set()
        self._priors, self._next = priors, 1
        for triple in world.known:
            self.add(triple, 1.0)

    def add(self, triple: tuple[str, str, str], trust: float) -> None:
        """Hold a fact from now on."""
        self.held.setdefault(triple[:2], []).append(Fact(*triple, confidence=trust, id=self._next))
        self._next += 1

    def remove(self, triple: tuple[str, str, str]) -> None:
        """Hold a fact no more."""
        facts = self.held.get(triple[:2], [])
        facts[:] = [fact for fact in facts if fact.object != triple[2]]
        self.past.add(triple)

    def meaning(self, name: str, mentioned: Sequence[str]) -> str:
        """The full name that a name in a text stands for."""
        fuller = [other for other in dict.fromkeys(mentioned) if is_short_for(name, other)]
        if normalise(name) not in self.names and len(fuller) == 1:
            return fuller[0]
        return self.names.get(normalise(name), self.names.get(bare(name), name))

    def turned(self, fact: Fact, stated: Collection[tuple[str, str, str]]) -> Fact:
        """The fact the other way round, where that says the same and is how the text's list or the graph has it."""
        other = (fact.object, fact.relation, fact.subject)
        if fact.relation not in self.symmetric or (fact.subject, fact.relation, fact.object) in stated:
            return fact
        known = other in stated or fact.relation in self.between(fact.object, fact.subject)
        return replace(fact, subject=fact.object, object=fact.subject) if known else fact

    def near(self, fact: Fact, ended: Sequence[Fact]) -> Neighbourhood:
        """What is held near a fact; ``ended`` are facts that the same text says are over."""
        held = tuple(self.held.get((fact.subject, fact.relation), ()))
        over = next((f for f in held for e in ended if normalise(e.object) == normalise(f.object)), None)
        counts = [len(facts) for (_, relation), facts in self.held.items() if relation == fact.relation and facts]
        functional, changeable = self._priors(fact.relation)
        subjects = {normalise(subject) for (subject, _), facts in self.held.items() if facts}
        return Neighbourhood(
            held, (fact.subject, fact.relation, fact.object) in self.past,
            blended(functional, sum(count == 1 for count in counts), len(counts)), changeable,
            normalise(fact.subject) in subjects, normalise(fact.object) in self.names, over,
            bool(self.between(fact.subject, fact.object) or self.between(fact.object, fact.subject)),
        )  # fmt: skip

    def between(self, subject: str, value: str) -> list[str]:
        """Relations that join the two now."""
        return [r for (s, r), facts in self.held.items() if s == subject and any(f.object == value for f in facts)]


def bare(name: str) -> str:
    """A name as it is compared where an article makes no difference."""
    return normalise(name).removeprefix("the ")


def play(
    world: World, events: Sequence[Event], reader: LearnedReader, priors: Callable[[str], tuple[float, float]]
) -> Played:
    """Read every event's text as the library does, and set its candidates beside the labels."""
    stage, played = Stage(world, priors), Played()
    for event in events:
        found = _read(event, reader, stage, list(world.relations))
        gold = dict(zip(event.passage.triples, event.labels, strict=True))
        ended = [c.fact for c in found if c.mood == "ended"]
        for candidate in found:
            fact = candidate.fact
            triple = (fact.subject, fact.relation, fact.object)
            others = [f for f in ended if f is not fact and f.subject == fact.subject and f.relation == fact.relation]
            if triple in event.removed and triple not in gold:
                continue  # the end of an old value: weighed after the new one, when there is nothing left to do
            label = gold.pop(triple, None)
            near = stage.near(fact, others)
            played.cases.append(Case(candidate, near, event.trust, label or "skip", event.reason, label is not None))
        played.missed += gold.values()
        for triple in event.removed:
            stage.remove(triple)
        for triple in event.added:
            stage.add(triple, event.trust)
    return played


def _read(event: Event, reader: LearnedReader, stage: Stage, relations: Sequence[str]) -> list[Candidate]:
    found = reader.read(event.passage.text, relations=relations)
    mentioned = [name for c in found for name in (c.fact.subject, c.fact.object)]
    kept: dict[tuple[str, str, str], Candidate] = {}
    for c in found:
        subject, value = (stage.meaning(name, mentioned) for name in (c.fact.subject, c.fact.object))
        c, _ = settled(replace(c, fact=replace(c.fact, subject=subject, object=value)), stage.between)
        c = replace(c, fact=stage.turned(c.fact, event.passage.triples))
        kept.setdefault((c.fact.subject, c.fact.relation, c.fact.object), c)
    return list(kept.values())


# ---------------------------------------------------------------- fitting


def fit_priors(gate: WriteGate, relations: Sequence[Relation], vectors: TextCache, steps: int = 400) -> None:
    """Teach the gate how functional and how changeable a relation sounds."""
    texts, wanted = [], []
    for relation in relations:
        for text in (relation.relation, relation.noun, *relation.paraphrases):
            texts.append(text)
            wanted.append([float(relation.functional), float(bool(relation.updates or relation.ends))])
    x, y = torch.from_numpy(vectors(texts)), torch.tensor(wanted)
    optimiser = torch.optim.AdamW(gate.priors.parameters(), lr=0.05, weight_decay=0.05)
    for _ in range(steps):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(gate.priors(x), y).backward()  # type: ignore[no-untyped-call]
        optimiser.step()


def fit_gate(gate: WriteGate, cases: Sequence[Case], seed: int, epochs: int = 80) -> None:
    """Fit the four-way decision; rare actions count for more."""
    torch.manual_seed(seed)
    numbers, views, labels = tensors(cases)
    counts = torch.bincount(labels, minlength=len(ACTIONS)).float()
    weight = (counts.sum() / counts.clamp(min=1)) ** 0.25
    groups = [gate.view, gate.layers]
    optimiser = torch.optim.AdamW([p for g in groups for p in g.parameters()], lr=2e-3, weight_decay=0.02)
    gate.train()
    for _ in range(epochs):
        for rows in torch.randperm(len(labels)).split(128):
            seen, view = _blurred(numbers[rows], views[rows])
            loss = F.cross_entropy(gate(seen, view), labels[rows], weight / weight.mean())
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    gate.eval()


def _blurred(numbers: torch.Tensor, views: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Make a gate that works in an empty graph and with any reader.

    Whether names are known is drawn by chance, for a young graph knows none; sometimes the view and the surprise are
    missing, as from readers that have none.
    """
    numbers = numbers.clone()
    known = [NUMBERS.index("subject known"), NUMBERS.index("object known")]
    drawn = torch.rand(len(numbers), 2)
    numbers[:, known] = torch.where(drawn < 0.5, (drawn < 0.25).float(), numbers[:, known])
    blind, calm = torch.rand(len(numbers), 1) < 0.15, torch.rand(len(numbers), 1) < 0.3
    numbers[:, [NUMBERS.index("surprise")]] *= ~(blind | calm)
    hidden = blind | (torch.rand(len(numbers), 1) < 0.2)
    return numbers, torch.where(hidden, 0.0, views + torch.randn_like(views) * 0.5 * views.std())


def calibrate(gate: WriteGate, cases: Sequence[Case]) -> float:
    """Set the temperature that makes the probabilities right on held-out cases; returns it."""
    numbers, views, labels = tensors(cases)
    with torch.no_grad():
        logits = gate(numbers, views)
    options = torch.linspace(0.5, 4.0, 71)
    losses = torch.stack([F.cross_entropy(logits / value, labels) for value in options])
    gate.temperature.fill_(float(options[losses.argmin()]))
    return float(gate.temperature)


def fit_matcher(gate: WriteGate, names: Sequence[str], seed: int, steps: int = 600) -> dict[str, float]:
    """Teach the gate which names mean the same: real names spelt otherwise, against other real names."""
    rng = Random(seed)
    rows, labels = zip(*(_name_pair(names, rng) for _ in range(12_000)), strict=True)
    x, y = torch.from_numpy(np.stack(rows)).float(), torch.tensor(labels, dtype=torch.float32)
    weights = torch.zeros(x.shape[1], requires_grad=True)
    optimiser = torch.optim.AdamW([weights], lr=0.1, weight_decay=0.001)
    for _ in range(steps):
        optimiser.zero_grad()
        F.binary_cross_entropy_with_logits(x[:10_000] @ weights, y[:10_000]).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    gate.names.copy_(weights.detach())
    sure = (x[10_000:] @ weights).sigmoid() >= 0.85
    right = y[10_000:].bool()
    return {"precision": float(right[sure].float().mean()), "recall": float(sure[right].float().mean())}


def _name_pair(names: Sequence[str], rng: Random) -> tuple[np.ndarray, float]:
    name = rng.choice(names)
    words = name.split()
    chance, rivals = rng.random(), rng.choice((0, 0, 0, 1, 2, 5))
    if chance < 0.25:  # the same, spelt otherwise
        other = rng.choice((name.upper(), name.replace(" ", "-"), f"the {name}", name.replace("'", ""), f"Mr. {name}"))
        return name_features(other, name, rivals=rivals, recent=rng.random() < 0.2), 1.0
    if chance < 0.35 and len(name) > 7:  # a slip of the pen in a long name
        place = rng.randrange(1, len(name) - 1)
        slip = name[:place] + name[place + 1 :] if rng.random() < 0.5 else name[:place] + name[place] + name[place:]
        return name_features(slip, name, rivals=rivals), 1.0
    if chance < 0.55 and len(words) > 1:  # a part of it: the same if nobody else has it, or if just spoken of
        recent = rng.random() < 0.4
        sure = rivals == 0 or recent
        return name_features(rng.choice((words[0], words[-1])), name, rivals=rivals, recent=recent), float(sure)
    if chance < 0.62 and len(words) > 1:
        initials = " ".join([words[0][0] + ".", *words[1:]])
        return name_features(initials, name, rivals=rivals), float(rivals == 0)
    other = rng.choice(names)
    if chance < 0.8 and len(words) > 1:  # somebody else of the same name in part
        other = " ".join(rng.choice(((words[0], other.split()[-1]), (other.split()[0], words[-1]))))
    elif chance < 0.9:
        other = f"{name} {rng.choice(('II', '2', 'III', 'Jr', 'Returns'))}" if rng.random() < 0.7 else f"{name}s"
    return name_features(other, name, rivals=rivals, recent=rng.random() < 0.3), float(
        normalise(other) == normalise(name)
    )


def make(
    seeds: Sequence[int], events: int, relations: Sequence[Relation], reader: LearnedReader, gate: WriteGate
) -> Played:
    """Play one stream in each of several worlds."""
    vectors, cache, whole = reader._vectors, {}, Played()

    def priors(relation: str) -> tuple[float, float]:
        if relation not in cache:
            cache[relation] = tuple(gate.relation_priors(vectors([relation]))[0].tolist())
        return cache[relation]

    for seed in seeds:
        rng = Random(seed)
        chosen = _distinct(rng.sample(list(relations), min(40, len(relations))))
        world = World.sample(seed, entities=120, relations=chosen)
        played = play(world, world.stream(seed, events), reader, priors)
        whole.cases += played.cases
        whole.missed += played.missed
        print(f"world {seed}: {len(whole.cases)} cases, {len(whole.missed)} facts not found", flush=True)
    return whole


def _distinct(relations: Sequence[Relation]) -> list[Relation]:
    """One relation of each meaning: a graph that holds two names for one thing has no right answer."""
    kept: list[Relation] = []
    for relation in relations:
        if not any(normalise(other.relation) in synonyms(relation.relation) for other in kept):
            kept.append(relation)
    return kept


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reader", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--worlds", type=int, default=24)
    parser.add_argument("--events", type=int, default=100)
    parser.add_argument("--test", type=int, default=4, help="worlds of each test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--score", action="store_true", help="only score the gate of --out, on worlds of this seed")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    from graphmem.reader import load_reader
    from graphmem.resolver import find_encoder, find_language_model
    from graphmem.training.reading import real_names

    model, tokenizer = find_language_model()
    vectors = TextCache(find_encoder())
    network = load_reader(given.reader)
    reader = LearnedReader(model, tokenizer, vectors, network)
    if given.score:
        return score_all(load_gate(given.out.parent), reader, given, 1.0)
    gate = WriteGate(network.config.width, vectors.encoder.dim)
    trained = [*split_relations("train"), *split_relations("dev")]
    fit_priors(gate, trained, vectors)
    names = [name for name in real_names(None)["person"] if data_split(name) == "train"]
    print(json.dumps({"name matcher": fit_matcher(gate, names, given.seed)}), flush=True)
    base = 1000 * (given.seed + 1)
    train = make(range(base, base + given.worlds), given.events, trained, reader, gate)
    fit_gate(gate, train.cases, given.seed)
    dev = make(range(base + 500, base + 502), given.events, trained, reader, gate)
    print(json.dumps({"temperature": calibrate(gate, dev.cases)}))
    save_gate(gate, given.out)
    score_all(gate, reader, given, best_surprise(train.cases))


def score_all(gate: WriteGate, reader: LearnedReader, given: argparse.Namespace, threshold: float) -> None:
    """Print the scores on new worlds, with relations of training and with others."""
    base = 1000 * (given.seed + 1)
    trained = [*split_relations("train"), *split_relations("dev")]
    test = make(range(base + 700, base + 700 + given.test), given.events, trained, reader, gate)
    print(json.dumps({"test": "new worlds", **report(gate, test, threshold)}, indent=1), flush=True)
    unseen = [relation for relation in load_lexicon() if data_split(relation.relation) == "test"]
    zero = make(range(base + 800, base + 800 + given.test), given.events, unseen, reader, gate)
    print(json.dumps({"test": "new worlds, relations never trained on", **report(gate, zero, threshold)}, indent=1))


if __name__ == "__main__":
    main()
