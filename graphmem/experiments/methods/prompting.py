"""The model alone, and the model with facts in its prompt: the right ones, those among others, those retrieved."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from torch import Tensor

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.types import Triple
from graphmem.experiments.methods.base import Cost, Language, Said
from graphmem.experiments.tasks.fact_set import Asked, Pair

DISTRACTORS = 14


class ClosedBook:
    """The base as it is."""

    name = "closed book"

    def __init__(self, language: Language) -> None:
        self.language = language

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Nothing is learnt."""
        return Cost()

    def say(self, asked: Sequence[Asked], limit: int = 24) -> list[Said]:
        """Answer from the weights."""
        return self.language.decode([self.language.prompt(a.question) for a in asked], limit=limit)

    def logits(self, ids: Tensor, asked: Asked) -> Tensor | None:
        """The base's logits."""
        return self.language.after(ids)


class InContextFacts(ClosedBook):
    """Facts as sentences before the question.

    Args:
        language: the base.
        facts: ``gold``, ``gold + distractors`` or ``retrieved``.
        pool: facts that distractors are drawn from.
        seed: of the draw and of the order.
    """

    def __init__(self, language: Language, facts: str, pool: Sequence[Triple] = (), seed: int = 0) -> None:
        super().__init__(language)
        self.facts, self.pool, self.rng = facts, list(pool), Random(seed)
        self.name = f"in the prompt: {facts}"

    def say(self, asked: Sequence[Asked], limit: int = 24) -> list[Said]:
        """Answer with the facts in view."""
        prompts = [self._prompt(a) for a in asked]
        said = self.language.decode(prompts, limit=limit, batch=8)
        extra = [a.seconds if self.facts == "retrieved" else 0.0 for a in asked]
        return [Said(s.text, s.tokens, s.seconds + e) for s, e in zip(said, extra, strict=True)]

    def logits(self, ids: Tensor, asked: Asked) -> Tensor | None:
        """The base's logits with the facts before the text."""
        return self.language.after(ids, f"Facts:\n{sentences(self._chosen(asked))}\n\n")

    def _prompt(self, asked: Asked) -> str:
        lead = f"Facts:\n{sentences(self._chosen(asked))}\n\nUse the facts. Answer with a name only."
        return chat_prompt(self.language.tokenizer, f"Question: {asked.question}", lead)

    def _chosen(self, asked: Asked) -> list[Triple]:
        if self.facts == "retrieved":
            return list(asked.facts)
        chosen = list(asked.gold)
        if self.facts != "gold" and self.pool:
            chosen += self.rng.sample(self.pool, min(DISTRACTORS, len(self.pool)))
            self.rng.shuffle(chosen)
        return chosen


def sentences(facts: Sequence[Triple]) -> str:
    """One fact a line."""
    return "\n".join(f"{subject} {relation} {object}." for subject, relation, object in facts)
