"""Options of an experiment, and its parts, which are saved so that a stopped run is resumed."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from pathlib import Path
from typing import Any

from graphmem.core.validation import require
from graphmem.experiments.harness.report import Result, Row
from graphmem.experiments.tasks.fact_set import MAX_FACTS, QUICK_FACTS


def _option(default: Any, text: str, **argument: Any) -> Any:
    return field(default=default, metadata={"help": text, **argument})


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


@dataclass(frozen=True, slots=True)
class Run:
    """One run of an experiment: its name, the options of the command line, and those that it alone takes."""

    experiment: str
    quick: bool = _option(False, "minutes instead of about an hour on two cores", action="store_true")
    seed: int = _option(0, "of all draws", type=int)
    n: int | None = _option(None, "questions of each kind", type=int)
    data: Path | None = _option(None, "folder of the data sets that do not ship ($GRAPHMEM_DATA)", type=Path)
    model: str = _option("smollm2-135m", "name or path of the base model")
    weights: Path | None = _option(None, "folder of fusion weights; the shipped ones if left out", type=Path)
    steps: int | None = _option(None, "optimizer steps of every trained baseline", type=int)
    facts: int | None = _option(None, "maximum facts of a retrieval (50, quick: 15)", type=int)
    baselines: Path | None = _option(None, "folder of trained baselines that experiments may share", type=Path)
    methods: tuple[str, ...] = _option((), "only these, with commas between", type=_words)
    datasets: tuple[str, ...] = _option((), "only these, with commas between", type=_words)
    out: Path = _option(Path("results"), "folder of the results (results/NAME); finished parts are kept", type=Path)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("n", "steps", "facts"):
            value = getattr(self, name)
            require(value is None or value >= 1, name, value, "None or at least 1")
        require(self.data is None or self.data.is_dir(), "data", self.data, "a folder that exists")

    @property
    def command(self) -> str:
        """The command line that repeats this run, without a data folder that the environment names."""
        words = ["graphmem", "experiment", self.experiment]
        common = {option.name: getattr(self, option.name) for option in fields(self) if option.metadata}
        if str(self.data) == os.environ.get("GRAPHMEM_DATA"):
            del common["data"]
        del common["out"]
        for name, value in {**common, **self.options, "out": self.out}.items():
            if value is True:
                words.append(f"--{name}")
            elif value is not None and value is not False and value != ():
                text = ",".join(value) if isinstance(value, tuple) else str(value)
                words += [f"--{name.replace('_', '-')}", text]
        return shlex.join(words)

    @property
    def max_facts(self) -> int:
        """Maximum facts of a retrieval."""
        return self.facts or (QUICK_FACTS if self.quick else MAX_FACTS)

    def wants(self, dataset: str, quick: bool = True) -> bool:
        """Whether the run asks about a data set: where it names none, in a quick run only where ``quick`` is True."""
        return dataset in self.datasets if self.datasets else quick or not self.quick

    def settings(self) -> dict[str, Any]:
        """Settings that decide the figures, as plain values; paths and choices of parts are left out."""
        chosen = ("out", "data", "methods", "datasets", "baselines", "options")
        kept = {k: v for k, v in asdict(self).items() if k not in chosen}
        return {name: str(value) if isinstance(value, Path) else value for name, value in kept.items()}


def parse(experiment: str, text: str | None, arguments: Sequence[str] | None, **own: dict[str, Any]) -> Run:
    """The run that the arguments describe; ``own`` are options of this experiment alone, as for ``add_argument``.

    Raises:
        InvalidValue: a number below 1, or a data folder that does not exist.
    """
    parser = argparse.ArgumentParser(f"graphmem experiment {experiment}", description=text)
    for option in fields(Run):
        if option.metadata:
            parser.add_argument(f"--{option.name}", default=option.default, **option.metadata)
    parser.set_defaults(out=Path("results") / experiment, data=os.environ.get("GRAPHMEM_DATA") or None)
    for name, argument in own.items():
        parser.add_argument(f"--{name.replace('_', '-')}", **argument)
    given = vars(parser.parse_args(arguments))
    return Run(experiment, options={name: given.pop(name) for name in own}, **given)


@dataclass
class Parts:
    """Parts of a run, each saved to a file in ``out/parts``; a part with other settings is repeated.

    ``report`` gets a line when a part starts, ends, or is read from the folder.
    """

    run: Run
    report: Callable[[str], None] = partial(print, flush=True)
    rows: list[Row] = field(default_factory=list)
    details: list[dict[str, Any]] = field(default_factory=list)

    def do(self, name: str, make: Callable[[], Part | Sequence[Row]], **settings: Any) -> list[Row]:
        """The rows of one part: read from the folder if they are there, else made and saved.

        ``settings`` are what the part depends on beyond the run's settings, which leave the training steps out.
        """
        path = self.run.out / "parts" / (re.sub(r"[^\w.-]", "-", name) + ".json")
        common = {name: value for name, value in self.run.settings().items() if name != "steps"}
        wanted = json.loads(json.dumps({**common, **settings}, default=str))
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        if content.get("settings") == wanted:
            self.report(f"{self.run.experiment}: {name} (kept from {path})")
            part = Part([Row(**row) for row in content["rows"]], content["details"])
        else:
            self.report(f"{self.run.experiment}: {name} ...")
            began = time.perf_counter()
            made = make()
            self.report(f"{self.run.experiment}: {name}: {time.perf_counter() - began:.0f} s")
            part = made if isinstance(made, Part) else Part(list(made))
            path.parent.mkdir(parents=True, exist_ok=True)
            half = path.with_suffix(".tmp")
            half.write_text(json.dumps({"settings": wanted, **asdict(part)}, ensure_ascii=False), encoding="utf-8")
            half.replace(path)  # atomic
        self.rows += part.rows
        self.details += part.details
        return part.rows

    def result(self, notes: Sequence[str] = (), **settings: Any) -> Result:
        """The result of the parts so far."""
        run = self.run
        return Result(run.experiment, self.rows, run.seed, run.command, run.settings() | settings, notes, self.details)

    def finish(self, notes: Sequence[str], plots: Mapping[str, Sequence[str]], **settings: Any) -> list[Path]:
        """Print and write the result of the parts; returns the files."""
        result = self.result(notes, **settings)
        files = result.save(self.run.out, plots=plots)
        print(result.markdown(), *files, sep="\n")
        return files


@dataclass(frozen=True)
class Part:
    """Rows of a part, and its details question by question."""

    rows: list[Row]
    details: list[dict[str, Any]] = field(default_factory=list)

    def __add__(self, other: Part) -> Part:
        return Part([*self.rows, *other.rows], [*self.details, *other.details])
