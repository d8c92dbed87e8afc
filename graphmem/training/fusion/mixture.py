"""The mixture that the shipped fusion weights are trained on: real questions with real retrievals, invented worlds, odd
names, and texts on which the base must stay as it is. Every source is one that may ship."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any, Self

import torch

from graphmem.adapters.chat_templates import last_user_text
from graphmem.core.splits import data_split
from graphmem.datasets.plain_text import passage_texts
from graphmem.datasets.wikimovies import COVERED, load_facts, load_questions
from graphmem.fusion.candidates import Candidates, candidates
from graphmem.generation.batching import left_padded
from graphmem.model import GraphMemoryModel
from graphmem.text.lexicon import split_relations
from graphmem.training.fusion.examples import (
    FORMS,
    Example,
    NamePool,
    Wording,
    from_retrieval,
    name_examples,
    unrelated_prompts,
    world_examples,
)


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
    found = passage_texts("train")
    return rng.sample(found, min(count, len(found)))


Retrieve = Callable[[str], Any]
"""What the live memory finds for a text."""


def retrieved_examples(wording: Wording, retrieve: Retrieve, count: int, limit: int, rng: Random) -> list[Example]:
    """Training questions of WikiMovies, as many of each number of hops, with what the live memory finds for them."""
    questions = list(load_questions("train"))
    rng.shuffle(questions)
    made = []
    for question in (q for hops in (1, 2, 3) for q in [q for q in questions if q.hops == hops][: count // 3]):
        form = rng.choices(FORMS, (6, 2, 1, 1))[0]
        example = from_retrieval(wording, question, retrieve(question.question), limit, form)
        if example is not None:
            made.append(example)
    return made


def foreign_questions(count: int, rng: Random) -> list[str]:
    """Questions about WikiMovies names that WikiMovies says nothing about: what things weigh, who married whom."""
    relations = [r for r in split_relations("train") if not COVERED.search(r.relation + r.inverse + r.noun)]
    asked = [q for relation in relations for q in relation.questions if "{s}" in q]
    names = sorted({s for s, _, _ in load_facts() if data_split(s) == "train"})
    return [rng.choice(asked).format(s=rng.choice(names)) for _ in range(count)]


def drawn_questions(wording: Wording, count: int, rng: Random) -> list[Example]:
    """Training questions of WikiMovies with candidates to be drawn around one right answer."""
    questions = rng.sample(list(load_questions("train")), count)
    return [wording.answer(q.question, rng.choice(q.answers), rng.choice(FORMS)) for q in questions]


def unknown_examples(wording: Wording, retrieve: Retrieve, count: int, limit: int, rng: Random) -> list[Example]:
    """Questions that WikiMovies does not answer, with what the live memory finds all the same: to be refused.

    Only where the memory itself doubts (below 0.5): the words of a question must not decide what is known.
    """
    made = []
    for question in foreign_questions(count, rng):
        seen = candidates(retrieve(question), limit)
        if seen.names and seen.answerable < 0.5:
            made.append(wording.unknown(question, rng.choice(FORMS), seen.answerable, seen))
    return made


class Counts:
    """A frozen dataclass of how many of each sort there are."""

    __slots__ = ()

    def scaled(self, by: float) -> Self:
        """So many times as many of each, one at least."""
        return replace(self, **{name: max(1, round(by * count)) for name, count in asdict(self).items()})  # type: ignore[call-overload,type-var]


@dataclass(frozen=True, slots=True)
class Sizes(Counts):
    """How many examples of each sort a mixture holds."""

    retrieved: int = 4000
    unknown: int = 400
    worlds: int = 2600
    names: int = 2600
    drawn: int = 900
    plain: int = 600
    unrelated: int = 150
    unanswered: int = 150


def held_examples(
    model: GraphMemoryModel,
    wording: Wording,
    retrieve: Retrieve | None,
    names: Sequence[str],
    sizes: Sizes,
    rng: Random,
) -> list[Example]:
    """Plain texts, unrelated prompts and unanswerable questions, with the base's own continuation of the prompts."""
    words = [name for name in names if len(name) < 24]
    limit = model.config.nodes

    def found(text: str, share: float) -> Candidates | None:
        return candidates(retrieve(text), limit) if retrieve is not None and rng.random() < share else None

    made = []
    for text in plain_texts(sizes.plain, rng):
        ids = wording.ids(text)[:72]
        if len(ids) > 8:
            likely = rng.choice((1.0, 0.9, 0.5, 0.1, 0.01))
            made.append(Example(ids[:1], ids[1:], found(text, 0.3), hold=True, answerable=likely))
    unrelated = unrelated_prompts(wording, rng, words, sizes.unrelated)
    asked = foreign_questions(sizes.unanswered, rng)
    prompts = unrelated + [wording.ask(question, rng.choice(FORMS))[0] for question in asked]
    spoken = continuations(model, prompts)
    for i, (prompt, said) in enumerate(zip(prompts, spoken, strict=True)):
        question = asked[i - len(unrelated)] if i >= len(unrelated) else None
        likely = rng.uniform(0.005, 0.12) if question else rng.choice((0.5, 0.2, 0.05, 0.01))
        text = question or last_user_text(model.tokenizer, list(prompt))
        made.append(Example(prompt, said, found(text, 0.5), hold=True, answerable=likely, offer=question is None))
    return made


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
        ids, mask = left_padded([prompts[i] for i in chosen], stop, model.base.device)
        width = ids.shape[1]
        out = model.base.generate(
            input_ids=ids, attention_mask=mask, do_sample=False, max_new_tokens=length, pad_token_id=stop,
            eos_token_id=stop,
        )  # fmt: skip
        for row, i in enumerate(chosen):
            new = out[row, width:].tolist()
            spoken[i] = tuple(new[: new.index(stop) + 1] if stop in new else new)
    return spoken


def mixture(
    model: GraphMemoryModel, retrieve: Retrieve | None, names: Sequence[str], seed: int, sizes: Sizes | None = None
) -> Mixture:
    """Put the mixture together.

    Args:
        model: the model to train.
        retrieve: of a live memory that holds WikiMovies; None draws all candidates.
        names: of the training split.
        seed: of all that is drawn.
        sizes: how many examples of each sort.
    """
    rng, sizes, limit = Random(seed), sizes or Sizes(), model.config.nodes
    wording = Wording(model.tokenizer, model.names)
    worlds = world_examples(wording, rng, sizes.worlds)
    taught = [
        (0.2, worlds),
        (0.3, name_examples(wording, rng, names, sizes.names)),
        (0.1, drawn_questions(wording, sizes.drawn, rng)),
    ]
    if retrieve is not None:
        taught.append((0.35, retrieved_examples(wording, retrieve, sizes.retrieved, limit, rng)))
        taught.append((0.05, unknown_examples(wording, retrieve, sizes.unknown, limit, rng)))
    pool = NamePool([*names, *(e.gold for e in worlds if e.gold)])
    return Mixture(taught, held_examples(model, wording, retrieve, names, sizes, rng), pool)
