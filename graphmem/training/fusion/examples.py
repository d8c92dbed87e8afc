"""Examples that teach a frozen model to say what its memory found, and to ignore what does not concern it.

Candidates are either a real retrieval's or drawn: the right name first, others behind it, scores of many scales. Drawn
ones hold names of every kind (people, titles, numbers, dates, other scripts), so that copying does not depend on what
names look like.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np

from graphmem.adapters.chat_templates import chat_prompt
from graphmem.core.names import normalise
from graphmem.fusion.candidates import Candidates, candidates, rank_features
from graphmem.fusion.memory_tokens import NameTokenizer
from graphmem.synthetic.rare_names import rare_name
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import split_relations

REFUSAL = "I don't know."
FORMS = ("{q}", "{q}?", "Question: {q}\nAnswer:", "Q: {q}?\nA:")
"""How a question may be put: the first two as a chat turn, the others as plain text with a name after a space."""

CHATTER = (
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
        prompt: token ids before what is learnt.
        target: token ids to learn (answers) or to hold (everything else).
        found: the candidates; None draws new ones around ``gold`` at every use.
        gold: the name that is to be said; None where the memory has nothing to say.
        hold: hold the base's own predictions on ``target`` (KL) instead of teaching it.
        answerable: probability shown with drawn candidates.
        offer: whether the refusal may stand beside the candidates; not where the base is to answer what is unknown.
        scored: positions of the target that are learnt; all where None.
    """

    prompt: tuple[int, ...]
    target: tuple[int, ...]
    found: Candidates | None = None
    gold: str | None = None
    hold: bool = False
    answerable: float | None = None
    offer: bool = True
    scored: tuple[int, ...] | None = None

    @property
    def learnt(self) -> Sequence[int]:
        """Positions of the target that are learnt."""
        return range(len(self.target)) if self.scored is None else self.scored

    @property
    def ids(self) -> tuple[int, ...]:
        """Prompt and target."""
        return self.prompt + self.target


class NamePool:
    """Names to draw other candidates from; half of them share a word with the right one, where there are such."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = list(dict.fromkeys(names))
        self._by_word: dict[str, list[str]] = defaultdict(list)
        for name in self.names:
            for word in set(normalise(name).split()):
                self._by_word[word].append(name)

    def draw(self, rng: Random, gold: str | None, count: int) -> list[str]:
        """``count`` different names, none equal to ``gold`` as names are compared."""
        alike = [n for word in normalise(gold).split() for n in self._some(rng, word)] if gold else []
        rng.shuffle(alike)
        drawn = alike[: count // 2] + rng.choices(self.names, k=count)
        seen, kept = {normalise(gold)} if gold else set(), []
        for name in drawn:
            if (key := normalise(name)) not in seen:
                seen.add(key)
                kept.append(name)
        return kept[:count]

    def _some(self, rng: Random, word: str) -> list[str]:
        names = self._by_word.get(word, [])
        return rng.sample(names, min(6, len(names)))


def draw_candidates(rng: Random, pool: NamePool, gold: str | None, limit: int, answerable: float | None) -> Candidates:
    """Candidates with ``gold`` first, if there is one, and scores of a random scale."""
    count = min(limit, rng.choice((1, 3, 8, 16, limit)))
    names = pool.draw(rng, gold, count - (gold is not None))
    rng.shuffle(names)
    names = [gold, *names] if gold else names
    scale, gap = rng.choice((0.3, 1.0, 3.0)), rng.choice((0.0, 0.05, 0.5, 2.0, 5.0))
    falls = np.cumsum([0.0] + [rng.expovariate(1.0) * scale * (rng.random() > 0.3) for _ in names[1:]])
    relevance = -(falls + gap * (np.arange(len(names)) > 0)).astype(np.float32)
    activation = np.exp(relevance * rng.choice((0.0, 0.3, 1.0))).astype(np.float32)
    probability = answerable if answerable is not None else 1 / (1 + np.exp(-rng.gauss(4.0, 1.5)))
    features = rank_features(relevance, activation, probability)
    return Candidates(tuple(names), features, float(probability), tuple(range(len(names))))


class Wording:
    """Turns questions, names and texts into examples, for one tokenizer.

    Args:
        tokenizer: of the base.
        names: its reader of names.
    """

    def __init__(self, tokenizer: Any, names: NameTokenizer) -> None:
        self.tokenizer, self.names = tokenizer, names

    def ids(self, text: str) -> tuple[int, ...]:
        """Token ids of a text, with no token added."""
        return tuple(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def ask(self, question: str, form: str) -> tuple[tuple[int, ...], bool]:
        """Prompt of a question in one of ``FORMS``, and whether the answer follows a space."""
        text = form.format(q=question.rstrip(" ?"))
        chat = form in FORMS[:2]
        return self.ids(chat_prompt(self.tokenizer, text) if chat else text), not chat

    def say(self, name: str, after_space: bool) -> tuple[int, ...]:
        """Token ids of a name and the end of the turn."""
        return self.names.tokens(" " + name if after_space else name)

    def answer(self, question: str, gold: str, form: str = FORMS[0], found: Candidates | None = None) -> Example:
        """A question whose answer is ``gold``."""
        prompt, spaced = self.ask(question, form)
        return Example(prompt, self.say(gold, spaced), found, gold)

    def unknown(self, question: str, form: str, answerable: float, found: Candidates | None = None) -> Example:
        """A question that the memory does not answer: the model is to say that it does not know."""
        prompt, spaced = self.ask(question, form)
        return Example(prompt, self.say(REFUSAL, spaced), found, REFUSAL, answerable=answerable)

    def statement(self, template: str, subject: str, object: str) -> Example | None:
        """A sentence that the model continues with a name of the memory, and then on its own."""
        head, slot, tail = template.partition("{o}")
        if not slot or "{s}" in tail or not head.endswith(" ") or "{s}" not in head:
            return None
        before, name = self.ids(head.rstrip().format(s=subject)), self.ids(" " + object)
        if len(name) > self.names.limit:
            return None
        return Example(before, name + self.ids(tail)[:1], None, object)


def world_examples(wording: Wording, rng: Random, count: int, entities: int = 400) -> list[Example]:
    """Questions and statements about invented worlds, relations held out for tests left out."""
    made: list[Example] = []
    while len(made) < count:
        world = World.sample(rng.randrange(2**31), entities=entities)
        for asked in world.questions(rng.randrange(2**31), entities // 4, unanswerable=0.12):
            form = rng.choice(FORMS)
            if asked.answers:
                made.append(wording.answer(asked.question, rng.choice(asked.answers), form))
            else:
                made.append(wording.unknown(asked.question, form, rng.uniform(0.005, 0.15)))
        for subject, relation, object in rng.sample(world.triples, min(entities // 8, len(world.triples))):
            template = rng.choice(world.relations[relation].statements)
            if (example := wording.statement(template, subject, object)) is not None:
                made.append(example)
    return made[:count]


def name_examples(wording: Wording, rng: Random, names: Sequence[str], count: int) -> list[Example]:
    """Any question with any name as its answer: the memory is believed, whatever it says."""
    asked = [q for relation in split_relations("train") for q in relation.questions if "{s}" in q]
    made = []
    for _ in range(count):
        question = rng.choice(asked).format(s=rng.choice(names))
        made.append(wording.answer(question, rare_name(rng, names), rng.choice(FORMS)))
    return made


def unrelated_prompts(wording: Wording, rng: Random, words: Sequence[str], count: int) -> list[tuple[int, ...]]:
    """Chat prompts that no memory answers."""
    fill = lambda: {"a": rng.choice(words), "b": rng.choice(words), "n": rng.randint(2, 99), "m": rng.randint(2, 99)}
    return [wording.ids(chat_prompt(wording.tokenizer, rng.choice(CHATTER).format(**fill()))) for _ in range(count)]


def from_retrieval(wording: Wording, question: Any, found: Any, limit: int, form: str) -> Example | None:
    """A real question with its real retrieval: the highest-ranked right name is the target; None if there is none."""
    seen = candidates(found, limit)
    right = {normalise(answer) for answer in question.answers}
    gold = next((name for name in seen.names if normalise(name) in right), None)
    return wording.answer(question.question, gold, form, seen) if gold else None
