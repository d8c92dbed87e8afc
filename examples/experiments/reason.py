"""Questions of one to three hops over a graph that nobody was trained on.

Run: python examples/experiments/reason.py [--n 8] [--seed 0] [any other option of `graphmem experiment reason`]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from graphmem.experiments.reason import main

OUT = Path("results/reason-quick")
"""Finished parts stand here: a run that was stopped goes on where it was."""

main(["--quick", "--out", str(OUT), *sys.argv[1:]])

# The share of questions whose first answer is right.
result = json.loads((OUT / "reason.json").read_text(encoding="utf-8"))
for row in result["rows"]:
    if row["measure"] == "right" and row["value"] is not None:
        interval = "" if row["low"] is None else f"  [{row['low']:.3f}, {row['high']:.3f}]"
        print(f"{row['dataset']:<40} {row['method']:<30} {row['value']:.3f}{interval}  n = {row['n']}")
