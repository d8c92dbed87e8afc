"""Measures of answers, free text and the likelihood of passages; one list of rows a method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch.nn import functional as F

from graphmem.core.types import Triple
from graphmem.datasets.webnlg import FactText, name_spans
from graphmem.evaluation.statistics import mean, ratio_interval
from graphmem.experiments.harness.report import Row, row_of
from graphmem.experiments.harness.runs import Part
from graphmem.experiments.methods.base import Cost, Generation, Language, Method
from graphmem.experiments.tasks.fact_set import CachedRetriever, FactSet, Item
from graphmem.text.answer_matching import contains, is_right

PASSAGE_TOKENS = 256
"""Of a passage whose likelihood is measured."""


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


class Nats(NamedTuple):
    """Negative log likelihood of one passage and its number of tokens: of all, and of those that overlap a name."""

    total: float
    tokens: int
    name_total: float
    name_tokens: int


def likelihood_rows(
    facts: FactSet, method: Method, language: Language, retriever: CachedRetriever, *, seed: int = 0
) -> list[Row]:
    """Nats per token of the passages of a fact set, with intervals over passages.

    The memory is searched twice: with the passage's topic, for all tokens but the first; and with the passage up to the
    end of its first name, for the tokens after it. Methods with facts in the prompt get those of the passage.

    A method that reads no retrieval runs once. No rows for a method without a model.
    """
    dataset, pairs = f"{facts.name}, passages", list[tuple[Nats, Nats]]()
    for passage in facts.passages:
        pair = _nats(passage, method, language, retriever)
        if pair is None:
            return []
        pairs.append(pair)
    figures = {
        "nats/token": [(whole.total, whole.tokens) for whole, _ in pairs],
        "nats/name token": [(whole.name_total, whole.name_tokens) for whole, _ in pairs],
        "nats/name token, text so far": [(rest.name_total, rest.name_tokens) for _, rest in pairs],
    }
    rows = []
    for measure, parts in figures.items():
        if tokens := sum(count for _, count in parts):
            note = f"n counts tokens, of {len(parts)} passages"
            value, low, high = ratio_interval(parts, seed)
            rows.append(Row(dataset, method.name, measure, value, tokens, low, high, note))
    return rows


def _nats(
    passage: FactText, method: Method, language: Language, retriever: CachedRetriever
) -> tuple[Nats, Nats] | None:
    """Nats of the whole passage (search by topic) and of the rest (search by its beginning); None without a model."""
    start = passage.mentions[0][1] if passage.mentions else len(passage.text) // 4
    encoded = language.tokenizer(passage.text, add_special_tokens=False, return_offsets_mapping=True)
    ids, offsets = torch.tensor([encoded["input_ids"][:PASSAGE_TOKENS]]), encoded["offset_mapping"]
    queries = retriever([passage.topic, passage.text[:start]], [passage.gold] * 2)[: 1 + method.reads_retrieval]
    logits = [method.logits(ids, query) for query in queries]
    if logits[0] is None:
        return None
    return passage_nats(logits[0], ids, offsets, passage), passage_nats(logits[-1], ids, offsets, passage, start)


def passage_nats(logits: Any, ids: Any, offsets: Sequence[tuple[int, int]], passage: FactText, start: int = 0) -> Nats:
    """Nats of a passage's tokens that begin at character ``start`` or later.

    Shapes: logits [T, V], of the token after each token; ids int64 [1, T]; ``offsets`` (start, end) of each token.
    """
    nats = F.cross_entropy(logits[:-1].float(), ids[0, 1:], reduction="none").tolist()
    scored = [(value, a, b) for value, (a, b) in zip(nats, offsets[1 : ids.shape[1]], strict=True) if a >= start]
    named = [value for value, a, b in scored if any(a < end and b > begin for begin, end in passage.mentions)]
    return Nats(sum(value for value, _, _ in scored), len(scored), sum(named), len(named))


def cost_part(name: str, method: str, cost: Cost) -> Part:
    """The cost of training with its losses; empty where nothing was trained."""
    if not cost.steps:
        return Part([])
    dataset = f"{name}, cost"
    figures = {"training steps": cost.steps, "training tokens": cost.tokens, "training s": cost.seconds}
    rows = [Row(dataset, method, measure, float(value), cost.steps) for measure, value in figures.items()]
    return Part(rows, [{"dataset": dataset, "method": method, "loss, nats/token, by step": cost.losses}])
