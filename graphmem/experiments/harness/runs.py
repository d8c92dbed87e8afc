"""Running an experiment: its options, and parts that are kept so that a stopped run goes on where it was."""

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
from graphmem.experiments.tasks.fact_set import MOST_FACTS, QUICK_FACTS


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
        methods: who takes part; empty for all.
        datasets: what is asked about; empty for all there are.
        steps: optimizer steps of every trained rival; None takes the experiment's own.
        facts: most facts of a retrieval that a method gets; None takes 50, or 15 where the run is quick.
        rivals: folder of the trained rivals, which experiments may share; None takes one in ``out``.
        options: words of the command line that this experiment alone takes.
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
    rivals: Path | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(self.n is None or self.n >= 1, "n", self.n, "None or at least 1")
        require(self.steps is None or self.steps >= 1, "steps", self.steps, "None or at least 1")
        require(self.facts is None or self.facts >= 1, "facts", self.facts, "None or at least 1")
        require(self.data is None or self.data.is_dir(), "data", self.data, "a folder that exists")

    @property
    def command(self) -> str:
        """The command line that makes this run again."""
        words = ["graphmem", "experiment", self.experiment, *(["--quick"] if self.quick else [])]
        for name in ("seed", "n", "data", "model", "weights", "steps", "facts", "rivals"):
            if (value := getattr(self, name)) is not None and not (name == "data" and self._is_default(value)):
                words += [f"--{name}", str(value)]
        for name in ("methods", "datasets"):
            if value := getattr(self, name):
                words += [f"--{name}", ",".join(value)]
        return shlex.join([*words, *self.options, "--out", str(self.out)])

    @staticmethod
    def _is_default(data: Path) -> bool:
        """Whether data lies where the environment says, so that a command need not name one machine's folder."""
        return str(data) == os.environ.get("GRAPHMEM_DATA")

    @property
    def most_facts(self) -> int:
        """Facts of a retrieval that a method gets."""
        return self.facts or (QUICK_FACTS if self.quick else MOST_FACTS)

    def wants(self, dataset: str, quick: bool = True) -> bool:
        """Whether a data set is asked about: those named, else all; in a quick run only where ``quick`` says so."""
        return dataset in self.datasets if self.datasets else quick or not self.quick

    def settings(self) -> dict[str, Any]:
        """Everything that decides the figures, as plain values; paths and choices of parts are left out."""
        chosen = ("out", "data", "methods", "datasets", "rivals", "options")
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
    made.add_argument("--steps", type=int, help="optimizer steps of every trained rival")
    made.add_argument("--facts", type=int, help="most facts of a retrieval that a method gets (50, quick: 15)")
    made.add_argument("--rivals", type=Path, help="folder of trained rivals, to share them between experiments")
    return made


def parse(made: argparse.ArgumentParser, experiment: str, arguments: Sequence[str] | None) -> Run:
    """The run that the arguments describe; parsers with more options read those from ``made.parse_args`` too.

    Raises:
        InvalidValue: a number below 1, or a data folder that is not there.
    """
    given = made.parse_args(arguments)
    data = given.data or (Path(found) if (found := os.environ.get("GRAPHMEM_DATA")) else None)
    split: Callable[[str], tuple[str, ...]] = lambda text: tuple(w.strip() for w in text.split(",") if w.strip())
    return Run(
        experiment, given.quick, given.seed, given.n, given.out or Path("results") / experiment, data, given.model,
        given.weights, split(given.methods), split(given.datasets), given.steps, given.facts,
        given.rivals,
    )  # fmt: skip


@dataclass
class Parts:
    """Finished parts of a run, each a file in ``out/parts``; a part made under other settings is made anew.

    Attributes:
        run: whose parts.
        details: what the parts recorded question by question.
        report: gets a line when a part begins, when it is done, and when it is taken from the folder.
    """

    run: Run
    report: Callable[[str], None] = partial(print, flush=True)
    rows: list[Row] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)

    def do(self, name: str, make: Callable[[], Part | Sequence[Row]], **settings: Any) -> list[Row]:
        """The rows of one part: read from the folder if they are there, else made and written.

        Args:
            name: of the part, within the experiment.
            make: returns the rows, or a ``Part`` with details.
            settings: what this part depends on beyond the run's settings; the steps of training only where it says so.
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
        """Everything so far as a result."""
        run = self.run
        return Result(run.experiment, self.rows, run.seed, run.command, run.settings() | settings, notes, self.details)


@dataclass(frozen=True)
class Part:
    """Rows of a part, and what it recorded question by question."""

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
    half.replace(path)  # a part is there whole or not at all
