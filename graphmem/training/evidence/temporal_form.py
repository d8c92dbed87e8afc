"""Training of the temporal form of questions, on templates over invented names and on questions of public sets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from graphmem.core.errors import InvalidTime
from graphmem.core.splits import held
from graphmem.core.times import read_time, to_micros
from graphmem.datasets.files import read_lines, read_rows
from graphmem.questions.temporal_form import (
    SHIPPED,
    TAGS,
    WANTED,
    TemporalClassifier,
    token_features,
    type_features,
)
from graphmem.questions.time_expressions import find_times
from graphmem.synthetic.names import CLOSED, KINDS, NameGenerator
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import Relation, load_lexicon
from graphmem.training.classifier import train_classifier
from graphmem.training.evidence.examples import reworded
from graphmem.training.evidence.fact_examples import simple_questions

HIDDEN = 48
"""Width of the perceptron of tokens."""

_PHRASE = re.compile(r"\[([^\]]*)\]")
_NOW = to_micros("2024-06-01") or 0


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question, the phrases in it that set a time with the index of their tag, and the index of what it wants.

    ``wanted`` or ``phrases`` is None where it is not known; ``is_test``: held out.
    """

    question: str
    phrases: tuple[tuple[int, int, int], ...] | None
    wanted: int | None
    source: str
    is_test: bool


def from_templates(rng: Random, count: int, real: Sequence[str] = ()) -> Iterator[Labelled]:
    """Questions of the relation lexicon in frames that set a time or ask for one; a quarter of the frames is held out.

    ``real`` names stand in the place of half of the invented ones.
    """
    forms, made = load("times"), NameGenerator(rng)
    relations = [r for r in load_lexicon() if r.subject in KINDS and r.object in KINDS]
    pools = {kind: list(CLOSED[kind]) if kind in CLOSED else made.names(kind, 300) for kind in sorted(KINDS)}
    one = lambda kind: rng.choice(pools[kind])
    groups = [(key, tag, 0) for key, tag in _TAGGED.items()] + [(key, "none", n) for n, key in enumerate(WANTED)]
    for _ in range(count):
        key, tag, wanted = rng.choice(groups)
        frame, relation = rng.choice(forms[key]), rng.choice(relations)
        names = {"s": one(relation.subject), "o": one(relation.object)}
        names["n"] = one(rng.choice((relation.object, "person", "company")))
        names = {key: rng.choice(real) if real and rng.random() < 0.5 else name for key, name in names.items()}
        question = _asked(relation, names, rng)
        if tag == "at" and rng.random() < 0.3:
            key, frame = "at_relative", rng.choice(forms["at_relative"])
        text = frame.format(
            q=question, t=_time(forms["relative" if key == "at_relative" else "times"], rng), r=relation.noun,
            w=rng.choice(forms["words"]), y=rng.randint(1900, 2025), **names,
        )  # fmt: skip
        yield _marked(text, TAGS.index(tag), wanted, key, held(frame, 4), rng)


_TAGGED = {
    "at": "at", "before": "before", "after": "after", "until": "until", "since": "since", "before_name": "before",
    "after_name": "after", "before_now": "before", "none": "none", "names_with_times": "none",
}  # fmt: skip
"""Frames by the tag of the phrase in brackets."""


def _asked(relation: Relation, names: dict[str, str], rng: Random) -> str:
    """A question about one end of a relation, without its mark, often in the past tense."""
    form = rng.choice([*relation.questions, *relation.questions, *relation.inverse_questions])
    text = form.format(**names).rstrip("?")
    if rng.random() < 0.5:
        for now, then in (("is", "was"), ("are", "were"), ("does", "did"), ("has", "had")):
            text = re.sub(rf"\b{now}\b", then, text, count=1)
    return text[:1].lower() + text[1:] if rng.random() < 0.4 else text


def _time(forms: Sequence[str], rng: Random) -> str:
    year = rng.randint(1950, 2025)
    return rng.choice(forms).format(
        y=year, m=rng.choice(load("names")["months"]), d=rng.randint(1, 28), c=year // 10, n=f"{rng.randint(1, 12):02d}"
    )


def _marked(text: str, tag: int, wanted: int, source: str, is_test: bool, rng: Random) -> Labelled:
    """The text without its brackets, in a polite frame or in lower case, with the phrases that stood in them."""
    inside = [match.group(1) for match in _PHRASE.finditer(text)]
    question, phrases, start = reworded(_PHRASE.sub(r"\1", text), rng), [], 0
    for phrase in inside:
        at = question.lower().find(phrase.replace("'", "").lower() if "'" not in question else phrase.lower(), start)
        if at >= 0:
            phrases.append((at, at + len(phrase), tag))
            start = at + len(phrase)
    return Labelled(question, tuple(phrases), wanted, source, is_test)


def real_names(folder: Path) -> list[str]:
    """First names, and names of things: titles of SQuAD that are not held out."""
    first = [
        name.capitalize() for line in read_lines(folder / "names" / "names.csv.gz")[1:] for name in line.split(",")[::2]
    ]
    titles = {row["title"] for row in read_rows(folder / "squad" / "squad_train_15k.jsonl.gz") if row["title"]}
    return sorted(set(first)) + 4 * [title.replace("_", " ") for title in sorted(titles) if not held(title)]


def from_sets(folder: Path, rng: Random, each: int) -> list[Labelled]:
    """Questions of SQuAD and SimpleQuestions: dates behind a word that marks them, what is wanted by the answer."""
    rows = [(row["question"], row["answers"][0], row["title"] or "") for row in
            read_rows(folder / "squad" / "squad_train_15k.jsonl.gz")]  # fmt: skip
    rows = rng.sample(rows, min(len(rows), 10 * each))
    rows += [(one.question, "", one.question) for one in rng.sample(simple_questions(folder), 2 * each)]
    found: dict[Any, list[Labelled]] = {}
    for question, answer, key in rows:
        phrases, wanted = _weak_phrases(question), _weak_wanted(answer)
        label = Labelled(question, phrases, wanted, "sets", held(key))
        found.setdefault((wanted, phrases and phrases[0][2]), []).append(label)
    return [row for group in found.values() for row in rng.sample(group, min(len(group), each))]


def _weak_phrases(question: str) -> tuple[tuple[int, int, int], ...] | None:
    """Times with the word before them that marks their relation; None where words without a time may set one."""
    forms, phrases = load("times"), []
    for span in find_times(question, _NOW):
        before = re.search(r"([^\W\d]+(?: [^\W\d]+)?)\s(?:the )?$", question[: span.start])
        words = before[1].lower().split() if before else []
        marker = next((m for m in (" ".join(words), *words[-1:]) if m in forms["markers"]), None)
        if marker is None:
            return None
        start = question.lower().rfind(marker, 0, span.start)
        phrases.append((start, span.end, TAGS.index(forms["markers"][marker])))
    outside = "".join(" " if any(a <= at < b for a, b, _ in phrases) else c for at, c in enumerate(question))
    return None if set(re.findall(r"\w+", outside.lower())) & set(forms["marking"]) else tuple(phrases)


def _weak_wanted(answer: str) -> int:
    """What an answer is, by its own form: a time, a length of time, or something else."""
    from dateparser import parse

    try:
        if read_time(answer) is not None and re.search(r"\d{4}|[A-Z]", answer):
            return 1
    except InvalidTime:
        pass
    form = re.fullmatch(r"(?:\w+ ){1,3}?(?:years?|months?|weeks?|days?|hours?|minutes?|decades?|centuries)", answer)
    return 2 if form and parse(f"{answer} ago", languages=["en"]) is not None else 0


def fitted(rows: Sequence[Labelled], encoder: Any, steps: int) -> tuple[TemporalClassifier, dict[str, float]]:
    """The classifier of the rows that are not held out, and its accuracy on the others, by source."""
    tokens, tags, which, pooled = [], [], [], []
    for start in range(0, len(rows), 256):
        part = [row.question for row in rows[start : start + 256]]
        states, mask = encoder.encode_both(part)[1:]
        pooled.append(type_features(states, mask))
        for at, spans in enumerate(encoder.offsets(part)):
            row = rows[start + at]
            if row.phrases is not None:
                tokens.append(token_features(states[at, : len(spans)])[1:-1].astype(np.float16))
                tags += [_tag(span, row.phrases) for span in spans[1:-1]]
                which += [start + at] * (len(spans) - 2)
    train = np.array([not row.is_test for row in rows])
    wanted = np.array([-1 if row.wanted is None else row.wanted for row in rows])
    x, y, owner = np.concatenate(tokens).astype(np.float32), np.array(tags), np.array(which)
    tensors: dict[str, np.ndarray] = {}
    _fit(tensors, ("hidden", "tag"), x[train[owner]], y[train[owner]], (HIDDEN, len(TAGS)), 3 * steps)
    z, known = np.concatenate(pooled), wanted >= 0
    _fit(tensors, ("wanted",), z[train & known], wanted[train & known], (len(WANTED),), steps)
    made = TemporalClassifier(tensors)
    forms = made.forms(encoder, [row.question for row in rows if row.is_test])
    right: dict[str, list[bool]] = {}
    for row, form in zip([row for row in rows if row.is_test], forms, strict=True):
        if row.wanted is not None:
            right.setdefault(f"wanted, {row.source}", []).append(WANTED.index(form.asks) == row.wanted)
        if row.phrases is not None:
            got = {(phrase.start, phrase.end, TAGS.index(phrase.relation)) for phrase in form.phrases}
            right.setdefault(f"phrases, {row.source}", []).append(got == set(row.phrases))
    return made, {f"{name} (n={len(value)})": round(float(np.mean(value)), 3) for name, value in sorted(right.items())}


def _tag(span: tuple[int, int], phrases: Sequence[tuple[int, int, int]]) -> int:
    return next((tag for start, end, tag in phrases if start <= span[0] and span[1] <= end), 0)


def _fit(
    tensors: dict[str, np.ndarray],
    names: Sequence[str],
    x: np.ndarray,
    y: np.ndarray,
    widths: Sequence[int],
    steps: int,
) -> None:  # fmt: skip
    """Fit layers of these widths, rectified between them, and put ``NAME_weight`` [F, C] and ``NAME_bias`` [C]."""
    mean, scale = x.mean(0), x.std(0) + 1e-3
    inputs, wanted = torch.as_tensor((x - mean) / scale), torch.as_tensor(y)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise((x.shape[1], *widths))]
    modules = [part for layer in layers for part in (layer, torch.nn.ReLU(), torch.nn.Dropout(0.2))][:-2]
    network = torch.nn.Sequential(*modules)
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=0.3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randint(len(inputs), (min(len(inputs), 2048),), generator=generator)
        loss = functional.cross_entropy(network(inputs[rows]), wanted[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    for name, layer in zip(names, layers, strict=True):
        weight, bias = layer.weight.detach().numpy().T, layer.bias.detach().numpy()
        if layer is layers[0]:  # the inputs are normalised in the weights
            weight, bias = weight / scale[:, None], bias - (mean / scale) @ weight
        tensors[f"{name}_weight"], tensors[f"{name}_bias"] = weight, bias


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    counts = {
        "count": (9000, "questions from templates"),
        "each": (500, "questions of public sets of each kind, at most"),
    }  # fmt: skip
    rows = lambda folder, rng, given: [
        *from_templates(rng, given.count, real_names(folder)), *from_sets(folder, rng, given.each)
    ]  # fmt: skip
    train_classifier(
        arguments, part="temporal-form", about=__doc__, out=SHIPPED, steps=500, counts=counts, rows=rows, fitted=fitted
    )
