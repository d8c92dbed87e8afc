"""Top-1 retrieval: the name of the best node, without a language model."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from graphmem.experiments.methods.base import FactReader, Generation
from graphmem.experiments.tasks.fact_set import Query


class Top1Retrieval(FactReader):
    """The baseline that a language model with memory must beat: the name of the best node."""

    name = "top-1 retrieval"

    def generate(self, queries: Sequence[Query], max_new_tokens: int = 24) -> list[Generation]:
        """The first node's name."""
        return [Generation(query.best_node, 0, query.seconds) for query in queries]

    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """None: there is no model."""
        return None
