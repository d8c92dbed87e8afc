"""The public names of the package, pinned."""

from __future__ import annotations

import inspect
import re
from typing import get_args

import click

import graphmem
import graphmem.core.errors
import graphmem.errors
from graphmem.cli.main import main

PUBLIC = """
    AddEdge AddNode Answer AnswerPath ConsolidationConfig Edge Fact FusionConfig GraphMemError
    GraphMemory GraphMemoryModel JournalEntry MergeNodes Node PassagesAdded Restore Retire Retrieval RetrievalConfig
    RetrievalSchedule ScoredPassage Session SessionConfig Subgraph SupersedeEdge TokenSource UpdateNode WriteDecision
    WriteGateConfig WritePlan attach __version__
""".split()


def test_the_public_names_are_exactly_these() -> None:
    assert sorted(graphmem.__all__) == sorted(PUBLIC)


def test_every_public_name_loads() -> None:
    assert [name for name in graphmem.__all__ if getattr(graphmem, name) is None] == []
    assert dir(graphmem) == sorted(graphmem.__all__)


def test_every_public_config_is_accepted_somewhere() -> None:
    """A setting that no public call takes is of no use."""
    from graphmem.writing.pipeline import read_text

    calls = (graphmem.GraphMemory.open, graphmem.GraphMemory.consolidate, graphmem.GraphMemoryModel.session)
    calls += (graphmem.attach, graphmem.GraphMemoryModel.ask, read_text)
    taken = " ".join(str(kind) for call in calls for kind in inspect.get_annotations(call).values())
    configs = [name for name in PUBLIC if name.endswith(("Config", "Schedule"))]
    assert configs and [name for name in configs if not re.search(rf"\b{name}\b", taken)] == []


def test_rankers_are_one_list() -> None:
    from graphmem.core.types import RANKERS, RankerName
    from graphmem.memory import RankerName as of_the_memory
    from graphmem.retrieval import retriever

    assert of_the_memory is RankerName and retriever.RANKERS is RANKERS == get_args(RankerName)
    command = main.get_command(click.Context(main), "search")
    assert command is not None
    (ranker,) = (option for option in command.params if option.name == "ranker")
    assert tuple(ranker.type.choices) == RANKERS  # type: ignore[attr-defined]


def test_errors_are_importable_from_the_package() -> None:
    assert graphmem.errors.GraphMemError is graphmem.core.errors.GraphMemError
    assert issubclass(graphmem.errors.InvalidValue, ValueError)
