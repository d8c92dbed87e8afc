"""Train continuation attention, the half of the fusion weights that attends in plain text.

graphmem train continuation --weights graphmem/weights/smollm2-135m --memory wikimovies.db --out runs/continuation
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from graphmem.datasets.webnlg import FactText, draw_fact_texts, fact_texts
from graphmem.fusion.continuation_attention import DROPOUT
from graphmem.model import GraphMemoryModel
from graphmem.training.fusion.continuation_examples import (
    ContinuationExamples,
    accidental_examples,
    mark_texts,
    user_texts,
)
from graphmem.training.fusion.examples import EXAMPLE_CLASSES, Example, ExampleBuilder, NamePool
from graphmem.training.fusion.mixture import plain_texts, scaled
from graphmem.training.fusion.trainer import FusionTrainer, FusionTraining
from graphmem.training.loop import LoopConfig, started
from graphmem.training.reader.curriculum import Curriculum, curriculum
from graphmem.training.run_files import cached

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ContinuationTraining:
    """Numbers of texts: synthetic ones, short and long, introductions of articles, profiles; texts to be kept."""

    texts: int = 900
    articles: int = 1000
    distant: int = 1800
    portraits: int = 800
    unrelated: int = 500
    accidental: int = 500


def continuation_mixture(
    model: GraphMemoryModel, memory: Any, plan: ContinuationTraining, seed: int, kgc: Path | None,
    evidence: Path | None, own: Sequence[FactText] = (),
) -> tuple[list[Example], list[Example]]:  # fmt: skip
    """Texts to learn (``own`` are the user's), and texts on which the base is kept.

    Accidental names of ``memory`` are candidates in plain texts; None leaves those out. ``kgc`` and ``evidence`` as in
    ``curriculum``.
    """
    rng, build = Random(seed), ExampleBuilder(model)
    counts = Curriculum(plan.texts, 0, plan.articles, plan.distant, 0, plan.portraits, seed)
    texts, relations = curriculum(counts, kgc=kgc, evidence=evidence)
    by_name = {relation.relation: relation for relation in relations}
    examples = ContinuationExamples(build, [*mark_texts(texts), *own], by_name, rng)
    learned = [made for text in examples.texts if (made := examples.example(text)) is not None]
    kept = [made for text in plain_texts(plan.unrelated, rng) if (made := examples.unrelated(text)) is not None]
    if memory is not None:
        kept += accidental_examples(build, memory, plain_texts(plan.accidental, rng))
    return learned, kept


def train_continuation(
    model: GraphMemoryModel, memory: Any, folder: str | Path, training: FusionTraining, plan: ContinuationTraining,
    kgc: Path | None = None, evidence: Path | None = None, own: Sequence[FactText] = (), *, afresh: bool = False,
) -> GraphMemoryModel:  # fmt: skip
    """Train the continuation attention of a model that answers already; its answers stay unchanged.

    Leaves ``fusion.safetensors``, log and checkpoint in the folder; an interrupted run is resumed. ``afresh``
    reinitialises the scores of names first; for the others see ``continuation_mixture``.
    """
    folder = Path(folder)
    learned, kept = cached(
        folder / "continuation.safetensors",
        lambda: continuation_mixture(model, memory, plan, training.loop.seed, kgc, evidence, own),
        *EXAMPLE_CLASSES,
    )
    model.fusion.select_trainable(continuation=True)
    if model.config.min_attention_text is None:  # else plain text would not be distinguished from questions
        model.config = model.config.replaced(min_attention_text=model.config.min_attention, min_attention_topic=0.0)
    layers = [model.fusion[layer].continuation for layer in model.fusion.layers]
    for layer in layers:
        layer.open()
        if afresh:
            layer.reset_scores()
        layer.dropout = DROPOUT
    pool = NamePool([name for example in learned if example.found for name in example.found.names])
    trainer = FusionTrainer(model, [(1.0, learned)], kept, pool, training, folder / "lower_states.safetensors")
    log.info("%d texts to learn, %d to be left alone", len(learned), len(kept))
    model.fusion.set_min_attention(0.0)
    trainer.train(folder)
    for layer in layers:
        layer.dropout = 0.0
    model.fusion.set_min_attention(model.config.min_attention)
    model.fusion.select_trainable(continuation=False)
    return model.eval()


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the continuation attention of a base model, for plain text about what the memory holds."""
    from graphmem.memory import GraphMemory

    parser = argparse.ArgumentParser("graphmem train continuation", description=main.__doc__)
    parser.add_argument("--base", default="smollm2-135m", help="name or path of the base model")
    parser.add_argument("--weights", required=True, help="folder of fusion weights that answer questions already")
    parser.add_argument("--memory", help="memory file whose accidental names are candidates in plain texts")
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument("--kgc", type=Path, help="folder with FB15k-237 and WN18RR, for real names")
    parser.add_argument("--evidence", type=Path, help="2Wiki file whose evidence triples mark real sentences")
    parser.add_argument("--texts", type=Path, help="JSON lines of texts and their triples to learn as well")
    parser.add_argument("--max-texts", type=int, default=3000, help="most of them")
    parser.add_argument("--exclude", type=Path, help="such a file to be evaluated on: none of its names is learned")
    parser.add_argument("--drawn", type=int, default=100, help="texts of it that `experiment modelling --n` draws")
    parser.add_argument("--afresh", action="store_true", help="reinitialise the scores of names first")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of matrices")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the mixture")
    chosen = started(parser, arguments)
    memory: Any = GraphMemory.open(chosen.memory, read_only=True) if chosen.memory else None
    model = GraphMemoryModel.from_pretrained(chosen.base, chosen.weights, memory=memory)
    loop = LoopConfig(chosen.steps, seed=chosen.seed, save_every=50)
    train_continuation(
        model, memory, chosen.out, FusionTraining(loop, batch=chosen.batch, rate=chosen.rate, refusals=0.0),
        scaled(ContinuationTraining(), chosen.scale), chosen.kgc, chosen.evidence, _user_texts(chosen),
        afresh=chosen.afresh,
    )  # fmt: skip


def _user_texts(chosen: argparse.Namespace) -> list[FactText]:
    if chosen.texts is None:
        return []
    drawn = draw_fact_texts(fact_texts(chosen.exclude), chosen.drawn, Random(chosen.seed)) if chosen.exclude else ()
    texts = user_texts(chosen.texts, {name for text in drawn for name in text.names})
    log.info("%d texts of %s share no name with the excluded ones", len(texts), chosen.texts.name)
    return Random(chosen.seed).sample(texts, min(chosen.max_texts, len(texts)))
