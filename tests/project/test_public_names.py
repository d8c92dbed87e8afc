"""The public names of the package, pinned."""

from __future__ import annotations

import graphmem
import graphmem.core.errors
import graphmem.errors

PUBLIC = """
    AddEdge AddNode Answer AnswerPath ConsolidationConfig Edge ExtractorConfig Fact FusionConfig GraphMemError
    GraphMemory GraphMemoryModel JournalEntry MergeNodes Node PassagesAdded Restore Retire Retrieval RetrievalConfig
    RetrievalSchedule ScoredPassage Session SessionConfig Subgraph SupersedeEdge TokenSource UpdateNode WriteDecision
    WriteGateConfig WritePlan attach __version__
""".split()


def test_the_public_names_are_exactly_these() -> None:
    assert sorted(graphmem.__all__) == sorted(PUBLIC)


def test_every_public_name_loads() -> None:
    assert [name for name in graphmem.__all__ if getattr(graphmem, name) is None] == []
    assert dir(graphmem) == sorted(graphmem.__all__)


def test_errors_are_importable_from_the_package() -> None:
    assert graphmem.errors.GraphMemError is graphmem.core.errors.GraphMemError
    assert issubclass(graphmem.errors.InvalidValue, ValueError)
