"""Entity states: the recurrence, disambiguation, updates and checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from graphmem.core.edits import AddEdge, UpdateNode
from graphmem.core.errors import NotFound, WeightsMismatch
from graphmem.encoding.entity_states import (
    FILE,
    EntityStates,
    load_entity_states,
    save_entity_states,
    state_updates,
)
from graphmem.storage.sqlite import SQLiteStore
from graphmem.writing.entity_linking import EntityLinker


@pytest.fixture
def network() -> EntityStates:
    torch.manual_seed(0)
    return EntityStates(8, 4).eval()


@pytest.fixture
def store() -> Iterator[SQLiteStore]:
    with SQLiteStore.open(":memory:") as opened:
        opened.apply([AddEdge("John Smith", "plays", "chess"), AddEdge("Anna Smith", "plays", "golf")])
        yield opened


def test_recurrence(network: EntityStates) -> None:
    mention = np.ones(8, np.float32)
    first = network.updated(None, [mention])
    second = network.updated(first, [mention])
    assert first.shape == (4,) and not np.allclose(first, second)
    inputs = torch.tanh(network.inward(torch.from_numpy(mention)[None]))
    assert np.allclose(second, network.cell(inputs, torch.from_numpy(first)[None])[0].detach().numpy())


def test_updates_are_written_and_undone(network: EntityStates, store: SQLiteStore) -> None:
    mention = np.ones(8, np.float32)
    entry = store.apply(list(state_updates(network, store, {"John Smith": [mention], "chess": [mention]})))
    john = store.resolve("John Smith")
    assert john is not None and np.allclose(store.state(john.id), network.updated(None, [mention]))
    store.undo(entry.id)
    assert store.state(john.id) is None


def test_an_update_of_a_node_of_the_same_batch(store: SQLiteStore) -> None:
    store.apply([AddEdge("Eve", "likes", "tea"), UpdateNode("Eve", state=np.ones(4, np.float32))])
    eve = store.resolve("eve")
    assert eve is not None and np.allclose(store.state(eve.id), 1.0)
    with pytest.raises(NotFound, match="Nobody"):
        store.apply([UpdateNode("Nobody", text="t")])


def test_disambiguation(network: EntityStates, store: SQLiteStore) -> None:
    rng = np.random.default_rng(0)
    mentions = {name: rng.normal(size=8).astype(np.float32) for name in ("John Smith", "Anna Smith")}
    with torch.no_grad():  # a network that knows a state by its sentence
        network.scale.fill_(3.0)
        states = torch.stack([torch.from_numpy(network.updated(None, [m])) for m in mentions.values()])
        inputs = torch.tanh(network.inward(torch.from_numpy(np.stack(list(mentions.values())))))
        network.key.weight.copy_(torch.linalg.lstsq(states, inputs).solution.T)
        network.key.bias.zero_()
        network.query.weight.copy_(torch.eye(4))
        network.query.bias.zero_()
    linker = EntityLinker(store, states=network)
    assert linker.link("Smith", (), mentions["Anna Smith"]).strategy == "new"  # no states yet
    store.apply([UpdateNode(name, state=network.updated(None, [mention])) for name, mention in mentions.items()])
    for name, mention in mentions.items():
        found = linker.link("Smith", (), mention)
        assert (found.name, found.strategy) == (name, "context")
    assert linker.link("Smith").strategy == "new"


def test_weights_are_kept_and_others_refused(tmp_path: Path, network: EntityStates) -> None:
    assert load_entity_states(tmp_path) is None
    (tmp_path / "a").mkdir()
    save_entity_states(network, tmp_path / "a" / FILE, {"n": 1})
    loaded = load_entity_states(tmp_path / "a")
    assert loaded is not None and loaded.config == {"hidden": 8, "width": 4}
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / FILE).write_bytes(b"no weights")
    with pytest.raises(WeightsMismatch, match="cannot read"):
        load_entity_states(tmp_path / "b")
