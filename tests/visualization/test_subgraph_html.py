from __future__ import annotations

from pathlib import Path

import pytest

from graphmem.memory import GraphMemory
from graphmem.visualization.subgraph_html import save_subgraph


@pytest.fixture(scope="module")
def memory() -> GraphMemory:
    with GraphMemory.open(":memory:") as opened:
        opened.add_many([("Ada", "mother", "Annabella"), ("Annabella", "born in", "<Elemore & Co>")])
        yield opened


def test_the_picture_shows_nodes_facts_and_the_chain(memory: GraphMemory, tmp_path: Path) -> None:
    found = memory.retrieve("where was the mother of Ada born", ranker="ppr")
    page = save_subgraph(found, tmp_path / "p.html", answer="<Elemore & Co>").read_text(encoding="utf-8")
    assert "&lt;Elemore &amp; Co&gt;" in page and "<Elemore" not in page
    assert page.count('class="e on"') == 2 and "Annabella | born in" in page
    assert "<script" not in page and "http" not in page


def test_a_search_that_finds_nothing_still_draws_a_page(memory: GraphMemory, tmp_path: Path) -> None:
    with GraphMemory.open(":memory:") as empty:
        page = save_subgraph(empty.retrieve("anything", ranker="ppr"), tmp_path / "p.html").read_text(encoding="utf-8")
    assert "nothing found" in page
