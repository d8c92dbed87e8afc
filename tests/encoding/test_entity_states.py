"""States of nodes: the recurrence, telling namesakes apart, and reading with states on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from graphmem.core.edits import AddEdge, UpdateNode, WriteDecision
from graphmem.core.errors import NotFound, WeightsMismatch
from graphmem.core.types import Fact
from graphmem.encoding.entity_states import (
    FILE,
    EntityDisambiguator,
    EntityStates,
    load_entity_states,
    save_entity_states,
    state_updates,
)
from graphmem.reading.candidates import CandidateFact
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


def said(fact: Fact, mention: np.ndarray) -> tuple[CandidateFact, WriteDecision]:
    return CandidateFact(fact, sentence=mention), WriteDecision("add", 1.0, 0.0, None, fact, {})


def test_a_state_moves_as_a_gated_recurrence(network: EntityStates) -> None:
    mention = np.ones(8, np.float32)
    first = network.moved(None, mention)
    second = network.moved(first, mention)
    assert first.shape == (4,) and not np.allclose(first, second)
    inputs = torch.tanh(network.inward(torch.from_numpy(mention)[None]))
    assert np.allclose(second, network.cell(inputs, torch.from_numpy(first)[None])[0].detach().numpy())


def test_what_is_written_moves_both_ends_once_a_sentence(network: EntityStates, store: SQLiteStore) -> None:
    mention = np.ones(8, np.float32)
    cases = [said(Fact("John Smith", "plays", value, "He plays."), mention) for value in ("chess", "bridge")]
    edits = list(state_updates(network, store, [case[0] for case in cases], [case[1] for case in cases[:1]]))
    assert {edit.node for edit in edits} == {"John Smith", "chess"}
    entry = store.apply(edits)
    john = store.resolve("John Smith")
    assert john is not None and np.allclose(store.state(john.id), network.moved(None, mention))
    store.undo(entry.id)
    assert store.state(john.id) is None


def test_an_edit_may_name_what_an_edit_before_it_made(store: SQLiteStore) -> None:
    store.apply([AddEdge("Eve", "likes", "tea"), UpdateNode("Eve", state=np.ones(4, np.float32))])
    eve = store.resolve("eve")
    assert eve is not None and np.allclose(store.state(eve.id), 1.0)
    with pytest.raises(NotFound, match="Nobody"):
        store.apply([UpdateNode("Nobody", text="t")])


def test_the_sentence_tells_which_namesake_is_meant(network: EntityStates, store: SQLiteStore) -> None:
    rng = np.random.default_rng(0)
    mentions = {name: rng.normal(size=8).astype(np.float32) for name in ("John Smith", "Anna Smith")}
    with torch.no_grad():  # a judge that knows a state by the sentence that made it
        network.scale.fill_(3.0)
        states = torch.stack([torch.from_numpy(network.moved(None, m)) for m in mentions.values()])
        heard = torch.tanh(network.inward(torch.from_numpy(np.stack(list(mentions.values())))))
        network.held.weight.copy_(torch.linalg.lstsq(states, heard).solution.T)
        network.held.bias.zero_()
        network.heard.weight.copy_(torch.eye(4))
        network.heard.bias.zero_()
    entities = EntityLinker(store, namesakes=EntityDisambiguator(store, network))
    assert entities.resolve("Smith", (), mentions["Anna Smith"]).how == "new"  # no states yet
    store.apply([UpdateNode(name, state=network.moved(None, mention)) for name, mention in mentions.items()])
    for name, mention in mentions.items():
        found = entities.resolve("Smith", (), mention)
        assert (found.name, found.how) == (name, "context")
    assert entities.resolve("Smith").how == "new"


def test_weights_are_kept_and_others_refused(tmp_path: Path, network: EntityStates) -> None:
    assert load_entity_states(tmp_path) is None
    (tmp_path / "a").mkdir()
    save_entity_states(network, tmp_path / "a" / FILE, {"n": 1})
    loaded = load_entity_states(tmp_path / "a")
    assert loaded is not None and loaded.sizes == {"hidden": 8, "width": 4}
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / FILE).write_bytes(b"no weights")
    with pytest.raises(WeightsMismatch, match="cannot be read"):
        load_entity_states(tmp_path / "b")
