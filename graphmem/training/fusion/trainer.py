"""Trains the readings of a fused model. Layers below the first reading never see the memory and never change, so what
they make of each text is computed once and kept; a step runs only the layers above, and scores only what is learnt."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphmem.core.validation import require
from graphmem.fusion.candidates import Candidates, add_refusal
from graphmem.fusion.context import MemoryContext, active_context
from graphmem.fusion.hooks import attend_memory, hidden_of
from graphmem.fusion.memory_tokens import collate
from graphmem.fusion.prefix_matching import PrefixTracker
from graphmem.model import GraphMemoryModel
from graphmem.training.fusion.examples import REFUSAL, Example, NamePool, draw_candidates
from graphmem.training.loop import LoopConfig, run


@dataclass(frozen=True, slots=True)
class FusionTraining:
    """How a fused model is trained.

    Attributes:
        loop: steps, seed, log.
        batch: texts a step that are taught.
        held: texts a step on which the base's own predictions are held (KL).
        held_positions: most positions of such a text that are compared.
        rate: learning rate of matrices; gates, biases learn ``fast`` times as quick.
        held_weight: of the KL in the sum of the losses.
        gate: where tanh's argument starts in every layer; 0 is closed.
        ramp: share of the steps in which the weight of the KL rises to its own, so that copying is learnt first.
        sure: share of held texts that are read beside what was found, surely, for somebody's question.
        refusals: share of taught and held texts that are offered the refusal beside their candidates.
    """

    loop: LoopConfig = field(default_factory=lambda: LoopConfig(1200))
    batch: int = 24
    held: int = 5
    held_positions: int = 24
    rate: float = 1e-3
    fast: float = 20.0
    held_weight: float = 3.0
    gate: float = 0.4
    ramp: float = 0.2
    refusals: float = 0.35
    sure: float = 0.4

    def __post_init__(self) -> None:
        require(self.batch >= 1, "batch", self.batch, "at least 1")
        require(self.held >= 0, "held", self.held, "at least 0")
        require(self.rate > 0 and self.fast > 0, "rate", self.rate, "positive")
        require(0 <= self.refusals <= 1, "refusals", self.refusals, "a share, 0 to 1")


@dataclass(frozen=True, slots=True)
class Kept:
    """States of one text below the first reading: early and late, [T, D] each, in the base's dtype."""

    early: Tensor
    late: Tensor


class _Enough(Exception):
    """Stops a forward pass once the last wanted layer has run."""


class LowerLayers:
    """What the layers up to the first reading make of texts, and the rest of the model on top of it.

    Args:
        attached: the model; its base must not change while this is used.
    """

    def __init__(self, attached: GraphMemoryModel) -> None:
        self.base, self.decoder, self.fusion = attached.base, attached.decoder, attached.fusion
        self.table = attached.table
        self.first = self.fusion.layers[0]
        self._kept: dict[tuple[int, ...], Kept] = {}
        self._tuple = False

    def save(self, path: str | Path) -> None:
        """Write all kept states to a file."""
        torch.save({ids: (kept.early, kept.late) for ids, kept in self._kept.items()}, path)

    def load(self, path: str | Path) -> None:
        """Take the states of a file that ``save`` wrote for the same base and layers, on whatever device."""
        rows = torch.load(path, map_location=self.device, weights_only=True)
        self._kept |= {ids: Kept(early, late) for ids, (early, late) in rows.items()}

    @torch.no_grad()
    def keep(self, texts: Sequence[tuple[int, ...]], tokens_at_once: int = 2048) -> None:
        """Run the lower layers over texts and keep their states."""
        new = sorted({ids for ids in texts if ids not in self._kept}, key=len)
        while new:
            size = max(1, tokens_at_once // len(new[-1]))
            batch, new = new[-size:], new[:-size]
            early, late = self._run(*padded(batch, self.device))
            for row, ids in enumerate(batch):
                self._kept[ids] = Kept(early[row, : len(ids)].clone(), late[row, : len(ids)].clone())

    def states(self, batch: Sequence[tuple[int, ...]]) -> tuple[Tensor, Tensor]:
        """Early and late states of kept texts, [B, T, D] each, zeros behind the end of each."""
        kept = [self._kept[ids] for ids in batch]
        pad = lambda rows: nn.utils.rnn.pad_sequence(rows, batch_first=True)
        return pad([k.early for k in kept]), pad([k.late for k in kept])

    def upper(self, ids: Tensor, mask: Tensor, late: Tensor, early: Tensor, session: MemoryContext | None) -> Tensor:
        """Last hidden states [B, T, D] of the layers above, from the late states, reading the session's memory."""
        x = late
        if session is not None:
            session.current, session.early = self.table.inputs(ids), early
            if session.standing is not None:
                session.standing.begin(0)
                session.standing.see(ids)
            x = attend_memory(session, self.first, x)
        with self._resumed(x), active_context(session):
            return hidden_of(self._backbone(input_ids=ids, attention_mask=mask, use_cache=False, return_dict=False))

    def scores(self, hidden: Tensor) -> Tensor:
        """Next-token logits, float32, of hidden states [n, D]."""
        logits = self.base.get_output_embeddings()(hidden).float()
        cap = getattr(self.base.config, "final_logit_softcapping", None)
        return torch.tanh(logits / cap) * cap if cap else logits

    @property
    def device(self) -> torch.device:
        """Of the base, and so of everything here."""
        return self.decoder.inputs.device

    @property
    def _backbone(self) -> nn.Module:
        return getattr(self.base, self.base.base_model_prefix)

    def _run(self, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        seen: dict[int, Tensor] = {}

        def see(number: int) -> Any:
            """A hook that keeps what layer ``number`` returns, and stops after the last that is wanted."""

            def hook(module: nn.Module, args: Any, output: Any) -> None:
                self._tuple = not isinstance(output, Tensor)
                seen[number] = hidden_of(output)
                if number == self.first:
                    raise _Enough

            return hook

        handles = [self.decoder.layers[n].register_forward_hook(see(n)) for n in {self.fusion.tap, self.first}]
        try:
            self._backbone(input_ids=ids, attention_mask=mask, use_cache=False)
        except _Enough:
            pass
        finally:
            for handle in handles:
                handle.remove()
        return seen[self.fusion.tap], seen[self.first]

    @contextmanager
    def _resumed(self, x: Tensor) -> Iterator[None]:
        """Let stand-ins take the lower layers' places while the model runs; the first one hands out ``x``."""
        layers = self.decoder.layers
        originals = list(layers[: self.first + 1])
        try:
            for number, layer in enumerate(originals):
                layers[number] = _StandIn(layer, x if number == 0 else None, self._tuple)
            yield
        finally:
            for number, layer in enumerate(originals):
                layers[number] = layer


class _StandIn(nn.Module):
    """Takes a decoder layer's place: hands on what comes in, or a state given to it."""

    def __init__(self, layer: nn.Module, state: Tensor | None, as_tuple: bool) -> None:
        super().__init__()
        object.__setattr__(self, "_layer", layer)
        self._state, self._as_tuple = state, as_tuple

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(object.__getattribute__(self, "_layer"), name)

    def forward(self, hidden_states: Tensor, *args: Any, **kwargs: Any) -> Any:
        hidden = hidden_states if self._state is None else self._state
        return (hidden,) if self._as_tuple else hidden


def padded(texts: Sequence[tuple[int, ...]], device: torch.device | str = "cpu") -> tuple[Tensor, Tensor]:
    """Token ids and mask, int64 [B, T] each, padded on the right."""
    width = max(len(text) for text in texts)
    ids = [(*text, *[0] * (width - len(text))) for text in texts]
    mask = [[1] * len(text) + [0] * (width - len(text)) for text in texts]
    made = torch.tensor([ids, mask], dtype=torch.int64, device=device)
    return made[0], made[1]


class FusionTrainer:
    """Teaches a model's readings from examples.

    Args:
        attached: the model; only its fusion's parameters change.
        taught: groups of examples with the share of the batch that each fills.
        held: examples on which the base is held.
        pool: names for drawn candidates.
        config: rates and sizes.
        kept: file in which the lower layers' states are kept from run to run.
    """

    def __init__(
        self,
        attached: GraphMemoryModel,
        taught: Sequence[tuple[float, Sequence[Example]]],
        held: Sequence[Example],
        pool: NamePool,
        config: FusionTraining,
        kept: str | Path | None = None,
    ) -> None:
        self.attached, self.pool, self.config = attached, pool, config
        self.taught = [(share, list(group)) for share, group in taught if group]
        self.held = list(held)
        self._real = [
            e.found for _, group in self.taught for e in group if e.found is not None and e.found.told is None
        ]
        attached.fusion.float()
        self.lower = LowerLayers(attached)
        if kept is not None and Path(kept).exists():
            self.lower.load(kept)
        self.lower.keep([e.ids for _, group in self.taught for e in group] + [e.ids for e in self.held])
        if kept is not None:
            self.lower.save(kept)

    def train(self, folder: str | Path) -> list[dict[str, float]]:
        """Run all steps; the folder holds log and checkpoint, and ``fusion.safetensors`` at the end."""
        fusion, config = self.attached.fusion, self.config
        for layer in fusion.layers:
            if float(fusion[layer].gate.detach()) == 0.0:
                nn.init.constant_(fusion[layer].gate, config.gate)
        groups = fusion.parameter_groups(config.rate, config.fast)
        optimizer = torch.optim.AdamW(groups, weight_decay=0.01, betas=(0.9, 0.98))
        log = run(fusion, optimizer, self.losses, config.loop, folder)
        self.attached.save_pretrained(folder, trained={"config": asdict(config), "last": log[-1:]})
        return log

    def losses(self, step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        """Losses of one step, nats per token, and the share of taught texts that are exactly right."""
        rng = Random(f"{self.config.loop.seed}/{step}")
        shares = [share for share, _ in self.taught]
        groups = rng.choices([group for _, group in self.taught], shares, k=self.config.batch)
        answer, exact = self._answer_loss([rng.choice(group) for group in groups], rng)
        parts = {"answer": answer}
        if self.held and self.config.held:
            rise = min(1.0, 0.1 + step / max(1.0, self.config.ramp * self.config.loop.steps))
            parts["held"] = (
                rise * self.config.held_weight * self._held_loss(rng.choices(self.held, k=self.config.held), rng)
            )
        return parts, {"exact": exact}

    def _session(self, batch: Sequence[Example], rng: Random) -> MemoryContext:
        tokens = collate(self.attached.names, [self._candidates(example, rng) for example in batch]).to(
            self.lower.device
        )
        slots = self.attached.fusion.project(tokens, self.lower.table, self.lower.decoder.inputs.dtype)
        return MemoryContext(self.attached.fusion, slots, tokens.answerable, standing=PrefixTracker(tokens))

    def _candidates(self, example: Example, rng: Random) -> Candidates:
        unknown = example.gold == REFUSAL
        seen = example.found
        if seen is None and example.hold and example.offer and self._real and rng.random() < self.config.sure:
            seen = rng.choice(self._real)  # what was found for another question, however sure the memory was of it
        if seen is None:
            gold, limit = None if unknown else example.gold, self.attached.config.nodes
            seen = draw_candidates(rng, self.pool, gold, limit, example.answerable)
        offered = unknown or (example.offer and rng.random() < self.config.refusals)
        return add_refusal(seen, REFUSAL) if offered and seen.told is None else seen

    def _answer_loss(self, batch: Sequence[Example], rng: Random) -> tuple[Tensor, float]:
        ids, mask, early, late = self._inputs(batch)
        hidden = self.lower.upper(ids, mask, late, early, self._session(batch, rng))
        where = [(row, len(e.prompt) - 1 + i) for row, e in enumerate(batch) for i in e.learnt]
        rows, columns = torch.tensor(where, device=ids.device).T
        said = torch.tensor([e.target[i] for e in batch for i in e.learnt], device=ids.device)
        scores = self.lower.scores(hidden[rows, columns])
        wrong = torch.zeros(len(batch), device=ids.device).index_add_(0, rows, (scores.argmax(-1) != said).float())
        return F.cross_entropy(scores, said), float((wrong == 0).float().mean())

    def _held_loss(self, batch: Sequence[Example], rng: Random) -> Tensor:
        ids, mask, early, late = self._inputs(batch)
        where = [
            (row, column)
            for row, e in enumerate(batch)
            for column in _some(rng, len(e.prompt) - 1, len(e.ids) - 1, self.config.held_positions)
        ]
        rows, columns = torch.tensor(where, device=ids.device).T
        with torch.no_grad():
            base = self.lower.scores(self.lower.upper(ids, mask, late, early, None)[rows, columns]).log_softmax(-1)
        hidden = self.lower.upper(ids, mask, late, early, self._session(batch, rng))
        now = self.lower.scores(hidden[rows, columns]).log_softmax(-1)
        return F.kl_div(now, base, log_target=True, reduction="batchmean")

    def _inputs(self, batch: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        texts = [example.ids for example in batch]
        return *padded(texts, self.lower.device), *self.lower.states(texts)


def _some(rng: Random, start: int, stop: int, limit: int) -> list[int]:
    columns = list(range(max(start, 0), stop))
    return columns if len(columns) <= limit else sorted(rng.sample(columns, limit))
