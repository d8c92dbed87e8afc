"""The list of transformers' modules that is kept between processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

CODE = """
import sys
from graphmem.adapters import light_imports
light_imports.enable()
with light_imports.light_imports():
    import transformers
    from transformers.utils import import_utils
    from transformers import LlamaForCausalLM, BertModel, AutoModel
made = import_utils.create_import_structure_from_path.cache_info().misses
assert "BertModel" in dir(transformers) and "T5ForConditionalGeneration" in dir(transformers)
print(made, len(dir(transformers)), len(dir(transformers.models)))
"""


def imported(cache: Path, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many folders of modules were read, and how many names transformers and its models give."""
    monkeypatch.setenv("GRAPHMEM_CACHE", str(cache))
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return list(map(int, done.stdout.split()))


def test_the_list_is_made_once_and_made_again_where_it_is_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = imported(tmp_path, monkeypatch)
    (file,) = tmp_path.glob("transformers-*-modules.json")
    second = imported(tmp_path, monkeypatch)
    assert first[0] > 100 > second[0] and first[1:] == second[1:]
    kept = json.loads(file.read_text())
    for damage in (kept | {"state": ["elsewhere", 1]}, kept | {"modules": [[[], 5]]}):
        file.write_text(json.dumps(damage))
        assert imported(tmp_path, monkeypatch) == first
        assert json.loads(file.read_text()) == kept


def test_a_cache_that_cannot_be_written_is_no_hindrance(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("no folder")
    assert imported(tmp_path / "file", monkeypatch)[0] > 100
