"""graphmem: a graph memory for transformers.

Names are loaded on first use, so that ``import graphmem`` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from graphmem.consolidation.graph import ConsolidationConfig
    from graphmem.core.edits import (
        AddEdge,
        AddNode,
        JournalEntry,
        MergeNodes,
        Restore,
        Retire,
        SupersedeEdge,
        UpdateNode,
        WriteDecision,
    )
    from graphmem.core.errors import GraphMemError
    from graphmem.core.types import Edge, Fact, Node, Subgraph
    from graphmem.fusion.config import FusionConfig
    from graphmem.generation.attribution import Answer, TokenSource
    from graphmem.generation.conversation import Session, SessionConfig
    from graphmem.generation.decoding import RetrievalSchedule
    from graphmem.ingestion.documents import PassagesAdded
    from graphmem.memory import GraphMemory
    from graphmem.model import GraphMemoryModel, attach
    from graphmem.retrieval.passages.search import ScoredPassage
    from graphmem.retrieval.results import AnswerPath, Retrieval
    from graphmem.retrieval.retriever import RetrievalConfig
    from graphmem.writing.gate_rules import WriteGateConfig
    from graphmem.writing.pipeline import WritePlan

_HOME = {
    "memory": "GraphMemory",
    "model": "GraphMemoryModel attach",
    "core.errors": "GraphMemError",
    "core.types": "Edge Fact Node Subgraph",
    "core.edits": "AddEdge AddNode JournalEntry MergeNodes Restore Retire SupersedeEdge UpdateNode WriteDecision",
    "fusion.config": "FusionConfig",
    "writing.gate_rules": "WriteGateConfig",
    "retrieval.retriever": "RetrievalConfig",
    "retrieval.results": "AnswerPath Retrieval",
    "retrieval.passages.search": "ScoredPassage",
    "ingestion.documents": "PassagesAdded",
    "consolidation.graph": "ConsolidationConfig",
    "generation.attribution": "Answer TokenSource",
    "generation.conversation": "Session SessionConfig",
    "generation.decoding": "RetrievalSchedule",
    "writing.pipeline": "WritePlan",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = [
    "AddEdge",
    "AddNode",
    "Answer",
    "AnswerPath",
    "ConsolidationConfig",
    "Edge",
    "Fact",
    "FusionConfig",
    "GraphMemError",
    "GraphMemory",
    "GraphMemoryModel",
    "JournalEntry",
    "MergeNodes",
    "Node",
    "PassagesAdded",
    "Restore",
    "Retire",
    "Retrieval",
    "RetrievalConfig",
    "RetrievalSchedule",
    "ScoredPassage",
    "Session",
    "SessionConfig",
    "Subgraph",
    "SupersedeEdge",
    "TokenSource",
    "UpdateNode",
    "WriteDecision",
    "WriteGateConfig",
    "WritePlan",
    "attach",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'graphmem' has no attribute {name!r}")
    return getattr(import_module(f"graphmem.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
