"""Ablations: what each named part does for people's questions, with the part and without it on the same questions.

Without a part, the memory is opened with the part switched off. Where an arm was trained for it (the rest retrained
without the part), its weights are read as well; the table says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.evaluation.people import Attach, PeopleReport, estimate, evaluate_people
from graphmem.evaluation.report import Report
from graphmem.fusion.layers import WEIGHTS_FILE
from graphmem.retrieval.checkpoints import SHIPPED


@dataclass(frozen=True, slots=True)
class Part:
    """A part that can be taken away.

    Attributes:
        taken: what is taken away, in words.
        off: options of ``GraphMemory.open`` that switch it off.
        cost: what taking it away must cost, in shares.
    """

    taken: str
    off: Mapping[str, Any]
    cost: float


PARTS = {"evidence": Part("evidence encoder (facts ranked by search alone)", {"evidence": False}, 0.15)}
SWITCHED_OFF, RETRAINED = "switched off", "the rest retrained"


@dataclass(frozen=True, slots=True)
class AblationRow:
    """Shares of people's questions answered rightly with a part and without it, each with its 95 % interval.

    Attributes:
        arm: whether the rest was retrained without the part.
        cost: of taking it away, paired by question.
        must_show: the least cost that shows that the part works.
    """

    taken_away: str
    arm: str
    questions: str
    n: int
    with_it: float
    with_interval: tuple[float, float]
    without_it: float
    without_interval: tuple[float, float]
    cost: float
    cost_interval: tuple[float, float]
    must_show: float


def evaluate_ablation(
    attach: Callable[[Path | None], Attach], folders: Iterable[Path], parts: Sequence[str] = tuple(PARTS), *,
    arms: Path | None = None, log: Callable[[str], None] | None = None,
) -> Report:  # fmt: skip
    """Ask people's questions with everything, then without each part.

    Args:
        attach: from a folder of weights of the memory layers (None: the shipped ones), what makes a model of a memory.
        folders: one a set, see ``graphmem.evaluation.people``.
        parts: of ``PARTS``.
        arms: folder with a folder for each part whose arm was trained; it holds ``fusion.safetensors``,
            ``retriever.safetensors`` or both.
        log: gets a line for each question answered wrongly.

    Raises:
        InvalidValue: a part that there is not, an arm without weights, or a folder without ``facts.tsv``.
    """
    if unknown := [name for name in parts if name not in PARTS]:
        raise InvalidValue(f"no part {unknown[0]!r} to take away; choose of {', '.join(PARTS)}")
    trained = {name: _arm(arms / name) for name in parts if arms is not None and (arms / name).is_dir()}
    folders = list(folders)
    report = Report([])
    whole = evaluate_people(attach(None), folders, ["ask"], log=log)
    report.answers.extend({"without": None, **row} for row in whole.answers)
    for name in parts:
        weights, options = trained.get(name, (None, {}))
        without = evaluate_people(attach(weights), folders, ["ask"], options={**PARTS[name].off, **options}, log=log)
        report.answers.extend({"without": name, **row} for row in without.answers)
        report.rows.append(_row(PARTS[name], RETRAINED if name in trained else SWITCHED_OFF, whole, without))
    return report


def _arm(folder: Path) -> tuple[Path | None, dict[str, Any]]:
    """The folder of memory layers, and the options of ``GraphMemory.open``, of a trained arm."""
    layers, retriever = folder / WEIGHTS_FILE, folder / SHIPPED.name
    if not layers.exists() and not retriever.exists():
        raise InvalidValue(f"{folder} holds neither {layers.name} nor {retriever.name}; train the arm into it first")
    return folder if layers.exists() else None, {"retriever": retriever} if retriever.exists() else {}


def _row(part: Part, arm: str, whole: PeopleReport, without: PeopleReport) -> AblationRow:
    having, lacking = _by_set(whole), _by_set(without)
    gains = {name: [a - b for a, b in zip(rows, lacking[name], strict=True)] for name, rows in having.items()}
    one, other, cost = (estimate(list(groups.values())) for groups in (having, lacking, gains))
    return AblationRow(
        part.taken, arm, "people's questions", one.n, one.value, (one.low, one.high), other.value,
        (other.low, other.high), cost.value, (cost.low, cost.high), part.cost,
    )  # fmt: skip


def _by_set(report: PeopleReport) -> dict[str, list[float]]:
    """Whether each question was answered rightly, in the order of the sets."""
    rows: dict[str, list[float]] = {name: [] for name in report.sets}
    for answer in report.answers:
        rows[answer["set"]].append(float(answer["right"]))
    return rows
