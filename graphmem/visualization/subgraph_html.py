"""Draws what a search activated: one HTML file with an inline SVG, no script and nothing fetched."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from graphmem.core.types import Fact

if TYPE_CHECKING:
    from graphmem.retrieval.results import Retrieval

WIDTH, HEIGHT, MARGIN = 1080, 680, 90

_STYLE = """
:root { --ink:#1c2330; --paper:#fbfaf7; --line:#b9c0cc; --dim:#5b6475; --seed:#d9822b;
  --path:#0f7b6c; --node:#5c7cfa }
@media (prefers-color-scheme: dark) {
  :root { --ink:#e9ecf2; --paper:#161a21; --line:#46506180; --dim:#9aa4b5; --seed:#f0a35b;
    --path:#3ecfb4; --node:#8ba2ff }
}
body { margin:0; padding:24px; background:var(--paper); color:var(--ink); font:15px/1.45 system-ui,sans-serif }
main { max-width:1080px; margin:auto }
h1 { font-size:20px; margin:0 0 2px } p { margin:2px 0 10px; color:var(--dim) } svg { width:100%; height:auto }
.e { stroke:var(--line); stroke-width:1.2; fill:none } .e.on { stroke:var(--path); stroke-width:3 }
.n { fill:var(--node) } .n.on { fill:var(--path) } .n.seed { fill:var(--seed) }
text { fill:var(--ink); font-size:12px; paint-order:stroke; stroke:var(--paper); stroke-width:4px;
  stroke-linejoin:round }
text.r { fill:var(--dim); font-size:10.5px } text.on { font-weight:600; font-size:13.5px }
table { border-collapse:collapse; width:100%; margin-top:14px } td,th { text-align:left; padding:4px 10px 4px 0;
border-bottom:1px solid var(--line) } th { color:var(--dim); font-weight:500 }
"""


def save_subgraph(
    retrieval: Retrieval, path: str | os.PathLike[str], *, answer: str | None = None, most: int = 36
) -> Path:
    """Write the subgraph behind a retrieval as an HTML file; return its path.

    Args:
        retrieval: what ``GraphMemory.retrieve`` gave.
        path: the file to write, replaced if it exists.
        answer: a node whose chain of facts from the seeds is drawn bold; the best node when None.
        most: how many nodes at most, the most relevant first.
    """
    answer = answer or (retrieval.nodes[0].name if retrieval.nodes else None)
    chain = retrieval.path_to(answer) if answer else []
    names = _names_to_draw(retrieval, chain, most)
    facts = [fact for fact in _unique(chain + list(retrieval.facts)) if fact.subject in names and fact.object in names]
    target = Path(path)
    target.write_text(_page(retrieval, answer, chain, sorted(names), facts), encoding="utf-8")
    return target


def _names_to_draw(retrieval: Retrieval, chain: Sequence[Fact], most: int) -> set[str]:
    """Names along the chain first, then the ends of the strongest facts, until ``most``."""
    names = {name for fact in chain for name in (fact.subject, fact.object)}
    for fact in retrieval.facts:
        if len(names | {fact.subject, fact.object}) > most:
            break
        names |= {fact.subject, fact.object}
    return names


def _unique(facts: Sequence[Fact]) -> list[Fact]:
    return list({(fact.subject, fact.relation, fact.object): fact for fact in facts}.values())


def _layout(names: Sequence[str], facts: Sequence[Fact]) -> dict[str, tuple[float, float]]:
    import networkx

    graph = networkx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from((fact.subject, fact.object) for fact in facts)
    spots = networkx.kamada_kawai_layout(graph) if 1 < len(names) <= 60 else networkx.spring_layout(graph, seed=7)
    xs, ys = [p[0] for p in spots.values()] or [0], [p[1] for p in spots.values()] or [0]

    def scale(value: float, low: float, high: float, room: int) -> float:
        return MARGIN + (value - low) / ((high - low) or 1) * (room - 2 * MARGIN)

    return {n: (scale(x, min(xs), max(xs), WIDTH), scale(y, min(ys), max(ys), HEIGHT)) for n, (x, y) in spots.items()}


def _page(
    retrieval: Retrieval, answer: str | None, chain: Sequence[Fact], names: Sequence[str], facts: Sequence[Fact]
) -> str:
    spots = _layout(names, facts)
    on_path = {(f.subject, f.relation, f.object) for f in chain}
    path_names = {name for fact in chain for name in (fact.subject, fact.object)}
    seeds = {node_id for node_id, _ in retrieval.subgraph.seeds}
    seed_names = {node.name for node in retrieval.nodes if node.id in seeds} | set(_chain_start(chain, answer))
    lines = [_line(fact, spots, (fact.subject, fact.relation, fact.object) in on_path) for fact in facts]
    dots = [_dot(name, spots[name], name in path_names, name in seed_names) for name in names]
    rows = "".join(f"<tr><td>{'<td>'.join(map(html.escape, (f.subject, f.relation, f.object)))}</tr>" for f in chain)
    table = f"<table><tr><th>subject<th>relation<th>object</tr>{rows}</table>" if rows else ""
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{html.escape(retrieval.query)}</title>'
        f"<style>{_STYLE}</style><main><h1>{html.escape(retrieval.query)}</h1>"
        f"<p>{html.escape(answer or 'nothing found')} &middot; {len(retrieval.subgraph.node_ids)} nodes activated, "
        f'{len(names)} drawn</p><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="activated subgraph">'
        f"{''.join(lines)}{''.join(dots)}</svg>{table}</main></html>"
    )


def _chain_start(chain: Sequence[Fact], answer: str | None) -> list[str]:
    """The end of the chain that is not the answer: where the search set out from."""
    if not chain:
        return []
    first, rest = chain[0], {name for fact in chain[1:] for name in (fact.subject, fact.object)} | {answer}
    return [name for name in (first.subject, first.object) if name not in rest]


def _line(fact: Fact, spots: dict[str, tuple[float, float]], on: bool) -> str:
    (x1, y1), (x2, y2) = spots[fact.subject], spots[fact.object]
    mark = " on" if on else ""
    label = html.escape(fact.relation)
    return (
        f'<line class="e{mark}" x1="{x1:.0f}" y1="{y1:.0f}" x2="{x2:.0f}" y2="{y2:.0f}">'
        f"<title>{html.escape(str(fact))}</title></line>"
        f'<text class="r" text-anchor="middle" x="{(x1 + x2) / 2:.0f}" y="{(y1 + y2) / 2:.0f}">{label}</text>'
    )


def _dot(name: str, spot: tuple[float, float], on: bool, seed: bool) -> str:
    x, y = spot
    kind = " seed" if seed else " on" if on else ""
    short = name if len(name) <= 28 else name[:27] + "…"
    return (
        f'<circle class="n{kind}" cx="{x:.0f}" cy="{y:.0f}" r="{9 if on or seed else 6}">'
        f"<title>{html.escape(name)}</title></circle>"
        f'<text class="{"on" if on or seed else ""}" text-anchor="middle" x="{x:.0f}" y="{y - 13:.0f}">'
        f"{html.escape(short)}</text>"
    )
