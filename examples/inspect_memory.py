"""Inspect a memory: its counts, a retrieval, the history of a node, and a picture.

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

if len(sys.argv) > 1:
    memory = GraphMemory.open(sys.argv[1], read_only=True)
    facts = memory.facts(limit=1)
    topic, question = (facts[0].subject, f"Tell me about {facts[0].subject}.") if facts else ("", "")
else:
    memory = GraphMemory.open(folder / "films.db")
    asked = held_out(2)[0]
    topic, question = asked.topic, f"{asked.question}?"
    memory.add_many(neighbourhood([topic]), source="WikiMovies")

for name, count in memory.stats().items():
    print(f"{name}: {count}")
if not topic:
    sys.exit("the memory holds no facts")

print(f"\n{question}")
found = memory.retrieve(question, top_k=5)
for node in found.nodes:
    print(f"  {node.score:7.2f}  {node.name}")
    for fact in found.path_to(node.name):
        print(f"           {fact}")

print(f"\nhistory of {topic}:")
for entry in memory.history(topic):
    print(f"  {entry.id} {entry.at} {entry.action} {entry.note}")

graph = memory.to_networkx()
print(f"\nas networkx: {graph.number_of_nodes()} nodes, {graph.number_of_edges()} edges")
print("picture:", save_subgraph(found, folder / "subgraph.html"))
memory.close()
