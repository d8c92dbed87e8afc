"""Memories with questions that the evidence encoder was not trained on, made of examples of several sets.

The facts of some 20 examples, and passages of one article, lie in one memory, as a person's notes do; a question's own
evidence has to be found among them. Where an example lacks the fact that answers, the memory does too.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from graphmem.core.splits import use_of
from graphmem.datasets.files import read_rows
from graphmem.encoding.evidence_text import LINK, SEPARATOR, passage_text
from graphmem.synthetic.names import NameGenerator
from graphmem.synthetic.templates import load
from graphmem.text.answer_matching import contains
from graphmem.text.name_tagging import capitalised
from graphmem.training.evidence import chain_examples, fact_examples, table_examples
from graphmem.training.evidence.examples import Example, Strangers, Unit, reworded, sample
from graphmem.training.evidence.lexicon_examples import lexicon

DatedFact = tuple[str, str, str, str | None, str | None]

EACH = 24
"""Questions on facts of one memory."""

MOST_PASSAGES, ANSWERED, UNANSWERED = 12, 7, 3
"""Passages of a memory; questions on them, and on other passages of the same article."""

STRANGE, NEAR = 4, 60
"""Facts about the names of a question on passages, which do not answer it; relations nearest to it that they have."""

ALIASES, ABOUT_ALIASES = 0.2, 0.25
"""Share of questions that name their topic by another name, and share of these names that are asked about."""

FEWER = {"metaqa": 0.4, "metaqa chains": 0.4, "2wiki chains": 0.4, "tables": 0.6}
"""Sets of which a smaller share is taken: those that the encoder answers nearly without an error."""

_YEARS = re.compile(r"(?:from .*?(\d{4}))?(?: ?until .*?(\d{4}))?$")


class Question(NamedTuple):
    """A question to one memory; no answers where the memory does not hold any."""

    text: str
    answers: tuple[str, ...]
    source: str


class MadeMemory(NamedTuple):
    """A memory's content and its questions."""

    facts: list[DatedFact]
    passages: list[tuple[str, str]]
    questions: list[Question]
    aliases: Sequence[tuple[str, str]] = ()


def held_out_examples(folder: Path, rng: Random, most: int) -> dict[str, list[Example]]:
    """At most ``most`` examples of each set, of wordings, tables or topics that are held out of training."""
    graph = fact_examples.Graph(folder)
    sets: dict[str, Iterator[Example]] = {
        "simplequestions": fact_examples.over_simple_questions(folder, graph, rng, "network"),
        "vquanda": fact_examples.vquanda(folder, rng, held_out=True),
        "tables": table_examples.tables(folder, rng, "network"),
        "metaqa": fact_examples.wikimovies(folder, rng, most, "dev"),
        "metaqa chains": chain_examples.metaqa(folder, rng, most // 2, "dev"),
        "2wiki chains": chain_examples.two_wiki(folder, rng, held_out=True),
        "musique chains": chain_examples.musique(folder, rng, held_out=True),
        "vquanda chains": chain_examples.vquanda_chains(folder, rng, held_out=True),
        "lexicon": lexicon(rng, 1),
    }
    bound = {name: round(most * FEWER.get(name, 1.0)) for name in sets}
    return {name: sample([e for e in made if not e.asks_verdict], bound[name], rng) for name, made in sets.items()}


def made_memories(
    folder: Path, seed: int, count: int, vectors: Callable[[Sequence[str]], np.ndarray], most: int = 400
) -> Iterator[MadeMemory]:
    """Up to ``count`` memories whose questions are drawn from all sets alike; ``vectors`` encodes texts."""
    rng = Random(f"{seed} memories")
    examples = [example for made in held_out_examples(folder, rng, most).values() for example in made]
    rng.shuffle(examples)
    articles, names = _articles(folder), NameGenerator(Random(f"{seed} aliases"))
    strangers = Strangers([*examples, *_as_examples(articles)], capitalised)
    tails: dict[str, list[str]] = defaultdict(list)
    for relation, object in strangers.tails:
        tails[relation].append(object)
    relations = sorted(tails)
    matrix = vectors(relations)
    for number in range(min(count, len(examples) // EACH)):
        part = [strangers.beside(e, rng) for e in examples[number * EACH : (number + 1) * EACH]]
        rows: dict[tuple[str, str, str], tuple[str | None, str | None]] = {}
        passages: dict[tuple[str, str], None] = {}
        for unit in (unit for example in part for unit in example.units):
            for fact in _facts(unit):
                rows.setdefault(fact[:3], fact[3:])
            if unit.text.split(LINK)[0].count(SEPARATOR) < 2:
                title, _, text = unit.text.rpartition(SEPARATOR)
                passages[title, text] = None
        questions, aliases = _named_otherwise(part, names, rng)
        texts, asked = _article(articles, rng)
        near = np.argsort(-(vectors([question.text for question in asked]) @ matrix.T), 1)[:, :NEAR]
        for question, order in zip(asked, near.tolist(), strict=True):
            topics = [question.text[a:b] for a, b in capitalised([question.text])[0]] + [texts[0][0]]
            for _ in range(STRANGE):
                relation = relations[rng.choice(order)]
                rows.setdefault((rng.choice(topics), relation, rng.choice(tails[relation])), (None, None))
        passages.update(dict.fromkeys(texts))
        facts = [(*fact, *dates) for fact, dates in rows.items() if all(0 < len(text) <= 80 for text in fact)]
        yield MadeMemory(facts, list(passages), [*questions, *asked], aliases)


def _named_otherwise(
    examples: Sequence[Example], names: NameGenerator, rng: Random
) -> tuple[list[Question], list[tuple[str, str]]]:
    """Questions of the examples, a share of which name their topic by an invented other name; and these names."""
    questions, aliases, forms = [], [], load("requests")
    given: dict[str, str] = {}
    used: set[str] = set()
    for example in examples:
        text = example.question
        ends = {end for unit in example.units for fact in _facts(unit) for end in (fact[0], fact[2])}
        topics = sorted((end for end in ends if len(end) > 3 and end in text), key=len)
        if topics and rng.random() < ALIASES:
            topic = topics[-1]
            if topic not in given:
                given[topic] = next(
                    word for name in names.names(rng.choice(("person", "city")), 40)
                    for word in name.split()[:1] if word not in used
                )  # fmt: skip
                used.add(given[topic])
                aliases.append((topic, given[topic]))
                if rng.random() < ABOUT_ALIASES:
                    back = rng.random() < 0.6
                    form = rng.choice(forms["of_other_name" if back else "other_name"])
                    about = form.format(a=given[topic], s=topic)
                    questions.append(Question(reworded(about, rng), (topic if back else given[topic],), "aliases"))
            text = text.replace(topic, given[topic])
        questions.append(Question(text, _answers(example), example.source))
    return questions, aliases


def _as_examples(articles: Sequence[list[dict[str, object]]]) -> list[Example]:
    """The passages of the articles as examples without questions."""
    texts = dict.fromkeys((str(row["title"]), str(row["context"])) for rows in articles for row in rows)
    return [Example("", (Unit(passage_text(title.replace("_", " "), text).text),), "squad") for title, text in texts]


def _facts(unit: Unit) -> Iterator[DatedFact]:
    """The facts in the text of a unit; nothing for a passage."""
    for part in unit.text.split(LINK):
        fields = part.split(SEPARATOR)
        if len(fields) in (3, 4) and all(field.strip() and len(field) <= 80 for field in fields[:3]):
            years = _YEARS.match(fields[3]) if len(fields) == 4 else None
            yield fields[0], fields[1], fields[2], *(years.groups() if years else (None, None))  # type: ignore[misc]


def _answers(example: Example) -> tuple[str, ...]:
    return tuple(dict.fromkeys(unit.text[a:b] for unit in example.units if unit.relevant for a, b in unit.spans))


def _articles(folder: Path) -> list[list[dict[str, object]]]:
    """Rows of SQuAD by article, of those that are for the network."""
    found: dict[str, list[dict[str, object]]] = {}
    for row in read_rows(folder / "squad" / "squad_train_15k.jsonl.gz"):
        if row.get("title") and use_of(row["title"]) == "network":
            found.setdefault(row["title"], []).append(row)
    return [found[title] for title in sorted(found)]


def _article(articles: Sequence[list[dict[str, object]]], rng: Random) -> tuple[list[tuple[str, str]], list[Question]]:
    """Passages of one article, and questions on these and on others of it."""
    rows = rng.choice(articles)
    texts = sorted({str(row["context"]) for row in rows})
    kept = set(rng.sample(texts, max(1, min(MOST_PASSAGES, len(texts) // 2))))
    known = [row for row in rows if row["context"] in kept]
    others = [row for row in rows if row["context"] not in kept]
    drawn = [*sample_rows(known, ANSWERED, rng), *sample_rows(others, UNANSWERED, rng)]
    asked = [
        Question(str(row["question"]), tuple(row["answers"]) if row["context"] in kept else (), "squad")  # type: ignore[arg-type]
        for row in drawn
    ]
    return [(str(rows[0]["title"]).replace("_", " "), text) for text in sorted(kept)], asked


def sample_rows(rows: Sequence[dict[str, object]], count: int, rng: Random) -> list[dict[str, object]]:
    """Up to ``count`` of the rows."""
    return rng.sample(list(rows), min(count, len(rows)))


def is_right(text: str, answers: Sequence[str]) -> bool:
    """Whether a text names one of the answers, or an answer holds nothing but the text."""
    return any(contains(text, answers) or contains(answer, [text]) for answer in answers)
