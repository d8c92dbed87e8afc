"""Descriptions of an entity: its facts as sentences, worded by the base model and with names copied from the memory.

Facts of one relation share a sentence. Of several templates for a relation the base model's most likely one is taken,
and every name is generated with the memory attached, as the answer to a question would be.
"""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np
import torch

from graphmem.core import arguments
from graphmem.core.errors import InvalidValue, NotFound
from graphmem.core.names import check_name, normalise
from graphmem.core.times import Time, to_micros
from graphmem.core.types import SYSTEM_KINDS, Fact, Node
from graphmem.fusion.candidates import CERTAIN, Candidates, rank_features
from graphmem.fusion.config import REFUSAL
from graphmem.generation.attribution import Answer
from graphmem.generation.batching import right_padded
from graphmem.generation.decoding import GeneratedAnswer, generate_answer
from graphmem.retrieval.facts_only import facts_only

MAX_FACTS, MAX_NAMES = 24, 4
"""Most facts of a description, and names in one sentence."""

_REQUEST = re.compile(
    r"(?:please )?(?:(?:tell me|say|write) (?:something |more |all |a few words )?about"
    r"|describe|introduce|what (?:do|can) you (?:know|tell me) about|(?:who|what) (?:is|was|are|were)) (?:the )?",
    re.IGNORECASE,
)
_ENDS = " .?!"
"""What may follow the name in a request."""
_PHRASE = re.compile(
    r"(?:is|was|are|were|has|have|had|lives?|lived|works?|worked|plays?|played|died|born)\b"
    r"|.+ (?:in|at|by|of|to|for|from|with|on|as|into)$",
    re.IGNORECASE,
)
"""Relations that stand between two names as they are; others may be nouns."""
_FINITE = re.compile(r"(?:is|was|are|were|has|have|had|\w+s)\b", re.IGNORECASE)
_BETWEEN = ("{a} {r} {b}.", "{a} is {r} {b}.", "{a} was {r} {b}.")
_NOUN = ("The {r} of {a} is {b}.", "The {r} of {a} was {b}.")
_PLURAL_NOUN = ("The {r} of {a} are {b}.", "The {r} of {a} were {b}.")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_PLURAL_VERBS = {"is": "are", "was": "were", "has": "have", "lives": "live", "works": "work", "plays": "play"}


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts of the topic that share a relation and a direction, described in one sentence."""

    relation: str
    forward: bool
    facts: tuple[Fact, ...]

    @property
    def names(self) -> list[str]:
        """The other ends, in their order."""
        return [fact.object if self.forward else fact.subject for fact in self.facts]

    @property
    def words(self) -> str:
        """The relation in words: ``place_of_birth``, ``birthPlace`` and ``/person/birth place`` are split."""
        last = self.relation.rstrip("/").rsplit("/", 1)[-1].replace("_", " ").strip()
        split = _CAMEL.sub(" ", last)
        return (split.lower() if split != last else last) or self.relation

    @property
    def templates(self) -> tuple[str, ...]:
        """Templates that keep the relation's direction; a noun never stands between two names."""
        if _PHRASE.match(self.words):
            return _BETWEEN[:1] if _FINITE.match(self.words) else _BETWEEN
        return (*_NOUN, _BETWEEN[0])

    def sentence(self, template: str, topic: str, names: Sequence[str]) -> str:
        """The facts in a template, with the names as they were generated."""
        others = conjoined(names)
        a, b = (topic, others) if self.forward else (others, topic)
        relation = self.words
        if template in _NOUN and self.forward and len(names) > 1:
            relation, template = _plural(relation), _PLURAL_NOUN[_NOUN.index(template)]
        text = template.format(a=a, b=b, r=relation)
        verb, _, rest = text[len(a) :].strip().partition(" ")
        if template in _BETWEEN and not self.forward and len(names) > 1 and verb in _PLURAL_VERBS:
            text = f"{a} {_PLURAL_VERBS[verb]} {rest}"
        return text[0].upper() + text[1:]


def describe_node(model: Any, node: Node | int | str, *, max_new_tokens: int = 64, as_of: Time | None = None) -> Answer:
    """``GraphMemoryModel.describe``."""
    arguments.whole(max_new_tokens, "max_new_tokens")
    arguments.moment(as_of, "as_of")
    started, store = time.perf_counter(), getattr(model.memory, "store", None)
    if store is None:
        raise InvalidValue("only nodes of a GraphMemory can be described; attach one")
    if not isinstance(node, (str, Node)):
        arguments.whole(node, "node, where it is no name or Node,", most=(1 << 63) - 1)
    found = store.resolve(check_name(node)) if isinstance(node, str) else node
    found = store.node(found) if isinstance(found, int) else found
    if found is None or found.kind in SYSTEM_KINDS:
        raise NotFound(f"the memory has no node named {node!r}; see graphmem search, or add facts about it")
    made = describe(model, store, int(found.id), max_new_tokens, as_of)
    if made is None:
        refusal = model.config.refusal or REFUSAL
        made = Answer(refusal, (), (), None, 0, 0.0, 0.0, (), (refusal,), True, "not_known")
    return replace(made, seconds=time.perf_counter() - started)


def describe_topic(model: Any, retrieval: Any, max_new_tokens: int, as_of: Time | None = None) -> Answer | None:
    """The description that a query requests; None for other queries, or where its topic has no facts."""
    node = requested_topic(retrieval)
    return None if node is None else describe(model, retrieval.store, node, max_new_tokens, as_of, retrieval)


def requested_topic(retrieval: Any) -> int | None:
    """Node whose description a query requests ("Tell me about X.", "Who was X?"); None for any other query."""
    query = " ".join((getattr(retrieval, "query", "") or "").split())
    match, seeds = _REQUEST.match(query), getattr(retrieval, "seeds", None)
    if match is None or seeds is None:
        return None
    bare = lambda text: normalise(text.rstrip(_ENDS) or text)  # "Who was Sammy Davis Jr.?", "What is Yahoo!?"
    wanted = {bare(query[match.end() :]), bare(f"the {query[match.end() :]}")}
    named = [m for m in seeds.mentions if m.nodes and bare(m.text) in wanted]
    return int(named[0].nodes[0]) if named else None


def describe(
    model: Any, store: Any, node: int, max_new_tokens: int, as_of: Time | None = None, retrieval: Any = None
) -> Answer | None:
    """Whole sentences about a node, at least one and within ``max_new_tokens``; None where it has no facts.

    Path and evidence of the answer are the facts; its time is not measured.
    """
    topic, groups = store.names([node])[0], fact_groups(store, node, as_of)
    if not groups:
        return None
    made: list[tuple[str, tuple[Fact, ...], list[GeneratedAnswer]]] = []
    left = max_new_tokens
    for group, template in zip(groups, _likeliest_templates(model, topic, groups), strict=True):
        sentence = group.sentence(template, topic, group.names)
        left -= len(model.tokenizer(sentence, add_special_tokens=False)["input_ids"])
        if left < 0 and made:
            break
        generated = [_generate_name(model, topic, group, store, name) for name in group.names]
        made.append((group.sentence(template, topic, [one.text for one in generated]), group.facts, generated))
    sentences, facts, names = zip(*made, strict=True)
    text, evidence = " ".join(sentences), tuple(chain(*facts))
    sources = tuple(source for name in chain(*names) for source in name.sources)
    known = 1.0 if retrieval is None else float(retrieval.answerable)
    return Answer(text, evidence, evidence, retrieval, 0, 0.0, known, sources, (text,))


def fact_groups(store: Any, node: int, as_of: Time | None = None) -> list[FactGroup]:
    """Facts of a node by relation and direction: as their subject first, then as their object."""
    when = to_micros(as_of)
    store, _ = facts_only(store, store.index(when))
    own = store.facts(node, as_of=when, limit=MAX_FACTS)
    ids = {fact.id for fact in own}
    others = [f for f in store.facts(None, None, node, as_of=when, limit=MAX_FACTS) if f.id not in ids]
    grouped: dict[tuple[bool, str], list[Fact]] = {}
    for forward, fact in [*((True, f) for f in own), *((False, f) for f in others)][:MAX_FACTS]:
        grouped.setdefault((forward, fact.relation), []).append(fact)
    return [FactGroup(relation, forward, tuple(facts[:MAX_NAMES])) for (forward, relation), facts in grouped.items()]


def _plural(noun: str) -> str:
    if noun.endswith("s"):
        return noun
    if noun.endswith("child"):
        return f"{noun}ren"
    return f"{noun[:-1]}ies" if re.search(r"[^aeiou]y$", noun) else f"{noun}s"


def conjoined(names: Sequence[str]) -> str:
    """``A, B and C``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _generate_name(model: Any, topic: str, group: FactGroup, store: Any, name: str) -> GeneratedAnswer:
    """One name, generated with the memory attached; the name as it is held where something else came out."""
    of = f"the {group.words} of {topic}" if group.forward else f"{group.words} {topic}"
    features = rank_features(np.zeros(1, np.float32), np.ones(1, np.float32), CERTAIN)
    node = store.resolve(name)
    found = Candidates((name,), features, CERTAIN, (-1 if node is None else int(node.id),))
    made = generate_answer(model, f"What is {of}?", found, None, model.config.max_name_tokens)
    return made if normalise(made.text) == normalise(name) else GeneratedAnswer(name, (), found)


def _likeliest_templates(model: Any, topic: str, groups: Sequence[FactGroup]) -> list[str]:
    """For each group the template with the lowest loss under the base without memory."""
    losses = iter(_losses(model, [g.sentence(t, topic, g.names) for g in groups for t in g.templates]))
    return [min(((next(losses), i, t) for i, t in enumerate(group.templates)))[2] for group in groups]


@torch.inference_mode()
def _losses(model: Any, texts: Sequence[str]) -> list[float]:
    """Mean negative log-likelihood a token of each text under the base alone, in nats."""
    rows = [(model.names.stop, *model.tokenizer(text, add_special_tokens=False)["input_ids"]) for text in texts]
    ids, mask = right_padded(rows, model.base.device)
    with model.memory_disabled():
        logits = model.base(input_ids=ids, attention_mask=mask).logits.float()
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    kept = loss.view(len(rows), -1) * mask[:, 1:]
    return (kept.sum(1) / mask[:, 1:].sum(1)).tolist()
