"""graphmem: the memory read by memory layers inside the frozen base."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.experiments.methods.base import Generation, Method
from graphmem.experiments.tasks.fact_set import Query
from graphmem.generation.batching import generate_texts
from graphmem.generation.description import describe_topic


class GraphMemoryMethod(Method):
    """A ``GraphMemoryModel`` as a method: facts are written to its memory."""

    name = "graphmem"

    def __init__(self, model: Any) -> None:
        self.model = model

    def generate(self, queries: Sequence[Query], max_new_tokens: int = 24) -> list[Generation]:
        """Answers from the retrieval, as ``ask`` does: a description where the question asks for one."""
        answers = {i: d for i, q in enumerate(queries) if (d := self._description(q, max_new_tokens)) is not None}
        rest = [i for i in range(len(queries)) if i not in answers]
        prompts = [chat_prompt(self.model.tokenizer, queries[i].question) for i in rest]
        retrievals = [queries[i].retrieval for i in rest]
        texts = generate_texts(self.model, prompts, retrievals, max_new_tokens=max_new_tokens)
        for i, (text, tokens, seconds) in zip(rest, texts, strict=True):
            answers[i] = Generation(text, tokens, seconds + queries[i].seconds)
        return [answers[i] for i in range(len(queries))]

    def _description(self, query: Query, max_new_tokens: int) -> Generation | None:
        started = time.perf_counter()
        description = describe_topic(self.model, query.retrieval, max_new_tokens)
        if description is None:
            return None
        prompt = self.model.tokenizer(chat_prompt(self.model.tokenizer, query.question), add_special_tokens=False)
        seconds = query.seconds + time.perf_counter() - started
        return Generation(description.text, len(prompt["input_ids"]), seconds)

    @torch.inference_mode()
    def logits(self, ids: Tensor, query: Query) -> Tensor | None:
        """Logits with the retrieval attended to."""
        return self.model(ids, retrieval=query.retrieval, use_cache=False).logits[0].float()
