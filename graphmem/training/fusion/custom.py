"""Train fusion weights for your own model on your own facts.

graphmem train --base NAME --data facts.tsv [--questions questions.jsonl] [--config train.toml] [--start WEIGHTS]
    --out runs/mine

A curriculum grows from few candidates and one hop to whole retrievals and several hops. An interrupted run is resumed.
The weights are compared with those the run started from, on the same questions about held-out topics.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import tomllib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import torch
from tqdm import tqdm

from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.core.names import normalise
from graphmem.core.splits import data_split
from graphmem.core.validation import require
from graphmem.datasets.user_questions import own_questions, read_questions
from graphmem.datasets.wikimovies import Question
from graphmem.fusion.config import REFUSAL, FusionConfig
from graphmem.fusion.layers import WEIGHTS_FILE
from graphmem.hub import shipped_weights
from graphmem.model import GraphMemoryModel, attach
from graphmem.text.answer_matching import is_right
from graphmem.training.fusion.examples import FORM_WEIGHTS, FORMS, Example, ExampleBuilder, NamePool, name_examples
from graphmem.training.fusion.mixture import Sizes, kept_examples
from graphmem.training.fusion.trainer import FusionTrainer, FusionTraining
from graphmem.training.loop import LoopConfig

MAX_ASKED = 200
"""Most questions about held-out topics that are asked before and after the training."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of the curriculum: its share of all steps, and most hops of its questions.

    ``max_nodes`` bounds the candidates besides the right one; None takes the model's.
    """

    share: float
    max_hops: int = 3
    max_nodes: int | None = None

    def __post_init__(self) -> None:
        require(0 < self.share <= 1, "share", self.share, "above 0 and at most 1")
        require(self.max_hops >= 1, "max_hops", self.max_hops, "at least 1")
        require(self.max_nodes is None or self.max_nodes >= 1, "max_nodes", self.max_nodes, "None or at least 1")


@dataclass(frozen=True, slots=True)
class CustomTraining:
    """Settings of a config file (TOML or JSON).

    Attributes:
        steps: optimizer steps over all stages.
        batch: questions a step.
        kl_batch: texts a step on which the base's predictions are kept (KL).
        rate: learning rate of matrices; biases learn faster.
        seed: of all draws.
        save_every: steps between checkpoints.
        max_questions: most questions; made from the facts where none are given.
        unanswerable: share of questions whose answer is removed from the candidates, to be refused.
        plain: passages of plain text on which the base's predictions are kept.
        retrieved: share of questions with their retrieval; the others get drawn candidates.
        dtype: of the base, ``float32``, ``bfloat16`` or ``float16``; memory layers are trained in float32.
        device: ``cpu``, ``cuda`` or ``cuda:N``.
        layers, max_nodes, min_attention, refusal, layers_path: see ``FusionConfig``.
        stages: the curriculum, in order; their shares sum to 1.
    """

    steps: int = 600
    batch: int = 24
    kl_batch: int = 4
    rate: float = 1e-3
    seed: int = 0
    save_every: int = 50
    max_questions: int = 3000
    unanswerable: float = 0.1
    plain: int = 300
    retrieved: float = 0.6
    dtype: str = "bfloat16"
    device: str = "cpu"
    layers: tuple[int, ...] | None = None
    max_nodes: int = 32
    min_attention: float = 0.2
    refusal: str | None = None
    layers_path: str | None = None
    stages: tuple[Stage, ...] = (Stage(0.3, max_hops=1, max_nodes=4), Stage(0.3, max_hops=2, max_nodes=16), Stage(0.4))

    def __post_init__(self) -> None:
        require(self.steps >= len(self.stages) >= 1, "steps", self.steps, "at least one a stage, with stages")
        require(self.batch >= 1, "batch", self.batch, "at least 1")
        require(self.rate > 0, "rate", self.rate, "positive")
        for name in ("unanswerable", "retrieved"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share, 0 to 1")
        require(self.dtype in ("float32", "bfloat16", "float16"), "dtype", self.dtype, "float32, bfloat16 or float16")
        total = sum(stage.share for stage in self.stages)
        require(abs(total - 1) < 1e-6, "stages", total, "stages whose shares sum to 1")

    @property
    def fusion(self) -> FusionConfig:
        """Config of the memory layers."""
        names = ("layers", "max_nodes", "min_attention", "refusal", "layers_path")
        return FusionConfig(**{name: getattr(self, name) for name in names})


def load_config(path: str | Path | None) -> CustomTraining:
    """Read a config file; the defaults where there is none.

    Raises:
        InvalidValue: it cannot be parsed, has an unknown setting, or a value out of range.
    """
    if path is None:
        return CustomTraining()
    text = Path(path).read_text(encoding="utf-8")
    try:
        values = json.loads(text) if Path(path).suffix == ".json" else tomllib.loads(text)
        if stages := values.pop("stages", ()):
            values["stages"] = tuple(Stage(**stage) for stage in stages)
        if layers := values.pop("layers", ()):
            values["layers"] = tuple(layers)
        return CustomTraining(**values)
    except InvalidValue:
        raise
    except (ValueError, TypeError) as error:  # no TOML or JSON, an unknown setting, or a value of another type
        known = ", ".join(f"{field.name} ({field.type})" for field in fields(CustomTraining))
        raise InvalidValue(f"{path} cannot be read as settings: {error}; settings and their types: {known}") from None


class Scores(NamedTuple):
    """Number of questions about held-out topics, and shares of right answers and of right top nodes."""

    n: int
    right: float
    top_1: float


class Report(NamedTuple):
    """The trained model with its scores, those of the initial weights, and what these were."""

    model: GraphMemoryModel
    scores: Scores
    before: Scores
    compared: str

    def __str__(self) -> str:
        if not self.scores.n:
            return "no question about a held-out topic: nothing was compared; give more facts, or questions with topics"
        gain = self.scores.right - self.before.right
        one, n = "1 question about a held-out topic", self.scores.n
        asked = one if n == 1 else f"{n} questions about held-out topics"
        return (
            f"{asked}: right answers {self.scores.right:.3f}, with "
            f"{self.compared} {self.before.right:.3f} ({gain:+.3f}); top-1 retrieval {self.scores.top_1:.3f}"
        )


def train_custom(
    base: Any, tokenizer: Any, memory: Any, folder: str | Path, training: CustomTraining | None = None, *,
    questions: Sequence[Question] | None = None, start: str | Path | None = None,
) -> Report:  # fmt: skip
    """Train memory layers for a base on the facts of a memory; leave ``fusion.safetensors`` and ``report.json``.

    Questions are split by the name of their topic: those of the test split are evaluated and never trained on.

    Args:
        base, tokenizer: a language model of transformers, which stays unchanged.
        memory: holds the facts.
        folder: of the run; an interrupted run in it is resumed.
        questions: about the facts; None makes them from the facts.
        start: folder or file of initial weights, with their own config; None starts from closed gates.

    Raises:
        InvalidValue: no question belongs to the training split, or none can be answered by the memory.
        WeightsMismatch: the initial weights are for another base, or other ones than those of the resumed run.
    """
    training, folder = training or CustomTraining(), Path(folder)
    rng = Random(training.seed)
    every = list(questions) if questions is not None else own_questions(memory, rng, training.max_questions)
    held_out = [q for q in every if data_split(q.topic) == "test"]
    _check_start(folder, start)
    before, compared = _scores_before(base, tokenizer, memory, held_out, folder, start)
    if start is not None:
        model = GraphMemoryModel.from_pretrained(base, start, memory=memory, tokenizer=tokenizer)
        model.fusion.float()
    else:
        with torch.random.fork_rng(devices=[]):  # equal initial weights in every run
            torch.manual_seed(training.seed)
            model = attach(base, tokenizer, memory, training.fusion)
    threshold = model.config.min_attention
    model.fusion.set_min_attention(0.0)
    learned = question_examples(model, [q for q in every if data_split(q.topic) == "train"], training, rng)
    names = sorted({name for fact in memory.facts() for name in (fact.subject, fact.object)})
    names = [name for name in names if data_split(name) == "train"] or names
    few = max(1, training.plain // 4)
    sizes = Sizes(plain=training.plain, unrelated=few, unanswered=few)
    kept = kept_examples(ExampleBuilder(model), memory.retrieve, names, sizes, rng)
    for number, stage in enumerate(training.stages, 1):
        _train_stage(model, stage, learned, kept, NamePool(names), training, folder / f"stage{number}")
    model.fusion.set_min_attention(threshold)
    model.save_pretrained(folder, trained={"config": asdict(training)})
    report = Report(model.eval(), _scores(model, held_out, "after"), before, compared)
    rows = {"after": report.scores._asdict(), "before": before._asdict(), "compared with": compared}
    _write_json(folder / "report.json", rows | {"gates": model.fusion.gates()})
    return report


def question_examples(
    model: GraphMemoryModel, questions: Sequence[Question], training: CustomTraining, rng: Random
) -> list[tuple[int, Example]]:
    """Examples with their number of hops; raises ``InvalidValue`` where there are none."""
    build = ExampleBuilder(model)
    made: list[tuple[int, Example]] = []
    for question in rng.sample(list(questions), min(training.max_questions, len(questions))):
        form = rng.choices(FORMS, FORM_WEIGHTS)[0]
        if rng.random() < training.unanswerable:
            made.append((1, build.answer(question.question, REFUSAL, form, None, rng.uniform(0.005, 0.2))))
        elif rng.random() >= training.retrieved:
            made.append((question.hops, build.answer(question.question, rng.choice(question.answers), form)))
        elif example := build.from_retrieval(question, model.contexts.retrieve(question.question), form):
            made.append((question.hops, example))
    if not made:
        raise InvalidValue("no question of the training split can be answered by this memory; give more facts")
    names = [example.gold for _, example in made if example.gold]
    return made + [(1, example) for example in name_examples(build, rng, names, len(made) // 4)]


def _train_stage(
    model: GraphMemoryModel, stage: Stage, learned: Sequence[tuple[int, Example]], kept: Sequence[Example],
    pool: NamePool, training: CustomTraining, folder: Path,
) -> None:  # fmt: skip
    """Train one stage; where it bounds the candidates, they are drawn."""
    group = [example for hops, example in learned if hops <= stage.max_hops]
    if stage.max_nodes is not None:
        rng, count = Random(f"{training.seed}/{folder.name}"), stage.max_nodes + 1
        gold = lambda example: None if example.gold == REFUSAL else example.gold
        group = [replace(e, found=pool.candidates(rng, gold(e), count, e.answerable)) for e in group]
    steps = max(1, round(stage.share * training.steps))
    loop = LoopConfig(steps, seed=training.seed, save_every=training.save_every, log_every=10)
    settings = FusionTraining(loop, batch=training.batch, kl_batch=training.kl_batch, rate=training.rate)
    FusionTrainer(model, [(1.0, group)], kept, pool, settings, folder.parent / "lower_states.safetensors").train(folder)


def _check_start(folder: Path, start: str | Path | None) -> None:
    """Note the initial weights in the folder of the run; a resumed run must name the same."""
    path = folder / "start.json"
    digest = None
    if start is not None:
        file = Path(start, WEIGHTS_FILE) if Path(start).is_dir() else Path(start)
        if not file.is_file():
            raise WeightsMismatch(f"there are no weights at {start}; name a folder that graphmem train made")
        digest = hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest()
    if not path.exists():
        _write_json(path, digest)
    elif json.loads(path.read_text(encoding="utf-8")) != digest:
        raise WeightsMismatch(f"the run in {folder} started from other weights; choose another folder")


def _scores_before(
    base: Any, tokenizer: Any, memory: Any, questions: Sequence[Question], folder: Path, start: str | Path | None
) -> tuple[Scores, str]:
    """Scores of the initial weights, else of the shipped ones, else of the base alone; kept for a resumed run."""
    path = folder / "before.json"
    if path.exists():
        found = json.loads(path.read_text(encoding="utf-8"))
        return Scores(*found["scores"]), found["compared"]
    weights, compared = start, "the weights it started from"
    if start is None:
        name = str(getattr(getattr(base, "config", None), "name_or_path", "") or "")
        weights, compared = shipped_weights(name), "the shipped weights"
    try:
        if weights is None:
            raise WeightsMismatch("none are shipped")
        model = GraphMemoryModel.from_pretrained(base, weights, memory=memory, tokenizer=tokenizer)
    except WeightsMismatch:
        if start is not None:
            raise
        model, compared = attach(base, tokenizer, memory), "the base alone"
    try:
        scores = _scores(model.eval(), questions, "before")
    finally:
        model.detach()
    _write_json(path, {"scores": list(scores), "compared": compared})
    return scores, compared


def _scores(model: GraphMemoryModel, questions: Sequence[Question], when: str) -> Scores:
    """Ask at most ``MAX_ASKED`` questions."""
    right = top_1 = 0
    drawn = questions[:MAX_ASKED]
    for question in tqdm(drawn, f"questions {when}", disable=None):
        answer = model.ask(question.question, max_new_tokens=32)
        nodes: Sequence[Any] = getattr(answer.retrieval, "nodes", ())
        right += is_right(answer.text, question.answers)
        top_1 += bool(nodes) and normalise(nodes[0].name) in {normalise(name) for name in question.answers}
    return Scores(len(drawn), right / max(1, len(drawn)), top_1 / max(1, len(drawn)))


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=1), encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Train fusion weights for your own model on your own facts."""
    from graphmem.hub import load_language_model
    from graphmem.memory import GraphMemory

    parser = argparse.ArgumentParser("graphmem train", description=main.__doc__)
    parser.add_argument("--base", required=True, help="your model: a folder, a hub name, or a packaged model's name")
    parser.add_argument("--data", required=True, help="a memory (.db), or facts as TSV, CSV, JSONL, GraphML, N-Triples")
    parser.add_argument("--questions", help='JSON lines: {"question", "answers", "topic", "hops"}')
    parser.add_argument("--config", help="TOML or JSON settings: graphmem.training.fusion.custom.CustomTraining")
    parser.add_argument("--start", help="initial weights: a folder that this command made, or shipped")
    parser.add_argument("--out", required=True, help="folder of the run")
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    training = load_config(chosen.config)
    questions = read_questions(chosen.questions) if chosen.questions else None
    start = chosen.start
    if start == "shipped" and (start := shipped_weights(chosen.base)) is None:
        raise WeightsMismatch(f"no weights are shipped for {chosen.base!r}; leave out --start, or name a folder")
    base, tokenizer = load_language_model(chosen.base, training.dtype)
    folder = Path(chosen.out)
    folder.mkdir(parents=True, exist_ok=True)
    data = Path(chosen.data)
    with GraphMemory.open(data if data.suffix == ".db" else folder / "facts.db") as memory:
        if data.suffix != ".db":
            memory.ingest(data)
        report = train_custom(
            base.to(training.device), tokenizer, memory, folder, training, questions=questions, start=start
        )
    print(f"weights: {folder / WEIGHTS_FILE}\n{report}")
