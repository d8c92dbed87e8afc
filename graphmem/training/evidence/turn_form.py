"""Training of the form of turns: on sentences of public dialogues, questions of public sets, and templates."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

import numpy as np
import torch
from torch.nn import functional

from graphmem.core.splits import held
from graphmem.datasets.files import read_json, read_rows
from graphmem.questions.turn_form import FORMS, SHIPPED, TurnClassifier, turn_features
from graphmem.synthetic.names import CLOSED, KINDS, NameGenerator
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import Relation, load_lexicon
from graphmem.text.sentences import is_question, sentences
from graphmem.training.classifier import train_classifier
from graphmem.training.evidence.examples import reworded
from graphmem.training.evidence.fact_examples import simple_questions

HIDDEN = 96
"""Width of the perceptron."""

Label = tuple[int | None, ...]
"""Whether each of ``FORMS`` holds; None where it is not known."""

_ASKS: Label = (1, 0, 0, 0)
_REFERS: Label = (1, 1, 0, 0)
_LACKS: Label = (1, 1, 0, 1)
_STATES: Label = (0, None, 0, None)
_CORRECTS: Label = (0, None, 1, None)
_AUXILIARY = re.compile(r"\b(?:is|was|are|were|do|does|did|has|have|had|can|will) $")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A text with its label, where it comes from, and whether it is held out."""

    text: str
    label: Label
    source: str
    is_test: bool


def from_dialogues(folder: Path) -> Iterator[Labelled]:
    """Sentences of users in SGD and of speakers in FriendsQA: with a question mark they ask, without they state."""
    for path in sorted((folder / "dialog_sgd").glob("dev_dialogues_*.json.gz")):
        for dialogue in read_json(path):
            apart = held(dialogue["dialogue_id"])
            for turn in (turn for turn in dialogue["turns"] if turn["speaker"] == "USER"):
                acts = {action["act"] for frame in turn["frames"] for action in frame["actions"]}
                for sentence in _sentences(turn["utterance"]):
                    named = re.search(r"\s[A-Z][a-z]", sentence) is not None
                    refers = None if named or "REQUEST" not in acts else 1
                    if is_question(sentence):
                        yield Labelled(sentence, (1, refers, 0, 0 if refers else None), "dialogues", apart)
                    elif not acts & {"REQUEST", "INFORM_INTENT", "REQUEST_ALTS"}:
                        yield Labelled(sentence, (0, None, None if "NEGATE" in acts else 0, None), "dialogues", apart)
    for scene in read_json(folder / "dialog_friendsqa" / "friendsqa_dev.json.gz")["data"]:
        for utterance in scene["paragraphs"][0]["utterances:"]:
            text = re.sub(r" (?=[.,!?'’]|n't)", "", utterance["utterance"])
            for sentence in _sentences(text):
                label = (int(is_question(sentence)), None, 0, None)
                yield Labelled(sentence, label, "dialogues", held(scene["title"]))


def _sentences(text: str) -> list[str]:
    return [words for a, b in sentences(text) if len((words := text[a:b].strip()).split()) > 1 and len(words) < 200]


def from_questions(folder: Path, rng: Random, each: int) -> Iterator[Labelled]:
    """Questions that name what they ask about, and sentences of passages."""
    squad = rng.sample(list(read_rows(folder / "squad" / "squad_train_15k.jsonl.gz")), each)
    for row in squad:
        if re.search(r"\s[A-Z]", row["question"]):
            yield Labelled(reworded(row["question"], rng), _ASKS, "questions", held(row["question"]))
        if spans := _sentences(row["context" if "context" in row else "passage"]):
            yield Labelled(rng.choice(spans), _STATES, "questions", held(row["question"]))
    for asked in rng.sample(simple_questions(folder), each):
        yield Labelled(reworded(asked.question, rng), _ASKS, "questions", held(asked.question))


def from_templates(rng: Random, count: int) -> Iterator[Labelled]:
    """Questions of the relation lexicon with names or with pronouns, ellipses, statements and corrections.

    A quarter of the relations, and of the templates of ellipses and corrections, is held out.
    """
    forms, made = load("turns"), NameGenerator(rng)
    relations = [relation for relation in load_lexicon() if relation.subject in KINDS and relation.object in KINDS]
    pools = {kind: list(CLOSED[kind]) if kind in CLOSED else made.names(kind, 200) for kind in sorted(KINDS)}
    for number in range(count):
        relation = rng.choice(relations)
        names = {key: rng.choice(pools[kind]) for key, kind in (("s", relation.subject), ("o", relation.object))}
        slots = {
            "n": rng.choice(pools[rng.choice(("person", "person", "company", "city"))]), "r": relation.noun,
            "t": relation.object, "p": rng.choice(("his", "her", "its", "their")),
            "q": rng.choice(("he", "she", "it", "they")),
        }  # fmt: skip
        apart, kind = held(relation.relation, 4), number % 7
        if kind == 0:
            form = rng.choice((*relation.questions, *relation.inverse_questions))
            yield Labelled(_asked(form.format(**names), forms, slots, rng), _ASKS, "names", apart)
        elif kind == 1:
            yield Labelled(_asked(with_pronoun(relation, rng), forms, slots, rng), _REFERS, "pronouns", apart)
        elif kind == 2:
            form = rng.choice(forms["ellipses"])
            yield Labelled(_asked(form.format(**slots), forms, slots, rng), _REFERS, "ellipses", held(form, 4))
        elif kind == 3:
            form = rng.choice(forms["bare"])
            yield Labelled(_asked(form.format(**slots), forms, slots, rng), _LACKS, "bare", held(form, 4))
        elif kind == 4:
            text = rng.choice(relation.statements).format(**names)
            yield Labelled(_opened(text, forms, rng), _STATES, "statements", apart)
        elif kind == 5:
            form = rng.choice(forms["own"])
            text = form.format(**slots, **_numbers(rng), o=names["o"])
            yield Labelled(_opened(text, forms, rng), _STATES, "own", held(form, 4))
        else:
            form = rng.choice(forms["corrections"])
            values = {"o": _value(forms, slots["n"], rng), "b": _value(forms, names["s"], rng), "r": slots["r"]}
            yield Labelled(form.format(**values), _CORRECTS, "corrections", held(form, 4))


def with_pronoun(relation: Relation, rng: Random) -> str:
    """A question of a relation with a pronoun in the place of the name."""
    inverse = rng.random() < 0.3
    form = rng.choice(relation.inverse_questions if inverse else relation.questions)
    person = (relation.object if inverse else relation.subject) == "person"
    before, after = re.split(r"\{[so]\}", form, maxsplit=1)
    subject, other, own = rng.choice(
        (("he", "him", "his"), ("she", "her", "her"), ("they", "them", "their")) if person
        else (("it", "it", "its"), ("that", "that", "its"), ("this", "this", "its"))
    )  # fmt: skip
    if after.startswith("'s"):
        return before + own + after[2:]
    if not person and before.endswith(" in ") and rng.random() < 0.7:
        return before[:-3] + "there" + after
    return before + (subject if _AUXILIARY.search(before) else other) + after


def _asked(question: str, forms: dict[str, list[str]], slots: dict[str, str], rng: Random) -> str:
    """The question as people type it in a conversation: with words before and after it."""
    if rng.random() < 0.3:
        question = question.rstrip("?") + rng.choice(forms["tails"]).format(**slots) + "?"
    if rng.random() < 0.4:
        question = rng.choice(forms["links"]) + question[:1].lower() + question[1:]
    return reworded(question, rng)


def _opened(statement: str, forms: dict[str, list[str]], rng: Random) -> str:
    """A statement as people begin one in a conversation."""
    return rng.choice(forms["openers"]) + statement if rng.random() < 0.5 else statement


def _numbers(rng: Random) -> dict[str, object]:
    """Values of the slots of dates and numbers."""
    return {
        "d": rng.randint(1, 28), "e": rng.randint(1, 28), "m": rng.choice(load("names")["months"]),
        "y": rng.randint(1950, 2025), "c": rng.choice((7, 12, 40, 250, 1800)), "h": rng.randint(1, 12),
    }  # fmt: skip


def _value(forms: dict[str, list[str]], name: str, rng: Random) -> str:
    return rng.choice(forms["values"]).format(n=name, **_numbers(rng))


def as_typed(row: Labelled, rng: Random) -> Labelled:
    """A row in lower case or without its final mark, often."""
    text = row.text.rstrip(" .?!") if rng.random() < 0.8 else row.text
    return Labelled(text.lower() if rng.random() < 0.4 else text, row.label, row.source, row.is_test)


def fitted(rows: Sequence[Labelled], encoder: object, steps: int) -> tuple[TurnClassifier, dict[str, float]]:
    """The classifier of the rows that are not held out, and its accuracy on the others, by form and source."""
    order = sorted(range(len(rows)), key=lambda k: len(rows[k].text))
    features: dict[int, np.ndarray] = {}
    for start in range(0, len(order), 128):
        part = order[start : start + 128]
        states, mask = encoder.encode_both([rows[k].text for k in part])[1:]  # type: ignore[attr-defined]
        features |= dict(zip(part, turn_features(np.asarray(states, np.float32), mask), strict=True))
    x = np.stack([features[k] for k in range(len(rows))])
    y = np.array([[-1 if label is None else label for label in row.label] for row in rows])
    train = np.array([not row.is_test for row in rows])
    made = TurnClassifier(_fit(x[train], y[train], steps))
    forms = np.array(made.forms(encoder, [row.text for row in rows if row.is_test]))
    right: dict[str, list[bool]] = {}
    for row, form in zip([row for row in rows if row.is_test], forms, strict=True):
        for name, label, probability in zip(FORMS, row.label, form, strict=True):
            if label is not None:
                right.setdefault(f"{name}, {row.source}, {label}", []).append((probability > 0.5) == bool(label))
    return made, {f"{name} (n={len(value)})": round(float(np.mean(value)), 3) for name, value in sorted(right.items())}


def _fit(x: np.ndarray, y: np.ndarray, steps: int) -> dict[str, np.ndarray]:
    """Weights of the perceptron; labels of -1 are unknown."""
    mean, scale = x.mean(0), x.std(0) + 1e-3
    inputs, wanted = torch.as_tensor((x - mean) / scale), torch.as_tensor(y, dtype=torch.float32)
    layers = [torch.nn.Linear(a, b) for a, b in pairwise((x.shape[1], HIDDEN, len(FORMS)))]
    network = torch.nn.Sequential(torch.nn.Dropout(0.2), layers[0], torch.nn.ReLU(), torch.nn.Dropout(0.3), layers[1])
    optimizer = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=0.3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 2e-3, total_steps=steps)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        rows = torch.randint(len(inputs), (min(len(inputs), 512),), generator=generator)
        logits, known = network(inputs[rows]), wanted[rows] >= 0
        loss = functional.binary_cross_entropy_with_logits(logits[known], 0.98 * wanted[rows][known] + 0.01)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    (a, b), (c, d) = ((layer.weight.detach().numpy().T, layer.bias.detach().numpy()) for layer in layers)
    hidden = a / scale[:, None]  # the inputs are normalised in the weights
    return {"hidden_weight": hidden, "hidden_bias": b - mean @ hidden, "form_weight": c, "form_bias": d}


def _rows(folder: Path, rng: Random, given: argparse.Namespace) -> list[Labelled]:
    """Sentences of dialogues, questions of public sets and texts from templates, as they are typed."""
    spoken = list({row.text: row for row in from_dialogues(folder)}.values())
    rows = [*rng.sample(spoken, min(given.dialogues, len(spoken))), *from_questions(folder, rng, given.each)]
    return [as_typed(row, rng) for row in (*rows, *from_templates(rng, given.count))]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of the trainer."""
    counts = {
        "count": (5600, "texts from templates"),
        "each": (500, "questions of each public set"),
        "dialogues": (4000, "sentences of dialogues, at most"),
    }
    train_classifier(
        arguments, part="turn-form", about=__doc__, out=SHIPPED, steps=1200, counts=counts, rows=_rows, fitted=fitted,
        noun="texts",
    )  # fmt: skip
