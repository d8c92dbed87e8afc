"""Methods without training: the base alone, the base with facts in its prompt, and top-1 retrieval."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from torch import Tensor

from graphmem.core.types import Triple
from graphmem.evaluation.answers import fact_lines, facts_prompt
from graphmem.experiments.methods.base import Generation, Language, LanguageMethod, Method
from graphmem.experiments.tasks.fact_set import Query

DISTRACTORS = 14


class ClosedBook(LanguageMethod):
    """The base as it is."""

    name = "closed book"
    reads_retrieval = False

    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """The base's logits."""
        return self.language.logits(ids)


class CachedClosedBook(ClosedBook):
    """The base as it is, asked each question once."""

    def __init__(self, language: Language) -> None:
        super().__init__(language)
        self._answers: dict[tuple[str, int], Generation] = {}

    def generate(self, queries: Sequence[Query], max_new_tokens: int = 24) -> list[Generation]:
        """Answers from the weights, or from earlier calls."""
        new = [query for query in queries if (query.question, max_new_tokens) not in self._answers]
        for query, answer in zip(new, super().generate(new, max_new_tokens), strict=True):
            self._answers[query.question, max_new_tokens] = answer
        return [self._answers[query.question, max_new_tokens] for query in queries]


class InContextFacts(ClosedBook):
    """Facts as sentences before the question: ``gold``, ``gold + distractors`` (drawn from a pool) or ``retrieved``."""

    def __init__(self, language: Language, facts: str, pool: Sequence[Triple] = (), seed: int = 0) -> None:
        super().__init__(language)
        self.facts, self.pool, self.rng = facts, list(pool), Random(seed)
        self.name, self.reads_retrieval = f"in-context facts: {facts}", facts == "retrieved"

    def prompt(self, query: Query) -> str:
        """The question after the facts."""
        facts = self._chosen(query)
        return facts_prompt(self.language.tokenizer, query.question, facts, len(facts))

    def options(self, queries: Sequence[Query]) -> dict[str, Any]:
        """Smaller batches: the prompts are long."""
        return {"batch": 8}

    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """The base's logits with the facts before the text."""
        return self.language.logits(ids, f"Facts:\n{fact_lines(self._chosen(query))}\n\n")

    def _chosen(self, query: Query) -> list[Triple]:
        if self.reads_retrieval:
            return list(query.facts)
        chosen = list(query.gold)
        if self.facts != "gold" and self.pool:
            chosen += self.rng.sample(self.pool, min(DISTRACTORS, len(self.pool)))
            self.rng.shuffle(chosen)
        return chosen


class Top1Retrieval(Method):
    """The name of the best node, without a language model: the baseline that a model with memory must beat."""

    name = "top-1 retrieval"

    def generate(self, queries: Sequence[Query], max_new_tokens: int = 24) -> list[Generation]:
        """The first node's name."""
        return [Generation(query.best_node, 0, query.seconds) for query in queries]

    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """None: there is no model."""
        return None
