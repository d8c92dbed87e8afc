"""graphmem itself: the memory read inside the frozen layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphmem.evaluation_answers import generate_texts
from graphmem.experiments.decoding import Cost, Said
from graphmem.experiments.items import Asked, Pair


class Reading:
    """A ``GraphMemoryModel`` as a method: it learns nothing, the memory holds the facts."""

    name = "graphmem"

    def __init__(self, model: Any) -> None:
        self.model = model

    def learn(self, pairs: Sequence[Pair]) -> Cost:
        """Nothing is learnt: facts are written to the memory."""
        return Cost()

    def say(self, asked: Sequence[Asked], limit: int = 24) -> list[Said]:
        """Answer out of what was found."""
        from graphmem.adapters.transformers import chat_prompt

        prompts = [chat_prompt(self.model.tokenizer, a.question) for a in asked]
        said = generate_texts(self.model, prompts, [a.found for a in asked], max_new_tokens=limit)
        return [Said(text, tokens, s + a.seconds) for (text, tokens, s), a in zip(said, asked, strict=True)]

    @torch.inference_mode()
    def logits(self, ids: Tensor, asked: Asked) -> Tensor | None:
        """Logits with the retrieval read."""
        return self.model(ids, retrieval=asked.found, use_cache=False).logits[0].float()
