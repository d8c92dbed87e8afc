from __future__ import annotations

from pathlib import Path

import pytest

from graphmem.core.errors import InvalidValue
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


def test_a_picture_takes_no_other_file_s_place(memory: GraphMemory, tmp_path: Path) -> None:
    found = memory.retrieve("Ada", ranker="ppr")
    notes = tmp_path / "notes.txt"
    notes.write_text("mine")
    with pytest.raises(InvalidValue, match="no page of HTML"):
        save_subgraph(found, notes)
    with pytest.raises(InvalidValue, match="no ordinary file"):
        save_subgraph(found, tmp_path)
    with pytest.raises(InvalidValue, match="does not exist"):
        save_subgraph(found, tmp_path / "gone" / "p.html")
    assert notes.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["notes.txt"]
    assert save_subgraph(found, tmp_path / "p.html") == save_subgraph(found, tmp_path / "p.html")
