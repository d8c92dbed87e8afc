"""Train fusion weights from start to end: mixture, training, checkpoint.

graphmem train fusion --out runs/fusion --memory wikimovies.db
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from graphmem.fusion.config import FusionConfig
from graphmem.memory import GraphMemory
from graphmem.model import GraphMemoryModel, attach
from graphmem.training.fusion.examples import EXAMPLE_CLASSES, NamePool
from graphmem.training.fusion.mixture import Sizes, mixture, scaled, training_names
from graphmem.training.fusion.trainer import FusionTrainer, FusionTraining
from graphmem.training.loop import LoopConfig, started
from graphmem.training.run_files import cached

log = logging.getLogger(__name__)


def train_fusion(
    base: Any, tokenizer: Any, memory: Any, folder: str | Path, config: FusionConfig | None = None,
    training: FusionTraining | None = None, *, names: list[str] | None = None, sizes: Sizes | None = None,
    refine: int = 240, weights: str | Path | None = None,
) -> GraphMemoryModel:  # fmt: skip
    """Train memory layers for a base model; leave ``fusion.safetensors``, log and checkpoint in the folder.

    A run that was interrupted is resumed.

    Args:
        base, tokenizer: a causal language model, which stays unchanged.
        memory: holds WikiMovies, for real retrievals; None draws all candidates.
        names: to draw candidates from; those of the WikiMovies training split when None.
        refine: steps of a second cycle with a lower rate, in which the config's ``min_attention`` holds. The first
            runs without it, since a position that attends to nothing learns nothing. With 0 it holds from the start.
        weights: initial weights, with their own config; None starts from closed gates.
    """
    training, folder = training or FusionTraining(), Path(folder)
    held = GraphMemory.open(":memory:") if memory is None else memory
    if weights is None:
        model = attach(base, tokenizer, held, config)
    else:
        model = GraphMemoryModel.from_pretrained(base, weights, memory=held, tokenizer=tokenizer)
    retrieve = None if memory is None else lambda text: memory.retrieve(text, top_k=model.config.max_nodes)
    drawn, seed = names or training_names(), training.loop.seed
    file = folder / "mixture.safetensors"
    learned, kept, pool = cached(file, lambda: mixture(model, retrieve, drawn, seed, sizes), *EXAMPLE_CLASSES)
    trainer = FusionTrainer(model, learned, kept, NamePool(pool), training, folder / "lower_states.safetensors")
    log.info("mixture of %s learned and %d kept examples", [len(group) for _, group in learned], len(kept))
    threshold = model.config.min_attention
    model.fusion.set_min_attention(0.0 if refine else threshold)
    trainer.train(folder)
    if threshold and refine:
        model.fusion.set_min_attention(threshold)
        loop = replace(training.loop, steps=refine)
        trainer.config = replace(training, loop=loop, rate=0.4 * training.rate, ramp=0.01)
        trainer.train(folder / "refined")
        model.save_pretrained(folder, trained={"config": asdict(training), "refined": refine})
    return model.eval()


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the memory layers of a base model."""
    from graphmem.hub import load_language_model
    from graphmem.memory import GraphMemory

    parser = argparse.ArgumentParser("graphmem train fusion", description=main.__doc__)
    parser.add_argument("--base", default="smollm2-135m", help="name or path of the base model")
    parser.add_argument("--memory", help="memory file that holds WikiMovies; without it all candidates are drawn")
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument("--names", nargs="*", default=[], help="tab-separated files, names in the second column")
    parser.add_argument("--layers", help="decoder layers with memory layers after them, for instance 26,28")
    parser.add_argument("--min-attention", type=float, default=0.2, help="attention mass up to which it is ignored")
    parser.add_argument("--refine", type=int, default=240, help="steps of the last cycle, with --min-attention")
    parser.add_argument("--steps", type=int, default=680)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of matrices")
    parser.add_argument("--weights", help="folder of initial weights, with their own config")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the mixture")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    chosen = started(parser, arguments)
    base, tokenizer = load_language_model(chosen.base)
    memory = GraphMemory.open(chosen.memory) if chosen.memory else None
    layers = tuple(int(n) for n in chosen.layers.split(",")) if chosen.layers else None
    loop = LoopConfig(chosen.steps, seed=chosen.seed, save_every=50)
    train_fusion(
        base.to(chosen.device), tokenizer, memory, chosen.out,
        FusionConfig(layers=layers, min_attention=chosen.min_attention), FusionTraining(loop, rate=chosen.rate),
        names=training_names(chosen.names), sizes=scaled(Sizes(), chosen.scale), refine=chosen.refine,
        weights=chosen.weights,
    )  # fmt: skip
