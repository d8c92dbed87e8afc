"""Training loop: seeded, with a one-cycle learning rate, a log, and checkpoints from which a run is resumed."""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from graphmem.core.errors import WeightsMismatch
from graphmem.core.validation import require
from graphmem.training.run_files import load_value, refuse_former, save_value

CHECKPOINT = "checkpoint.safetensors"
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoopConfig:
    """Optimizer steps, share of them with a rising rate, seed of all draws, steps between log lines and checkpoints."""

    steps: int
    warm_up: float = 0.1
    seed: int = 0
    log_every: int = 20
    save_every: int = 200

    def __post_init__(self) -> None:
        require(self.steps >= 1, "steps", self.steps, "at least 1")
        require(0 <= self.warm_up < 1, "warm_up", self.warm_up, "in [0, 1)")
        require(self.log_every >= 1 and self.save_every >= 1, "log_every", self.log_every, "at least 1")


def one_cycle(step: int, steps: int, warm_up: float) -> float:
    """Factor of the learning rate: linear up over the warm-up, then a cosine down to 2 %."""
    start = max(1, round(steps * warm_up))
    if step < start:
        return (step + 1) / start
    share = (step - start) / max(1, steps - start)
    return 0.02 + 0.98 * 0.5 * (1 + float(torch.cos(torch.tensor(share * torch.pi))))


def run(
    module: nn.Module, optimizer: torch.optim.Optimizer,
    losses: Callable[[int], tuple[dict[str, torch.Tensor], dict[str, float]]], config: LoopConfig, folder: str | Path,
) -> list[dict[str, float]]:  # fmt: skip
    """Minimise the sum of the losses; write ``log.jsonl`` and ``checkpoint.safetensors`` into the folder.

    Args:
        module, optimizer: what is trained, with the highest rates of the cycle.
        losses: step -> named losses, and further figures to log; its draws must depend on the step and the seed
            alone, so that a resumed run equals an uninterrupted one.
        config, folder: of the run; a checkpoint in the folder is resumed.

    Returns:
        the log: means between two lines.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tops = [group["lr"] for group in optimizer.param_groups]
    start, lines = _resume(module, optimizer, folder / CHECKPOINT)
    sums: dict[str, float] = {}
    since = time.perf_counter()
    steps = tqdm(range(start, config.steps), folder.name, config.steps, initial=start, unit="step", disable=None)
    for step in steps:
        for group, top in zip(optimizer.param_groups, tops, strict=True):
            group["lr"] = top * one_cycle(step, config.steps, config.warm_up)
        parts, figures = losses(step)
        optimizer.zero_grad(set_to_none=True)
        torch.stack(list(parts.values())).sum().backward()
        torch.nn.utils.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], 1.0)
        optimizer.step()
        for name, value in (parts | figures).items():
            sums[name] = sums.get(name, 0.0) + float(torch.as_tensor(value).detach())
        if (step + 1) % config.log_every == 0:
            means = {name: value / config.log_every for name, value in sums.items()}
            lines.append({"step": step + 1, **means, "seconds": time.perf_counter() - since})
            sums, since = {}, time.perf_counter()
            _report(steps, folder.name, lines[-1], config, start)
            with open(folder / "log.jsonl", "a", encoding="utf-8") as file:
                file.write(json.dumps(lines[-1]) + "\n")
        if (step + 1) % config.save_every == 0 or step + 1 == config.steps:
            state = {"module": module.state_dict(), "optimizer": optimizer.state_dict()}
            save_value(folder / CHECKPOINT, {"step": step + 1, "log": lines, **state})
    return lines


def _report(bar: Any, name: str, line: dict[str, float], config: LoopConfig, start: int) -> None:
    """Show a line of the log at the progress bar; where there is no terminal, log it with the time that is left."""
    figures = {key: f"{value:.3f}" for key, value in line.items() if key not in ("step", "seconds")}
    if not bar.disable:
        bar.set_postfix(figures)
        return
    done, left = int(line["step"]), config.steps - int(line["step"])
    seconds = line["seconds"] / min(config.log_every, max(1, done - start)) * left
    shown = ", ".join(f"{key} {value}" for key, value in figures.items())
    log.info("%s: step %d of %d, %s left, %s", name, done, config.steps, tqdm.format_interval(seconds), shown)


def started(parser: argparse.ArgumentParser, arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse a trainer's command line, with a seed and a number of threads (0: torch's default), and start the log."""
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=0)
    chosen = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    return chosen


def run_folder(given: argparse.Namespace) -> Path:
    """One folder for each set of options beside the weights, so that only the same run resumes."""
    options = json.dumps(vars(given), sort_keys=True, default=str)
    return Path(f"{given.out}.run") / hashlib.blake2b(options.encode(), digest_size=6).hexdigest()


def _resume(module: nn.Module, optimizer: torch.optim.Optimizer, path: Path) -> tuple[int, list[dict[str, float]]]:
    refuse_former(path)
    if not path.exists():
        return 0, []
    state = load_value(path)
    try:
        module.load_state_dict(state["module"])
        optimizer.load_state_dict(state["optimizer"])
        return int(state["step"]), list(state["log"])
    except (LookupError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsMismatch(f"{path} is of another run ({error}); start again with another folder") from error
