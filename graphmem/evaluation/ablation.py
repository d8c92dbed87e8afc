"""Ablations: what each named part does for people's questions, with the part and without it on the same questions.

Without a part, the memory is opened with the part switched off. Where an arm was trained for it (the rest retrained
without the part), its weights are read as well; the table says which.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graphmem.core.errors import InvalidValue
from graphmem.evaluation.people import GROUPS, Attach, PeopleReport, estimate, evaluate_people
from graphmem.evaluation.probes import TWO_TOPICS, evaluate_probes
from graphmem.evaluation.report import Report
from graphmem.fusion.layers import WEIGHTS_FILE
from graphmem.memory import GraphMemory
from graphmem.reasoning.evidence_reader import EvidenceReader
from graphmem.reasoning.weighing import Support, answers_of
from graphmem.retrieval.checkpoints import SHIPPED


@dataclass(frozen=True, slots=True)
class Part:
    """A part that can be taken away.

    Attributes:
        taken: what is taken away, in words.
        off: options of ``GraphMemory.open`` that switch it off.
        cost: what taking it away must cost, in shares.
        change: of the memory's reader of evidence, that takes the part away.
        questions: group of people's questions that the cost is shown on, see ``GROUPS``; all where it is empty.
    """

    taken: str
    off: Mapping[str, Any]
    cost: float
    change: Callable[[EvidenceReader], None] | None = None
    questions: str = ""


def surest_alone(reader: EvidenceReader) -> None:
    """Answer by the surest single fact or window: no chains, nothing that meets at an answer, no network."""
    without_network(reader)
    without_joint_reading(reader)
    reader.search.budget = replace(reader.search.budget, paths=0, chains=0, linked=0)
    reader.reweighed = lambda supports, context: surest_of_each(supports)  # type: ignore[method-assign]


def without_network(reader: EvidenceReader) -> None:
    """Weigh evidence by reading alone: chains stay, and what meets at an answer adds up."""
    reader.graph_network = None


def without_operations(reader: EvidenceReader) -> None:
    """Answer every question by reading: nothing is computed on sets of what the evidence says."""
    reader.operations = None


def without_joint_reading(reader: EvidenceReader) -> None:
    """Weigh units that are read one by one."""
    reader.reads_jointly = False


def surest_of_each(supports: Iterable[Support]) -> list[Support]:
    """The surest support of each answer."""
    return [answer.support[0] for answer in answers_of(supports)]


PARTS = {
    "evidence": Part("evidence encoder (facts ranked by search alone)", {"evidence": False}, 0.15),
    "graph-network": Part(
        "graph network with chains of facts (the surest evidence alone)", {}, 0.1, surest_alone, "several facts"
    ),
    "network-weights": Part(
        "weights of the graph network (evidence weighed by reading alone)", {}, 0.0, without_network, "several facts"
    ),
    "operations": Part(
        "operations on sets (every question answered by reading)", {}, 0.0, without_operations, "operations"
    ),
    "joint-reading": Part("joint reading of the best answers' evidence", {}, 0.0, without_joint_reading),
}
PROBED = ("graph-network", "operations", "graph-network+operations")
"""Parts that are taken away for questions over WikiMovies; of the last, the surest single fact answers."""

PROBES_SHOW = {("graph-network+operations", "two topics"): 0.15}
"""Least costs, in shares, of parts taken away for a group of questions over WikiMovies."""

SWITCHED_OFF, RETRAINED = "switched off", "the rest retrained"


@dataclass(frozen=True, slots=True)
class AblationRow:
    """Shares of people's questions answered rightly with a part and without it, each with its 95 % interval.

    Attributes:
        arm: whether the rest was retrained without the part.
        cost: of taking it away, paired by question.
        must_show: the least cost that shows that the part works; None where another row shows it.
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
    must_show: float | None


def evaluate_ablation(
    attach: Callable[[Path | None], Attach], folders: Iterable[Path], parts: Sequence[str] | None = None, *,
    arms: Path | None = None, log: Callable[[str], None] | None = None,
) -> Report:  # fmt: skip
    """Ask people's questions with everything, then without each part.

    Args:
        attach: from a folder of weights of the memory layers (None: the shipped ones), what makes a model of a memory.
        folders: one a set, see ``graphmem.evaluation.people``.
        parts: of ``PARTS``; all where left out.
        arms: folder with a folder for each part whose arm was trained; it holds ``fusion.safetensors``,
            ``retriever.safetensors`` or both.
        log: gets a line for each question answered wrongly.

    Raises:
        InvalidValue: a part that there is not, an arm without weights, or a folder without ``facts.tsv``.
    """
    parts = tuple(PARTS) if parts is None else parts
    if unknown := [name for name in parts if name not in PARTS]:
        raise InvalidValue(f"no part {unknown[0]!r} to take away; choose of {', '.join(PARTS)}")
    trained = {name: _arm(arms / name) for name in parts if arms is not None and (arms / name).is_dir()}
    folders = list(folders)
    report = Report([])
    whole = evaluate_people(attach(None), folders, ["ask"], log=log)
    report.answers.extend({"without": None, **row} for row in whole.answers)
    for name in parts:
        weights, options = trained.get(name, (None, {}))
        part = PARTS[name]
        without = evaluate_people(
            _without(part, attach(weights)), folders, ["ask"], options={**part.off, **options}, log=log
        )
        report.answers.extend({"without": name, **row} for row in without.answers)
        arm = RETRAINED if name in trained else SWITCHED_OFF
        report.rows.extend(_row(part, arm, whole, without, group) for group in dict.fromkeys((part.questions, "")))
    return report


def ablate_probes(
    memory: GraphMemory, rows: Sequence[Mapping[str, Any]], parts: Sequence[str] = PROBED, seed: int = 0,
    log: Callable[[str], None] | None = None,
) -> Report:  # fmt: skip
    """Ask the two-topic questions and the operations of WikiMovies with everything, then without parts.

    Args:
        memory: holds WikiMovies; its reader of evidence is made anew for each arm.
        rows: of ``graphmem.evaluation.probes.load_probes``.
        parts: of ``PARTS``, those that change a reader of evidence; several at once with ``+`` between.
        seed: of the intervals.
        log: gets a line for each question answered wrongly.

    Raises:
        InvalidValue: a part that there is not, or that is no part of a reader; a memory without a reader.
    """
    if memory.evidence_reader is None:
        raise InvalidValue("the memory has no reader of evidence; open it with evidence=True")
    changes = {name: [_change(one) for one in name.split("+")] for name in parts}
    report, having = Report([], seed), evaluate_probes(memory, rows, seed, log)
    report.answers.extend({"without": None, **row} for row in having.answers)
    for name, change in changes.items():
        reader = EvidenceReader(memory.store, memory.retriever.queries, memory.evidence_reader.network)
        for take in change:
            take(reader)
        lacking = evaluate_probes(_Read(memory, reader), rows, seed, log)
        report.answers.extend({"without": name, **row} for row in lacking.answers)
        taken = " and ".join(PARTS[one].taken for one in name.split("+"))
        for group in ("two topics", "operations"):
            pairs = [
                (float(one["right"]), float(other["right"]))
                for one, other in zip(having.answers, lacking.answers, strict=True)
                if (one["kind"] in TWO_TOPICS) == (group == "two topics")
            ]
            if pairs:
                report.rows.append(_probe_row(taken, f"WikiMovies, {group}", pairs, PROBES_SHOW.get((name, group))))
    return report


class _Read:
    """A memory with another reader of evidence."""

    def __init__(self, memory: GraphMemory, reader: EvidenceReader) -> None:
        self.evidence_reader, self.retrieve = reader, memory.retrieve


def _change(name: str) -> Callable[[EvidenceReader], None]:
    change = PARTS[name].change if name in PARTS else None
    if change is None:
        known = ", ".join(name for name, part in PARTS.items() if part.change is not None)
        raise InvalidValue(f"no part {name!r} of a reader of evidence to take away; choose of {known}")
    return change


def _probe_row(taken: str, questions: str, pairs: Sequence[tuple[float, float]], show: float | None) -> AblationRow:
    one, other, cost = (
        estimate([rows]) for rows in ([a for a, _ in pairs], [b for _, b in pairs], [a - b for a, b in pairs])
    )  # fmt: skip
    return AblationRow(
        taken, SWITCHED_OFF, questions, one.n, one.value, (one.low, one.high), other.value, (other.low, other.high),
        cost.value, (cost.low, cost.high), show,
    )  # fmt: skip


def _without(part: Part, attach: Attach) -> Attach:
    """``attach``, for memories whose reader of evidence lacks the part."""

    def attached(memory: GraphMemory) -> Any:
        if part.change is not None and memory.evidence_reader is not None:
            part.change(memory.evidence_reader)
        return attach(memory)

    return attached


def _arm(folder: Path) -> tuple[Path | None, dict[str, Any]]:
    """The folder of memory layers, and the options of ``GraphMemory.open``, of a trained arm."""
    layers, retriever = folder / WEIGHTS_FILE, folder / SHIPPED.name
    if not layers.exists() and not retriever.exists():
        raise InvalidValue(f"{folder} holds neither {layers.name} nor {retriever.name}; train the arm into it first")
    return folder if layers.exists() else None, {"retriever": retriever} if retriever.exists() else {}


def _row(part: Part, arm: str, whole: PeopleReport, without: PeopleReport, group: str) -> AblationRow:
    having, lacking = _by_set(whole, group), _by_set(without, group)
    gains = {name: [a - b for a, b in zip(rows, lacking[name], strict=True)] for name, rows in having.items()}
    one, other, cost = (estimate(list(groups.values())) for groups in (having, lacking, gains))
    return AblationRow(
        part.taken, arm, f"people's questions{f', {group}' if group else ''}", one.n, one.value, (one.low, one.high),
        other.value, (other.low, other.high), cost.value, (cost.low, cost.high),
        part.cost if group == part.questions else None,
    )  # fmt: skip


def _by_set(report: PeopleReport, group: str) -> dict[str, list[float]]:
    """Whether each question of a group was answered rightly, in the order of the sets; sets without one left out."""
    rows: dict[str, list[float]] = {name: [] for name in report.sets}
    for answer in report.answers:
        if not group or answer["kind"] in GROUPS[group]:
            rows[answer["set"]].append(float(answer["right"]))
    return {name: right for name, right in rows.items() if right}
