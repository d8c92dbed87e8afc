"""Package graph of graphmem: which package imports which, checked against the layers, drawn as ``packages.svg``.

    python docs/packages.py          # draw the picture anew

``tests/project/test_layers.py`` checks the rules and that the picture is up to date.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import networkx as nx

ROOT = Path(__file__).parents[1]
PICTURE = ROOT / "docs" / "packages.svg"

LAYERS = (
    ("core",),
    ("adapters", "storage", "text", "encoding"),
    ("datasets", "hub", "ingestion"),
    ("questions",),
    ("retrieval", "synthetic", "reading"),
    ("reasoning",),
    ("completion",),
    ("fusion", "writing", "state_tracking"),
    ("consolidation", "generation"),
    ("memory", "model"),
    ("visualization", "inspector"),
    ("evaluation",),
    ("training",),
    ("experiments",),
    ("cli",),
)
"""From the bottom up: a package imports only what stands in an earlier row. Some packages are planned."""

OUTSIDE = ("graphmem", "graphmem.errors", "graphmem.testing")
"""Public names and test helpers: they may import anything, and no package imports them."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name; ``adapters`` and ``storage`` stand in folders of their own."""
    found: dict[str, Path] = {}
    for folder in ("graphmem", "adapters", "storage"):
        package = folder if folder == "graphmem" else f"graphmem.{folder}"
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT / folder).with_suffix("").parts
            if folder == "graphmem" and parts[0] in ("adapters", "storage"):
                continue  # the links
            found[".".join((package, *(part for part in parts if part != "__init__")))] = path
    return found


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Modules of graphmem that a file imports, wherever in it: at the top, in functions, for types only."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in known)
        elif isinstance(node, ast.ImportFrom) and node.module in known:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in known else str(node.module)


def module_graph() -> nx.DiGraph:
    """An arc from every module to each module that it imports."""
    known = modules()
    graph = nx.DiGraph()
    graph.add_nodes_from(known)
    graph.add_edges_from((name, other) for name, path in known.items() for other in imports(path, known))
    graph.remove_edges_from(nx.selfloop_edges(graph))
    return graph


def package_of(module: str) -> str:
    """The package, or the single file of the top level, that a module belongs to."""
    return module.split(".")[1] if "." in module else module


def package_graph() -> nx.DiGraph:
    """The same between packages, without ``OUTSIDE``."""
    graph = nx.DiGraph()
    inside = [name for name in modules() if name not in OUTSIDE]
    graph.add_nodes_from(map(package_of, inside))
    for name, other in module_graph().subgraph(inside).edges:
        if package_of(name) != package_of(other):
            graph.add_edge(package_of(name), package_of(other))
    return graph


def layer_of(package: str) -> int:
    """The row of ``LAYERS`` that a package stands in."""
    return next(row for row, packages in enumerate(LAYERS) if package in packages)


def violations() -> list[str]:
    """Imports that do not go to an earlier row; ``cli`` may ask ``graphmem`` for its version."""
    return sorted(
        f"{name} imports {other}"
        for name, other in module_graph().edges
        if name not in OUTSIDE and package_of(name) != package_of(other) and not _goes_down(name, other)
    )


def _goes_down(name: str, other: str) -> bool:
    if other in OUTSIDE:
        return other == "graphmem" and package_of(name) == "cli"
    return layer_of(package_of(other)) < layer_of(package_of(name))


def circles() -> list[list[str]]:
    """Modules that import each other, directly or through others."""
    return sorted(sorted(part) for part in nx.strongly_connected_components(module_graph()) if len(part) > 1)


def longest_chain() -> list[str]:
    """Packages of the longest chain of imports, from the top down."""
    return list(nx.dag_longest_path(package_graph()))


WIDTH, ROW, BOX = 980, 62, 128


def draw() -> str:
    """The layers as SVG; of the arrows those that no longer way implies (the transitive reduction)."""
    graph = package_graph()
    rows = [[name for name in row if name in graph] for row in reversed(LAYERS)]
    rows = [row for row in rows if row]
    places = {
        name: (WIDTH * (column + 1) / (len(row) + 1) + (110, -110)[number % 2] * (len(row) == 1), 34 + ROW * number)
        for number, row in enumerate(rows)
        for column, name in enumerate(row)
    }
    height = 34 + ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="Packages of graphmem and their imports">',
        "<style>text{font:600 14px system-ui,sans-serif;text-anchor:middle;fill:#1c2330} rect{fill:#eef1ff;"
        "stroke:#5c7cfa;stroke-width:1.4} path{fill:none;stroke:#8791a5;stroke-width:1.2}</style>",
        '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 L8 4 L0 8 z" style="fill:#8791a5;stroke:none"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{height}" rx="12" style="fill:#fbfaf7;stroke:none"/>',
    ]
    for name, other in sorted(nx.transitive_reduction(graph).edges):
        (x, y), (to_x, to_y) = places[name], places[other]
        bend = (y + 17 + to_y - 17) / 2
        parts.append(
            f'<path d="M{x:.0f} {y + 17} C{x:.0f} {bend:.0f} {to_x:.0f} {bend:.0f} {to_x:.0f} {to_y - 19}" '
            f'marker-end="url(#a)"><title>{name} imports {other}</title></path>'
        )
    for name, (x, y) in sorted(places.items()):
        parts.append(f'<rect x="{x - BOX / 2:.0f}" y="{y - 17}" width="{BOX}" height="34" rx="8"/>')
        parts.append(f'<text x="{x:.0f}" y="{y + 5}">{name}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


if __name__ == "__main__":
    PICTURE.write_text(draw(), encoding="utf-8")
    chain = longest_chain()
    print(f"{PICTURE.relative_to(ROOT)}: longest chain {len(chain)}: {' > '.join(chain)}")
    print(f"{len(violations())} imports against the layers, {len(circles())} circles")
    for upper, lower in pairwise(chain):
        assert layer_of(upper) > layer_of(lower), (upper, lower)
