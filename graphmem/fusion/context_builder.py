"""Memory contexts of a model's calls: prompts become queries, and their retrievals memory tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from graphmem.adapters.chat_templates import is_chat, is_due, last_user_text, rows_of
from graphmem.adapters.transformers import prompt_mask
from graphmem.core.decoder import Decoder
from graphmem.core.errors import InvalidValue, NotAttached
from graphmem.core.times import Time
from graphmem.fusion.candidates import Candidates, RetrievedNodes, candidates
from graphmem.fusion.config import AttachedConfig
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.continuation_candidates import continuation_candidates
from graphmem.fusion.hooks import MemoryHooks
from graphmem.fusion.memory_tokens import MemoryTokens, NameTokenizer, collate

_DISABLED: ContextVar[frozenset[int]] = ContextVar("graphmem_disabled", default=frozenset())
"""Context builders (by ``id``) whose memory is off in this context."""

MAX_QUERY_LENGTH = 2000
"""Characters of a prompt, counted from its end, that are put to the memory."""


class Memory(Protocol):
    """What a model needs of a memory; ``GraphMemory`` is one."""

    def retrieve(self, query: str, *, top_k: int = 10, ranker: Any = "gnn", as_of: Time | None = None) -> Any: ...


@dataclass(eq=False)
class ContextBuilder:
    """Builds the ``MemoryContext`` of each call of an attached model.

    ``hooks`` is None once the memory is detached. ``by_cache`` holds contexts to use again in calls with the same
    ``past_key_values``.
    """

    tokenizer: Any
    memory: Memory
    decoder: Decoder
    names: NameTokenizer
    config: AttachedConfig
    hooks: MemoryHooks | None
    by_cache: WeakKeyDictionary[Any, MemoryContext] = field(default_factory=WeakKeyDictionary)

    def require_hooks(self) -> MemoryHooks:
        """The hooks; raises ``NotAttached`` once the memory is detached."""
        if self.hooks is None:
            raise NotAttached("the memory has been detached from this model; attach it again")
        return self.hooks

    @property
    def disabled(self) -> bool:
        """Whether the memory is off in this context (thread or task)."""
        return id(self) in _DISABLED.get()

    @contextmanager
    def disable(self) -> Iterator[None]:
        """Switch the memory off inside this block."""
        token = _DISABLED.set(_DISABLED.get() | {id(self)})
        try:
            with active_context(None):
                yield
        finally:
            _DISABLED.reset(token)

    def retrieve(self, query: str, as_of: Time | None = None) -> Any:
        """The memory's retrieval for a query."""
        self.require_hooks()
        return self.memory.retrieve(query, top_k=self.config.max_nodes, as_of=as_of)

    def context(self, tokens: MemoryTokens, *, trace: bool = False) -> MemoryContext | None:
        """The context of memory tokens; None where there are no slots."""
        hooks = self.require_hooks()
        return MemoryContext.of(hooks.fusion, hooks.table, tokens, trace=trace)

    def build(self, ids: Tensor | None, retrieval: Any, kwargs: dict[str, Any]) -> MemoryContext | None:
        """The context of one call of the base; None where there are no candidates.

        Args:
            ids: int64 [B, T]; None with ``inputs_embeds``.
            retrieval: one for each sample, or one for all; None queries the memory with the prompts.
            kwargs: further arguments; ``attention_mask``, ``labels`` and ``past_key_values`` are used.
        """
        fusion = self.require_hooks().fusion
        if self.disabled:
            return None
        cache = kwargs.get("past_key_values")
        if retrieval is None and cache is not None and cache in self.by_cache:
            return self.by_cache[cache]
        if retrieval is None and ids is None:
            raise InvalidValue("retrieval must be given with inputs_embeds: there is no text to query the memory with")
        mask, labels = kwargs.get("attention_mask"), kwargs.get("labels")
        if ids is not None and labels is not None and self.decoder.writes and not self.decoder.encodes:
            mask = prompt_mask(ids, mask, labels)
        question = ids is None or self.is_question(ids, mask)
        found = self.batch_candidates(ids, retrieval, mask, question)
        min_slots = int(fusion.training and torch.is_grad_enabled())  # no candidates give zero gradients, not none
        context = self.context(collate(self.names, found, min_slots))
        if context is not None and not question:
            c = self.config
            topic = all(one.continuation and not one.continuation.strict for one in found)
            context.min_attention = c.min_attention_topic if topic else c.min_attention_text
        return context

    def is_question(self, ids: Tensor, mask: Tensor | None) -> bool:
        """Whether one of the prompts calls for an answer, and is no plain text."""
        if self.config.min_attention_text is None:
            return True
        due = is_due if self.require_hooks().fusion.reads_text else is_chat
        return any(due(self.tokenizer, row) for row in rows_of(ids, mask))

    def batch_candidates(
        self, ids: Tensor | None, retrieval: Any, mask: Tensor | None, question: bool
    ) -> list[Candidates]:
        """Candidates of each sample: of a question, or of plain text where the weights have been trained for it."""
        if retrieval is None and ids is not None:
            texts = [last_user_text(self.tokenizer, row) for row in rows_of(ids, mask)]
            retrieval = [self.retrieve(text[-MAX_QUERY_LENGTH:]) for text in texts]
        given: list[RetrievedNodes] = (
            list(retrieval) if isinstance(retrieval, Sequence) else [retrieval] * (1 if ids is None else len(ids))
        )
        if ids is not None and len(given) != len(ids):
            raise InvalidValue(f"retrieval must hold one for each of {len(ids)} samples, not {len(given)}")
        c = self.config
        reads_text = not question and self.require_hooks().fusion.reads_text
        text = [found for one in given if (found := continuation_candidates(one, c.max_nodes))] if reads_text else []
        if len(text) == len(given) > 0:
            return text
        return [candidates(one, c.max_nodes, c.refusal, c.trust, c.min_answerability) for one in given]
