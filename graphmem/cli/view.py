"""Commands that show what a memory holds: show, search, history."""

from __future__ import annotations

from math import log
from typing import TYPE_CHECKING, Any

import click

from graphmem.cli.lines import fact_line, page_bounds, page_line, paged, print_entries, print_facts
from graphmem.cli.main import emit, memory_command, plain, retriever_weights
from graphmem.core.types import MENTIONS, RANKERS, SYSTEM_KINDS, TITLED, Fact, Node
from graphmem.text.printing import one_line, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from graphmem.memory import GraphMemory
    from graphmem.retrieval.results import Retrieval

FALL = log(10)
"""How far the score of a result may lie below the best one's on a logarithmic scale: at a tenth of its weight."""

LINEAR = ("bm25", "hybrid")
"""Rankers whose scores are no logarithms; results down to half of the best score are shown."""

PLAIN = ("ppr", "dense", "bm25")
"""Rankers with which passages are not ranked by the learned reranker: their scores are no logarithms."""

SURE, CERTAIN, NEAREST = 0.5, 0.9, 3
"""Probability that the facts hold an answer below which a search says that it is not sure and shows the nearest three
results; and from which facts are shown beside passages for a query that names nothing in the memory."""

MAX_TITLES = 10


@memory_command(reads=True)
@click.argument("name", required=False)
@click.option("--relation", help="Only facts of this relation.")
@click.option("--as-of", help="Facts valid at that time.")
@click.option("--known-at", help="Facts recorded by that time.")
@paged(100)
def show(
    memory: GraphMemory, name: str | None, json_: bool, relation: str | None, as_of: str | None, known_at: str | None,
    limit: int, page: int, everything: bool,
) -> None:  # fmt: skip
    """Show the facts about NAME, or all facts by name, a page at a time, and how many there are.

    Passages of documents are listed by title. A line holds the fact's number, the fact, [when it held] and (its
    source).
    """
    node = None if name is None else memory.store.find(name)
    length, start = page_bounds(limit, page, everything)
    if known_at is None:
        wanted: dict[str, Any] = {"as_of": as_of, "bookkeeping": everything}
        total, facts = memory.store.facts_page(node, relation, limit=length, offset=start, **wanted)
    else:
        recorded = _known_at(memory, node, relation, known_at, as_of, everything)
        total, facts = len(recorded), recorded[start : start + length if length >= 0 else None]
    line = page_line(len(facts), total, "facts", limit, page)
    if json_:
        if len(facts) < total:
            click.echo(line, err=True)
        return emit(facts)
    if node is not None and facts:
        _print_about(node, facts)
    else:
        print_facts(facts, grouped=True)
    if total:
        click.echo(line)
    else:
        _say_nothing(memory, node, relation, as_of, known_at)
    if page == 1 and relation is None and as_of is None and known_at is None:
        _print_documents(memory, node)


def _known_at(
    memory: GraphMemory, node: Node | None, relation: str | None, known_at: str, as_of: str | None, everything: bool
) -> list[Fact]:
    facts = memory.facts(relation=relation, known_at=known_at, as_of=as_of)
    if node is not None:
        about = memory.store.facts
        times: dict[str, Any] = {"known_at": _micros(known_at), "as_of": _micros(as_of)}
        facts = [*about(node.id, relation, None, **times), *about(None, relation, node.id, **times)]
        facts = list({fact.id: fact for fact in facts}.values())
    if not everything:
        facts = [fact for fact in facts if fact.relation not in (TITLED, MENTIONS)]
    return sorted(facts, key=lambda fact: (node is not None and fact.subject != node.name, fact.subject, fact.relation))


def _micros(time: str | None) -> int | None:
    from graphmem.core.times import to_micros

    return to_micros(time)


def _print_about(node: Node, facts: list[Fact]) -> None:
    """The facts of a node under its name and other names, then those that name it as their object."""
    other = f"  (also: {one_line(', '.join(node.aliases))})" if node.aliases else ""
    click.echo(f"{printable(node.name)}{other}")
    own = [fact for fact in facts if fact.subject == node.name]
    print_facts(own)
    named = [fact for fact in facts if fact.subject != node.name]
    if named:
        click.echo(f"named by others: {printable(node.name)}" if own else "named by others")
        for fact in named:
            click.echo(fact_line(fact))


def _say_nothing(
    memory: GraphMemory, node: Node | None, relation: str | None, as_of: str | None, known_at: str | None
) -> None:
    """Why there is nothing to show, and what there is without the filters."""
    about = "".join(
        [f" about {printable(node.name)}" if node else "", f" of the relation {relation!r}" if relation else ""]
    )
    if as_of is None and known_at is None:
        return click.echo(f"no facts{about}" + ("" if about else " yet"))
    when = " and ".join(
        [*([f"held at {as_of}"] if as_of else []), *([f"was recorded by {known_at}"] if known_at else [])]
    )
    now, _ = memory.store.facts_page(node, relation, limit=0)
    click.echo(f"nothing {when}{about} ({now:,} {'fact holds' if now == 1 else 'facts hold'} today)")


def _print_documents(memory: GraphMemory, node: Node | None) -> None:
    """The documents of a memory, or those about a node, by title."""
    titles = memory.store.document_titles(node)
    if titles:
        click.echo(f"{page_line(len(titles), len(titles), 'documents', 1, 1)}: {_titles(titles)}")
    if node is not None and (about := memory.store.documents_about(node)):
        click.echo(f"mentioned in {page_line(len(about), len(about), 'documents', 1, 1)}: {_titles(about)}")


def _titles(titles: dict[str, int]) -> str:
    shown = [one_line(title, 60) for title in list(titles)[:MAX_TITLES]]
    return "; ".join(shown) + (f"; and {len(titles) - MAX_TITLES:,} more" if len(titles) > MAX_TITLES else "")


@memory_command(opened=("retriever",), reads=True)
@click.argument("query")
@click.option(
    "-k", "--top-k", type=click.IntRange(1), default=10, show_default=True, help="Results of each kind, at most."
)
@click.option("--ranker", type=click.Choice(RANKERS), default="activation", show_default=True, help="How to rank.")
@click.option("--as-of", help="Search the facts valid at that time.")
@click.option("--all", "everything", is_flag=True, help="Also results that are far behind the best.")
@click.option(
    "--scores", is_flag=True, help="Print the ranker's scores; they compare results of one kind in one search."
)
@retriever_weights
def search(memory: GraphMemory, query: str, json_: bool, everything: bool, scores: bool, **options: Any) -> None:
    """Retrieve the nodes and passages relevant to QUERY, each with the facts that lead to it.

    Results far behind the best of their kind are left out unless --all is given. Passages come first unless the query
    names something in the memory and the facts probably hold the answer.
    """
    found = memory.retrieve(query, **options)
    if json_:
        paths = [{**plain(n), "path": list(map(str, found.path_to(n.name)))} for n in found.nodes]
        return emit({"query": query, "answerable": found.answerable, "nodes": paths, "passages": found.passages})
    system = {node.id for node in memory.store.nodes([n.id for n in found.nodes]) if node.kind in SYSTEM_KINDS}
    nodes = [node for node in found.nodes if everything or node.id not in system]
    near = nodes if everything else _near(nodes, options["ranker"] in LINEAR)
    passages = list(found.passages) if everything else _near(found.passages, options["ranker"] in PLAIN)
    named = bool(found.seeds.mentions)
    unsure = found.answerable < SURE and not named
    if passages and not named and found.answerable < CERTAIN and not everything:
        near = []  # the facts only resemble the query
    if unsure and not everything:
        passages, near = passages[:NEAREST], near[: max(0, NEAREST - len(passages))]
    parts = [_node_lines(found, near, scores), _passage_lines(passages, scores)]
    if passages and (found.answerable < SURE or not named):
        parts.reverse()
    if not near and not passages:
        return click.echo("nothing found")
    if scores:
        click.echo(f"score of the ranker {options['ranker']}: higher is better, within one kind of result")
    elif unsure:
        click.echo("not sure that the memory holds this; the nearest:")
    for line in (line for part in parts for line in part):
        click.echo(line)
    if left := len(nodes) - len(near) + len(found.passages) - len(passages):
        click.echo(f"({left} weaker {'result' if left == 1 else 'results'} left out; all: --all)")


def _near(results: Any, linear: bool) -> list[Any]:
    """The results whose scores are near the best."""
    if not results:
        return []
    best = results[0].score
    least = best - abs(best) / 2 if linear else best - FALL
    return [result for result in results if result.score >= least]


def _node_lines(found: Retrieval, nodes: list[Any], scores: bool) -> Iterable[str]:
    for node in nodes:
        facts = list(dict.fromkeys(map(str, found.path_to(node.name))))
        if not found.seeds.mentions:  # such a chain begins at a fact of similar words, not at a name in the query
            facts = [fact for fact in facts if node.name in fact][-1:]
        chain = f"   ⟵ {printable('; '.join(facts))}" if facts else ""
        yield f"{f'{node.score:8.3f}  ' if scores else ''}{printable(node.name)}{chain}"


def _passage_lines(passages: list[Any], scores: bool) -> Iterable[str]:
    for passage in passages:
        score = f"{passage.score:8.3f}  " if scores else ""
        yield f"{score}[{one_line(passage.title) or 'untitled'}] {one_line(passage.text)}"


@memory_command(reads=True)
@click.argument("name", required=False)
@paged(20)
def history(memory: GraphMemory, name: str | None, limit: int, page: int, everything: bool, json_: bool) -> None:
    """Show what was written and when, newest first: of NAME, or of the whole memory.

    A line holds the entry's number, its time, what was done and the text that was read; below it stand the facts it
    wrote (+), took away (-), changed (~, before → after) or repeated (=), each with its (source).
    """
    length, start = page_bounds(limit, page, everything)
    if name is None:
        total, entries = memory.store.journal_page(length, start, bookkeeping=everything)
    else:
        found = memory.history(name)[::-1]
        found = [entry for entry in found if everything or entry.action != "session"]
        total, entries = len(found), found[start : start + length if length >= 0 else None]
    if json_:
        return emit(entries[::-1] if name else entries)
    print_entries(memory, entries, everything=everything)
    click.echo(page_line(len(entries), total, "entries", limit, page))
