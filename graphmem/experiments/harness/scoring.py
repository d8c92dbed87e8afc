"""Measures of what is said: answers, what must be left alone, and free text; one list of rows a method."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from graphmem.experiments.harness.report import Row, row_of
from graphmem.experiments.harness.runs import Part
from graphmem.experiments.methods.base import Method, Said
from graphmem.experiments.tasks.fact_set import FactSet, Item, LookUp
from graphmem.experiments.tasks.unrelated import UNRELATED_TOKENS, everyday, plain_texts
from graphmem.text.answer_matching import contains, is_right

if TYPE_CHECKING:
    from graphmem.experiments.panel import Panel


MOST_TOKENS = 128
"""Of a passage whose logits are compared."""


def ask(method: Method, items: Sequence[Item], look_up: LookUp, *, phrasing: int = 0, limit: int = 24) -> list[Said]:
    """Ask every item in its phrasing of that number (0 is the first); those without one are asked in their first."""
    questions = [([i.question, *i.paraphrases])[phrasing if phrasing <= len(i.paraphrases) else 0] for i in items]
    return method.say(look_up(questions, [i.gold for i in items]), limit)


def answer_rows(name: str, method: str, items: Sequence[Item], said: Sequence[Said], *, seed: int = 0) -> Part:
    """First answer right, right anywhere, and the cost of an answer, by kind of question."""
    rows: list[Row] = []
    for kind in dict.fromkeys(item.kind for item in items):
        chosen = [(item, s) for item, s in zip(items, said, strict=True) if item.kind == kind]
        where = f"{name}, {kind}"
        right = [float(is_right(s.text, i.answers)) for i, s in chosen]
        rows += [
            row_of(where, method, "right", right, seed=seed),
            row_of(where, method, "contains", [float(contains(s.text, i.answers)) for i, s in chosen], seed=seed),
        ]
        fresh = [r for r, (i, _) in zip(right, chosen, strict=True) if i.fresh]
        if 0 < len(fresh) < len(right):
            rows.append(row_of(where, method, "right, answer never trained on", fresh, seed=seed))
        if any(i.old for i, _ in chosen):
            old = [float(is_right(s.text, i.old)) for i, s in chosen if i.old]
            rows.append(row_of(where, method, "old answer", old, seed=seed))
        tokens, seconds = ([float(getattr(s, f)) for _, s in chosen] for f in ("tokens", "seconds"))
        rows += [
            Row(where, method, "prompt tokens", sum(tokens) / len(tokens), len(tokens)),
            Row(where, method, "s/answer", sum(seconds) / len(seconds), len(seconds)),
        ]
    details = [
        {"dataset": name, "method": method, "question": i.question, "answers": list(i.answers)[:3], "said": s.text}
        for i, s in zip(items, said, strict=True)
    ]
    return Part(rows, details)


def measure(
    name: str, method: str, label: str, items: Sequence[Item], said: Sequence[Said], *,
    less: Sequence[Said] | None = None, seed: int = 0,
) -> list[Row]:  # fmt: skip
    """One row a kind of question: first answer right, under a label of its own; ``less`` what was said then."""
    rows, right = [], _right(items, said)
    if less is not None:
        right = [a - b for a, b in zip(right, _right(items, less), strict=True)]
    for kind in dict.fromkeys(item.kind for item in items):
        values = [value for item, value in zip(items, right, strict=True) if item.kind == kind]
        rows.append(row_of(f"{name}, {kind}", method, label, values, seed=seed))
    return rows


def other_words(facts: FactSet, method: Method, first: Sequence[Said], look_up: LookUp, seed: int = 0) -> list[Row]:
    """The second phrasing, and any of all phrasings, of questions that have more than one."""
    items = [item for item in facts.items if item.paraphrases]
    said = [s for item, s in zip(facts.items, first, strict=True) if item.paraphrases]
    if not items:
        return []
    again = [ask(method, items, look_up, phrasing=i + 1) for i in range(max(len(i.paraphrases) for i in items))]
    rows = measure(facts.name, method.name, "right, other words", items, again[0], seed=seed)
    if len(again) > 1:
        ways = [_right(items, way) for way in (said, *again)]
        for kind in dict.fromkeys(item.kind for item in items):
            at = [i for i, item in enumerate(items) if item.kind == kind]
            anyhow = [max(way[i] for way in ways) for i in at]
            rows.append(row_of(f"{facts.name}, {kind}", method.name, "right in any words", anyhow, seed=seed))
    return rows


def _right(items: Sequence[Item], said: Sequence[Said]) -> list[float]:
    return [float(is_right(s.text, item.answers)) for item, s in zip(items, said, strict=True)]


def left_alone(panel: Panel, name: str, method: Method, look_up: LookUp) -> list[Row]:
    """KL to the base on plain text, and answers to questions that the memory does not concern.

    Each text is read beside what the memory finds for its own beginning.
    """
    where, seed, base = f"{name}, left alone", panel.run.seed, panel.base
    texts, unrelated = plain_texts(panel.aside, seed), everyday(2 * panel.aside, seed)
    moved = []
    for text, asked in zip(texts, look_up([t[:300] for t in texts]), strict=True):
        ids = torch.tensor([panel.language.ids(text)[:MOST_TOKENS]])
        after, before = method.logits(ids, asked), base.logits(ids, asked)
        if after is not None and before is not None:
            moved.append(kl(before, after))
    then, now = (
        panel.untouched([question for question, _ in unrelated]),
        method.say(look_up([question for question, _ in unrelated]), UNRELATED_TOKENS),
    )
    changed = [float(a.text != b) for a, b in zip(now, then, strict=True)]
    right = [float(contains(s.text, answers)) for s, (_, answers) in zip(now, unrelated, strict=True)]
    return [
        row_of(where, method.name, "KL on plain text (nats/token)", moved, seed=seed),
        row_of(where, method.name, "unrelated answers changed", changed, seed=seed),
        row_of(where, method.name, "unrelated questions right", right, seed=seed),
    ]


def kl(before: torch.Tensor, after: torch.Tensor) -> float:
    """Mean KL(before || after) in nats a token, of logits [T, V]."""
    p, q = before.float().log_softmax(-1), after.float().log_softmax(-1)
    return float((p.exp() * (p - q)).sum(-1).mean())


def free_text(facts: FactSet, method: Method, look_up: LookUp, count: int, *, seed: int = 0, limit: int = 48) -> Part:
    """Ask for a few sentences about a node, and score the facts they state.

    Recall: share of its facts (at most four) whose other end is named. Precision: of the graph's names that the text
    holds beside the node's own, the share that are ends of its facts; texts that name none are left out.
    """
    about = {s: fs for s, fs in facts.about().items() if len(fs) >= 2}
    subjects = sorted(about)[:count]
    if not subjects:
        return Part([])
    asked = look_up([f"Tell me about {subject}." for subject in subjects], [tuple(about[s]) for s in subjects])
    said = method.say(asked, limit)
    recalls, precisions = [], []
    for subject, s in zip(subjects, said, strict=True):
        ends = {o for _, _, o in about[subject]}
        named = [name for name in facts.names if name != subject and _stands_in(name, s.text)]
        recalls.append(sum(_stands_in(end, s.text) for end in ends) / min(4, len(ends)))
        if named:
            precisions.append(sum(name in ends for name in named) / len(named))
    where = f"{facts.name}, free text"
    rows = [
        row_of(where, method.name, "facts stated, recall", [min(1.0, r) for r in recalls], seed=seed),
        row_of(where, method.name, "names stated, precision", precisions, seed=seed),
    ]
    details = [
        {"dataset": where, "method": method.name, "question": subject, "said": s.text}
        for subject, s in zip(subjects, said, strict=True)
    ]
    return Part(rows, details)


def _stands_in(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name.casefold())}(?!\w)", text.casefold()) is not None
