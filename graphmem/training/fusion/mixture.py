"""The training mixture of the shipped fusion weights: questions with real retrievals, synthetic worlds, rare names, and
texts on which the base must stay unchanged. Every source may be redistributed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from graphmem.adapters.chat_templates import last_user_text
from graphmem.core.splits import data_split
from graphmem.datasets.plain_text import passage_texts
from graphmem.datasets.wikimovies import COVERED, load_facts, load_questions
from graphmem.fusion.candidates import Candidates, candidates
from graphmem.fusion.config import REFUSAL
from graphmem.generation.batching import generate_ids, length_batches
from graphmem.model import GraphMemoryModel
from graphmem.text.lexicon import split_relations
from graphmem.training.fusion.examples import (
    FORM_WEIGHTS,
    FORMS,
    Example,
    ExampleBuilder,
    name_examples,
    question_templates,
    unrelated_prompts,
    world_examples,
)

Retrieve = Callable[[str], Any]
"""Text -> retrieval of a live memory."""

MAX_TEXT_TOKENS = 72


Mixture = tuple[list[tuple[float, list[Example]]], list[Example], list[str]]
"""Groups of examples to learn with their shares, examples on which the base is kept, and names to draw from."""


def training_names(extra: Sequence[str | Path] = ()) -> list[str]:
    """WikiMovies names of the training split, and those in second columns of tab-separated files, likewise split."""
    names = {name for s, _, o in load_facts() for name in (s, o)}
    for path in extra:
        rows = Path(path).read_text(encoding="utf-8").splitlines()
        names |= {row.split("\t")[1].split(",")[0].strip() for row in rows if "\t" in row}
    return sorted(name for name in names if name and data_split(name) == "train")


def plain_texts(count: int, rng: Random) -> list[str]:
    """Passages of the shipped corpus whose titles belong to the training split."""
    texts = passage_texts("train")
    return rng.sample(texts, min(count, len(texts)))


def retrieved_examples(build: ExampleBuilder, retrieve: Retrieve, count: int, rng: Random) -> list[Example]:
    """Training questions of WikiMovies with their retrievals, as many of each number of hops."""
    questions = list(load_questions("train"))
    rng.shuffle(questions)
    drawn = [q for hops in (1, 2, 3) for q in [q for q in questions if q.hops == hops][: count // 3]]
    form = lambda: rng.choices(FORMS, FORM_WEIGHTS)[0]
    made = (build.from_retrieval(q, retrieve(q.question), form()) for q in drawn)
    return [example for example in made if example is not None]


def unanswerable_questions(count: int, rng: Random) -> list[str]:
    """Questions about WikiMovies names in relations that WikiMovies does not have, such as weight or spouse."""
    other = lambda r: not COVERED.search(r.relation + r.inverse + r.noun)
    templates = question_templates(filter(other, split_relations("train")))
    names = sorted({s for s, _, _ in load_facts() if data_split(s) == "train"})
    return [rng.choice(templates).format(s=rng.choice(names)) for _ in range(count)]


def unknown_examples(build: ExampleBuilder, retrieve: Retrieve, count: int, rng: Random) -> list[Example]:
    """Unanswerable questions with their retrievals, to be refused.

    Only where answerability is below 0.5: the words of a question alone must not decide what is known.
    """
    made = []
    for question in unanswerable_questions(count, rng):
        found = candidates(retrieve(question), build.max_nodes)
        if found.names and found.answerable < 0.5:
            made.append(build.answer(question, REFUSAL, rng.choice(FORMS), found, found.answerable))
    return made


def scaled(counts: Any, factor: float) -> Any:
    """A dataclass of counts, each times a factor and at least 1."""
    return replace(counts, **{name: max(1, round(factor * count)) for name, count in asdict(counts).items()})


@dataclass(frozen=True, slots=True)
class Sizes:
    """Numbers of examples of each sort."""

    retrieved: int = 4000
    unknown: int = 400
    worlds: int = 2600
    names: int = 2600
    drawn: int = 900
    plain: int = 600
    unrelated: int = 150
    unanswered: int = 150


def kept_examples(
    build: ExampleBuilder, retrieve: Retrieve | None, names: Sequence[str], sizes: Sizes, rng: Random
) -> list[Example]:
    """Plain texts, unrelated prompts and unanswerable questions, with the base's own continuations of the prompts."""
    words = [name for name in names if len(name) < 24]

    def found(text: str, share: float) -> Candidates | None:
        return candidates(retrieve(text), build.max_nodes) if retrieve is not None and rng.random() < share else None

    made = []
    for text in plain_texts(sizes.plain, rng):
        ids = build.ids(text)[:MAX_TEXT_TOKENS]
        if len(ids) > 8:
            answerable = rng.choice((1.0, 0.9, 0.5, 0.1, 0.01))
            made.append(Example(ids[:1], ids[1:], found(text, 0.3), keep=True, answerable=answerable))
    unrelated = unrelated_prompts(build, rng, words, sizes.unrelated)
    questions = unanswerable_questions(sizes.unanswered, rng)
    prompts = unrelated + [build.prompt(question, rng.choice(FORMS))[0] for question in questions]
    for i, (prompt, target) in enumerate(zip(prompts, continuations(build.model, prompts), strict=True)):
        question = questions[i - len(unrelated)] if i >= len(unrelated) else None
        answerable = rng.uniform(0.005, 0.12) if question else rng.choice((0.5, 0.2, 0.05, 0.01))
        text = question or last_user_text(build.tokenizer, list(prompt))
        offer = question is None
        made.append(Example(prompt, target, found(text, 0.5), keep=True, answerable=answerable, offer=offer))
    return made


def continuations(
    model: GraphMemoryModel, prompts: Sequence[tuple[int, ...]], length: int = 24, batch: int = 32
) -> list[tuple[int, ...]]:
    """The base's greedy continuation of each prompt, with the stop token where it ends."""
    targets: list[tuple[int, ...]] = [()] * len(prompts)
    for rows in length_batches(prompts, batch):
        out = generate_ids(model, [prompts[i] for i in rows], None, length)
        for i, ids in zip(rows, out, strict=True):
            targets[i] = tuple(ids) if len(ids) == length else (*ids, model.names.stop)
    return targets


def mixture(
    model: GraphMemoryModel, retrieve: Retrieve | None, names: Sequence[str], seed: int, sizes: Sizes | None = None
) -> Mixture:
    """The mixture for a model; ``names`` are of the training split.

    ``retrieve`` is that of a live memory that holds WikiMovies; None draws all candidates.
    """
    rng, sizes, build = Random(seed), sizes or Sizes(), ExampleBuilder(model)
    worlds = world_examples(build, rng, sizes.worlds)
    learned = [(0.2, worlds), (0.3, name_examples(build, rng, names, sizes.names))]
    questions = rng.sample(list(load_questions("train")), sizes.drawn)
    drawn = [build.answer(q.question, rng.choice(q.answers), rng.choice(FORMS)) for q in questions]
    learned.append((0.1, drawn))
    if retrieve is not None:
        learned.append((0.35, retrieved_examples(build, retrieve, sizes.retrieved, rng)))
        learned.append((0.05, unknown_examples(build, retrieve, sizes.unknown, rng)))
    pool = [*names, *(e.gold for e in worlds if e.gold)]
    return learned, kept_examples(build, retrieve, names, sizes, rng), pool
