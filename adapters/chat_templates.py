"""Prompts of a tokenizer's chat template, and the user turns inside a templated prompt."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphmem.core.errors import UnsupportedModel


def stop_token(model: Any, tokenizer: Any) -> int:
    """Id of the token that ends the model's turn."""
    end = tokenizer.convert_tokens_to_ids("<|im_end|>") if _has_token(tokenizer, "<|im_end|>") else None
    stop = end if end is not None else tokenizer.eos_token_id
    if stop is None:
        eos = getattr(getattr(model, "config", None), "eos_token_id", None)
        stop = eos[0] if isinstance(eos, list) else eos
    if stop is None:
        raise UnsupportedModel("neither the tokenizer nor the model names an end-of-turn token (eos_token_id)")
    return int(stop)


def _has_token(tokenizer: Any, token: str) -> bool:
    return token in (getattr(tokenizer, "all_special_tokens", None) or ())


def chat_prompt(tokenizer: Any, question: str, facts: str | None = None) -> str:
    """Prompt of a question (after facts, if given) by the model's chat template, without a system prompt."""
    content = question if facts is None else f"{facts}\n\n{question}"
    if _has_token(tokenizer, "<|im_start|>") and _has_token(tokenizer, "<|im_end|>"):
        return f"<|im_start|>user\n{content}<|im_end|>\n<|im_start|>assistant\n"
    if getattr(tokenizer, "chat_template", None):
        turns = [{"role": "user", "content": content}]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    return f"Question: {content}\nAnswer:"


def last_user_text(tokenizer: Any, ids: list[int]) -> str:
    """Question of a prompt: the last user turn of a chat, else the whole text."""
    texts = _turns(tokenizer, ids)
    turns = [text[5:].strip() for text in texts if text.startswith("user\n")]
    return turns[-1] if turns else " ".join(texts)


def is_chat(tokenizer: Any, ids: list[int]) -> bool:
    """Whether a prompt holds a turn of a user, rather than plain text."""
    return any(text.startswith("user\n") for text in _turns(tokenizer, ids))


def is_due(tokenizer: Any, ids: list[int]) -> bool:
    """Whether an answer follows a prompt: in a user's turn, after a question mark, or after "Answer:"."""
    return is_chat(tokenizer, ids) or bool(tokenizer.decode(ids[-4:]).rstrip().endswith(("?", ":")))


def rows_of(ids: Tensor, mask: Tensor | None) -> list[list[int]]:
    """Token ids of every row of [B, T], where the mask (of the same shape) is not 0."""
    kept = mask if mask is not None and mask.shape == ids.shape else torch.ones_like(ids)
    return [row[keep.bool()].tolist() for row, keep in zip(ids, kept, strict=True)]


def _turns(tokenizer: Any, ids: list[int]) -> list[str]:
    special, turns = set(tokenizer.all_special_ids or ()), [[]]  # type: list[int] | set[int], list[list[int]]
    for token in ids:
        turns.append([]) if token in special else turns[-1].append(token)
    return [text for turn in turns if (text := tokenizer.decode(turn).strip())]
