"""The honest reference: the retriever's best node said as it stands, with no language model at all."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from graphmem.experiments.methods.base import Cost, Said
from graphmem.experiments.tasks.fact_set import Asked, Pair


class Top1Retrieval:
    """Says the name of the best node. What a language model adds must show against this."""

    name = "top node, no model"

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Nothing is learnt."""
        return Cost()

    def say(self, asked: Sequence[Asked], limit: int = 24) -> list[Said]:
        """The first node's name."""
        return [Said(a.best, 0, a.seconds) for a in asked]

    def logits(self, ids: Tensor, asked: Asked) -> Tensor | None:
        """There is no model."""
        return None
