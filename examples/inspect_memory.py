"""Look into a memory: what it holds, what a search activates, how a fact came to be, and a picture.

Run: python examples/inspect_memory.py [FILE]      (a small memory of films is made when no file is given)
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from graphmem.datasets.wikimovies import held_out, neighbourhood
from graphmem.memory import GraphMemory
from graphmem.visualization.subgraph_html import save_subgraph

folder = Path(tempfile.mkdtemp())
question = held_out(2)[0]

if len(sys.argv) > 1:
    memory = GraphMemory.open(sys.argv[1], read_only=True)
else:
    memory = GraphMemory.open(folder / "films.db")
    memory.add_many(neighbourhood([question.topic]), source="WikiMovies")

for name, count in memory.stats().items():
    print(f"{name}: {count}")

print(f"\n{question.question}?")
found = memory.retrieve(question.question, top_k=5)
for node in found.nodes:
    print(f"  {node.score:7.2f}  {node.name}")
    for fact in found.path_to(node.name):
        print(f"           {fact}")

print(f"\nhistory of {question.topic}:")
for entry in memory.history(question.topic):
    print(f"  {entry.id} {entry.at} {entry.action} {entry.note}")

graph = memory.to_networkx()
print(f"\nas networkx: {graph.number_of_nodes()} nodes, {graph.number_of_edges()} edges")
print("picture:", save_subgraph(found, folder / "subgraph.html"))
memory.close()
