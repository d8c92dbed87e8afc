"""Training of the baselines that read retrieved facts, on questions of the training split."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.experiments.methods.base import Cost, Language, insert_prefix
from graphmem.experiments.tasks.fact_set import MAX_FACTS, CachedRetriever, Query
from graphmem.training.loop import one_cycle

TrainingExample = tuple[Query, str]
"""A query with its retrieved facts, and the answer."""


def answer_loss(
    language: Language, texts: Sequence[tuple[str, str]], prefix: Tensor | None = None
) -> tuple[Tensor, int]:
    """Mean nats per token of the text after each prompt, the end of the turn included; and the number of tokens seen.

    Args:
        language: the model.
        texts: (prompt, text after it); with an empty prompt the first token of the text is no target.
        prefix: embeddings [B, P, D] before every prompt.
    """
    rows = [(language.ids(prompt), [*language.ids(answer), language.stop]) for prompt, answer in texts]
    width = max(len(a) + len(b) for a, b in rows)
    ids = torch.full((len(rows), width), language.stop)  # [B, T], padded on the left as in decoding
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for i, (prompt, answer) in enumerate(rows):
        begin = width - len(prompt) - len(answer)
        ids[i, begin:] = torch.tensor(prompt + answer)
        labels[i, width - len(answer) :] = torch.tensor(answer)
        labels[i, begin] = -100
        mask[i, begin:] = 1
    ids, labels, mask = (t.to(language.base.device) for t in (ids, labels, mask))
    embeds, extra = language.embedding(ids), 0
    if prefix is not None:
        embeds, mask = insert_prefix(embeds, mask, prefix)
        extra = prefix.shape[1]
    at = (labels[:, 1:] != -100).nonzero(as_tuple=True)  # a prefix moves every position by the same P
    hidden = _body(language.base)(inputs_embeds=embeds, attention_mask=mask, use_cache=False).last_hidden_state
    logits = language.base.get_output_embeddings()(hidden[at[0], at[1] + extra]).float()
    return F.cross_entropy(logits, labels[:, 1:][at]), int(mask.sum())


def _body(base: Any) -> nn.Module:
    """The stack without its head, also under PEFT."""
    inner = base.get_base_model() if hasattr(base, "get_base_model") else base
    return inner.base_model  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The file of a baseline's training, from which it is resumed.

    Attributes:
        path: of the file.
        settings: what the weights depend on; a file with others is ignored.
        every: steps between two writings.
    """

    path: Path
    settings: Mapping[str, Any]
    every: int = 10

    def read(self) -> dict[str, Any] | None:
        """The content saved under these settings; None if there is none."""
        kept = torch.load(self.path, weights_only=True) if self.path.exists() else None
        return kept if kept is not None and kept["settings"] == dict(self.settings) else None

    def write(self, module: nn.Module, optimizer: torch.optim.Optimizer, draws: Sequence[Any], cost: Cost) -> None:
        """Save everything that the next step depends on, in one atomic replacement of the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        content = {"settings": dict(self.settings), "state": module.state_dict(), "optimizer": optimizer.state_dict()}
        half = self.path.with_suffix(".tmp")
        torch.save({**content, "draws": draws, "cost": (cost.steps, cost.tokens, cost.seconds, cost.losses)}, half)
        half.replace(self.path)


def train(
    module: nn.Module, loss_of: Callable[[list[TrainingExample]], tuple[Tensor, int]],
    examples: Sequence[TrainingExample] | Callable[[], Sequence[TrainingExample]], steps: int, *, rate: float,
    batch: int = 8, seed: int = 0, report: Callable[[str], None] | None = None, keep: Checkpoint | None = None,
) -> Cost:  # fmt: skip
    """Train a baseline's module; the base stays frozen.

    Args:
        module: the trained module.
        loss_of: loss and tokens of a batch.
        examples: to draw from, or a function that makes them, called if a step is left.
        steps: optimizer steps.
        rate: peak learning rate.
        batch: questions a step.
        seed: of the draws.
        report: gets a line every fifth of the steps.
        keep: the file to save to and to resume from.
    """
    rng, cost = Random(seed), Cost()
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=0.01)
    if keep is not None and (kept := keep.read()) is not None:
        module.load_state_dict(kept["state"])
        optimizer.load_state_dict(kept["optimizer"])
        rng.setstate((kept["draws"][0], tuple(kept["draws"][1]), kept["draws"][2]))
        cost = Cost(*kept["cost"])
    drawn = list(examples() if callable(examples) else examples) if cost.steps < steps else []
    module.train()
    for step in range(cost.steps, steps):
        began = time.perf_counter()
        optimizer.param_groups[0]["lr"] = rate * one_cycle(step, steps, 0.1)
        loss, seen = loss_of(rng.choices(drawn, k=batch))
        optimizer_step(loss, optimizer, module.parameters())
        cost += Cost(1, seen, time.perf_counter() - began, (round(float(loss.detach()), 4),))
        last = step + 1 == steps
        if report and (step % max(1, steps // 5) == 0 or last):
            report(f"  step {step + 1} of {steps}: {cost.losses[-1]:.3f} nats a token")
        if keep is not None and (last or (step + 1) % keep.every == 0):
            keep.write(module, optimizer, rng.getstate(), cost)
    module.eval()
    return cost


def optimizer_step(loss: Tensor, optimizer: torch.optim.Optimizer, parameters: Iterable[nn.Parameter]) -> None:
    """One optimizer step, gradients clipped to a norm of 1."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(list(parameters), 1.0)
    optimizer.step()


def training_examples(count: int, seed: int = 0, max_facts: int = MAX_FACTS) -> list[TrainingExample]:
    """Questions of the training split with their retrieved facts: half WikiMovies, half an invented world.

    Topics and relations are those of the training split: none is asked about in an experiment.
    """
    from graphmem.datasets.wikimovies import load_questions, neighbourhood
    from graphmem.memory import GraphMemory
    from graphmem.synthetic.worlds import World
    from graphmem.text.lexicon import split_relations

    rng = Random(seed)
    films = rng.sample(list(load_questions("train")), count // 2)
    world = World.sample(rng, entities=400, relations=split_relations("train"))
    invented = [q for q in world.questions(rng, count - count // 2, hops=(1, 1, 2))]
    examples: list[TrainingExample] = []
    parts: list[tuple[Sequence[Any], Sequence[Any]]] = [
        (neighbourhood(q.topic for q in films), films),
        (world.triples, invented),
    ]
    for facts, questions in parts:
        with GraphMemory.open(":memory:") as memory:
            memory.add_many(facts)
            found = CachedRetriever(memory, max_facts=max_facts)([q.question for q in questions])
        queries = [replace(query, retrieval=None) for query in found]
        examples += [(query, rng.choice(q.answers)) for query, q in zip(queries, questions, strict=True) if query.facts]
    return examples
