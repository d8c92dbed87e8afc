"""Memory contexts of a model's calls: prompts become queries, and their retrievals memory tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from graphmem.adapters.chat_templates import ends_user_turn, is_chat, is_due, last_user_text, rows_of, user_turns
from graphmem.adapters.transformers import prompt_mask
from graphmem.core.decoder import Decoder
from graphmem.core.errors import InvalidValue, NotAttached
from graphmem.core.times import Time
from graphmem.fusion.cached_text import CachedText, cache_length, keep_text, proven_text
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

    def retrieve(
        self, query: str, *, top_k: int = 10, ranker: Any = "activation", as_of: Time | None = None
    ) -> Any: ...


class Retrieved(NamedTuple):
    """What was retrieved for the rows of a text.

    Attributes:
        retrievals, candidates: of each row.
        question: whether the rows were taken for questions, and not for plain text.
        context: with all rows; None where there are no candidates.
        turns: number of user turns of each row, and the text of the last; None in plain text.
        memory: that was queried; None where the retrievals were given.
        prompt: token ids that an encoder reads; None without an encoder.
    """

    retrievals: list[Any]
    candidates: list[Candidates]
    question: bool
    context: MemoryContext | None
    turns: list[tuple[int, str] | None]
    memory: Any
    prompt: Tensor | None = None


class Call(NamedTuple):
    """One forward pass: its memory, and the text that it adds to a cache.

    Attributes:
        context: what the pass attends to; None without memory.
        found: None with the memory off.
        ids, mask: int64 [B, T] of the pass; None where the tokens are not known.
        before: the text in the cache; None where it is empty or unknown.
        rows: the row of ``before`` behind each row of the pass.
        past: positions in the cache.
    """

    context: MemoryContext | None
    found: Retrieved | None
    ids: Tensor | None
    mask: Tensor | None
    before: CachedText | None
    rows: list[int]
    past: int


@dataclass(eq=False)
class ContextBuilder:
    """Builds the ``MemoryContext`` of each call of an attached model; ``hooks`` is None once it is detached."""

    tokenizer: Any
    memory: Memory
    decoder: Decoder
    names: NameTokenizer
    config: AttachedConfig
    hooks: MemoryHooks | None

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
        """The context of a text that begins with these ids; None where there are no candidates.

        Args:
            ids: int64 [B, T]; None with ``inputs_embeds``.
            retrieval: one for each sample, or one for all; None queries the memory with the prompts.
            kwargs: further arguments; ``attention_mask`` and ``labels`` are used.
        """
        self.require_hooks()
        return None if self.disabled else self._retrieved(ids, retrieval, kwargs).context

    @torch.compiler.disable
    def begin(self, ids: Tensor | None, retrieval: Any, kwargs: dict[str, Any]) -> Call:
        """Start one forward pass, which may go on from ``past_key_values``; see ``build``.

        While the cache is proven to hold the text before, and that text goes on by single tokens or within the model's
        turn, what was retrieved for it is used again. Other tokens are new text, and the memory is queried anew.

        Raises:
            InvalidValue: a single token goes on from a text that is not known.
        """
        self.require_hooks()
        cache, encodes = kwargs.get("past_key_values"), self.decoder.encodes
        past, new = cache_length(cache), kwargs.get("decoder_input_ids") if encodes else ids
        proven = proven_text(cache, self) if past else None
        before, rows = proven or (None, [])
        known: Retrieved | None = before.found if before is not None else None
        if known is not None and known.memory is not None and known.memory is not self.memory:
            known = None  # another memory was set: nothing of the former is read on
        if new is not None and rows and len(rows) != len(new):
            raise InvalidValue(f"past_key_values holds {len(rows)} rows, the new tokens {len(new)}")
        mask = None if new is None else _last_columns(None if encodes else kwargs.get("attention_mask"), new)
        whole = None if new is None or before is None else torch.cat([before.ids[rows, :past].to(new.device), new], 1)
        found: Retrieved | None
        if self.disabled:
            found = None
        elif retrieval is not None or not past:
            found = self._retrieved(ids, retrieval, kwargs)
        elif encodes:
            same = known is not None and (ids is None or (known.prompt is not None and torch.equal(known.prompt, ids)))
            found = self._rows(known, rows) if same and known is not None else self._retrieved(ids, None, kwargs)
        elif new is None or mask is None:  # embeddings
            if known is None or getattr(kwargs.get("inputs_embeds"), "shape", (0, 0))[1] != 1:
                raise _no_text("inputs_embeds")
            found = self._rows(known, rows)
        elif before is None or whole is None:
            if new.shape[1] == 1:
                raise InvalidValue(
                    "the text in past_key_values is not known: it did not pass through this model, or the cache was "
                    "changed since. Give retrieval=..., or start again with the whole text and an empty cache"
                )
            found = self._retrieved(new, None, {"attention_mask": mask})
        else:
            full = torch.cat([before.mask[rows, :past].to(mask.device), mask], 1)
            found = self._continued(known, rows, whole, full, past)
        context = found.context.again(whole) if found is not None and found.context is not None else None
        return Call(context, found, new, mask, before, rows, past)

    @torch.compiler.disable
    def end(self, call: Call, cache: Any) -> None:
        """Keep the text that has passed with the cache that holds it."""
        ids, mask = call.ids, call.mask
        if ids is None or mask is None:
            batch = len(call.rows) if call.found is None else len(call.found.candidates)
            ids = mask = torch.zeros(batch, 0, dtype=torch.long)
        keep_text(cache, self, call.before, call.rows, call.past, ids, mask, call.found)

    def _continued(self, known: Retrieved | None, rows: list[int], whole: Tensor, mask: Tensor, past: int) -> Retrieved:
        """What to attend to in a text that goes on behind ``past`` positions: kept for each row without new text."""
        texts, single = rows_of(whole, mask), whole.shape[1] == past + 1
        if known is None:
            return self._retrieved(whole, None, {"attention_mask": mask})
        asks = []
        for row, text in zip(rows, texts, strict=True):
            if single and not ends_user_turn(self.tokenizer, text):
                asks.append(False)
            else:
                turns = user_turns(self.tokenizer, text)
                asks.append(turns != known.turns[row] if turns is not None else not single)
        if not any(asks):
            return self._rows(known, rows)
        new = rows_of(whole[:, past:], mask[:, past:])
        retrievals = [
            self._of_new_text(texts[i], new[i]) if ask else known.retrievals[rows[i]] for i, ask in enumerate(asks)
        ]
        return self._retrieved(whole, retrievals, {"attention_mask": mask})._replace(memory=self.memory)

    def _of_new_text(self, text: list[int], new: list[int]) -> Any:
        """A retrieval for a text that goes on: for its last turn or its new words; for all where these find nothing."""
        if not is_chat(self.tokenizer, text):
            found = self.retrieve_text(last_user_text(self.tokenizer, new))
            if found.nodes and found.answerable >= self.config.min_answerability:
                return found
        return self.retrieve_text(last_user_text(self.tokenizer, text))

    def retrieve_text(self, text: str) -> Any:
        """The memory's retrieval for the end of a text."""
        return self.retrieve(text[-MAX_QUERY_LENGTH:])

    def _rows(self, known: Retrieved, rows: list[int]) -> Retrieved:
        """What was retrieved, for other rows of the same texts."""
        if rows == [*range(len(known.candidates))]:
            return known
        retrievals, found = [known.retrievals[row] for row in rows], [known.candidates[row] for row in rows]
        turns = [known.turns[row] for row in rows]
        prompt = None if known.prompt is None else known.prompt[rows]
        context = self._context(found, known.question)
        return Retrieved(retrievals, found, known.question, context, turns, known.memory, prompt)

    def _retrieved(self, ids: Tensor | None, retrieval: Any, kwargs: dict[str, Any]) -> Retrieved:
        if retrieval is None and ids is None:
            raise _no_text("encoder_outputs" if self.decoder.encodes else "inputs_embeds")
        mask, labels = kwargs.get("attention_mask"), kwargs.get("labels")
        mask = None if ids is None else _last_columns(mask, ids)
        if ids is not None and labels is not None and self.decoder.writes and not self.decoder.encodes:
            mask = prompt_mask(ids, mask, labels)
        question = ids is None or self.is_question(ids, mask)
        given = self._given(ids, retrieval, mask)
        found = self._candidates(given, question)
        rows = [] if ids is None else rows_of(ids, mask)
        turns = [user_turns(self.tokenizer, row) for row in rows] or [None] * len(given)
        prompt, memory = ids if self.decoder.encodes else None, self.memory if retrieval is None else None
        return Retrieved(given, found, question, self._context(found, question), turns, memory, prompt)

    def _context(self, found: list[Candidates], question: bool) -> MemoryContext | None:
        fusion = self.require_hooks().fusion
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
        return self._candidates(self._given(ids, retrieval, mask), question)

    def _given(self, ids: Tensor | None, retrieval: Any, mask: Tensor | None) -> list[RetrievedNodes]:
        """A retrieval for each sample."""
        if retrieval is None and ids is not None:
            return [self.retrieve_text(last_user_text(self.tokenizer, row)) for row in rows_of(ids, mask)]
        many = isinstance(retrieval, Sequence) and not isinstance(retrieval, (str, bytes))
        given = list(retrieval) if many else [retrieval] * (1 if ids is None else len(ids))
        for one in given:
            if any(not hasattr(one, part) for part in ("nodes", "subgraph", "answerable")):
                raise InvalidValue(f"retrieval must be what memory.retrieve(...) returns, or a list of it, not {one!r}")
        if ids is not None and len(given) != len(ids):
            raise InvalidValue(f"retrieval must hold one for each of {len(ids)} samples, not {len(given)}")
        return given

    def _candidates(self, given: list[RetrievedNodes], question: bool) -> list[Candidates]:
        c = self.config
        reads_text = not question and self.require_hooks().fusion.reads_text
        text = [found for one in given if (found := continuation_candidates(one, c.max_nodes))] if reads_text else []
        if len(text) == len(given) > 0:
            return text
        return [candidates(one, c.max_nodes, c.refusal, c.trust, c.min_answerability) for one in given]


def _last_columns(mask: Any, ids: Tensor) -> Tensor:
    """The mask of these tokens, int64 [B, T]; all ones where none fits."""
    if isinstance(mask, Tensor) and mask.ndim == 2 and len(mask) == len(ids) and mask.shape[1] >= ids.shape[1]:
        return mask[:, mask.shape[1] - ids.shape[1] :].long()
    return torch.ones_like(ids)


def _no_text(what: str) -> InvalidValue:
    return InvalidValue(f"retrieval must be given with {what}: there is no text to query the memory with")
