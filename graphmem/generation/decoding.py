"""Decoding one answer from given candidates, with further retrievals while it is generated if wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, NamedTuple

import torch

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.adapters.transformers import text_config
from graphmem.core import arguments
from graphmem.core.errors import InvalidValue
from graphmem.fusion.candidates import Candidates, candidates
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.memory_tokens import MemoryTokens, collate
from graphmem.generation.attribution import TokenSource, token_sources
from graphmem.generation.batching import generate_ids


@dataclass(frozen=True, slots=True)
class RetrievalSchedule:
    """When the memory is queried again while an answer is generated (adaptive retrieval, as in FLARE, 2305.06983).

    Attributes:
        max_retrievals: most retrievals after the first, an answer; 0 retrieves once.
        entropy_threshold: entropy of the next token, in nats, above which the memory is queried again.
        min_tokens_between: fewest tokens between two retrievals.
        query_window: characters at the end of the answer so far that are added to the question.
    """

    max_retrievals: int = 0
    entropy_threshold: float = 3.0
    min_tokens_between: int = 8
    query_window: int = 160

    def __post_init__(self) -> None:
        arguments.whole(self.max_retrievals, "max_retrievals", 0)
        arguments.number(self.entropy_threshold, "entropy_threshold", "a number of at least 0 nats")
        arguments.whole(self.min_tokens_between, "min_tokens_between")
        arguments.whole(self.query_window, "query_window")


class GeneratedAnswer(NamedTuple):
    """One answer, the sources of its tokens, and its candidates; None where the memory was not used."""

    text: str
    sources: tuple[TokenSource, ...] = ()
    candidates: Candidates | None = None


def prompt_ids(model: Any, question: str, context: str | None = None) -> list[int]:
    """Token ids of a question as a chat prompt, behind a context if there is one."""
    prompt = chat_prompt(model.tokenizer, question, context)
    return list(model.tokenizer(prompt, add_special_tokens=False)["input_ids"])


def answer_room(model: Any, prompt: Sequence[int], max_new_tokens: int) -> int:
    """``max_new_tokens``, or as many as the model has positions for behind a prompt.

    Raises:
        InvalidValue: the prompt alone fills the model's positions.
    """
    positions = getattr(text_config(model.base), "max_position_embeddings", None)
    if not isinstance(positions, int) or model.decoder.encodes:
        return max_new_tokens
    if len(prompt) >= positions:
        raise InvalidValue(
            f"the question takes {len(prompt)} tokens, the model reads {positions - 1} at most: ask a shorter one, and "
            "give a long text to the memory instead (add_passages, or read)"
        )
    return min(max_new_tokens, positions - len(prompt))


def generate_plain(model: Any, prompt: Sequence[int], max_new_tokens: int) -> str:
    """The base's continuation of a prompt, without the memory."""
    return _text(model, generate_ids(model, [prompt], None, max_new_tokens)[0])


def generate_answer(
    model: Any, question: str, found: Candidates, retrieval: Any, max_new_tokens: int,
    schedule: RetrievalSchedule | None = None,
) -> GeneratedAnswer:  # fmt: skip
    """One answer from these candidates alone; ``retrieval``, which may be None, gives the sources their facts."""
    prompt, steps = prompt_ids(model, question), [_RetrievalStep.of(model, found, retrieval)]
    if schedule is not None and schedule.max_retrievals:
        out = _generate_with_retrieval(model, question, prompt, steps, schedule, max_new_tokens)
    else:
        out = generate_ids(model, [prompt], steps[0].context, max_new_tokens)[0]
    ends = [*(step.start for step in steps[1:]), len(out)]
    parts = [step.sources(model, out[step.start : end]) for step, end in zip(steps, ends, strict=True)]
    return GeneratedAnswer(_text(model, out), tuple(chain(*parts)), found)


class _RetrievalStep(NamedTuple):
    """One retrieval of an answer, and the index of the first token that is generated with it."""

    context: MemoryContext | None
    tokens: MemoryTokens
    found: Candidates
    retrieval: Any
    start: int

    @classmethod
    def of(cls, model: Any, found: Candidates, retrieval: Any, start: int = 0) -> _RetrievalStep:
        tokens = collate(model.names, [found])
        return cls(model.contexts.context(tokens, trace=True), tokens, found, retrieval, start)

    def sources(self, model: Any, out: Sequence[int]) -> tuple[TokenSource, ...]:
        if self.context is None or not self.context.trace:
            return ()
        texts = [model.tokenizer.decode([token]) for token in out]
        return token_sources(self.context.trace, self.tokens.node[0], self.found, texts, self.retrieval)


@torch.inference_mode()
def _generate_with_retrieval(
    model: Any, question: str, prompt: Sequence[int], steps: list[_RetrievalStep], schedule: RetrievalSchedule,
    max_new_tokens: int,
) -> list[int]:  # fmt: skip
    """Greedy decoding of one prompt that retrieves again where the next token's entropy is high, and adds to steps."""
    from torch.distributions import Categorical

    out: list[int] = []
    context = steps[0].context
    rows = new = torch.tensor([list(prompt)], device=model.base.device)
    cache, since, left = None, schedule.min_tokens_between, schedule.max_retrievals
    while len(out) < max_new_tokens:
        if context is not None and context.tracker is not None:
            context.tracker.set_rows(rows)
        with active_context(context):
            step = model.base(input_ids=new, past_key_values=cache, use_cache=True)
        cache, logits = step.past_key_values, step.logits[0, -1]
        due = left and out and since >= schedule.min_tokens_between
        if due and Categorical(logits=logits.float()).entropy() > schedule.entropy_threshold:
            again = model.contexts.retrieve(f"{question} {_text(model, out)[-schedule.query_window :]}")
            steps.append(_RetrievalStep.of(model, candidates(again, model.config.max_nodes), again, len(out)))
            left, since = left - 1, 0
            if steps[-1].context is not None and hasattr(cache, "crop"):
                context = steps[-1].context
                cache.crop(-new.shape[1])  # the last position is computed again with the new context
                continue
        token = int(logits.argmax())
        if token == model.names.stop:
            break
        out.append(token)
        since += 1
        new = torch.tensor([[token]], device=rows.device)
        rows = torch.cat([rows, new], 1)
    return out


def _text(model: Any, tokens: Sequence[int]) -> str:
    return str(model.tokenizer.decode(tokens, skip_special_tokens=True)).strip()
