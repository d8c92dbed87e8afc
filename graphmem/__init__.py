"""graphmem: a living graph memory for transformers.

Names are loaded when they are first used, so that ``import graphmem`` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphmem.config import FusionConfig, GateConfig, ReaderConfig
    from graphmem.consolidation import ConsolidationConfig
    from graphmem.documents import PassagesAdded
    from graphmem.errors import GraphMemError
    from graphmem.graph import (
        AddEdge,
        AddNode,
        Edge,
        Fact,
        JournalEntry,
        MergeNodes,
        Node,
        Restore,
        Retire,
        Subgraph,
        SupersedeEdge,
        UpdateNode,
        WriteDecision,
    )
    from graphmem.memory import GraphMemory
    from graphmem.model import GraphMemoryModel, attach
    from graphmem.passage_search import ScoredPassage
    from graphmem.retrieval import AnswerPath, Retrieval, RetrievalConfig
    from graphmem.session import Session, SessionConfig
    from graphmem.splits import data_split

_HOME = {
    "GraphMemory": "memory",
    "GraphMemoryModel": "model",
    "attach": "model",
    "GraphMemError": "errors",
    "data_split": "splits",
    "FusionConfig": "config",
    "ReaderConfig": "config",
    "RetrievalConfig": "retrieval",
    "PassagesAdded": "documents",
    "ScoredPassage": "passage_search",
    "AnswerPath": "retrieval",
    "Retrieval": "retrieval",
    "GateConfig": "config",
    "ConsolidationConfig": "consolidation",
    "Session": "session",
    "SessionConfig": "session",
    **dict.fromkeys(
        (
            "AddEdge", "AddNode", "Edge", "Fact", "JournalEntry", "MergeNodes", "Node", "Restore", "Retire",
            "Subgraph", "SupersedeEdge", "UpdateNode", "WriteDecision",
        ),
        "graph",
    ),
}  # fmt: skip

__all__ = [
    "AddEdge",
    "AddNode",
    "AnswerPath",
    "ConsolidationConfig",
    "Edge",
    "Fact",
    "FusionConfig",
    "GateConfig",
    "GraphMemError",
    "GraphMemory",
    "GraphMemoryModel",
    "JournalEntry",
    "MergeNodes",
    "Node",
    "PassagesAdded",
    "ReaderConfig",
    "Restore",
    "Retire",
    "Retrieval",
    "RetrievalConfig",
    "ScoredPassage",
    "Session",
    "SessionConfig",
    "Subgraph",
    "SupersedeEdge",
    "UpdateNode",
    "WriteDecision",
    "__version__",
    "attach",
    "data_split",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'graphmem' has no attribute {name!r}")
    return getattr(import_module(f"graphmem.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
