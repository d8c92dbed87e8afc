"""Fixtures of the tests on tiny models: byte tokenizer, fixed memory, token ids."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from graphmem.testing import VOCAB_SIZE, FixedMemory, byte_tokenizer


@pytest.fixture(scope="session")
def tokenizer() -> Any:
    return byte_tokenizer()


@pytest.fixture
def memory() -> FixedMemory:
    return FixedMemory("Ada Lovelace", "London", "1815")


@pytest.fixture
def ids() -> torch.Tensor:
    torch.manual_seed(2)
    return torch.randint(2, VOCAB_SIZE - 4, (2, 9))
