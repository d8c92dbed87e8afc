"""Processor seconds (user and system) of each command in a process of its own, first and second call.

python tests/benchmarks/startup_speed.py
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

CALL = [sys.executable, "-c", "import sys; sys.argv[0] = 'graphmem'; from graphmem.cli.main import main; main()"]
COMMANDS = (
    ("--help",),
    ("add", "m.db", "Ann", "works at", "Acme"),
    ("show", "m.db"),
    ("search", "m.db", "Where does Ann work?"),
    ("ask", "m.db", "Where does Ann work?"),
)


def spent(arguments: tuple[str, ...], folder: str, cache: str) -> float:
    """Processor seconds of one call."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    where = {**os.environ, "GRAPHMEM_CACHE": cache}
    subprocess.run([*CALL, *arguments], cwd=folder, env=where, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2)


def main() -> None:
    """Print one JSON line a command; the first call of ``ask`` converts the packaged base model."""
    with tempfile.TemporaryDirectory() as folder:
        for arguments in COMMANDS:
            seconds = [spent(arguments, folder, str(Path(folder, "cache"))) for _ in range(3)]
            print(json.dumps({"command": arguments[0], "first": seconds[0], "later": min(seconds[1:])}), flush=True)


if __name__ == "__main__":
    main()
