"""Trainer of memory layers with cached lower layers.

Decoder layers below the first memory layer do not depend on the memory and never change, so their states are computed
once for each text; a step runs only the layers above them, and scores only the learned positions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphmem.core.validation import require
from graphmem.fusion.candidates import Candidates, add_refusal
from graphmem.fusion.config import REFUSAL
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.hooks import hidden_of
from graphmem.fusion.memory_tokens import collate
from graphmem.generation.batching import right_padded
from graphmem.model import GraphMemoryModel
from graphmem.training.fusion.examples import Example, NamePool
from graphmem.training.loop import LoopConfig, run
from graphmem.training.run_files import load_value, refuse_former, save_value

FAST, KL_WEIGHT, KL_POSITIONS, CONFIDENT = 20.0, 3.0, 24, 0.4
"""Factor of the rate for biases (for gates its square root); weight of the KL in the sum of the losses; most positions
of a kept text that are compared; share of kept texts that get another question's confident retrieval."""


@dataclass(frozen=True, slots=True)
class FusionTraining:
    """Settings of fusion training.

    Attributes:
        loop: steps, seed, log.
        batch: learned texts a step.
        kl_batch: texts a step on which the base's predictions are kept (KL).
        rate: learning rate of matrices.
        gate: initial argument of tanh in closed gates.
        ramp: share of the steps in which the weight of the KL rises, so that copying is learned first.
        refusals: share of texts that are offered the refusal.
    """

    loop: LoopConfig = field(default_factory=lambda: LoopConfig(1200))
    batch: int = 24
    kl_batch: int = 5
    rate: float = 1e-3
    gate: float = 0.4
    ramp: float = 0.2
    refusals: float = 0.35

    def __post_init__(self) -> None:
        require(self.batch >= 1, "batch", self.batch, "at least 1")
        require(self.kl_batch >= 0, "kl_batch", self.kl_batch, "at least 0")
        require(self.rate > 0, "rate", self.rate, "positive")
        require(0 <= self.refusals <= 1, "refusals", self.refusals, "a share, 0 to 1")


class _Enough(Exception):
    """Ends a forward pass after the last layer that is needed."""


class LowerLayers:
    """Cached states of the layers up to the first memory layer of a frozen base, and the rest of it on top of them."""

    def __init__(self, attached: GraphMemoryModel) -> None:
        self.base, self.decoder, self.fusion = attached.base, attached.decoder, attached.fusion
        self.table, self.device = attached.table, attached.decoder.inputs.device
        self.first = self.fusion.layers[0]
        self._backbone = getattr(self.base, self.base.base_model_prefix)
        self._states: dict[tuple[int, ...], tuple[Tensor, Tensor]] = {}  # early and late, [T, D] each
        self._tuple = False

    @torch.no_grad()
    def add(self, texts: Sequence[tuple[int, ...]], file: str | Path | None = None) -> None:
        """Run the lower layers over texts that are neither cached yet nor in a file, which gets all states."""
        if file is not None:
            refuse_former(Path(file))
            if Path(file).exists():
                known = load_value(Path(file)).items()
                self._states |= {ids: (a.to(self.device), b.to(self.device)) for ids, (a, b) in known}
        new = sorted({ids for ids in texts if ids not in self._states}, key=len)
        while new:
            size = max(1, 2048 // len(new[-1]))  # tokens at once
            batch, new = new[-size:], new[:-size]
            early, late = self._run(*right_padded(batch, self.device))
            for row, ids in enumerate(batch):
                self._states[ids] = early[row, : len(ids)].clone(), late[row, : len(ids)].clone()
        if file is not None:
            save_value(Path(file), self._states)

    def states(self, batch: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """Early and late states of cached texts, [B, T, D] each, padded with zeros."""
        early, late = zip(*(self._states[ids] for ids in batch), strict=True)
        pad = nn.utils.rnn.pad_sequence
        return pad(list(early), batch_first=True), pad(list(late), batch_first=True)

    def upper(self, ids: Tensor, mask: Tensor, late: Tensor, early: Tensor, context: MemoryContext | None) -> Tensor:
        """Last hidden states [B, T, D], computed from the late states with a memory context."""
        if context is not None and context.tracker is not None:
            context.tracker.start_pass(0)
        with self._resumed(early, late), active_context(context):
            return hidden_of(self._backbone(input_ids=ids, attention_mask=mask, use_cache=False, return_dict=False))

    def scores(self, hidden: Tensor) -> Tensor:
        """Next-token logits, float32, of hidden states [n, D]."""
        logits = self.base.get_output_embeddings()(hidden).float()
        cap = getattr(self.base.config, "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    def _run(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        outputs: dict[int, Tensor] = {}

        def record(number: int, module: nn.Module, args: Any, output: Any) -> None:
            """Record the output of a layer, and end the pass after the last one needed."""
            self._tuple = not isinstance(output, Tensor)
            outputs[number] = hidden_of(output)
            if number == self.first:
                raise _Enough

        needed = {self.fusion.tap, self.first}
        handles = [self.decoder.layers[n].register_forward_hook(partial(record, n)) for n in needed]
        try:
            with suppress(_Enough):
                self._backbone(input_ids=ids, attention_mask=mask, use_cache=False)
        finally:
            for handle in handles:
                handle.remove()
        return outputs[self.fusion.tap], outputs[self.first]

    @contextmanager
    def _resumed(self, early: Tensor, late: Tensor) -> Iterator[None]:
        """Let the lower layers return the given states, or their inputs, while the model runs."""
        given = {self.fusion.tap: early, self.first: late}
        lower = self.decoder.layers[: self.first + 1]
        originals = [vars(layer).get("forward") for layer in lower]  # set on a layer by accelerate, for instance
        for number, layer in enumerate(lower):
            layer.forward = partial(self._skip, given.get(number))
        try:
            yield
        finally:
            for layer, original in zip(lower, originals, strict=True):
                del layer.forward
                if original is not None:
                    layer.forward = original

    def _skip(self, state: Tensor | None, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        hidden = hidden_states if state is None else state
        return (hidden,) if self._tuple else hidden


class FusionTrainer:
    """Trains a model's memory layers on groups of ``learned`` examples, each with its share of the batch.

    On ``kept`` examples the base's predictions are kept. ``pool`` has names for drawn candidates; the file
    ``lower_states`` caches the lower layers' states from run to run.
    """

    def __init__(
        self, attached: GraphMemoryModel, learned: Sequence[tuple[float, Sequence[Example]]],
        kept: Sequence[Example], pool: NamePool, config: FusionTraining, lower_states: str | Path | None = None,
    ) -> None:  # fmt: skip
        self.attached, self.pool, self.config = attached, pool, config
        self.learned = [(share, list(group)) for share, group in learned if group]
        self.kept = list(kept)
        examples = [example for _, group in self.learned for example in group]
        self._retrieved = [e.found for e in examples if e.found is not None and e.found.continuation is None]
        attached.fusion.float()
        self.lower = LowerLayers(attached)
        self.lower.add([example.ids for example in (*examples, *self.kept)], lower_states)

    def train(self, folder: str | Path) -> list[dict[str, float]]:
        """Run all steps; the folder gets log, checkpoint and ``fusion.safetensors``."""
        fusion, config = self.attached.fusion, self.config
        for layer in fusion.layers:
            if float(fusion[layer].gate.detach()) == 0.0:
                nn.init.constant_(fusion[layer].gate, config.gate)
        groups = fusion.parameter_groups(config.rate, FAST)
        optimizer = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))
        log = run(fusion, optimizer, self.losses, config.loop, folder)
        self.attached.save_pretrained(folder, trained={"config": asdict(config), "last": log[-1:]})
        return log

    def losses(self, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Losses of one step, nats per token, and the share of learned texts that are exactly right."""
        rng, config = Random(f"{self.config.loop.seed}/{step}"), self.config
        shares = [share for share, _ in self.learned]
        groups = rng.choices([group for _, group in self.learned], shares, k=config.batch)
        answer, exact = self._answer_loss([rng.choice(group) for group in groups], rng)
        parts = {"answer": answer}
        if self.kept and config.kl_batch:
            rise = min(1.0, 0.1 + step / max(1.0, config.ramp * config.loop.steps))
            parts["kl"] = rise * KL_WEIGHT * self._kl_loss(rng.choices(self.kept, k=config.kl_batch), rng)
        return parts, {"exact": exact}

    def _context(self, batch: Sequence[Example], rng: Random) -> MemoryContext | None:
        tokens = collate(self.attached.names, [self._candidates(example, rng) for example in batch])
        return MemoryContext.of(self.attached.fusion, self.lower.table, tokens)

    def _candidates(self, example: Example, rng: Random) -> Candidates:
        unknown, found = example.gold == REFUSAL, example.found
        others = self._retrieved if found is None and example.keep and example.offer else ()
        if others and rng.random() < CONFIDENT:
            found = rng.choice(others)
        if found is None:
            gold, max_nodes = None if unknown else example.gold, self.attached.config.max_nodes
            found = self.pool.candidates(rng, gold, max_nodes, example.answerable)
        offered = unknown or (example.offer and rng.random() < self.config.refusals)
        return add_refusal(found, REFUSAL) if offered and found.continuation is None else found

    def _answer_loss(self, batch: Sequence[Example], rng: Random) -> tuple[Tensor, float]:
        ids, mask, early, late = self._inputs(batch)
        hidden = self.lower.upper(ids, mask, late, early, self._context(batch, rng))
        where = [(row, len(e.prompt) - 1 + i) for row, e in enumerate(batch) for i in e.learned]
        rows, columns = torch.tensor(where, device=ids.device).T
        targets = torch.tensor([e.target[i] for e in batch for i in e.learned], device=ids.device)
        scores = self.lower.scores(hidden[rows, columns])
        wrong = torch.zeros(len(batch), device=ids.device).index_add_(0, rows, (scores.argmax(-1) != targets).float())
        return F.cross_entropy(scores, targets), float((wrong == 0).float().mean())

    def _kl_loss(self, batch: Sequence[Example], rng: Random) -> Tensor:
        ids, mask, early, late = self._inputs(batch)
        where = []
        for row, e in enumerate(batch):
            columns = range(max(len(e.prompt) - 1, 0), len(e.ids) - 1)
            some = columns if len(columns) <= KL_POSITIONS else sorted(rng.sample(columns, KL_POSITIONS))
            where += [(row, column) for column in some]
        at = tuple(torch.tensor(where, device=ids.device).T)
        with torch.no_grad():
            base = self.lower.scores(self.lower.upper(ids, mask, late, early, None)[at]).log_softmax(-1)
        hidden = self.lower.upper(ids, mask, late, early, self._context(batch, rng))
        now = self.lower.scores(hidden[at]).log_softmax(-1)
        return F.kl_div(now, base, log_target=True, reduction="batchmean")

    def _inputs(self, batch: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        texts = [example.ids for example in batch]
        return *right_padded(texts, self.lower.device), *self.lower.states(texts)
