"""Inspect a memory: its counts, a question about what it holds, the history of a node, and a picture.

Run: python examples/inspect_memory.py [FILE [NAMESPACE]]      (a small memory of films is made when no file is given)

A file is only read. Names of a stranger's file may hold control characters, so every text of it goes through
``printable`` on its way to the terminal.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from graphmem.cli.lines import one_line, printable
from graphmem.core.errors import GraphMemError
from graphmem.memory import GraphMemory
from graphmem.visualization.subgraph_html import save_subgraph


def films(folder: Path) -> tuple[GraphMemory, str, str]:
    """A memory of films, a name in it and a question about it."""
    from graphmem.datasets.wikimovies import held_out, neighbourhood

    asked = held_out(2)[0]
    memory = GraphMemory.open(folder / "films.db")
    memory.add_many(neighbourhood([asked.topic]), source="WikiMovies")
    return memory, asked.topic, f"{asked.question}?"


def opened(path: str, namespace: str) -> tuple[GraphMemory, str, str]:
    """A memory of anyone's, the name of its first facts or of its first document, and a question about it."""
    if not Path(path).is_file():
        sys.exit(f"there is no file {path}")
    memory = GraphMemory.open(path, namespace=namespace, read_only=True)
    _, facts = memory.store.facts_page(limit=1)
    names = [fact.subject for fact in facts] or list(memory.store.document_titles())
    if not names:
        others = ", ".join(name for name in memory.stats()["namespaces"] if name != namespace)
        sys.exit(f"{path} holds no facts in the namespace {namespace!r}" + (f"; it has: {others}" if others else ""))
    return memory, names[0], f"Tell me about {names[0]}."


def inspect(memory: GraphMemory, topic: str, question: str, folder: Path) -> None:
    """Print what a memory holds and what it finds for a question."""
    for name, count in memory.stats().items():
        print(f"{name}: {printable(count)}")

    print(f"\n{printable(question)}")
    found = memory.retrieve(question, top_k=5)
    for node in found.nodes:
        print(f"  {node.score:7.2f}  {printable(node.name)}")
        for fact in dict.fromkeys(map(printable, found.path_to(node.name))):
            print(f"           {fact}")
    for passage in found.passages:
        print(f"  {passage.score:7.2f}  [{printable(passage.title)}] {one_line(passage.text, 80)}")

    if memory.node(topic) is not None:
        print(f"\nhistory of {printable(topic)}:")
        for entry in memory.history(topic)[-5:]:
            print(f"  {entry.id} {entry.at} {entry.action} {one_line(entry.note)}")
            for change in memory.store.changes_of(entry)[:5]:
                print(f"      {change.sign} {printable(change.text)}")

    graph = memory.to_networkx()
    print(f"\nas networkx: {graph.number_of_nodes()} nodes, {graph.number_of_edges()} edges")
    print("picture:", save_subgraph(found, folder / "subgraph.html"))


def main(arguments: list[str]) -> None:
    """Inspect the file of the command line, or the films; an error that graphmem explains ends with exit code 1."""
    folder = Path(tempfile.mkdtemp())
    try:
        path, namespace = (*arguments, "default", "default")[:2] if arguments else ("", "")
        memory, topic, question = opened(path, namespace) if path else films(folder)
        with memory:
            inspect(memory, topic, question, folder)
    except GraphMemError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main(sys.argv[1:])
