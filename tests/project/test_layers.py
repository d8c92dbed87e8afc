"""Who may import whom: the house rules of the design, walked over the real files."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE_VALUES = {"errors", "graph", "config", "splits"}
ASSEMBLY = {"memory", "model", "demo", "resolver", "__init__"}
"""Files that put things together, besides the command line: they may import storage and adapters."""


def imported(path: Path) -> set[str]:
    """Full names of all modules a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def ours(path: Path) -> set[str]:
    return {name for name in imported(path) if name.split(".")[0] == "graphmem"}


@pytest.mark.parametrize("name", sorted(CORE_VALUES))
def test_values_import_nothing_but_values(name: str) -> None:
    allowed = tuple(f"graphmem.{value}" for value in CORE_VALUES)
    assert all(module.startswith(allowed) for module in ours(ROOT / "graphmem" / f"{name}.py"))


@pytest.mark.parametrize("path", sorted((ROOT / "storage").glob("*.py")), ids=lambda p: p.name)
def test_storage_imports_values_and_itself_only(path: Path) -> None:
    allowed = ("graphmem.core.types", "graphmem.core.errors", "graphmem.storage")
    assert [module for module in ours(path) if not module.startswith(allowed)] == []


@pytest.mark.parametrize("path", sorted((ROOT / "adapters").glob("*.py")), ids=lambda p: p.name)
def test_adapters_never_import_storage(path: Path) -> None:
    assert [module for module in ours(path) if module.startswith("graphmem.storage")] == []


@pytest.mark.parametrize("path", sorted((ROOT / "graphmem").glob("*.py")), ids=lambda p: p.name)
def test_only_the_assembly_imports_storage(path: Path) -> None:
    if path.stem in ASSEMBLY or path.stem.startswith("cli"):
        pytest.skip("puts things together")
    assert [module for module in ours(path) if module.startswith("graphmem.storage")] == []


def test_public_names_are_pinned_and_load() -> None:
    import graphmem

    assert {"GraphMemory", "GraphMemoryModel", "attach", "Fact", "GraphMemError"} <= set(graphmem.__all__)
    assert [name for name in graphmem.__all__ if getattr(graphmem, name) is None] == []


def test_import_and_help_load_nothing_heavy() -> None:
    code = (
        "import sys, graphmem, graphmem.cli.main\n"
        "from click.testing import CliRunner\n"
        "assert CliRunner().invoke(graphmem.cli.main.main, ['--help']).exit_code == 0\n"
        "heavy = {'torch', 'torch_geometric', 'transformers', 'sentence_transformers'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
