"""A new domain is read fact by fact without a gradient step, beside LoRA with as much compute.

Run: python examples/experiments/adapt.py [--n 8] [--seed 0] [any other option of `graphmem experiment adapt`]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from graphmem.experiments.adapt import main

OUT = Path("results/adapt-quick")
"""Finished parts stand here: a run that was stopped goes on where it was."""

main(["--quick", "--out", str(OUT), *sys.argv[1:]])

# The share of questions answered rightly.
result = json.loads((OUT / "adapt.json").read_text(encoding="utf-8"))
for row in result["rows"]:
    if row["measure"] == "right, 100% read" and row["value"] is not None:
        interval = "" if row["low"] is None else f"  [{row['low']:.3f}, {row['high']:.3f}]"
        print(f"{row['dataset']:<40} {row['method']:<30} {row['value']:.3f}{interval}  n = {row['n']}")
