"""LoRA fine-tuned on the facts (Hu et al. 2021), with PEFT: knowledge in the weights, by gradient steps."""

from __future__ import annotations

import time
from collections.abc import Sequence
from random import Random
from typing import Any

import torch

from graphmem.core.errors import MissingExtra
from graphmem.experiments.methods.base import Cost, Language
from graphmem.experiments.methods.prompting import ClosedBook
from graphmem.experiments.methods.training import answer_loss
from graphmem.experiments.tasks.fact_set import Pair
from graphmem.training.loop import one_cycle


class Lora(ClosedBook):
    """A copy of the base with low-rank adapters on every linear layer, trained ``steps`` on each stage in turn.

    Raises:
        MissingExtra: peft is not installed.
    """

    name = "LoRA on the facts"

    def __init__(self, language: Language, steps: int, *, rate: float = 1e-3, batch: int = 16, seed: int = 0) -> None:
        try:
            from peft import LoraConfig, get_peft_model
        except ImportError as error:
            raise MissingExtra("the LoRA baseline needs peft: pip install 'graphmem[lora]'") from error
        torch.manual_seed(seed)
        config = LoraConfig(r=16, lora_alpha=32, target_modules="all-linear", task_type="CAUSAL_LM", lora_dropout=0.0)
        self.tuned: Any = get_peft_model(language.base, config)
        super().__init__(Language(self.tuned, language.tokenizer))
        self.steps, self.rate, self.batch, self.rng = steps, rate, batch, Random(seed)

    def learn(self, pairs: Sequence[Pair], steps: int | None = None) -> Cost:
        """Train on the texts of one stage; earlier stages are not rehearsed."""
        if not pairs:
            return Cost()
        cost, total = Cost(), steps or self.steps
        parameters = [p for p in self.tuned.parameters() if p.requires_grad]
        optimizer = torch.optim.AdamW(parameters, lr=self.rate, weight_decay=0.0)
        self.tuned.train()
        for step in range(total):
            optimizer.param_groups[0]["lr"] = self.rate * one_cycle(step, total, 0.1)
            began = time.perf_counter()
            loss, seen = answer_loss(self.language, self._batch(pairs))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            cost += Cost(1, seen, time.perf_counter() - began, (round(float(loss.detach()), 4),))
        self.tuned.eval()
        return cost

    def _batch(self, pairs: Sequence[Pair]) -> list[tuple[str, str]]:
        drawn = self.rng.choices(list(pairs), k=min(self.batch, 4 * len(pairs)))
        return [("" if question is None else self.language.prompt(question), text) for question, text in drawn]
