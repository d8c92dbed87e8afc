"""Telling about a node: its facts in sentences whose wording the frozen base judges and whose names it reads.

"Tell me about Ada Lovelace." has no single node for an answer. The memory gives the facts that hold of the topic, those
of one relation share a sentence, the base model chooses how the relation is best put into words (the wording that it
finds least surprising), and every name is spoken by the model out of the memory, as an answer to a question would be.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch

from graphmem.core.errors import NotFound
from graphmem.core.names import normalise
from graphmem.core.times import Time, to_micros
from graphmem.core.types import Fact
from graphmem.fusion.candidates import SURE, Candidates, rank_features
from graphmem.generation.answering import Said, say_one
from graphmem.generation.attribution import Answer
from graphmem.retrieval.facts_only import facts_only

MOST_FACTS, MOST_NAMES = 24, 4
"""Facts that are told of a topic, and names in one sentence."""

_ABOUT = re.compile(
    r"\s*(?:please\s+)?(?:(?:tell\s+me|say|write)\s+(?:something\s+|more\s+|all\s+|a\s+few\s+words\s+)?about"
    r"|describe|introduce|what\s+(?:do|can)\s+you\s+(?:know|tell\s+me)\s+about|(?:who|what)\s+(?:is|was|are|were))"
    r"\s+(?:the\s+)?(?P<name>.+?)\s*[.?!]*\s*",
    re.IGNORECASE,
)
_PHRASE = re.compile(
    r"(?:is|was|are|were|has|have|had|lives?|lived|works?|worked|plays?|played|died|born)\b"
    r"|.+ (?:in|at|by|of|to|for|from|with|on|as|into)$",
    re.IGNORECASE,
)
"""Relations that go between two names as they stand; others may be nouns."""
_FINITE = re.compile(r"(?:is|was|are|were|has|have|had|\w+s)\b", re.IGNORECASE)
_BETWEEN = ("{a} {r} {b}.", "{a} is {r} {b}.", "{a} was {r} {b}.")
_NOUN = ("The {r} of {a} is {b}.", "The {r} of {a} was {b}.")
_MANY = ("The {r} of {a} are {b}.", "The {r} of {a} were {b}.")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_SEVERAL = {"is": "are", "was": "were", "has": "have", "lives": "live", "works": "work", "plays": "play"}


@dataclass(frozen=True, slots=True)
class Group:
    """Facts of the topic that share a relation and a direction, told in one sentence."""

    relation: str
    forward: bool
    facts: tuple[Fact, ...]

    @property
    def names(self) -> list[str]:
        """The other ends, in their order."""
        return [fact.object if self.forward else fact.subject for fact in self.facts]

    @property
    def words(self) -> str:
        """The relation as it is said: ``place_of_birth``, ``birthPlace`` and ``/person/birth place`` are words too."""
        last = self.relation.rstrip("/").rsplit("/", 1)[-1].replace("_", " ").strip()
        parted = _CAMEL.sub(" ", last)
        return (parted.lower() if parted != last else last) or self.relation

    def sentence(self, wording: str, topic: str, names: Sequence[str]) -> str:
        """The facts in a wording, with the names as they were spoken."""
        others = joined(names)
        a, b = (topic, others) if self.forward else (others, topic)
        relation = self.words
        if wording in _NOUN and self.forward and len(names) > 1:
            relation, wording = _plural(relation), _MANY[_NOUN.index(wording)]
        said = wording.format(a=a, b=b, r=relation)
        first, _, rest = said[len(a) :].strip().partition(" ")  # the verb
        if wording in _BETWEEN and not self.forward and len(names) > 1 and first in _SEVERAL:
            said = f"{a} {_SEVERAL[first]} {rest}"
        return said[0].upper() + said[1:]


@dataclass(frozen=True, slots=True)
class Described:
    """What was told, sentence by sentence, with the facts behind it and where each name's tokens were read."""

    text: str
    facts: tuple[Fact, ...]
    said: tuple[Said, ...]

    def answer(self, retrieval: Any, prompt_tokens: int, seconds: float) -> Answer:
        """As ``ask`` gives it: the facts told are its path."""
        sources = tuple(source for one in self.said for source in one.sources)
        known = float(retrieval.answerable)
        return Answer(
            self.text, self.facts, self.facts, retrieval, prompt_tokens, seconds, known, sources, (self.text,)
        )  # fmt: skip


def tell_about(model: Any, name: str, **options: Any) -> Answer:
    """``GraphMemoryModel.describe``."""
    node = model.memory.store.resolve(name)
    if node is None:
        raise NotFound(f"the memory knows nothing of the name {name!r}; see graphmem search, or write facts about it")
    return cast(Answer, model.ask(f"Tell me about {node.name}.", **options))


def topic_asked(retrieval: Any) -> int | None:
    """Node that a query wants to be told about ("Tell me about X.", "Who was X?"); None for any other query."""
    match = _ABOUT.fullmatch(getattr(retrieval, "query", "") or "")
    seeds = getattr(retrieval, "seeds", None)
    if match is None or seeds is None:
        return None
    wanted = {normalise(match["name"]), normalise(f"the {match['name']}")}
    named = [m for m in seeds.mentions if m.nodes and normalise(m.text) in wanted]
    return int(named[0].nodes[0]) if named else None


def groups_of(store: Any, node: int, as_of: Time | None = None) -> list[Group]:
    """Facts that hold of a node, by relation and direction: its own first, then those it is the object of."""
    when = to_micros(as_of)
    store, _ = facts_only(store, store.index(when))
    own = store.facts(node, as_of=when, limit=MOST_FACTS)
    told = {fact.id for fact in own}
    others = [f for f in store.facts(None, None, node, as_of=when, limit=MOST_FACTS) if f.id not in told]
    grouped: dict[tuple[bool, str], list[Fact]] = {}
    for forward, fact in [*((True, f) for f in own), *((False, f) for f in others)][:MOST_FACTS]:
        grouped.setdefault((forward, fact.relation), []).append(fact)
    return [Group(relation, forward, tuple(facts[:MOST_NAMES])) for (forward, relation), facts in grouped.items()]


def describe(model: Any, retrieval: Any, limit: int, as_of: Time | None = None) -> Described | None:
    """Tell about what a query asks to be told about, within ``limit`` tokens: whole sentences, and at least one.

    None where the query is of another kind, or its topic has no facts.

    Args:
        model: a ``GraphMemoryModel``.
        retrieval: of its memory.
        limit: most tokens.
        as_of: tell what held at that time.
    """
    node = topic_asked(retrieval)
    if node is None:
        return None
    store = retrieval.store
    topic, told = store.names([node])[0], groups_of(store, node, as_of)
    sentences: list[str] = []
    facts: list[Fact] = []
    said: list[Said] = []
    left = limit
    for group, wording in zip(told, _wordings(model, topic, told), strict=True):
        left -= len(model.tokenizer(group.sentence(wording, topic, group.names), add_special_tokens=False)["input_ids"])
        if left < 0 and sentences:
            break
        spoken = [_name(model, topic, group, store, name) for name in group.names]
        sentences.append(group.sentence(wording, topic, [one.text for one in spoken]))
        facts += group.facts
        said += spoken
    return Described(" ".join(sentences), tuple(facts), tuple(said)) if sentences else None


def _plural(noun: str) -> str:
    """More than one of it."""
    if noun.endswith("s"):
        return noun
    if noun.endswith("child"):
        return f"{noun}ren"
    return f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}s"


def joined(names: Sequence[str]) -> str:
    """``A, B and C``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _name(model: Any, topic: str, group: Group, store: Any, name: str) -> Said:
    """One name, read by the model out of the memory."""
    from graphmem.adapters.chat_templates import chat_prompt

    whose = f"the {group.words} of {topic}" if group.forward else f"{group.words} {topic}"
    question = f"What is {whose}?"
    prompt = chat_prompt(model.tokenizer, question)
    ids = model.tokenizer(prompt, add_special_tokens=False, return_tensors="pt")["input_ids"].to(model.base.device)
    features = rank_features(np.zeros(1, np.float32), np.ones(1, np.float32), SURE)
    found = store.resolve(name)
    seen = Candidates((name,), features, SURE, (-1 if found is None else int(found.id),))
    return say_one(model, question, ids, seen, None, model.config.max_name_tokens)


def _wordings(model: Any, topic: str, groups: Sequence[Group]) -> list[str]:
    """For each group the wording that the base, without the memory, finds least surprising."""
    ways = [_ways(group) for group in groups]
    texts = [g.sentence(w, topic, g.names) for g, each in zip(groups, ways, strict=True) for w in each]
    nats = iter(_nats(model, texts))
    scored = [{wording: next(nats) for wording in each} for each in ways]
    return [min(each, key=lambda wording: each[wording]) for each in scored]


def _ways(group: Group) -> tuple[str, ...]:
    """Wordings that say what the relation says; a noun is never put between two names, for that may turn it round."""
    if _PHRASE.match(group.words):
        return _BETWEEN[:1] if _FINITE.match(group.words) else _BETWEEN
    return (*_NOUN, _BETWEEN[0])


@torch.inference_mode()
def _nats(model: Any, texts: Sequence[str]) -> list[float]:
    """Mean negative log-likelihood a token of each text under the base alone, in nats."""
    if not texts:
        return []
    start = model.names.stop
    rows = [[start, *model.tokenizer(text, add_special_tokens=False)["input_ids"]] for text in texts]
    width = max(map(len, rows))
    ids = torch.tensor([row + [start] * (width - len(row)) for row in rows], device=model.base.device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=ids.device)
    with model.memory_disabled():
        logits = model.base(input_ids=ids, attention_mask=mask).logits.float()
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    kept = loss.view(len(rows), -1) * mask[:, 1:]
    return (kept.sum(1) / mask[:, 1:].sum(1)).tolist()
