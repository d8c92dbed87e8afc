"""Train readings for your own model, on your own facts: the general front of fusion training.

graphmem train --base NAME --data facts.tsv [--questions asked.jsonl] [--config train.toml] --out runs/mine

Stages grow from few candidates and one hop to whole retrievals and several hops; what a stage has learned is where
the next begins. A run that is stopped and started again goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import logging
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any

import torch

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise
from graphmem.core.splits import data_split
from graphmem.core.validation import require
from graphmem.datasets.user_questions import own_facts, own_questions, read_questions
from graphmem.datasets.wikimovies import Question
from graphmem.fusion.candidates import Candidates
from graphmem.fusion.config import FusionConfig
from graphmem.model import GraphMemoryModel, attach
from graphmem.training.fusion.examples import (
    FORMS,
    REFUSAL,
    Example,
    NamePool,
    Wording,
    draw_candidates,
    from_retrieval,
    name_examples,
)
from graphmem.training.fusion.mixture import Sizes, held_examples
from graphmem.training.fusion.trainer import FusionTrainer, FusionTraining
from graphmem.training.loop import LoopConfig

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the curriculum.

    Attributes:
        share: of all steps.
        hops: most hops of its questions.
        nodes: most candidates beside the right one; None for as many as the model reads.
    """

    share: float
    hops: int = 3
    nodes: int | None = None

    def __post_init__(self) -> None:
        require(0 < self.share <= 1, "share", self.share, "above 0 and at most 1")
        require(self.hops >= 1, "hops", self.hops, "at least 1")
        require(self.nodes is None or self.nodes >= 1, "nodes", self.nodes, "None or at least 1")


@dataclass(frozen=True, slots=True)
class CustomTraining:
    """What a config file (TOML or JSON) may set.

    Attributes:
        steps: optimizer steps over all stages.
        batch: questions a step.
        held: texts a step on which the base's own predictions are held (KL).
        rate: learning rate of matrices; biases learn faster.
        seed: of everything that is drawn.
        save_every: steps between checkpoints.
        questions: most questions that are used; made from the facts where none are given.
        unanswerable: share of questions with their answer taken out of sight: the model is to say it does not know.
        plain: passages of plain text on which the base is held.
        real: share of questions that come with what the live memory finds; the others get drawn candidates.
        dtype: of the base, ``float32``, ``bfloat16`` or ``float16``; the readings are trained in float32 either way.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        layers, nodes, quiet, refusal, layers_path: of the readings, see ``FusionConfig``.
        stages: the curriculum, in order; their shares sum to 1.
    """

    steps: int = 600
    batch: int = 24
    held: int = 4
    rate: float = 1e-3
    seed: int = 0
    save_every: int = 50
    questions: int = 3000
    unanswerable: float = 0.1
    plain: int = 300
    real: float = 0.6
    dtype: str = "bfloat16"
    device: str = "cpu"
    layers: tuple[int, ...] | None = None
    nodes: int = 32
    quiet: float = 0.2
    refusal: str | None = None
    layers_path: str | None = None
    stages: tuple[Stage, ...] = (Stage(0.3, hops=1, nodes=4), Stage(0.3, hops=2, nodes=16), Stage(0.4))

    def __post_init__(self) -> None:
        require(
            self.steps >= len(self.stages) >= 1, "steps", self.steps, "at least one a stage, with one stage or more"
        )
        require(self.batch >= 1, "batch", self.batch, "at least 1")
        require(self.rate > 0, "rate", self.rate, "positive")
        for name in ("unanswerable", "real"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share, 0 to 1")
        require(self.dtype in ("float32", "bfloat16", "float16"), "dtype", self.dtype, "float32, bfloat16 or float16")
        total = sum(stage.share for stage in self.stages)
        require(abs(total - 1) < 1e-6, "stages", total, "stages whose shares sum to 1")

    @property
    def fusion(self) -> FusionConfig:
        """Config of the readings."""
        return FusionConfig(
            layers=self.layers, nodes=self.nodes, quiet=self.quiet, refusal=self.refusal, layers_path=self.layers_path
        )


def load_config(path: str | Path | None) -> CustomTraining:
    """Read a config file.

    Raises:
        InvalidValue: it cannot be parsed, names a setting there is not, or sets one to what it cannot be.
    """
    if path is None:
        return CustomTraining()
    text = Path(path).read_text(encoding="utf-8")
    try:
        values = json.loads(text) if Path(path).suffix == ".json" else tomllib.loads(text)
        stages = tuple(Stage(**stage) for stage in values.pop("stages", ())) or CustomTraining().stages
    except (ValueError, TypeError) as error:
        raise InvalidValue(f"{path} cannot be read as settings: {error}") from None
    known = [field.name for field in fields(CustomTraining)]
    if unknown := [name for name in values if name not in known]:
        raise InvalidValue(f"{path} sets {unknown[0]!r}, which there is not; there are: {', '.join(known)}")
    if isinstance(values.get("layers"), list):
        values["layers"] = tuple(values["layers"])
    try:
        return CustomTraining(**values, stages=stages)
    except TypeError as error:
        raise InvalidValue(f"{path}: a value is of the wrong type: {error}") from None


@dataclass(frozen=True, slots=True)
class Report:
    """What training came to, on questions whose topics it never saw.

    Attributes:
        model: with the trained readings.
        n: questions asked.
        right, found: share whose first spoken answer is right, and whose best retrieved node is.
    """

    model: GraphMemoryModel
    n: int
    right: float
    found: float


def train_custom(
    base: Any, tokenizer: Any, memory: Any, folder: str | Path, training: CustomTraining | None = None, *,
    questions: Sequence[Question] | None = None,
) -> Report:  # fmt: skip
    """Train readings for a base on the facts of a memory; leave ``fusion.safetensors`` and ``report.json`` behind.

    Topics of questions are split by name: those of the test split are asked at the end and never trained on.

    Args:
        base: a language model of transformers; it stays as it is.
        tokenizer: its tokenizer.
        memory: holds the facts.
        folder: of the run; one of an earlier, stopped run is gone on with.
        training: settings.
        questions: asked of the memory; None makes them from its facts.

    Raises:
        InvalidValue: no question's topic belongs to the training split, or nothing can be found for any.
    """
    training, folder = training or CustomTraining(), Path(folder)
    rng = Random(training.seed)
    asked = list(questions) if questions is not None else own_questions(memory, rng, training.questions)
    with torch.random.fork_rng(devices=[]):  # what is not learned yet is drawn alike in every run
        torch.manual_seed(training.seed)
        model = attach(base, tokenizer, memory, training.fusion)
    model.fusion.quieten(0.0)
    taught = _taught(model, memory, [q for q in asked if data_split(q.topic) == "train"], training, rng)
    names = sorted({name for fact in own_facts(memory) for name in (fact.subject, fact.object)})
    names = [name for name in names if data_split(name) == "train"] or names
    held = held_examples(model, Wording(tokenizer, model.names), memory.retrieve, names, _held_sizes(training), rng)
    for number, stage in enumerate(training.stages, 1):
        _train_stage(model, stage, taught, held, names, training, folder / f"stage{number}")
    model.fusion.quieten(training.quiet)
    model.save_pretrained(folder, trained={"config": asdict(training)})
    return _scored(model.eval(), [q for q in asked if data_split(q.topic) == "test"], folder)


def _held_sizes(training: CustomTraining) -> Sizes:
    few = max(1, training.plain // 4)
    return Sizes(plain=training.plain, unrelated=few, unanswered=few)


def _taught(
    model: GraphMemoryModel, memory: Any, asked: Sequence[Question], training: CustomTraining, rng: Random
) -> list[tuple[int, Example]]:
    """Examples with their number of hops."""
    wording = Wording(model.tokenizer, model.names)
    made: list[tuple[int, Example]] = []
    for question in rng.sample(list(asked), min(training.questions, len(asked))):
        form = rng.choices(FORMS, (6, 2, 1, 1))[0]
        if rng.random() < training.unanswerable:
            made.append((1, wording.unknown(question.question, form, rng.uniform(0.005, 0.2))))
            continue
        if rng.random() < training.real:
            found = memory.retrieve(question.question, top_k=training.nodes)
            example = from_retrieval(wording, question, found, training.nodes, form)
        else:
            example = wording.answer(question.question, rng.choice(question.answers), form)
        made += [(question.hops, example)] if example is not None else []
    if not made:
        raise InvalidValue("no question of the training split can be answered by this memory; give more facts")
    names = [example.gold for _, example in made if example.gold]
    return made + [(1, example) for example in name_examples(wording, rng, names, len(made) // 4)]


def _train_stage(
    model: GraphMemoryModel, stage: Stage, taught: Sequence[tuple[int, Example]], held: Sequence[Example],
    names: Sequence[str], training: CustomTraining, folder: Path,
) -> None:  # fmt: skip
    """One stage; with a bound on candidates, real retrievals wait for a later one."""
    group, pool = [example for hops, example in taught if hops <= stage.hops], NamePool(names)
    if stage.nodes is not None:
        rng = Random(f"{training.seed}/{folder.name}")
        group = [replace(example, found=_drawn(example, pool, stage.nodes + 1, rng)) for example in group]
    loop = LoopConfig(
        max(1, round(stage.share * training.steps)), seed=training.seed, save_every=training.save_every, log_every=10
    )
    settings = FusionTraining(loop, batch=training.batch, held=training.held, rate=training.rate)
    folder.mkdir(parents=True, exist_ok=True)
    FusionTrainer(model, [(1.0, group)], held, pool, settings, folder.parent / "kept.pt").train(folder)


def _drawn(example: Example, pool: NamePool, limit: int, rng: Random) -> Candidates:
    gold = None if example.gold == REFUSAL else example.gold
    return draw_candidates(rng, pool, gold, limit, example.answerable)


def _scored(model: GraphMemoryModel, asked: Sequence[Question], folder: Path, most: int = 200) -> Report:
    """Ask questions of held-out topics; ``report.json`` holds the outcome."""
    from graphmem.text.answer_matching import is_right

    right = found = 0
    for question in asked[:most]:
        answer = model.ask(question.question, max_new_tokens=32)
        nodes: Sequence[Any] = getattr(answer.retrieval, "nodes", ())
        right += is_right(answer.text, question.answers)
        found += bool(nodes) and normalise(nodes[0].name) in {normalise(name) for name in question.answers}
    n = min(most, len(asked))
    report = Report(model, n, right / max(1, n), found / max(1, n))
    rows = {"n": n, "right": report.right, "best node": report.found, "gates": model.fusion.gates()}
    (folder / "report.json").write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return report


def main(arguments: Sequence[str] | None = None) -> None:
    """Train readings for your own model on your own facts."""
    from graphmem.hub import load_language_model
    from graphmem.memory import GraphMemory

    parser = argparse.ArgumentParser("graphmem train", description=main.__doc__)
    parser.add_argument("--base", required=True, help="your model: a folder, a hub name, or a packaged model's name")
    parser.add_argument("--data", required=True, help="a memory (.db), or facts as TSV, CSV, JSONL, GraphML, N-Triples")
    parser.add_argument(
        "--questions", help='JSON lines: {"question": ..., "answers": [...], "topic": ..., "hops": ...}'
    )
    parser.add_argument(
        "--config", help="TOML or JSON with settings; see graphmem.training.fusion.custom.CustomTraining"
    )
    parser.add_argument("--out", required=True, help="folder of the run")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    training = load_config(chosen.config)
    questions = read_questions(chosen.questions) if chosen.questions else None
    base, tokenizer = load_language_model(chosen.base, training.dtype)
    folder = Path(chosen.out)
    folder.mkdir(parents=True, exist_ok=True)
    data = Path(chosen.data)
    with GraphMemory.open(data if data.suffix == ".db" else folder / "facts.db") as memory:
        if data.suffix != ".db":
            memory.ingest(data)
        report = train_custom(base.to(training.device), tokenizer, memory, folder, training, questions=questions)
    print(
        f"{report.n} questions of topics never trained on: first answer right {report.right:.3f}, "
        f"retriever's best node right {report.found:.3f}\nweights: {folder / 'fusion.safetensors'}"
    )
