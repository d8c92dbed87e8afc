"""Training examples for answering: prompts, answers and candidates, retrieved or drawn.

Drawn candidates have the right name first, others after it, and scores of many scales. They hold names of every kind
(people, titles, numbers, dates, other scripts), so that copying does not depend on what names look like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.names import normalise
from graphmem.fusion.candidates import Candidates, ContinuationCandidates, candidates, rank_features
from graphmem.fusion.config import REFUSAL
from graphmem.fusion.memory_tokens import NameTokenizer
from graphmem.synthetic.rare_names import rare_name
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import Relation, split_relations

FORMS = ("{q}", "{q}?", "Question: {q}\nAnswer:", "Q: {q}?\nA:")
"""Forms of a question: the first two as a chat turn, the others as plain text with the answer after a space."""

FORM_WEIGHTS = (6, 2, 1, 1)

UNRELATED = (
    "Write a short poem about {a}.", "Explain {a} to a child.", "Give me three ideas for a story with {a} and {b}.",
    "What is {n} plus {m}?", "Summarise why {a} matters.", "Write a sentence that uses the words {a} and {b}.",
    "How do I cook rice?", "List five synonyms of the word {a}.", "What is the difference between {a} and {b}?",
    "Translate '{a}' into French.", "Write a Python function that adds {n} and {m}.", "Tell me a joke about {a}.",
    "Is {n} larger than {m}?", "Give me tips for learning about {a}.", "Describe {a} in one paragraph.",
    "Who are you?", "What can you do?", "Write an e-mail that cancels a meeting about {a}.",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Example:
    """One text with its memory.

    Attributes:
        prompt: token ids before the target.
        target: token ids to learn, or to keep.
        found: the candidates; None draws new ones around ``gold`` at every use.
        gold: the right name; None where the memory does not hold the answer.
        keep: keep the base's predictions on ``target`` (KL) instead of learning it.
        answerable: answerability of drawn candidates.
        offer: whether the refusal may be a candidate; not where the base is to answer.
        scored: positions of the target that are learned; all where None.
    """

    prompt: tuple[int, ...]
    target: tuple[int, ...]
    found: Candidates | None = None
    gold: str | None = None
    keep: bool = False
    answerable: float | None = None
    offer: bool = True
    scored: tuple[int, ...] | None = None

    @property
    def learned(self) -> Sequence[int]:
        """Positions of the target that are learned."""
        return range(len(self.target)) if self.scored is None else self.scored

    @property
    def ids(self) -> tuple[int, ...]:
        """Prompt and target."""
        return self.prompt + self.target


EXAMPLE_CLASSES = (Example, Candidates, ContinuationCandidates)
"""Dataclasses that an example holds."""


class NamePool:
    """Names to draw wrong candidates from; up to half of them share a word with the right one."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(dict.fromkeys(names))
        self._by_word: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            for word in set(normalise(name).split()):
                self._by_word[word].append(name)

    def draw(self, rng: Random, gold: str | None, count: int) -> list[str]:
        """``count`` different names, none equal to ``gold`` after normalisation."""
        alike = [self._by_word.get(word, []) for word in normalise(gold or "").split()]
        similar = [name for names in alike for name in rng.sample(names, min(6, len(names)))]
        rng.shuffle(similar)
        drawn = similar[: count // 2] + rng.choices(self.names, k=count)
        distinct: dict[str, str] = {}
        for name in drawn:
            distinct.setdefault(normalise(name), name)
        distinct.pop(normalise(gold) if gold else "", None)
        return list(distinct.values())[:count]

    def candidates(self, rng: Random, gold: str | None, max_nodes: int, answerable: float | None) -> Candidates:
        """Drawn candidates with ``gold`` first, if there is one, and scores of a random scale."""
        count = min(max_nodes, rng.choice((1, 3, 8, 16, max_nodes)))
        names = self.draw(rng, gold, count - (gold is not None))
        rng.shuffle(names)
        names = [gold, *names] if gold else names
        scale, gap = rng.choice((0.3, 1.0, 3.0)), rng.choice((0.0, 0.05, 0.5, 2.0, 5.0))
        falls = np.cumsum([0.0] + [rng.expovariate(1.0) * scale * (rng.random() > 0.3) for _ in names[1:]])
        relevance = -(falls + gap * (np.arange(len(names)) > 0)).astype(np.float32)
        activation = np.exp(relevance * rng.choice((0.0, 0.3, 1.0))).astype(np.float32)
        probability = answerable if answerable is not None else 1 / (1 + np.exp(-rng.gauss(4.0, 1.5)))
        features = rank_features(relevance, activation, probability)
        return Candidates(tuple(names), features, float(probability), tuple(range(len(names))))


class ExampleBuilder:
    """Turns questions, names and texts into examples for one ``GraphMemoryModel``."""

    def __init__(self, model: Any) -> None:
        self.model, self.tokenizer, self.max_nodes = model, model.tokenizer, model.config.max_nodes
        self.names: NameTokenizer = model.names

    def ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, with no token added."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def prompt(self, question: str, form: str) -> tuple[tuple[int, ...], bool]:
        """Prompt of a question in one of ``FORMS``, and whether the answer follows a space."""
        text = form.format(q=question.rstrip(" ?"))
        chat = form in FORMS[:2]
        return self.ids(chat_prompt(self.tokenizer, text) if chat else text), not chat

    def answer(
        self, question: str, gold: str, form: str = FORMS[0], found: Candidates | None = None,
        answerable: float | None = None,
    ) -> Example:  # fmt: skip
        """A question whose answer is ``gold``; ``REFUSAL`` where the memory does not answer it."""
        prompt, spaced = self.prompt(question, form)
        return Example(prompt, self.names.tokens(" " + gold if spaced else gold), found, gold, answerable=answerable)

    def statement(self, template: str, subject: str, object: str) -> Example | None:
        """A sentence that continues with a name of the memory and one more token."""
        head, slot, tail = template.partition("{o}")
        if not slot or "{s}" in tail or not head.endswith(" ") or "{s}" not in head:
            return None
        before, name = self.ids(head.rstrip().format(s=subject)), self.ids(" " + object)
        if len(name) > self.names.max_tokens:
            return None
        return Example(before, name + self.ids(tail)[:1], None, object)

    def from_retrieval(self, question: Any, retrieval: Any, form: str) -> Example | None:
        """A question with its retrieval: the highest-ranked right name is the target; None if there is none."""
        found = candidates(retrieval, self.max_nodes)
        right = {normalise(answer) for answer in question.answers}
        gold = next((name for name in found.names if normalise(name) in right), None)
        return self.answer(question.question, gold, form, found) if gold else None


def world_examples(build: ExampleBuilder, rng: Random, count: int, entities: int = 400) -> list[Example]:
    """Questions and statements about synthetic worlds, without the relations that are held out for tests."""
    made: list[Example] = []
    while len(made) < count:
        world = World.sample(rng.randrange(2**31), entities=entities)
        for question in world.questions(rng.randrange(2**31), entities // 4, unanswerable=0.12):
            form = rng.choice(FORMS)
            if question.answers:
                made.append(build.answer(question.question, rng.choice(question.answers), form))
            else:
                made.append(build.answer(question.question, REFUSAL, form, None, rng.uniform(0.005, 0.15)))
        for subject, relation, object in rng.sample(world.triples, min(entities // 8, len(world.triples))):
            template = rng.choice(world.relations[relation].statements)
            if (example := build.statement(template, subject, object)) is not None:
                made.append(example)
    return made[:count]


def question_templates(relations: Iterable[Relation]) -> list[str]:
    """Questions about a subject, of some of the lexicon's relations."""
    return [q for relation in relations for q in relation.questions if "{s}" in q]


def name_examples(build: ExampleBuilder, rng: Random, names: Sequence[str], count: int) -> list[Example]:
    """Any question with any name as its answer: the memory's answer counts, whatever it is."""
    templates = question_templates(split_relations("train"))
    question = lambda: rng.choice(templates).format(s=rng.choice(names))
    return [build.answer(question(), rare_name(rng, names), rng.choice(FORMS)) for _ in range(count)]


def unrelated_prompts(build: ExampleBuilder, rng: Random, words: Sequence[str], count: int) -> list[tuple[int, ...]]:
    """Chat prompts that no memory answers."""
    fill = lambda: {"a": rng.choice(words), "b": rng.choice(words), "n": rng.randint(2, 99), "m": rng.randint(2, 99)}
    return [build.ids(chat_prompt(build.tokenizer, rng.choice(UNRELATED).format(**fill()))) for _ in range(count)]
