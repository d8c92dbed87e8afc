"""Nothing in the library, the examples or the documents reads or writes files that can run code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("graphmem", "adapters", "storage", "examples", "docs")
MODULES = {"pickle", "_pickle", "cPickle", "cloudpickle", "dill", "joblib", "marshal", "shelve", "pandas"}
CALLS = {
    "torch.load", "torch.save", "torch.package", "yaml.load", "yaml.unsafe_load", "yaml.full_load", "eval", "exec",
    "builtins.eval", "builtins.exec", "numpy.lib.format.read_array", "torch.hub.load", "torch.jit.load",
}  # fmt: skip


def findings(tree: ast.AST) -> Iterator[str]:
    """What a module imports, calls or passes that can run code from a file."""
    short: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                short[(name.asname or name.name).split(".")[0]] = name.name if name.asname else name.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom):
            short |= {name.asname or name.name: f"{node.module}.{name.name}" for name in node.names}
    for name in short.values():
        if name.split(".")[0] in MODULES or name in CALLS - {"eval", "exec"}:
            yield f"imports {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        first, _, rest = called.partition(".")
        full = f"{short.get(first, first)}.{rest}" if rest else short.get(first, first)
        if full in CALLS or full.split(".")[0] in MODULES:
            yield f"calls {full}"
        if any(isinstance(arg, ast.Constant) and arg.value in MODULES for arg in node.args) and "import" in called:
            yield f"imports {ast.unparse(node)}"
        for keyword in node.keywords:
            if keyword.arg == "allow_pickle" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value is False
            ):
                yield "allow_pickle"
            if keyword.arg == "weights_only":
                yield "weights_only"


def sources() -> Iterator[tuple[str, str]]:
    """Every module, and every Python block of every document."""
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))]:
        for block in re.findall(r"^```(?:python|py)\n(.*?)^```", path.read_text(encoding="utf-8"), re.M | re.S):
            yield str(path.relative_to(ROOT)), re.sub(r"^(\s*)(>>>|\.\.\.) ?", r"\1", block, flags=re.M)


def test_no_source_can_run_code_from_a_file() -> None:
    found = {}
    for name, text in sources():
        try:
            tree = ast.parse(text)
        except SyntaxError:
            assert name.endswith(".md"), name
            continue
        if wrong := sorted(set(findings(tree))):
            found[name] = wrong
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "import pickle", "from pickle import loads as f", "import torch\ntorch.load('x')", "from torch import load",
        "import torch as t\nt.save(1, 'x')", "import numpy as np\nnp.load('x', allow_pickle=True)", "import shelve",
        "eval('1')", "exec(text)", "from importlib import import_module\nimport_module('pickle')", "__import__('dill')",
        "import yaml\nyaml.load(f)", "def f():\n    import marshal", "import pandas as pd\npd.read_pickle('x')",
    ],
)  # fmt: skip
def test_each_kind_is_found(text: str) -> None:
    assert list(findings(ast.parse(text)))


def test_what_is_harmless_is_left_alone() -> None:
    text = (
        "import numpy as np\nmodel.eval()\nnp.load('x', mmap_mode='r')\njson.load(f)\nnp.load('x', allow_pickle=False)"
    )
    assert not list(findings(ast.parse(text)))
