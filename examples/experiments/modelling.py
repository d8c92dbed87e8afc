"""How likely are passages whose facts the graph holds among others? (WebNLG, where $GRAPHMEM_DATA has it.)

Run: python examples/experiments/modelling.py [--n 8] [--seed 0] [any other option of `graphmem experiment modelling`]
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from graphmem.experiments.modelling import main

OUT = Path("results/modelling-quick")
"""Finished parts stand here: a run that was stopped goes on where it was."""

main(["--quick", "--out", str(OUT), *sys.argv[1:]])

# Nats a token of a name; less is better.
result = json.loads((OUT / "modelling.json").read_text(encoding="utf-8"))
for row in result["rows"]:
    if row["measure"] == "nats/name token" and row["value"] is not None:
        interval = "" if row["low"] is None else f"  [{row['low']:.3f}, {row['high']:.3f}]"
        print(f"{row['dataset']:<40} {row['method']:<30} {row['value']:.3f}{interval}  n = {row['n']}")
