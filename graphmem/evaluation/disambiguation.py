"""Entity disambiguation: whether entity states link an ambiguous name in a text to the right node.

Two passages about different entities are read sentence by sentence, as if they were about "Peter Jordan" and "Anna
Jordan". Then a held-out sentence of one of them names "Jordan" alone: which of the two is it? Without states the most
recent one is taken. Which passage comes last, and whose the sentence is, is drawn.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from graphmem.datasets.plain_text import entity_passages
from graphmem.encoding.entity_states import EntityStates
from graphmem.evaluation.report import Report
from graphmem.hub import load_encoder, load_language_model
from graphmem.memory import GraphMemory
from graphmem.reading.hidden_states import token_states
from graphmem.writing.entity_linking import EntityLinker, recent_names
from graphmem.writing.gate_rules import WriteGateConfig
from graphmem.writing.pipeline import read_text, shipped_extractor

SURNAME, FIRST = "Jordan", ("Peter", "Anna")


def disambiguate(
    model: Any, network: EntityStates, passages: Sequence[Sequence[str]], rng: random.Random
) -> dict[str, bool]:
    """Read two passages (sentences with the surname for their entity) and link the last sentence of one of them."""
    owner = rng.randrange(2)
    with GraphMemory.open(":memory:", encoder=model.memory.encoder) as memory:
        model.memory = memory
        for place in rng.sample((0, 1), 2):
            for line in passages[place][:-1]:
                full = line.replace(SURNAME, f"{FIRST[place]} {SURNAME}")
                read_text(model, full, apply=True, config=WriteGateConfig(states=True), keep=False)
        layers = shipped_extractor(model).network.config.layers
        state = token_states(model.base, model.tokenizer, [passages[owner][-1]], layers, surprise=False)[0]
        sentence, recent = state.hidden[1:].mean(0).numpy(), recent_names(memory.store)
        wanted = f"{FIRST[owner]} {SURNAME}"
        plain = EntityLinker(memory.store, recent=recent).link(SURNAME)
        found = EntityLinker(memory.store, recent=recent, states=network).link(SURNAME, (), sentence)
    return {"without": plain.name == wanted, "with": found.name == wanted, "by context": found.strategy == "context"}


def evaluate_disambiguation(network: EntityStates, pairs: int = 40, seed: int = 0) -> Report:
    """Shares of ambiguous mentions linked to the right node, with and without entity states.

    ``pairs`` of passages are drawn from those held out of training.
    """
    rng = random.Random(seed)
    base, tokenizer = load_language_model()
    with GraphMemory.open(":memory:", encoder=load_encoder()) as memory:
        model, held = SimpleNamespace(base=base, tokenizer=tokenizer, memory=memory), entity_passages("test")
        rows = [disambiguate(model, network, rng.sample(held, 2), rng) for _ in range(pairs)]
    return Report([{"n": len(rows), **{name: float(np.mean([row[name] for row in rows])) for name in rows[0]}}], seed)
