"""Training of the baselines that read retrieved facts, on questions of the training split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphmem.datasets.wikimovies import load_questions, neighbourhood
from graphmem.experiments.methods.base import Cost, Language, insert_prefix
from graphmem.experiments.tasks.fact_set import MAX_FACTS, CachedRetriever, Query
from graphmem.generation.batching import left_padded
from graphmem.memory import GraphMemory
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import split_relations
from graphmem.training.loop import LoopConfig, run

TrainingExample = tuple[Query, str]
"""A query with its retrieved facts, and the answer."""


def answer_loss(
    language: Language, texts: Sequence[tuple[str, str]], prefix: Tensor | None = None
) -> tuple[Tensor, int]:
    """Mean nats per token of the text after each prompt, the end of the turn included; and the number of tokens seen.

    With an empty prompt the first token of the text is no target. ``prefix`` [B, P, D] comes before every prompt.
    """
    rows = [(language.ids(prompt), [*language.ids(answer), language.stop]) for prompt, answer in texts]
    targets = [([-100] * len(prompt) + answer)[1:] for prompt, answer in rows]
    ids, mask = left_padded([prompt + answer for prompt, answer in rows], language.stop, language.base.device)
    labels, _ = left_padded([[-100, *target] for target in targets], -100, language.base.device)
    embeds, extra = language.embedding(ids), 0
    if prefix is not None:
        embeds, mask = insert_prefix(embeds, mask, prefix)
        extra = prefix.shape[1]
    at = (labels[:, 1:] != -100).nonzero(as_tuple=True)  # a prefix moves every position by the same P
    inner = language.base.get_base_model() if hasattr(language.base, "get_base_model") else language.base  # of PEFT
    hidden = inner.base_model(inputs_embeds=embeds, attention_mask=mask, use_cache=False).last_hidden_state
    logits = language.base.get_output_embeddings()(hidden[at[0], at[1] + extra]).float()
    return F.cross_entropy(logits, labels[:, 1:][at]), int(mask.sum())


def train(
    module: nn.Module, loss_of: Callable[[list[TrainingExample]], tuple[Tensor, int]],
    examples: Callable[[], Sequence[TrainingExample]], steps: int, folder: Path, *, rate: float, batch: int = 8,
    seed: int = 0,
) -> Cost:  # fmt: skip
    """Train a baseline's module; the base stays frozen. Writes checkpoints to ``folder`` and resumes from them.

    ``loss_of`` returns loss and tokens of a batch; ``examples`` makes those to draw from, and is called if a step is
    left; ``rate`` is the peak learning rate.
    """
    pool: list[TrainingExample] = []

    def losses(step: int) -> tuple[dict[str, Tensor], dict[str, float]]:
        pool.extend(() if pool else examples())
        loss, tokens = loss_of(Random(f"{seed} {step}").choices(pool, k=batch))
        return {"nats": loss}, {"tokens": float(tokens)}

    optimizer = torch.optim.AdamW(module.parameters(), lr=rate, weight_decay=0.01)
    module.train()
    log = run(module, optimizer, losses, LoopConfig(steps, seed=seed, log_every=1, save_every=10), folder)
    module.eval()
    tokens, seconds = (sum(line[name] for line in log) for name in ("tokens", "seconds"))
    return Cost(len(log), int(tokens), seconds, tuple(round(line["nats"], 4) for line in log))


def training_examples(count: int, seed: int = 0, max_facts: int = MAX_FACTS) -> list[TrainingExample]:
    """Questions of the training split with their retrieved facts: half WikiMovies, half an invented world.

    Topics and relations are those of the training split: none is asked about in an experiment.
    """
    rng = Random(seed)
    films = rng.sample(list(load_questions("train")), count // 2)
    world = World.sample(rng, entities=400, relations=split_relations("train"))
    invented = [q for q in world.questions(rng, count - count // 2, hops=(1, 1, 2))]
    examples: list[TrainingExample] = []
    parts: list[tuple[Sequence[Any], Sequence[Any]]]
    parts = [(neighbourhood(q.topic for q in films), films), (world.triples, invented)]
    for facts, questions in parts:
        with GraphMemory.open(":memory:") as memory:
            memory.add_many(facts)
            found = CachedRetriever(memory, max_facts=max_facts)([q.question for q in questions])
        queries = [replace(query, retrieval=None) for query in found]
        examples += [(query, rng.choice(q.answers)) for query, q in zip(queries, questions, strict=True) if query.facts]
    return examples
