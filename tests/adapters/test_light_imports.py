"""Modules that each command imports, counted in a process of its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphmem import hub
from graphmem.memory import GraphMemory

HEAVY = ("torch", "transformers")
NEVER = (
    "accelerate", "matplotlib", "networkx", "numba", "scipy", "sentence_transformers", "sklearn", "spacy", "sympy",
    "torch._dynamo", "torch.distributed.tensor", "torch_geometric",
)  # fmt: skip
REPORT = """
import sys
sys.argv[0] = "graphmem"
from graphmem.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
from graphmem.adapters.light_imports import _Substitute
assert not [name for name, module in sys.modules.items() if isinstance(module, _Substitute) or module is None]
print("loaded:", *(name for name in %r if name in sys.modules))
"""


@pytest.fixture
def memory(tmp_path: Path) -> str:
    with GraphMemory.open(tmp_path / "m.db") as memory:
        memory.add("Ann", "works at", "Acme")
    return str(tmp_path / "m.db")


def loaded(*arguments: str) -> list[str]:
    code = REPORT % ((*HEAVY, *NEVER),)
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "command",
    ["--help", "ask --help", "init NEW", "show DB", "history DB", "stats DB", "check DB", "export DB -",
     "add DB Bo likes tea"],
)  # fmt: skip
def test_commands_on_facts_import_nothing_heavy(memory: str, command: str) -> None:
    assert loaded(*({"DB": memory, "NEW": memory + ".new"}.get(word, word) for word in command.split())) == []


def test_search_and_ask_import_torch_and_transformers_alone(memory: str) -> None:
    loaded("ask", memory, "Where does Ann work?")  # the first call converts the packaged model
    for command in ("search", "ask"):
        assert loaded(command, memory, "Where does Ann work?") == list(HEAVY)


def test_what_was_left_out_can_be_imported_afterwards() -> None:
    code = """
from graphmem.adapters import light_imports
light_imports.enable()
with light_imports.light_imports():
    import torch, transformers.masking_utils as masks
    from transformers.models.llama import modeling_llama
    assert torch.compiler.disable(len) is len
    with masks.TransformGetItemToIndex():
        pass
assert torch.distributed.is_available()
import scipy, sklearn, torch._dynamo
from torch._dynamo._trace_wrapped_higher_order_op import TransformGetItemToIndex
assert TransformGetItemToIndex is not masks.TransformGetItemToIndex
assert torch._dynamo.config.suppress_errors is False
assert torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item() == 2
with masks.TransformGetItemToIndex():
    pass
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_nothing_changes_where_it_is_not_enabled() -> None:
    code = """
import sys
from graphmem.adapters.light_imports import light_imports
with light_imports():
    assert "scipy" not in sys.modules
    import scipy
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_an_encoder_of_the_user_still_goes_through_sentence_transformers(encoder: Any, tmp_path: Path) -> None:
    """Its library imports packages that were left out before."""
    folder = shutil.copytree(encoder.name, tmp_path / "model")
    path = folder / "1_Pooling" / "config.json"
    pooling = json.loads(path.read_text()) | {"pooling_mode_mean_tokens": False, "pooling_mode_cls_token": True}
    path.write_text(json.dumps(pooling))
    code = """
import sys
from graphmem.adapters import light_imports
from graphmem.hub import load_encoder, load_language_model
light_imports.enable()
load_language_model()
assert "sklearn" not in sys.modules
encoder = load_encoder(sys.argv[1])
assert type(encoder._model).__name__ == "SentenceTransformer" and encoder.encode(["a"]).shape == (1, 384)
"""
    done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("files", "plain"),
    [
        ({"config.json": "{}"}, True),
        ({"config.json": '{"quantization_config": {}}'}, False),
        ({"config.json": "{}", "adapter_config.json": "{}"}, False),
        ({"adapter_config.json": "{}"}, False),
        ({"config.json": "no json"}, False),
    ],
)
def test_models_that_need_more_are_imported_whole(tmp_path: Path, files: dict[str, str], plain: bool) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert hub._is_plain(hub.Located("m", str(tmp_path))) is plain
    assert not hub._is_plain(hub.Located("someone/model", "someone/model"))
