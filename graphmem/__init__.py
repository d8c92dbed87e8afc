"""graphmem: a living graph memory for transformers.

Names are loaded when they are first used, so that ``import graphmem`` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphmem.consolidation.graph import ConsolidationConfig
    from graphmem.core.errors import GraphMemError
    from graphmem.core.splits import data_split
    from graphmem.core.types import (
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
    from graphmem.core.validation import FusionConfig, GateConfig, ReaderConfig
    from graphmem.generation.conversation import Session, SessionConfig
    from graphmem.ingestion.documents import PassagesAdded
    from graphmem.memory import GraphMemory
    from graphmem.model import GraphMemoryModel, attach
    from graphmem.retrieval.passages.search import ScoredPassage
    from graphmem.retrieval.retriever import AnswerPath, Retrieval, RetrievalConfig

_HOME = {
    "GraphMemory": "memory",
    "GraphMemoryModel": "model",
    "attach": "model",
    "GraphMemError": "core.errors",
    "data_split": "core.splits",
    "FusionConfig": "core.validation",
    "ReaderConfig": "core.validation",
    "RetrievalConfig": "retrieval.retriever",
    "PassagesAdded": "ingestion.documents",
    "ScoredPassage": "retrieval.passages.search",
    "AnswerPath": "retrieval.retriever",
    "Retrieval": "retrieval.retriever",
    "GateConfig": "core.validation",
    "ConsolidationConfig": "consolidation.graph",
    "Session": "generation.conversation",
    "SessionConfig": "generation.conversation",
    **dict.fromkeys(
        (
            "AddEdge", "AddNode", "Edge", "Fact", "JournalEntry", "MergeNodes", "Node", "Restore", "Retire",
            "Subgraph", "SupersedeEdge", "UpdateNode", "WriteDecision",
        ),
        "core.types",
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
