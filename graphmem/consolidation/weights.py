"""Consolidation into weights: a LoRA trained by replaying the facts of a memory (Hu et al. 2021, with PEFT).

What the graph holds is said and asked again and again until the weights know it too. The memory stays as it is: the
explicit facts, the state they are in, and the weights then answer together.

    done = consolidate_into_weights(model, "adapter/")           # the adapter stays on the model's base
    model.ask("Where was Ada Lovelace born?")                    # both memories at work
    base = load_replayed(base, "adapter/")                       # another day, before attach(...)
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

from graphmem.adapters.chat_templates import chat_prompt, stop_token
from graphmem.core.errors import InvalidValue, MissingExtra
from graphmem.core.names import normalise
from graphmem.core.types import Fact
from graphmem.core.validation import require


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """How facts are replayed.

    Attributes:
        steps: optimizer steps at most.
        seconds: CPU seconds at most; None for no bound.
        rank: of the adapters; alpha is twice that.
        rate: learning rate.
        batch: texts a step.
        most: facts that are replayed at most, the strongest first.
        seed: of weights and draws.
    """

    steps: int = 200
    seconds: float | None = None
    rank: int = 8
    rate: float = 1e-3
    batch: int = 8
    most: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "rank", "batch", "most", "rate"):
            require(getattr(self, name) > 0, name, getattr(self, name), "positive")
        require(self.seconds is None or self.seconds > 0, "seconds", self.seconds, "None or positive")


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did: facts replayed, steps taken, CPU seconds, first and last loss in nats a token, the adapter.

    ``adapter`` is PEFT's model around the base; ``adapter.unload()`` takes the adapter off.
    """

    facts: int
    steps: int
    seconds: float
    first: float
    last: float
    adapter: Any


def consolidate_into_weights(
    model: Any, folder: str | Path | None = None, *, facts: Sequence[Fact] | None = None,
    config: ReplayConfig | None = None, texts: Sequence[tuple[str, str]] | None = None,
) -> Replayed:  # fmt: skip
    """Train a LoRA on the facts of a model's memory and leave it on its base. Writes ``folder``, not the memory.

    Args:
        model: a ``GraphMemoryModel``, or anything with ``base``, ``tokenizer`` and ``memory``.
        folder: where PEFT writes the adapter; None keeps it in RAM.
        facts: what to replay; all present facts of the memory when None.
        config: how.
        texts: (question or "", text) to replay instead of facts.

    Raises:
        MissingExtra: peft is not installed.
        InvalidValue: there is nothing to replay.
    """
    config = config or ReplayConfig()
    chosen = list(facts if facts is not None else model.memory.facts(limit=config.most))[: config.most]
    pairs = list(texts) if texts is not None else [pair for fact in chosen for pair in said_and_asked(fact)]
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
        InvalidValue: no adapter lies in ``folder``.
    """
    if not (Path(folder) / "adapter_config.json").exists():
        raise InvalidValue(f"folder must hold an adapter that consolidate_into_weights wrote, not {str(folder)!r}")
    return _peft().PeftModel.from_pretrained(base, str(folder)).merge_and_unload()


def said_and_asked(fact: Fact) -> Iterator[tuple[str, str]]:
    """A fact as questions with their answers, and as a statement without a question."""
    asked, stated = _wordings(normalise(fact.relation))
    for question in asked:
        yield question.format(s=fact.subject), fact.object
    yield "", fact.text or stated.format(s=fact.subject, o=fact.object)


@lru_cache(maxsize=4096)
def _wordings(relation: str) -> tuple[tuple[str, ...], str]:
    """Questions about a relation's object and a statement, as templates: the lexicon's, else plain ones."""
    from graphmem.text.lexicon import load_lexicon

    for known in load_lexicon():
        if normalise(known.relation) == relation:
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
    return peft.get_peft_model(
        base,
        peft.LoraConfig(
            r=config.rank, lora_alpha=2 * config.rank, target_modules="all-linear", task_type="CAUSAL_LM",
        ),
    )  # fmt: skip


def _train(
    adapter: Any, tokenizer: Any, pairs: Sequence[tuple[str, str]], config: ReplayConfig
) -> tuple[int, float, list[float]]:
    """Steps taken, CPU seconds, and the loss of each step."""
    rng, begun, losses = random.Random(config.seed), time.process_time(), list[float]()
    trained = [p for p in adapter.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=config.rate, weight_decay=0.0)
    adapter.train()
    for step in range(config.steps):
        spent = (time.process_time() - begun) / config.seconds if config.seconds else step / config.steps
        if spent >= 1:
            break
        optimizer.param_groups[0]["lr"] = config.rate * min(1.0, 10 * (spent + 0.02), 2 * (1 - spent) + 0.02)
        loss = _loss(adapter, tokenizer, rng.choices(list(pairs), k=config.batch))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        losses.append(float(loss.detach()))
    adapter.eval()
    return len(losses), time.process_time() - begun, losses


def _loss(adapter: Any, tokenizer: Any, batch: Sequence[tuple[str, str]]) -> torch.Tensor:
    """Mean nats a token of answers and statements, [1]; the memory is off."""
    stop = stop_token(adapter, tokenizer)
    rows = []
    for question, text in batch:
        prompt = tokenizer(chat_prompt(tokenizer, question), add_special_tokens=False)["input_ids"] if question else []
        rows.append((prompt, [*tokenizer(text, add_special_tokens=False)["input_ids"], stop]))
    longest = max(len(prompt) + len(said) for prompt, said in rows)
    ids = torch.full((len(rows), longest), stop)  # [B, T]
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for row, (prompt, said) in enumerate(rows):
        end = len(prompt) + len(said)
        ids[row, :end] = torch.tensor(prompt + said)
        labels[row, len(prompt) : end] = torch.tensor(said)
        mask[row, :end] = 1
    logits = adapter(input_ids=ids, attention_mask=mask, use_cache=False).logits[:, :-1]
    return F.cross_entropy(logits.flatten(0, 1).float(), labels[:, 1:].flatten(), ignore_index=-100)
