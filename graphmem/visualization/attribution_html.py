"""Token sources of an answer as one HTML file with an inline SVG, without scripts or external files."""

from __future__ import annotations

import html
import os
from collections.abc import Sequence
from pathlib import Path

from graphmem.generation.attribution import Answer, TokenSource
from graphmem.visualization.html_page import page, shorten, write_page

WIDTH, ROW, TOP = 1080, 30, 46
_COLUMNS = (20, 430, 830)
_HUES = ("#0f7b6c", "#d9822b", "#5c7cfa", "#b4456e", "#6b8e23", "#8458b3", "#2f86a6", "#a05a2c")

_STYLE = "\ntext { fill:var(--ink); font-size:13px } text.h { fill:var(--dim); font-size:11.5px }\n"


def save_attribution(question: str, answer: Answer, path: str | os.PathLike[str]) -> Path:
    """Write the token sources of an answer: tokens, the nodes they attended to, and the facts behind these.

    The width of a line is the attention weight, gate included. Returns the file; a page of HTML there is replaced.
    """
    sources = answer.sources
    note = f"{html.escape(answer.text)} &middot; answerable with probability {answer.answerable:.2f}"
    head = "<tr><th>token<th>layer<th>head<th>weight<th>node<th>fact<th>source</tr>"
    rows = ([s.token, s.layer, s.head, f"{s.weight:.2f}", s.node, s.fact or "", s.source or ""] for s in sources)
    cells = "".join(f"<tr><td>{'</td><td>'.join(html.escape(str(cell)) for cell in row)}</td></tr>" for row in rows)
    table = f"<table>{head}{cells}</table>" if sources else "<p>no memory was used</p>"
    return write_page(path, page(question, _STYLE, f"<p>{note}</p>{_svg(sources)}{table}"))


def _svg(sources: Sequence[TokenSource]) -> str:
    nodes = list(dict.fromkeys(source.node for source in sources))
    facts = {source.node: source.fact for source in sources}
    height = TOP + ROW * max(len(sources), len(nodes), 1)
    spread = (height - TOP) / max(1, len(nodes))
    level = {node: TOP + spread * (i + 0.5) for i, node in enumerate(nodes)}
    hue = {node: _HUES[i % len(_HUES)] for i, node in enumerate(nodes)}
    parts = [_label(x, 20, word, "h") for x, word in zip(_COLUMNS, ("token", "node", "fact"), strict=True)]
    for i, source in enumerate(sources):
        y = TOP + ROW * i + ROW / 2
        parts.append(_label(_COLUMNS[0], y, f"{source.token!r}  layer {source.layer}, head {source.head}"))
        parts.append(_curve(_COLUMNS[0] + 210, y, _COLUMNS[1] - 8, level[source.node], hue[source.node], source.weight))
    for node in nodes:
        parts.append(_label(_COLUMNS[1], level[node], shorten(node, 38)))
        if (fact := facts[node]) is not None:
            parts.append(_curve(_COLUMNS[1] + 280, level[node], _COLUMNS[2] - 8, level[node], hue[node], 0.3))
            text = shorten(f"{fact.subject} | {fact.relation}", 36)
            parts.append(_label(_COLUMNS[2], level[node], text, full=str(fact)))
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="token sources">{"".join(parts)}</svg>'


def _label(x: float, y: float, text: str, kind: str = "", full: str | None = None) -> str:
    title = f"<title>{html.escape(full)}</title>" if full else ""
    return f'<text class="{kind}" x="{x:.0f}" y="{y + 4:.0f}">{title}{html.escape(text)}</text>'


def _curve(x1: float, y1: float, x2: float, y2: float, colour: str, weight: float) -> str:
    middle = (x1 + x2) / 2
    return (
        f'<path d="M{x1:.0f} {y1:.0f} C{middle:.0f} {y1:.0f} {middle:.0f} {y2:.0f} {x2:.0f} {y2:.0f}" fill="none" '
        f'stroke="{colour}" stroke-opacity=".75" stroke-width="{0.5 + 9 * min(1.0, weight):.1f}"/>'
    )
