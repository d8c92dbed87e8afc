"""Options of an experiment, and its parts, which are saved so that a stopped run is resumed."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from graphmem.core.validation import require
from graphmem.experiments.harness.report import Result, Row
from graphmem.experiments.tasks.fact_set import MAX_FACTS, QUICK_FACTS


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an experiment.

    Attributes:
        experiment: its name.
        quick: minutes instead of an hour.
        seed: of all draws.
        n: questions of each kind; None takes the experiment's own.
        out: folder of the results and of finished parts.
        data: folder of the data sets that do not ship, or None.
        model: name or path of the base.
        weights: folder of fusion weights; None takes the shipped ones.
        methods: to compare; empty for all.
        datasets: to ask about; empty for all there are.
        steps: optimizer steps of every trained baseline; None takes the experiment's own.
        facts: maximum facts of a retrieval; None takes 50, or 15 in a quick run.
        baselines: folder of the trained baselines, which experiments may share; None takes one in ``out``.
        options: words of the command line that are this experiment's own.
    """

    experiment: str
    quick: bool = False
    seed: int = 0
    n: int | None = None
    out: Path = Path("results")
    data: Path | None = None
    model: str = "smollm2-135m"
    weights: Path | None = None
    methods: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    steps: int | None = None
    facts: int | None = None
    baselines: Path | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.n is None or self.n >= 1, "n", self.n, "None or at least 1")
        require(self.steps is None or self.steps >= 1, "steps", self.steps, "None or at least 1")
        require(self.facts is None or self.facts >= 1, "facts", self.facts, "None or at least 1")
        require(self.data is None or self.data.is_dir(), "data", self.data, "a folder that exists")

    @property
    def command(self) -> str:
        """The command line that repeats this run."""
        words = ["graphmem", "experiment", self.experiment, *(["--quick"] if self.quick else [])]
        for name in ("seed", "n", "data", "model", "weights", "steps", "facts", "baselines"):
            if (value := getattr(self, name)) is not None and not (name == "data" and self._is_default(value)):
                words += [f"--{name}", str(value)]
        for name in ("methods", "datasets"):
            if value := getattr(self, name):
                words += [f"--{name}", ",".join(value)]
        return shlex.join([*words, *self.options, "--out", str(self.out)])

    @staticmethod
    def _is_default(data: Path) -> bool:
        """Whether data is the folder that the environment names; the command then leaves it out."""
        return str(data) == os.environ.get("GRAPHMEM_DATA")

    @property
    def max_facts(self) -> int:
        """Maximum facts of a retrieval."""
        return self.facts or (QUICK_FACTS if self.quick else MAX_FACTS)

    def wants(self, dataset: str, quick: bool = True) -> bool:
        """Whether a data set is part of the run: those named, else all; in a quick run only where ``quick`` is True."""
        return dataset in self.datasets if self.datasets else quick or not self.quick

    def settings(self) -> dict[str, Any]:
        """Settings that decide the figures, as plain values; paths and choices of parts are left out."""
        chosen = ("out", "data", "methods", "datasets", "baselines", "options")
        kept = {k: v for k, v in asdict(self).items() if k not in chosen}
        return {name: str(value) if isinstance(value, Path) else value for name, value in kept.items()}


def parser(experiment: str, text: str | None) -> argparse.ArgumentParser:
    """The options that every experiment takes; add to them before ``parse``."""
    made = argparse.ArgumentParser(f"graphmem experiment {experiment}", description=text)
    made.add_argument("--quick", action="store_true", help="minutes instead of about an hour on two cores")
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--n", type=int, help="questions of each kind")
    made.add_argument("--out", type=Path, help=f"folder of the results (results/{experiment}); finished parts are kept")
    made.add_argument("--data", type=Path, help="folder of the data sets that do not ship (default: $GRAPHMEM_DATA)")
    made.add_argument("--model", default="smollm2-135m", help="name or path of the base model")
    made.add_argument("--weights", type=Path, help="folder of fusion weights; the shipped ones if left out")
    made.add_argument("--methods", default="", help="only these, with commas between")
    made.add_argument("--datasets", default="", help="only these, with commas between")
    made.add_argument("--steps", type=int, help="optimizer steps of every trained baseline")
    made.add_argument("--facts", type=int, help="maximum facts of a retrieval (50, quick: 15)")
    made.add_argument("--baselines", type=Path, help="folder of trained baselines, to share them between experiments")
    return made


def parse(made: argparse.ArgumentParser, experiment: str, arguments: Sequence[str] | None) -> Run:
    """The run that the arguments describe; further options are read from ``made.parse_args`` too.

    Raises:
        InvalidValue: a number below 1, or a data folder that does not exist.
    """
    given = made.parse_args(arguments)
    data = given.data or (Path(found) if (found := os.environ.get("GRAPHMEM_DATA")) else None)
    split: Callable[[str], tuple[str, ...]] = lambda text: tuple(w.strip() for w in text.split(",") if w.strip())
    return Run(
        experiment, given.quick, given.seed, given.n, given.out or Path("results") / experiment, data, given.model,
        given.weights, split(given.methods), split(given.datasets), given.steps, given.facts,
        given.baselines,
    )  # fmt: skip


@dataclass
class Parts:
    """Parts of a run, each saved to a file in ``out/parts``; a part with other settings is repeated.

    Attributes:
        run: of the parts.
        report: gets a line when a part starts, ends, or is read from the folder.
        rows, details: of the parts so far.
    """

    run: Run
    report: Callable[[str], None] = partial(print, flush=True)
    rows: list[Row] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)

    def do(self, name: str, make: Callable[[], Part | Sequence[Row]], **settings: Any) -> list[Row]:
        """The rows of one part: read from the folder if they are there, else made and saved.

        Args:
            name: of the part, within the experiment.
            make: returns the rows, or a ``Part`` with details.
            settings: what this part depends on beyond the run's settings (which leave the training steps out).
        """
        path = self.run.out / "parts" / f"{_slug(name)}.json"
        common = {name: value for name, value in self.run.settings().items() if name != "steps"}
        wanted = json.loads(json.dumps({**common, **settings}, default=str))
        kept = _read(path, wanted)
        if kept is None:
            self.report(f"{self.run.experiment}: {name} ...")
            began = time.perf_counter()
            made = make()
            self.report(f"{self.run.experiment}: {name}: {time.perf_counter() - began:.0f} s")
            kept = made if isinstance(made, Part) else Part(list(made))
            _write(path, wanted, kept)
        else:
            self.report(f"{self.run.experiment}: {name} (kept from {path})")
        self.rows += kept.rows
        self.details += kept.details
        return list(kept.rows)

    def result(self, notes: Sequence[str] = (), **settings: Any) -> Result:
        """The result of the parts so far."""
        run = self.run
        return Result(run.experiment, self.rows, run.seed, run.command, run.settings() | settings, notes, self.details)


@dataclass(frozen=True)
class Part:
    """Rows of a part, and its details question by question."""

    rows: list[Row]
    details: list[dict[str, Any]] = field(default_factory=list)

    def __add__(self, other: Part) -> Part:
        return Part([*self.rows, *other.rows], [*self.details, *other.details])


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name)


def _read(path: Path, wanted: dict[str, Any]) -> Part | None:
    if not path.exists():
        return None
    content = json.loads(path.read_text(encoding="utf-8"))
    if content["settings"] != wanted:
        return None
    return Part([Row(**row) for row in content["rows"]], content["details"])


def _write(path: Path, settings: dict[str, Any], part: Part) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = {"settings": settings, "rows": [asdict(row) for row in part.rows], "details": part.details}
    half = path.with_suffix(".tmp")
    half.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    half.replace(path)  # atomic
