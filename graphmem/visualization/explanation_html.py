"""Explanation of an answer as one HTML file: the operation, the time, and a graph of the facts it rests on."""

from __future__ import annotations

import html
import os
from collections.abc import Iterable
from pathlib import Path

from graphmem.core.names import normalise
from graphmem.core.types import Fact
from graphmem.encoding.evidence_text import interval_words
from graphmem.generation.attribution import Answer, ExplainedItem, Quote
from graphmem.visualization.html_page import page, write_page
from graphmem.visualization.subgraph_html import GRAPH_STYLE, graph_svg

MAX_FACTS, MAX_ROWS = 60, 200
"""Facts that are drawn, and members of the table."""


def save_explanation(question: str, answer: Answer, path: str | os.PathLike[str]) -> Path:
    """Write how an answer was found to an HTML file; returns it. A page of HTML there is replaced.

    Each name is drawn once, with the facts of the answer's members and of what was compared with them.
    """
    return write_page(path, page(question, GRAPH_STYLE, _body(answer)))


def _body(answer: Answer) -> str:
    explained = answer.explanation
    said = f"<p>{html.escape(answer.text)} &middot; {answer.status.replace('_', ' ')}, {answer.confidence:.2f}</p>"
    if explained is None:
        return said
    steps = "; ".join(explained.steps)
    lines = [("read as", explained.question)] if explained.question else []
    lines += [("operation", explained.operation), ("time", explained.time), *([("set", steps)] if steps else [])]
    if not explained.complete:
        lines.append(("members", "there may be more: only a part of the facts was looked at"))
    head = "".join(f"<p>{title}: {html.escape(text)}</p>" for title, text in lines)
    own, others = _facts(explained.members), _facts(explained.considered)
    drawn = list({(f.subject, f.relation, f.object): f for f in (*own, *others)}.values())
    note = f"<p>{MAX_FACTS} of {len(drawn):,} facts drawn</p>" if len(drawn) > MAX_FACTS else ""
    drawn = drawn[:MAX_FACTS]
    names = {name for fact in drawn for name in (fact.subject, fact.object)}
    on_path = {name for fact in own for name in (fact.subject, fact.object)}
    topics = names - {item.text for item in (*explained.members, *explained.considered)}
    named = {name for name in topics if normalise(name) in _mentioned(answer)}
    picture = graph_svg(sorted(names), drawn, set(own), on_path, named) if drawn else ""
    rows = [("answer", item) for item in explained.members] + [("beside", item) for item in explained.considered]
    more = max(explained.count, len(explained.members)) + len(explained.considered) - len(rows[:MAX_ROWS])
    table = "".join(_row(kind, item) for kind, item in rows[:MAX_ROWS])
    table = f"<table><tr><th><th>name<th>value<th>facts and quotes</tr>{table}</table>" if table else ""
    return said + head + picture + note + table + (f"<p>and {more:,} more</p>" if more > 0 else "")


def _mentioned(answer: Answer) -> set[str]:
    """Normal forms of the names of nodes that the question names."""
    retrieval = answer.retrieval
    mentions = getattr(getattr(retrieval, "seeds", None), "mentions", ())
    nodes = [node for mention in mentions for node in mention.nodes]
    return set(map(normalise, retrieval.store.names(nodes))) if nodes else set()


def _facts(items: Iterable[ExplainedItem]) -> list[Fact]:
    return [piece for item in items for piece in item.evidence if isinstance(piece, Fact)]


def _row(kind: str, item: ExplainedItem) -> str:
    cells = (kind, item.text, item.value, "; ".join(map(_words, item.evidence)))
    return f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in cells)}</tr>"


def _words(piece: Fact | Quote) -> str:
    when = interval_words(piece.valid_from, piece.valid_to) if isinstance(piece, Fact) else piece.date
    return f"{piece} ({when})" if when else str(piece)
