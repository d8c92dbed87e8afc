"""One command that teaches readings to go on with plain text: the other half of ``graphmem train fusion``.

graphmem train telling --weights graphmem/weights/smollm2-135m --memory wikimovies.db --out runs/telling
"""

from __future__ import annotations

import argparse
import logging
import pickle
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from graphmem.fusion.continuation_attention import DROPPED
from graphmem.model import GraphMemoryModel
from graphmem.training.fusion.continuation_examples import (
    ContinuationExamples,
    Marked,
    accidental,
    marked,
    names_asked,
    own_texts,
)
from graphmem.training.fusion.examples import Example, NamePool, Wording
from graphmem.training.fusion.mixture import Counts, plain_texts
from graphmem.training.fusion.trainer import FusionTrainer, FusionTraining
from graphmem.training.loop import LoopConfig, started
from graphmem.training.reader.curriculum import Curriculum, curriculum

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ContinuationTraining(Counts):
    """How many texts of each kind: made short and long ones, encyclopaedia openings, and texts to be left alone."""

    texts: int = 900
    articles: int = 1000
    distant: int = 1800
    portraits: int = 800
    beside: int = 500
    accidental: int = 500


def continuation_mixture(
    model: GraphMemoryModel, memory: Any, plan: ContinuationTraining, seed: int, kgc: Path | None, evidence: Path | None,
    own: Sequence[Marked] = (),
) -> tuple[list[Example], list[Example]]:  # fmt: skip
    """Texts to go on with, and texts on which the base is held.

    Args:
        model: the model to train.
        memory: whose accidental names stand beside plain texts; None leaves those out.
        plan: how many of what.
        seed: of all choices.
        kgc, evidence: as in ``curriculum``.
        own: texts of the user's own, learned from beside the others.
    """
    rng, wording, limit = Random(seed), Wording(model.tokenizer, model.names), model.config.nodes
    texts, relations = curriculum(
        Curriculum(texts=plan.texts, articles=plan.articles, distant=plan.distant, portraits=plan.portraits, seed=seed),
        kgc=kgc, evidence=evidence,
    )  # fmt: skip
    telling = ContinuationExamples(wording, [*marked(texts), *own], {r.relation: r for r in relations}, limit, rng)
    taught = [made for text in telling.texts if (made := telling.example(text)) is not None]
    held = [made for text in plain_texts(plan.beside, rng) if (made := telling.beside(text)) is not None]
    if memory is not None:
        held += accidental(wording, memory, plain_texts(plan.accidental, rng), limit)
    return taught, held


def train_continuation(
    model: GraphMemoryModel, memory: Any, folder: str | Path, training: FusionTraining, plan: ContinuationTraining,
    kgc: Path | None = None, evidence: Path | None = None, own: Sequence[Marked] = (), *, afresh: bool = False,
) -> GraphMemoryModel:  # fmt: skip
    """Teach a model whose readings answer already to go on with plain text; its answers stay as they are.

    Leaves ``fusion.safetensors``, log and checkpoint in the folder; a stopped run is gone on with.

    Args:
        model: with trained readings.
        memory: holds something; see ``continuation_mixture``.
        folder: of the run.
        training: steps, batch, rates.
        plan: how many texts of each kind.
        kgc, evidence: as in ``curriculum``.
        own: see ``continuation_mixture``.
        afresh: unlearn first which name is next.
    """
    folder, kept = Path(folder), Path(folder) / "telling.pkl"
    folder.mkdir(parents=True, exist_ok=True)
    if kept.exists():
        taught, held = pickle.loads(kept.read_bytes())  # noqa: S301 - our own file, in the run's own folder
    else:
        taught, held = continuation_mixture(model, memory, plan, training.loop.seed, kgc, evidence, own)
        kept.write_bytes(pickle.dumps((taught, held)))
    model.fusion.teach(telling=True)
    if model.config.quiet_text is None:  # else nobody would tell plain text from a question
        model.config = model.config.changed(quiet_text=model.config.quiet, quiet_topic=0.0)
    for layer in model.fusion.layers:
        model.fusion[layer].told.open()
        if afresh:
            model.fusion[layer].told.forget()
    pool = NamePool([name for example in taught if example.found for name in example.found.names])
    trainer = FusionTrainer(model, [(1.0, taught)], held, pool, training, folder / "kept.pt")
    log.info("%d texts to go on with, %d to be left alone", len(taught), len(held))
    model.fusion.quieten(0.0)
    _drop(model, DROPPED)
    trainer.train(folder)
    _drop(model, 0.0)
    model.fusion.quieten(model.config.quiet)
    model.fusion.teach(telling=False)
    return model.eval()


def _drop(model: GraphMemoryModel, share: float) -> None:
    for layer in model.fusion.layers:
        model.fusion[layer].told.dropped = share


def main(arguments: Sequence[str] | None = None) -> None:
    """Teach the readings of a base model to go on with plain text about what the memory holds."""
    from graphmem.memory import GraphMemory

    parser = argparse.ArgumentParser("graphmem train telling", description=main.__doc__)
    parser.add_argument("--base", default="smollm2-135m", help="name or path of the base model")
    parser.add_argument("--weights", required=True, help="folder of readings that answer questions already")
    parser.add_argument("--memory", help="memory file whose accidental names stand beside plain texts")
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument("--kgc", type=Path, help="folder with FB15k-237 and WN18RR, for real names")
    parser.add_argument("--evidence", type=Path, help="2Wiki file whose evidence triples mark real sentences")
    parser.add_argument("--texts", type=Path, help="JSON lines of texts and their triples, to learn from as well")
    parser.add_argument("--own", type=int, default=3000, help="at most so many of them")
    parser.add_argument("--apart", type=Path, help="such a file that will be asked: none of its names is taken")
    parser.add_argument("--asked", type=int, default=100, help="of that file, what `experiment modelling --n` draws")
    parser.add_argument("--afresh", action="store_true", help="unlearn first which name is next")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rate", type=float, default=1e-3, help="learning rate of matrices")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the mixture")
    chosen = started(parser, arguments)
    memory: Any = GraphMemory.open(chosen.memory, read_only=True) if chosen.memory else None
    model = GraphMemoryModel.from_pretrained(chosen.base, chosen.weights, memory=memory)
    loop = replace(LoopConfig(chosen.steps), seed=chosen.seed, save_every=50)
    train_continuation(
        model, memory, chosen.out, FusionTraining(loop, batch=chosen.batch, rate=chosen.rate, refusals=0.0),
        ContinuationTraining().scaled(chosen.scale), chosen.kgc, chosen.evidence, _own(chosen), afresh=chosen.afresh,
    )  # fmt: skip


def _own(chosen: argparse.Namespace) -> list[Marked]:
    if chosen.texts is None:
        return []
    apart = names_asked(chosen.apart, chosen.asked, chosen.seed) if chosen.apart else set[str]()
    texts = own_texts(chosen.texts, apart)
    log.info("%d texts of %s share no name with what will be asked", len(texts), chosen.texts.name)
    return Random(chosen.seed).sample(texts, min(chosen.own, len(texts)))


if __name__ == "__main__":
    main()
