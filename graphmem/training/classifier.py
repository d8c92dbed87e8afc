"""Command line that trainers of question classifiers share: examples are made, a classifier is fitted and written."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

import torch

from graphmem.datasets.files import data_folder
from graphmem.hub import load_encoder
from graphmem.training.loop import started

Rows = Callable[[Path, Random, argparse.Namespace], Sequence[Any]]
"""From the folder of the data sets, random numbers and the options to the examples."""

Fit = Callable[[Sequence[Any], Any, int], tuple[Any, dict[str, float]]]
"""From examples, text encoder and steps to the classifier and its accuracy on what is held out, by kind."""


def train_classifier(
    arguments: Sequence[str] | None, *, part: str, about: str | None, out: Path, steps: int,
    counts: Mapping[str, tuple[int, str]], rows: Rows, fitted: Fit, noun: str = "questions",
) -> None:  # fmt: skip
    """Run the command line of a trainer.

    Args:
        arguments: of the command; None reads those of the process.
        part, about: name and description of the command.
        out, steps: default file of the weights and default number of steps.
        counts: further options that are whole numbers: default and help by name.
        noun: what the examples are called in the header of the weights.
    """
    parser = argparse.ArgumentParser(prog=f"graphmem train {part}", description=about)
    parser.add_argument("--data", type=Path, help="folder of the data sets; GRAPHMEM_DATA if left out")
    parser.add_argument("--out", type=Path, default=out)
    for name, (default, text) in counts.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=text)
    parser.add_argument("--steps", type=int, default=steps)
    given = started(parser, arguments)
    torch.manual_seed(given.seed)
    encoder, folder = load_encoder(), data_folder(given.data)
    examples = rows(folder, Random(given.seed), given)
    made, accuracy = fitted(examples, encoder, given.steps)
    made.save(given.out, encoder.fingerprint, seed=given.seed, **{noun: len(examples)})
    print(json.dumps({"out": str(given.out), noun: len(examples), "right, held out": accuracy}, indent=1))
