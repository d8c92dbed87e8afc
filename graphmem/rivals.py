"""What a memory is measured against: the same base model alone, and with the same facts in its prompt."""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphmem.graph import Fact

if TYPE_CHECKING:
    from graphmem.model import GraphMemoryModel

MOST_FACTS = 50
"""Facts in a prompt at most: about 250 tokens of SmolLM2's 2,048."""

ALONE = "Answer the question with a name only.\n\nQuestion: {question}?"
WITH_FACTS = "Facts:\n{facts}\n\nAnswer the question from the facts, with a name only.\n\nQuestion: {question}?"


@dataclass(frozen=True, slots=True)
class Said:
    """An answer of a rival: its text, how long its prompt was, and how long it took (mean of its batch)."""

    text: str
    prompt_tokens: int
    seconds: float


def closed_book(model: GraphMemoryModel, questions: Sequence[str], *, batch: int = 16) -> list[Said]:
    """What the base model answers with nothing to go by."""
    prompts = [ALONE.format(question=question.rstrip("?")) for question in questions]
    return _say(model, prompts, batch)


def facts_in_prompt(
    model: GraphMemoryModel, questions: Sequence[str], facts: Sequence[Sequence[Fact]], *, batch: int = 8
) -> list[Said]:
    """What the base model answers with the facts (at most ``MOST_FACTS`` of each list) written into its prompt."""
    prompts = [
        WITH_FACTS.format(facts="\n".join(map(_sentence, known[:MOST_FACTS])), question=question.rstrip("?"))
        for question, known in zip(questions, facts, strict=True)
    ]
    return _say(model, prompts, batch)


def _sentence(fact: Fact) -> str:
    return fact.text or f"{fact.subject} {fact.relation} {fact.object}."


def _say(model: GraphMemoryModel, prompts: Sequence[str], batch: int, most: int = 24) -> list[Said]:
    """Greedy answers of the base with the memory switched off, by the tokenizer's own chat template."""
    import torch

    tokenizer = model.tokenizer
    texts = [_chat(tokenizer, prompt) for prompt in prompts]
    said: list[Said] = []
    for start in range(0, len(texts), batch):
        ids = tokenizer(
            texts[start : start + batch], return_tensors="pt", padding=True, padding_side="left",
            add_special_tokens=False,
        )  # fmt: skip
        began = time.perf_counter()
        with torch.no_grad(), model.memory_disabled():
            out = model.base_model.generate(**ids, do_sample=False, max_new_tokens=most)
        each = (time.perf_counter() - began) / len(out)
        for row, mask in zip(out, ids["attention_mask"], strict=True):
            text = tokenizer.decode(row[ids["input_ids"].shape[1] :], skip_special_tokens=True).strip()
            said.append(Said(text, int(mask.sum()), each))
    return said


def _chat(tokenizer: Any, prompt: str) -> str:
    if not tokenizer.chat_template:
        return f"{prompt}\nAnswer:"
    turns = [{"role": "user", "content": prompt}]
    return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))


# ---------------------------------------------------------------- right or wrong


def comparable(text: str) -> str:
    """Text without case, accents' composition, articles and punctuation, for comparing answers."""
    plain = re.sub(r"[^\w\s]", " ", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(word for word in plain.split() if word not in {"a", "an", "the"})


def contains_answer(text: str, answers: Sequence[str]) -> bool:
    """Whether a right answer occurs anywhere in the text, as whole words."""
    said = f" {comparable(text)} "
    return any(f" {comparable(answer)} " in said for answer in answers if comparable(answer))


def first_answer_right(text: str, answers: Sequence[str]) -> bool:
    """Whether the first line of the text is one of the right answers, whole, and nothing else."""
    first = comparable(text.strip().split("\n")[0])
    return bool(first) and first in {comparable(answer) for answer in answers}
