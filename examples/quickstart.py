"""Ten lines to a model with a memory: write facts, ask, let it read, change its mind, undo.

Run: python examples/quickstart.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel

folder = Path(tempfile.mkdtemp())

with GraphMemory.open(folder / "facts.db") as memory:
    memory.add("Ada Lovelace", "born in", "London", source="wiki:42")
    memory.add("Ada Lovelace", "mother", "Annabella Milbanke")
    memory.add("Annabella Milbanke", "born in", "Elemore Hall")

    model = GraphMemoryModel.from_pretrained("smollm2-135m", memory=memory)
    for question in ("Where was Ada Lovelace born?", "Where was the mother of Ada Lovelace born?"):
        answer = model.ask(question)
        print(f"{question}\n  {answer.text}")
        for fact in answer.retrieval.path_to(answer.text):
            print(f"    because {fact}")

    plan = model.read("Tove Jansson was born in Helsinki.")
    print(plan)
    entry = memory.apply(plan)
    print(model.ask("Where was Tove Jansson born?").text)
    memory.undo(entry)

    base = model.detach()
