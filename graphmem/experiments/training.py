"""Training the rivals that read: questions of the training split, what a memory found for each, one loss for all."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.experiments.decoding import Cost, Language, insert_prefix
from graphmem.experiments.items import Asked, LookUp
from graphmem.training.loop import one_cycle

Lesson = tuple[Asked, str]
"""A question with what was found for it, and the answer to learn."""


def answer_loss(
    language: Language, texts: Sequence[tuple[str, str]], prefix: Tensor | None = None
) -> tuple[Tensor, int]:
    """Mean nats per token of what follows each prompt, the end of the turn included; and how many tokens were seen.

    Args:
        language: the model.
        texts: (prompt, what follows); an empty prompt stands for plain text, whose first token is not learnt.
        prefix: embeddings [B, P, D] before every prompt.
    """
    rows = [(language.ids(prompt), [*language.ids(said), language.stop]) for prompt, said in texts]
    width = max(len(a) + len(b) for a, b in rows)
    ids = torch.full((len(rows), width), language.stop)  # [B, T], padded on the left as in decoding
    labels, mask = torch.full_like(ids, -100), torch.zeros_like(ids)
    for i, (prompt, said) in enumerate(rows):
        begin = width - len(prompt) - len(said)
        ids[i, begin:] = torch.tensor(prompt + said)
        labels[i, width - len(said) :] = torch.tensor(said)
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


def train(
    module: nn.Module, loss_of: Callable[[list[Lesson]], tuple[Tensor, int]], lessons: Sequence[Lesson], steps: int, *,
    rate: float, batch: int = 8, seed: int = 0, report: Callable[[str], None] | None = None,
) -> Cost:  # fmt: skip
    """Train a rival's module; the base stays frozen.

    Args:
        module: what is trained.
        loss_of: loss and tokens of a batch.
        lessons: to draw from.
        steps: optimizer steps.
        rate: top of the learning rate's cycle.
        batch: questions a step.
        seed: of the draws.
        report: gets a line now and then.
    """
    rng, tokens, began = Random(seed), 0, time.perf_counter()
    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=0.01)
    module.train()
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * one_cycle(step, steps, 0.1)
        loss, seen = loss_of(rng.choices(list(lessons), k=batch))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        tokens += seen
        if report and (step % max(1, steps // 5) == 0 or step + 1 == steps):
            report(f"  step {step + 1} of {steps}: {float(loss.detach()):.3f} nats a token")
    module.eval()
    return Cost(steps, tokens, time.perf_counter() - began)


def training_lessons(count: int, seed: int = 0) -> list[Lesson]:
    """Questions of the training split and what a memory finds for them: half WikiMovies, half an invented world.

    Topics and relations are those of the training split: none is asked about in an experiment.
    """
    from graphmem.memory import GraphMemory
    from graphmem.wikimovies import load_questions, neighbourhood
    from graphmem.worlds import World, split_relations

    rng = Random(seed)
    films = rng.sample(list(load_questions("train")), count // 2)
    world = World.sample(rng, entities=400, relations=split_relations("train"))
    invented = [q for q in world.questions(rng, count - count // 2, hops=(1, 1, 2))]
    lessons: list[Lesson] = []
    parts: list[tuple[Sequence[Any], Sequence[Any]]] = [
        (neighbourhood(q.topic for q in films), films),
        (world.triples, invented),
    ]
    for facts, questions in parts:
        with GraphMemory.open(":memory:") as memory:
            memory.add_many(facts)
            asked = LookUp(memory)([q.question for q in questions])
        kept = [replace(a, found=None) for a in asked]
        lessons += [(a, rng.choice(q.answers)) for a, q in zip(kept, questions, strict=True) if a.facts]
    return lessons


def load_or_train(path: Path, module: nn.Module, settings: dict[str, Any], train_it: Callable[[], Cost]) -> Cost:
    """Take the module's weights from ``path`` if they were made under these settings, else train and write them."""
    if path.exists():
        kept = torch.load(path, weights_only=True)
        if kept["settings"] == settings:
            module.load_state_dict(kept["state"])
            module.eval()
            return Cost(**kept["cost"])
    cost = train_it()
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = {"steps": cost.steps, "tokens": cost.tokens, "seconds": cost.seconds}
    torch.save({"settings": settings, "state": module.state_dict(), "cost": plain}, path.with_suffix(".tmp"))
    path.with_suffix(".tmp").replace(path)
    return cost
