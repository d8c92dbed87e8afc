"""graphmem itself: the memory read inside the frozen layers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.experiments.methods.base import Cost, Said
from graphmem.experiments.tasks.fact_set import Asked, Pair
from graphmem.generation.batching import generate_texts
from graphmem.generation.description import describe_topic


class GraphMemoryMethod:
    """A ``GraphMemoryModel`` as a method: it learns nothing, the memory holds the facts."""

    name = "graphmem"

    def __init__(self, model: Any) -> None:
        self.model = model

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Nothing is learnt: facts are written to the memory."""
        return Cost()

    def say(self, asked: Sequence[Asked], limit: int = 24) -> list[Said]:
        """Answer out of what was found, as ``ask`` does: in sentences where it is asked to tell about something."""
        told = {i: found for i, a in enumerate(asked) if (found := self._told(a, limit)) is not None}
        rest = [a for i, a in enumerate(asked) if i not in told]
        prompts = [chat_prompt(self.model.tokenizer, a.question) for a in rest]
        said = generate_texts(self.model, prompts, [a.found for a in rest], max_new_tokens=limit) if rest else []
        others = iter([Said(text, tokens, s + a.seconds) for (text, tokens, s), a in zip(said, rest, strict=True)])
        return [told[i] if i in told else next(others) for i in range(len(asked))]

    def _told(self, asked: Asked, limit: int) -> Said | None:
        started = time.perf_counter()
        found = describe_topic(self.model, asked.found, limit)
        if found is None:
            return None
        prompt = self.model.tokenizer(chat_prompt(self.model.tokenizer, asked.question), add_special_tokens=False)
        return Said(found.text, len(prompt["input_ids"]), asked.seconds + time.perf_counter() - started)

    @torch.inference_mode()
    def logits(self, ids: Tensor, asked: Asked) -> Tensor | None:
        """Logits with the retrieval read."""
        return self.model(ids, retrieval=asked.found, use_cache=False).logits[0].float()
