"""One command that trains fusion weights from start to end: memory, mixture, training, and where they are kept.

graphmem train fusion --out runs/fusion --memory wikimovies.db
"""

from __future__ import annotations

import argparse
import logging
import pickle
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from graphmem.fusion.config import FusionConfig
from graphmem.model import GraphMemoryModel, attach
from graphmem.training.fusion.mixture import Mixture, Sizes, mixture, training_names
from graphmem.training.fusion.trainer import FusionTrainer, FusionTraining
from graphmem.training.loop import LoopConfig, started

log = logging.getLogger(__name__)


def prepare(model: GraphMemoryModel, memory: Any, names: list[str], seed: int, sizes: Sizes, folder: Path) -> Mixture:
    """The mixture, read from the folder where an earlier run left it, else made and left there."""
    path = folder / "mixture.pkl"
    if path.exists():
        return pickle.loads(path.read_bytes())  # noqa: S301 - our own file, in the run's own folder
    retrieve = None if memory is None else lambda text: memory.retrieve(text, top_k=model.config.nodes)
    made = mixture(model, retrieve, names, seed, sizes)
    folder.mkdir(parents=True, exist_ok=True)
    path.write_bytes(pickle.dumps(made))
    return made


def train_fusion(
    base: Any, tokenizer: Any, memory: Any, folder: str | Path, config: FusionConfig | None = None,
    training: FusionTraining | None = None, *, names: list[str] | None = None, sizes: Sizes | None = None,
    refine: int = 240, weights: str | Path | None = None,
) -> GraphMemoryModel:  # fmt: skip
    """Train readings for a base model and leave ``fusion.safetensors``, log and checkpoint in the folder.

    A folder of an earlier, stopped run is gone on with.

    Args:
        base: a causal language model; it stays as it is.
        tokenizer: its tokenizer.
        memory: holds WikiMovies, for real retrievals; None draws all candidates.
        folder: of the run.
        config: of the readings.
        training: steps, batch, rates.
        names: to draw candidates from; those of the WikiMovies training split when None.
        sizes: of the mixture.
        refine: steps of a second, cooler cycle in which the config's ``quiet`` holds; the first runs without it, since
            a position that reads nothing learns nothing. With 0 steps it holds from the start.
        weights: to go on from, with their own config, instead of from closed gates.
    """
    training = training or FusionTraining()
    if weights is None:
        model = attach(base, tokenizer, memory, config)
    else:
        model = GraphMemoryModel.from_pretrained(base, weights, memory=memory, tokenizer=tokenizer)
    made = prepare(model, memory, names or training_names(), training.loop.seed, sizes or Sizes(), Path(folder))
    trainer = FusionTrainer(model, made.taught, made.held, made.pool, training, Path(folder) / "kept.pt")
    log.info("mixture of %s taught and %d held examples", [len(group) for _, group in made.taught], len(made.held))
    quiet = model.config.quiet
    model.fusion.quieten(0.0 if refine else quiet)
    trainer.train(folder)
    if quiet and refine:
        model.fusion.quieten(quiet)
        trainer.config = _refining(training, refine)
        trainer.train(Path(folder) / "refined")
        model.save_pretrained(folder, trained={"config": asdict(training), "refined": refine})
    return model.eval()


def _refining(training: FusionTraining, steps: int) -> FusionTraining:
    """A short, cooler cycle from where the first one ended."""
    return replace(training, loop=replace(training.loop, steps=steps), rate=0.4 * training.rate, ramp=0.01)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train the readings of a base model."""
    from graphmem.hub import load_language_model
    from graphmem.memory import GraphMemory

    parser = argparse.ArgumentParser("graphmem train fusion", description=main.__doc__)
    parser.add_argument("--base", default="smollm2-135m", help="name or path of the base model")
    parser.add_argument("--memory", help="memory file that holds WikiMovies; none draws all candidates")
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument("--names", nargs="*", default=[], help="tab-separated files, names in the second column")
    parser.add_argument("--layers", help="layers to read after, for instance 26,28")
    parser.add_argument("--quiet", type=float, default=0.2, help="share of attention up to which nothing is read")
    parser.add_argument("--refine", type=int, default=240, help="last steps, of a smaller cycle, in which it is so")
    parser.add_argument("--steps", type=int, default=680)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of matrices")
    parser.add_argument("--weights", help="folder of weights to go on from, with their own config")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the mixture")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    chosen = started(parser, arguments)
    base, tokenizer = load_language_model(chosen.base)
    memory = GraphMemory.open(chosen.memory) if chosen.memory else None
    layers = tuple(int(n) for n in chosen.layers.split(",")) if chosen.layers else None
    loop = replace(LoopConfig(chosen.steps), seed=chosen.seed, save_every=50)
    train_fusion(
        base.to(chosen.device), tokenizer, memory, chosen.out, FusionConfig(layers=layers, quiet=chosen.quiet),
        FusionTraining(loop, rate=chosen.rate), names=training_names(chosen.names), sizes=Sizes().scaled(chosen.scale),
        refine=chosen.refine, weights=chosen.weights,
    )  # fmt: skip
