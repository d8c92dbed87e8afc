"""The wheel holds what the repository holds, and works where the repository is not."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a copy of the tracked files, so that the working tree stays clean."""
    source, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "--null", "-T", "-", "-cf", str(source / "s.tar")], cwd=ROOT, input=tracked, check=True)
    subprocess.run(["tar", "-xf", "s.tar"], cwd=source, check=True)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(source)]
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_every_module_the_data_and_the_weights(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    folders = ("graphmem/", "adapters/", "storage/")
    wanted = [name for name in tracked if name.startswith(folders) and not (ROOT / name).is_symlink()]
    inside = {name if name.startswith("graphmem/") else f"graphmem/{name}" for name in wanted}
    assert inside and sorted(inside - held) == []


def test_the_wheel_works_outside_the_repository(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    install = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "-q",
        "--no-deps",
        "--no-index",
        "--target",
        str(site),
        str(wheel),
    ]
    subprocess.run(install, check=True, capture_output=True)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import graphmem, graphmem.storage, graphmem.adapters\n"
        f"assert graphmem.__file__.startswith({str(site)!r}), graphmem.__file__\n"
        "from graphmem import GraphMemory\n"
        "memory = GraphMemory.open('m.db')\n"
        "memory.add('Ada Lovelace', 'born in', 'London')\n"
        "print(*memory.facts())\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout.strip() == "Ada Lovelace | born in | London", done.stderr
