"""Activated subgraph of a retrieval as one HTML file with an inline SVG, without scripts or external files."""

from __future__ import annotations

import html
import os
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphmem.core.types import Fact
from graphmem.visualization.html_page import page, shorten, write_page

if TYPE_CHECKING:
    from graphmem.retrieval.results import Retrieval

WIDTH, HEIGHT, MARGIN = 1080, 680, 90

GRAPH_STYLE = """
:root { --line:#b9c0cc; --seed:#d9822b; --path:#0f7b6c; --node:#5c7cfa }
@media (prefers-color-scheme: dark) {
  :root { --line:#46506180; --seed:#f0a35b; --path:#3ecfb4; --node:#8ba2ff }
}
.e { stroke:var(--line); stroke-width:1.2; fill:none } .e.on { stroke:var(--path); stroke-width:3 }
.n { fill:var(--node) } .n.on { fill:var(--path) } .n.seed { fill:var(--seed) }
text { fill:var(--ink); font-size:12px; paint-order:stroke; stroke:var(--paper); stroke-width:4px;
  stroke-linejoin:round }
text.r { fill:var(--dim); font-size:10.5px } text.on { font-weight:600; font-size:13.5px }
td,th { border-bottom:1px solid var(--line) }
"""


def save_subgraph(
    retrieval: Retrieval, path: str | os.PathLike[str], *, answer: str | None = None, max_nodes: int = 36
) -> Path:
    """Write the subgraph of ``GraphMemory.retrieve`` to an HTML file; returns it. A page of HTML there is replaced.

    Args:
        answer: name of a node whose chain of facts is highlighted; None for the best node.
        max_nodes: maximum number of nodes, the most relevant first.
    """
    answer = answer or (retrieval.nodes[0].name if retrieval.nodes else None)
    chain = retrieval.path_to(answer) if answer else []
    names = _names_to_draw(retrieval, chain, max_nodes)
    unique = {(fact.subject, fact.relation, fact.object): fact for fact in [*chain, *retrieval.facts]}
    facts = [fact for fact in unique.values() if fact.subject in names and fact.object in names]
    return write_page(path, _page(retrieval, answer, chain, sorted(names), facts))


def _names_to_draw(retrieval: Retrieval, chain: Sequence[Fact], max_nodes: int) -> set[str]:
    """Names in the chain, then the ends of the most relevant facts, up to ``max_nodes``."""
    names = {name for fact in chain for name in (fact.subject, fact.object)}
    for fact in retrieval.facts:
        if len(names | {fact.subject, fact.object}) > max_nodes:
            break
        names |= {fact.subject, fact.object}
    return names


def _layout(names: Sequence[str], facts: Sequence[Fact]) -> dict[str, tuple[float, float]]:
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from((fact.subject, fact.object) for fact in facts)
    layout = networkx.kamada_kawai_layout(graph) if 1 < len(names) <= 60 else networkx.spring_layout(graph, seed=7)
    points = np.asarray([*layout.values()], float).reshape(-1, 2)
    low, high = points.min(0, initial=np.inf), points.max(0, initial=-np.inf)
    scaled = (points - low) / np.where(high > low, high - low, 1) * np.subtract((WIDTH, HEIGHT), 2 * MARGIN) + MARGIN
    return dict(zip(layout, map(tuple, scaled.tolist()), strict=True))


def _page(
    retrieval: Retrieval, answer: str | None, chain: Sequence[Fact], names: Sequence[str], facts: Sequence[Fact]
) -> str:
    path_names = {name for fact in chain for name in (fact.subject, fact.object)}
    seeds = {node_id for node_id, _ in retrieval.subgraph.seeds}
    seed_names = {node.name for node in retrieval.nodes if node.id in seeds}
    if chain:  # the end of the chain that is not the answer
        later = {name for fact in chain[1:] for name in (fact.subject, fact.object)}
        seed_names |= {chain[0].subject, chain[0].object} - later - {answer or ""}
    picture = graph_svg(names, facts, chain, path_names, seed_names)
    rows = "".join(f"<tr><td>{'<td>'.join(map(html.escape, (f.subject, f.relation, f.object)))}</tr>" for f in chain)
    table = f"<table><tr><th>subject<th>relation<th>object</tr>{rows}</table>" if rows else ""
    body = (
        f"<p>{html.escape(answer or 'nothing found')} &middot; {len(retrieval.subgraph.node_ids)} nodes activated, "
        f"{len(names)} drawn</p>{picture}{table}"
    )
    return page(retrieval.query, GRAPH_STYLE, body)


def graph_svg(
    names: Sequence[str], facts: Sequence[Fact], highlighted: Iterable[Fact], marked: Collection[str],
    seeds: Collection[str],
) -> str:  # fmt: skip
    """A graph as an SVG picture in the colours of ``GRAPH_STYLE``; each name is drawn once.

    Args:
        names, facts: to draw; every end of a fact is one of the names.
        highlighted, marked, seeds: facts and names that stand out, and names in the colour of what is asked about.
    """
    positions = _layout(names, facts)
    on_path = {(fact.subject, fact.relation, fact.object) for fact in highlighted}
    lines = [_line(fact, positions, (fact.subject, fact.relation, fact.object) in on_path) for fact in facts]
    dots = [_dot(name, positions[name], name in marked, name in seeds) for name in names]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="graph of facts">'
        f"{''.join(lines)}{''.join(dots)}</svg>"
    )


def _line(fact: Fact, positions: dict[str, tuple[float, float]], highlighted: bool) -> str:
    (x1, y1), (x2, y2) = positions[fact.subject], positions[fact.object]
    label = html.escape(fact.relation)
    return (
        f'<line class="{"e on" if highlighted else "e"}" x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}">'
        f"<title>{html.escape(str(fact))}</title></line>"
        f'<text class="r" text-anchor="middle" x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2:.0f}">{label}</text>'
    )


def _dot(name: str, position: tuple[float, float], highlighted: bool, seed: bool) -> str:
    x, y = position
    kind = " seed" if seed else " on" if highlighted else ""
    return (
        f'<circle class="n{kind}" cx="{x:.0f}" cy="{y:.0f}" r="{9 if kind else 6}">'
        f"<title>{html.escape(name)}</title></circle>"
        f'<text class="{"on" if kind else ""}" text-anchor="middle" x="{x:.0f}" y="{y - 13:.0f}">'
        f"{html.escape(shorten(name, 28))}</text>"
    )
