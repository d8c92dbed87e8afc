"""Consolidation into weights: a LoRA trained by replay of a memory's facts (Hu et al. 2021, with PEFT).

The memory stays as it is: the graph, the states of its entities and the weights then answer together.

    done = consolidate_into_weights(model, "adapter/")           # the adapter stays on the model's base
    model.ask("Where was Ada Lovelace born?")                    # graph and weights
    base = load_replayed(base, "adapter/")                       # in another process, before attach(...)
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F
from torch.nn.utils.rnn import pad_sequence

from graphmem.adapters.chat_templates import chat_prompt, stop_token
from graphmem.core.errors import InvalidValue, MissingExtra
from graphmem.core.names import normalise_relation
from graphmem.core.types import Fact
from graphmem.core.validation import require


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """Settings of replay.

    Attributes:
        steps: maximum number of optimizer steps.
        seconds: maximum CPU seconds; None for no bound.
        rank: of the adapters; alpha is twice that.
        learning_rate: at its peak.
        batch_size: texts a step.
        max_facts: maximum number of facts, the strongest first.
        seed: of weights and draws.
    """

    steps: int = 200
    seconds: float | None = None
    rank: int = 8
    learning_rate: float = 1e-3
    batch_size: int = 8
    max_facts: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "rank", "batch_size", "max_facts", "learning_rate"):
            require(getattr(self, name) > 0, name, getattr(self, name), "positive")
        require(self.seconds is None or self.seconds > 0, "seconds", self.seconds, "None or positive")


@dataclass(frozen=True, slots=True)
class Replayed:
    """Result of replay: facts, steps, CPU seconds, first and last loss in nats a token, and the adapter.

    ``adapter`` is PEFT's model around the base; ``adapter.unload()`` removes it.
    """

    facts: int
    steps: int
    seconds: float
    first_loss: float
    last_loss: float
    adapter: Any


def consolidate_into_weights(
    model: Any, folder: str | Path | None = None, *, facts: Sequence[Fact] | None = None,
    config: ReplayConfig | None = None, texts: Sequence[tuple[str, str]] | None = None,
) -> Replayed:  # fmt: skip
    """Train a LoRA on the facts of a model's memory and leave it on its base. Writes ``folder``, not the memory.

    Args:
        model: a ``GraphMemoryModel``, or anything with ``base``, ``tokenizer`` and ``memory``.
        folder: where PEFT writes the adapter; None keeps it in RAM.
        facts: facts to replay; all present facts of the memory when None.
        texts: (question or "", text) pairs to replay instead of facts.

    Raises:
        MissingExtra: peft is not installed.
        InvalidValue: there is nothing to replay.
    """
    config = config or ReplayConfig()
    chosen = list(facts if facts is not None else model.memory.facts(limit=config.max_facts))[: config.max_facts]
    pairs = list(texts) if texts is not None else [pair for fact in chosen for pair in replay_texts(fact)]
    if not pairs:
        raise InvalidValue("facts must hold at least one fact to replay, not none; add facts to the memory first")
    adapter = _adapted(model.base, config)
    steps, seconds, losses = _train(adapter, model.tokenizer, pairs, config)
    if folder is not None:
        adapter.save_pretrained(str(folder))
    return Replayed(len(chosen), steps, seconds, losses[0], losses[-1], adapter)


def load_replayed(base: Any, folder: str | Path) -> Any:
    """The base with a replayed adapter merged into its weights, ready for ``attach``. The base itself is changed.

    Raises:
        MissingExtra: peft is not installed.
        InvalidValue: no adapter in ``folder``.
    """
    if not (Path(folder) / "adapter_config.json").exists():
        raise InvalidValue(f"folder must hold an adapter that consolidate_into_weights wrote, not {str(folder)!r}")
    return _peft().PeftModel.from_pretrained(base, str(folder)).merge_and_unload()


def replay_texts(fact: Fact) -> Iterator[tuple[str, str]]:
    """Questions about a fact with their answers, and a statement of it without a question."""
    questions, statement = _templates(normalise_relation(fact.relation))
    for question in questions:
        yield question.format(s=fact.subject), fact.object
    yield "", fact.text or statement.format(s=fact.subject, o=fact.object)


@lru_cache(maxsize=4096)
def _templates(relation: str) -> tuple[tuple[str, ...], str]:
    """Templates of questions about a relation's object and of a statement: the lexicon's, else plain ones."""
    from graphmem.text.lexicon import load_lexicon

    for known in load_lexicon():
        if normalise_relation(known.relation) == relation:
            return known.questions[:4], known.statements[0]
    name = relation.replace("{", "").replace("}", "")
    return (f"What is the {name} of {{s}}?", f"{{s}}: {name}?"), f"{{s}} {name} {{o}}."


def _peft() -> Any:
    try:
        import peft
    except ImportError as error:
        raise MissingExtra("consolidation into weights needs peft: pip install 'graphmem[lora]'") from error
    return peft


def _adapted(base: Any, config: ReplayConfig) -> Any:
    peft = _peft()
    torch.manual_seed(config.seed)
    sizes = {"r": config.rank, "lora_alpha": 2 * config.rank}
    return peft.get_peft_model(base, peft.LoraConfig(**sizes, target_modules="all-linear", task_type="CAUSAL_LM"))


def _train(
    adapter: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], config: ReplayConfig
) -> tuple[int, float, list[float]]:
    """Steps taken, CPU seconds, and the loss of each step."""
    rng, start, losses = random.Random(config.seed), time.process_time(), list[float]()
    trained = [p for p in adapter.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.learning_rate, weight_decay=0.0)
    adapter.train()
    for step in range(config.steps):
        spent = (time.process_time() - start) / config.seconds if config.seconds else step / config.steps
        if spent >= 1:
            break
        optimizer.param_groups[0]["lr"] = config.learning_rate * min(1.0, 10 * (spent + 0.02), 2 * (1 - spent) + 0.02)
        loss = _loss(adapter, tokenizer, rng.choices(list(pairs), k=config.batch_size))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    adapter.eval()
    return len(losses), time.process_time() - start, losses


def _loss(adapter: Any, tokenizer: Any, batch: Sequence[tuple[str, str]]) -> torch.Tensor:
    """Mean cross-entropy of answers and statements, nats a token, [1]; without the memory."""
    stop = stop_token(adapter, tokenizer)
    rows = []
    for question, text in batch:
        prompt = tokenizer(chat_prompt(tokenizer, question), add_special_tokens=False)["input_ids"] if question else []
        target = [*tokenizer(text, add_special_tokens=False)["input_ids"], stop]
        rows.append((prompt + target, [-100] * len(prompt) + target, [1] * (len(prompt) + len(target))))
    ids, labels, mask = (
        pad_sequence([torch.tensor(row) for row in column], batch_first=True, padding_value=padding)
        for column, padding in zip(zip(*rows, strict=True), (stop, -100, 0), strict=True)
    )  # [B, T] each
    logits = adapter(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100)
