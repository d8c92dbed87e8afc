"""The layers: every import of every file goes to an earlier layer, nothing runs in a circle, folders stay small."""

from __future__ import annotations

import ast
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = SimpleNamespace(**runpy.run_path(str(ROOT / "docs" / "packages.py")))
MODULES: dict[str, Path] = PACKAGES.modules()

MAX_CHAIN = 11
"""Packages one above the other in the longest chain of imports; the packages still to come may lengthen it to 13."""

MAX_FILES, MAX_FLAT, MAX_LINES, MAX_TOTAL = 18, 6, 400, 58_000
"""Modules a folder, modules flat in ``graphmem/``, lines a module, lines of the library."""

OPEN_STORES = ("graphmem.memory", "graphmem.cli.")
LOAD_MODELS = ("graphmem.hub", "graphmem.adapters.sentence_transformers")


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def test_every_import_goes_to_an_earlier_layer() -> None:
    assert PACKAGES.violations() == []


def test_no_circle_of_modules() -> None:
    assert PACKAGES.circles() == []


def test_the_longest_chain_is_short() -> None:
    chain = PACKAGES.longest_chain()
    assert 5 < len(chain) <= MAX_CHAIN, " > ".join(chain)


def test_folders_and_modules_are_small() -> None:
    folders = Counter(path.parent for path in MODULES.values() if path.name != "__init__.py")
    flat = [path for path in (ROOT / "graphmem").glob("*.py")]
    assert {str(folder): count for folder, count in folders.items() if count > MAX_FILES} == {}
    assert len(flat) <= MAX_FLAT
    assert {name: lines(path) for name, path in MODULES.items() if lines(path) > MAX_LINES} == {}
    assert sum(map(lines, MODULES.values())) <= MAX_TOTAL


def test_tests_mirror_the_tree() -> None:
    """A test file has the place and name of its module; only whole-library tests stand apart."""
    places = {name.removeprefix("graphmem.").replace(".", "/") for name in MODULES}
    apart = ("integration/", "project/", "benchmarks/")
    tests = [str(path.relative_to(ROOT / "tests")) for path in (ROOT / "tests").rglob("test_*.py")]
    modules = {test: test.replace("test_", "").removesuffix(".py") for test in tests if not test.startswith(apart)}
    assert [test for test, module in modules.items() if module not in places] == []
    assert [
        p.name for p in (ROOT / "tests").rglob("*.py") if "from tests" in p.read_text() and p.name != "test_layers.py"
    ] == []


@pytest.mark.parametrize("package", sorted({path.parent for path in MODULES.values()}), ids=lambda p: p.name)
def test_every_package_says_what_it_is(package: Path) -> None:
    text = (package / "__init__.py").read_text(encoding="utf-8")
    assert len((ast.get_docstring(ast.parse(text)) or "").split()) >= 8


def test_only_the_memory_and_the_command_line_open_a_store() -> None:
    opening = [
        name
        for name, path in MODULES.items()
        if not name.startswith(("graphmem.storage", *OPEN_STORES))
        and any(other.startswith("graphmem.storage") for other in PACKAGES.imports(path, MODULES))
    ]
    assert opening == []


def test_only_the_hub_loads_models() -> None:
    loading = ("AutoModelForCausalLM.from_pretrained", "AutoTokenizer.from_pretrained", "SentenceTransformer(")
    found = {
        name
        for name, path in MODULES.items()
        if name not in LOAD_MODELS and any(call in path.read_text(encoding="utf-8") for call in loading)
    }
    assert found == set()


def test_the_picture_in_the_documentation_is_up_to_date() -> None:
    assert PACKAGES.PICTURE.read_text(encoding="utf-8") == PACKAGES.draw(), "run: python docs/packages.py"


def test_a_backward_import_and_a_circle_are_found(tmp_path: Path) -> None:
    for name, text in {
        "core/a.py": "from graphmem.cli import main\n",
        "cli/main.py": "def f():\n    from graphmem.core import a\n",
    }.items():
        (tmp_path / "graphmem" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "graphmem" / name).write_text(text)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "packages.py").write_text((ROOT / "docs" / "packages.py").read_text(encoding="utf-8"))
    for package in ("", "core", "cli"):
        (tmp_path / "graphmem" / package / "__init__.py").write_text("")
    scratch = SimpleNamespace(**runpy.run_path(str(tmp_path / "docs" / "packages.py")))
    assert scratch.violations() == ["graphmem.core.a imports graphmem.cli.main"]
    assert scratch.circles() == [["graphmem.cli.main", "graphmem.core.a"]]


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
