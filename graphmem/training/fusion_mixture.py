"""The mixture that the shipped fusion weights are trained on: real questions with real retrievals, invented worlds, odd
names, and texts on which the base must stay as it is. Every source is one that may ship."""

from __future__ import annotations

import gzip
import json
import pickle
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import torch

from graphmem.model import GraphMemoryModel
from graphmem.splits import data_split
from graphmem.training.fusion_data import (
    FORMS, Example, NamePool, Wording, from_retrieval, name_examples, unrelated_prompts, world_examples,
)  # fmt: skip
from graphmem.wikimovies import DATA, load_facts, load_questions


@dataclass(frozen=True, slots=True)
class Mixture:
    """Examples by what they teach, and names to draw candidates from."""

    taught: list[tuple[float, list[Example]]]
    held: list[Example]
    pool: NamePool


def training_names(extra: Sequence[str | Path] = ()) -> list[str]:
    """WikiMovies names of the training split, and second columns of tab-separated files of names, likewise split."""
    names = {name for s, _, o in load_facts() for name in (s, o)}
    for path in extra:
        rows = Path(path).read_text(encoding="utf-8").splitlines()
        names |= {row.split("\t")[1].split(",")[0].strip() for row in rows if "\t" in row}
    return sorted(name for name in names if name and data_split(name) == "train")


def plain_texts(count: int, rng: Random) -> list[str]:
    """Passages of the shipped corpus whose titles belong to the training split."""
    with gzip.open(DATA / "plain_text.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    texts = [row["text"] for row in rows if data_split(row["title"]) == "train"]
    return rng.sample(texts, min(count, len(texts)))


def retrieved_examples(
    wording: Wording, retrieve: Callable[[str], Any], count: int, limit: int, rng: Random, cache: Path | None = None
) -> list[Example]:
    """Training questions of WikiMovies, as many of each number of hops, with what the live memory finds for them."""
    if cache is not None and cache.exists():
        return list(pickle.loads(cache.read_bytes()))
    questions = list(load_questions("train"))
    rng.shuffle(questions)
    by_hops = [[q for q in questions if q.hops == hops][: count // 3] for hops in (1, 2, 3)]
    made = []
    for question in (q for group in by_hops for q in group):
        form = rng.choices(FORMS, (6, 2, 1, 1))[0]
        example = from_retrieval(wording, question, retrieve(question.question), limit, form)
        if example is not None:
            made.append(example)
    if cache is not None:
        cache.write_bytes(pickle.dumps(made))
    return made


def drawn_questions(wording: Wording, count: int, rng: Random) -> list[Example]:
    """Training questions of WikiMovies with candidates to be drawn around one right answer."""
    questions = rng.sample(list(load_questions("train")), count)
    return [wording.answer(q.question, rng.choice(q.answers), rng.choice(FORMS)) for q in questions]


def held_examples(model: GraphMemoryModel, wording: Wording, names: Sequence[str], sizes: tuple[int, int, int],
                  rng: Random) -> list[Example]:  # fmt: skip
    """Plain texts, unrelated prompts and unanswerable questions, with the base's own continuation of the prompts.

    Args:
        model: gives the base.
        wording: of its tokenizer.
        names: to fill prompts with.
        sizes: how many of each.
        rng: chance.
    """
    plain = []
    for text in plain_texts(sizes[0], rng):
        ids = wording.ids(text)[:96]
        if len(ids) > 8:
            plain.append(Example(ids[:1], ids[1:], hold=True, answerable=rng.choice((1.0, 0.9, 0.5, 0.1, 0.01))))
    words = [name for name in names if len(name) < 24]
    prompts = unrelated_prompts(wording, rng, words, sizes[1])
    questions = rng.sample(list(load_questions("train")), sizes[2])
    asked = [wording.ask(question.question, rng.choice(FORMS))[0] for question in questions]
    spoken = continuations(model, prompts + asked)
    unrelated = [
        Example(p, t, hold=True, answerable=rng.choice((0.5, 0.2, 0.05, 0.01)))
        for p, t in zip(prompts, spoken[: len(prompts)], strict=True)
    ]
    unknown = [
        Example(p, t, hold=True, answerable=rng.uniform(0.005, 0.12))
        for p, t in zip(asked, spoken[len(prompts) :], strict=True)
    ]
    return plain + unrelated + unknown


@torch.inference_mode()
def continuations(
    model: GraphMemoryModel, prompts: Sequence[tuple[int, ...]], length: int = 24, batch: int = 32
) -> list[tuple[int, ...]]:
    """What the base itself says after each prompt, greedily."""
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    spoken: list[tuple[int, ...]] = [()] * len(prompts)
    stop = model.names.stop
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        width = max(len(prompts[i]) for i in chosen)
        ids = torch.tensor([[stop] * (width - len(prompts[i])) + list(prompts[i]) for i in chosen])
        mask = torch.tensor([[0] * (width - len(prompts[i])) + [1] * len(prompts[i]) for i in chosen])
        out = model.base.generate(
            input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=length, pad_token_id=stop,
            eos_token_id=stop,
        )  # fmt: skip
        for row, i in enumerate(chosen):
            new = out[row, width:].tolist()
            spoken[i] = tuple(new[: new.index(stop) + 1] if stop in new else new)
    return spoken


def mixture(
    model: GraphMemoryModel, retrieved: Sequence[Example], names: Sequence[str], seed: int,
    sizes: tuple[int, int, int] = (6000, 2500, 2000), held: tuple[int, int, int] = (500, 250, 250),
) -> Mixture:  # fmt: skip
    """Put the mixture together.

    Args:
        model: the model to train.
        retrieved: examples with real retrievals, half of what is taught; none while there is no trained retriever.
        names: of the training split.
        seed: of all that is drawn.
        sizes: examples of invented worlds, of odd names and of questions with drawn candidates.
        held: plain texts, unrelated prompts, unanswerable questions.
    """
    rng = Random(seed)
    wording = Wording(model.tokenizer, model.names)
    worlds = world_examples(wording, rng, sizes[0])
    odd = name_examples(wording, rng, names, sizes[1])
    drawn = drawn_questions(wording, sizes[2], rng)
    taught = [(0.5, list(retrieved)), (0.25, worlds), (0.15, odd), (0.1, drawn)]
    pool = NamePool([*names, *(e.gold for e in worlds if e.gold)])
    return Mixture(taught, held_examples(model, wording, names, held, rng), pool)
