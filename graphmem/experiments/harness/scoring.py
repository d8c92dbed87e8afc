"""Measures of generated answers and free text; one list of rows a method."""

from __future__ import annotations

from collections.abc import Sequence

from graphmem.core.types import Triple
from graphmem.datasets.webnlg import name_spans
from graphmem.evaluation.statistics import mean
from graphmem.experiments.harness.report import Row, row_of
from graphmem.experiments.harness.runs import Part
from graphmem.experiments.methods.base import Cost, Generation, Method
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet, Item
from graphmem.text.answer_matching import contains, is_right


def answer_items(
    method: Method, items: Sequence[Item], retriever: CachedRetriever, *, phrasing: int = 0
) -> list[Generation]:
    """Answers to every item in its phrasing of that number (0 is the first, and the fallback)."""
    questions = [([i.question, *i.paraphrases])[phrasing if phrasing <= len(i.paraphrases) else 0] for i in items]
    return method.generate(retriever(questions, [i.gold for i in items]))


def answer_rows(name: str, method: str, items: Sequence[Item], answers: Sequence[Generation], *, seed: int = 0) -> Part:
    """First answer right, right anywhere, and the cost of an answer, by kind of question."""
    rows: list[Row] = []
    for kind, at in by_kind(items).items():
        dataset, chosen = f"{name}, {kind}", [(items[i], answers[i]) for i in at]
        unseen = [float(is_right(a.text, i.answers)) for i, a in chosen if i.unseen]
        values = {
            "right": [float(is_right(a.text, i.answers)) for i, a in chosen],
            "contains": [float(contains(a.text, i.answers)) for i, a in chosen],
            "right, answer never trained on": unseen if len(unseen) < len(chosen) else [],
            "old answer": [float(is_right(a.text, i.old)) for i, a in chosen if i.old],
        }
        rows += [row_of(dataset, method, measure, row, seed=seed) for measure, row in values.items() if row]
        tokens, seconds = mean([a.prompt_tokens for _, a in chosen]), mean([a.seconds for _, a in chosen])
        rows += [Row(dataset, method, "prompt tokens", tokens, len(chosen))]
        rows += [Row(dataset, method, "s/answer", seconds, len(chosen))]
    details = [
        {"dataset": name, "method": method, "question": i.question, "answers": list(i.answers)[:3], "text": a.text}
        for i, a in zip(items, answers, strict=True)
    ]
    return Part(rows, details)


def by_kind(items: Sequence[Item]) -> dict[str, list[int]]:
    """Indices of the items of each kind of question."""
    found: dict[str, list[int]] = {}
    for i, item in enumerate(items):
        found.setdefault(item.kind, []).append(i)
    return found


def right_rows(
    name: str, method: str, measure: str, items: Sequence[Item], answers: Sequence[Generation], *,
    minus: Sequence[Generation] | None = None, seed: int = 0,
) -> list[Row]:  # fmt: skip
    """Share of right first answers, a row a kind of question; less the share of other answers, where given."""
    right = _right(items, answers)
    if minus is not None:
        right = [a - b for a, b in zip(right, _right(items, minus), strict=True)]
    return _kind_rows(name, method, measure, items, right, seed)


def paraphrase_rows(
    facts: FactSet, method: Method, first: Sequence[Generation], retriever: CachedRetriever, seed: int = 0
) -> list[Row]:
    """The second phrasing, and any phrasing, of the questions that have more than one."""
    items = [item for item in facts.items if item.paraphrases]
    if not items:
        return []
    count = max(len(item.paraphrases) for item in items)
    answers = [[a for item, a in zip(facts.items, first, strict=True) if item.paraphrases]]
    answers += [answer_items(method, items, retriever, phrasing=i + 1) for i in range(count)]
    right = [_right(items, same) for same in answers]
    rows = _kind_rows(facts.name, method.name, "right, paraphrased", items, right[1], seed)
    if count > 1:
        anyhow = list(map(max, zip(*right, strict=True)))
        rows += _kind_rows(facts.name, method.name, "right, any phrasing", items, anyhow, seed)
    return rows


def _right(items: Sequence[Item], answers: Sequence[Generation]) -> list[float]:
    return [float(is_right(a.text, item.answers)) for item, a in zip(items, answers, strict=True)]


def _kind_rows(
    name: str, method: str, measure: str, items: Sequence[Item], values: Sequence[float], seed: int
) -> list[Row]:
    groups = by_kind(items).items()
    return [row_of(f"{name}, {kind}", method, measure, [values[i] for i in at], seed=seed) for kind, at in groups]


def free_text_rows(facts: FactSet, method: Method, retriever: CachedRetriever, n: int, *, seed: int = 0) -> Part:
    """Ask for a few sentences about ``n`` nodes, and score the facts in them.

    Recall: share of a node's facts (at most four) whose other end is named. Precision: of the graph's names in the
    text, without the node's own, the share that are ends of its facts; texts without such names are left out.
    """
    about: dict[str, list[Triple]] = {}
    for fact in facts.all_facts:
        about.setdefault(fact[0], []).append(fact)
    subjects = sorted(subject for subject in about if len(about[subject]) >= 2)[:n]
    if not subjects:
        return Part([])
    queries = retriever([f"Tell me about {subject}." for subject in subjects], [tuple(about[s]) for s in subjects])
    texts = [answer.text for answer in method.generate(queries, 48)]
    recalls, precisions = [], []
    for subject, text in zip(subjects, texts, strict=True):
        ends = {o for _, _, o in about[subject]}
        named = [name for name in facts.names if name != subject and name_spans(text, [name])]
        recalls.append(sum(bool(name_spans(text, [end])) for end in ends) / min(4, len(ends)))
        if named:
            precisions.append(sum(name in ends for name in named) / len(named))
    dataset = f"{facts.name}, free text"
    rows = [row_of(dataset, method.name, "fact recall", [min(1.0, r) for r in recalls], seed=seed)]
    rows += [row_of(dataset, method.name, "name precision", precisions, seed=seed)]
    common, pairs = {"dataset": dataset, "method": method.name}, zip(subjects, texts, strict=True)
    return Part(rows, [{**common, "question": subject, "text": text} for subject, text in pairs])


def cost_part(name: str, method: str, cost: Cost) -> Part:
    """The cost of training with its losses; empty where nothing was trained."""
    if not cost.steps:
        return Part([])
    dataset = f"{name}, cost"
    figures = {"training steps": cost.steps, "training tokens": cost.tokens, "training s": cost.seconds}
    rows = [Row(dataset, method, measure, float(value), cost.steps) for measure, value in figures.items()]
    return Part(rows, [{"dataset": dataset, "method": method, "loss, nats/token, by step": cost.losses}])
