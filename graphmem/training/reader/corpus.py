"""Training corpus of the extraction network: hidden states of texts, their tags, and every pair of mentions."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from graphmem.core.protocols import TextEncoder
from graphmem.reading.hidden_states import TokenStates, token_states, tokenise
from graphmem.reading.network import FACTUALITY, ExtractorConfig
from graphmem.reading.relation_context import mask_pair, may_be_related
from graphmem.synthetic.annotated_texts import AnnotatedText
from graphmem.text.lexicon import Relation
from graphmem.text.sentences import sentences

_START_TAG = {"entity": 1, "literal": 3, "pronoun": 5}
_BATCH_TOKENS = 1200
_UNKNOWN = -1


@dataclass(slots=True)
class Item:
    """One text as a training example.

    Attributes:
        hidden, tags: float16 [T, 2D], int64 [T].
        pairs: int64 [P, 4], token positions.
        labels: int64 [P, 3]: factuality, coreference (-1: unknown), and the pair's row in ``relations`` or -1.
        relations: relation, whether it is inverted, and phrase of each pair with a relation.
        paired: whether the pairs are labelled.
    """

    hidden: np.ndarray
    tags: Tensor
    pairs: Tensor
    labels: Tensor
    relations: list[tuple[int, bool, int]]
    paired: bool


@dataclass(slots=True)
class Corpus:
    """Items, vectors [n, K] of the phrases around their pairs, and their relations."""

    items: list[Item]
    phrases: np.ndarray
    relations: list[Relation]


class StateCache:
    """Hidden states of texts, computed once and kept in a folder where one is given.

    ``layers`` are the entries of ``hidden_states`` to keep. A folder holds ``NAME.npy`` [tokens, 2D], with texts and
    offsets in ``NAME.json``.
    """

    def __init__(self, model: Any, tokenizer: Any, layers: tuple[int, int], folder: Path | None = None) -> None:
        self._model, self._tokenizer, self._layers, self._folder = model, tokenizer, layers, folder
        self._known: dict[str, np.ndarray] = {}
        for file in sorted(folder.glob("*.json")) if folder else ():
            texts, starts = json.loads(file.read_text(encoding="utf-8"))
            self._add(texts, starts, np.load(file.with_suffix(".npy"), mmap_mode="r"))

    def __getitem__(self, text: str) -> np.ndarray:
        return self._known[text]

    def fill(self, texts: Sequence[str]) -> None:
        """Compute the missing states."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if not new:
            return
        lengths = [len(tokenise(self._tokenizer, text)[0]) for text in new]
        starts = np.concatenate([[0], np.cumsum(lengths)]).tolist()
        shape = (starts[-1], 2 * int(self._model.config.hidden_size))
        states: np.ndarray
        if self._folder:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = self._folder / hashlib.blake2b("\0".join(new).encode(), digest_size=8).hexdigest()
            states = np.lib.format.open_memmap(file.with_suffix(".npy"), "w+", np.float16, shape)
        else:
            states = np.zeros(shape, np.float16)
        for batch in tqdm(list(_batches(lengths)), "hidden states", mininterval=10):
            found = token_states(self._model, self._tokenizer, [new[i] for i in batch], self._layers, surprise=False)
            for number, state in zip(batch, found, strict=True):
                states[starts[number] : starts[number + 1]] = state.hidden.numpy()
        self._add(new, starts, states)
        if self._folder:
            file.with_suffix(".json").write_text(json.dumps([new, starts]), encoding="utf-8")

    def _add(self, texts: Sequence[str], starts: Sequence[int], states: np.ndarray) -> None:
        self._known.update({text: states[a:b] for text, (a, b) in zip(texts, pairwise(starts), strict=True)})


def build_corpus(
    examples: Sequence[AnnotatedText], relations: Sequence[Relation], model: Any, tokenizer: Any, encoder: TextEncoder,
    config: ExtractorConfig, *, cache: Path | None = None,
) -> Corpus:  # fmt: skip
    """Run the frozen model over every text once and label its tokens and pairs."""
    states = StateCache(model, tokenizer, config.layers, cache)
    states.fill([example.text for example in examples])
    known = {relation.relation: number for number, relation in enumerate(relations)}
    phrases: dict[str, int] = {}
    items = [label(example, states[example.text], tokenizer, known, phrases) for example in examples]
    print(f"{len(phrases)} phrases to encode", flush=True)
    return Corpus(items, encoder.encode(list(phrases) or ["X Y"]), list(relations))


def label(
    example: AnnotatedText, hidden: np.ndarray, tokenizer: Any, known: Mapping[str, int], phrases: dict[str, int]
) -> Item:
    """One text as an item, with every pair of mentions that may be related or name the same entity.

    ``known`` numbers the relations and ``phrases`` the phrases; new phrases are added.
    """
    state = TokenStates(torch.empty(0), tuple(tokenise(tokenizer, example.text)[1]))
    mentions, spans = example.mentions, [state.token_span(m.start, m.end) for m in example.mentions]
    tags = torch.zeros(len(state.offsets), dtype=torch.long)
    for mention, (first, last) in zip(mentions, spans, strict=True):
        if first:
            tags[first] = _START_TAG[mention.kind]
            tags[first + 1 : last + 1] = _START_TAG[mention.kind] + 1
    places = [(m.start, m.end) for m in mentions]
    bounds = [end for _, end in sentences(example.text)]
    sentence = [sum(m.start >= bound for bound in bounds) for m in mentions]
    facts = {(f.subject, f.object): f for f in example.facts}
    topic = next((i for i, m in enumerate(mentions) if m.kind == "entity"), -1)
    pairs: list[list[int]] = []
    labels: list[list[int]] = []
    relations: list[tuple[int, bool, int]] = []
    for a, b in ((i, j) for j in range(len(spans)) for i in range(j)):
        fact = facts.get((a, b)) or facts.get((b, a))
        same, is_pronoun = int(mentions[a].entity == mentions[b].entity), mentions[b].kind == "pronoun"
        near = may_be_related(sentence, a, b, topic)
        if not (near or fact or same or is_pronoun) or (example.partial and not fact):
            continue
        number = _UNKNOWN
        if fact and fact.relation in known:
            others = [p for i, p in enumerate(places) if i not in (a, b)]
            phrase = mask_pair(example.text, places[a], places[b], others)
            number = len(relations)
            relations.append((known[fact.relation], fact.subject == b, phrases.setdefault(phrase, len(phrases))))
        factuality = FACTUALITY.index(fact.factuality) if fact else 0 if near else _UNKNOWN
        pairs.append([*spans[a], *spans[b]])
        labels.append([factuality, same if is_pronoun else _UNKNOWN, number])
    table, answers = (torch.tensor(rows, dtype=torch.long) for rows in (pairs, labels))
    return Item(hidden, tags, table.reshape(-1, 4), answers.reshape(-1, 3), relations, example.paired)


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Batches of texts of similar length, each of about ``_BATCH_TOKENS`` tokens."""
    batch: list[int] = []
    for number in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[number] > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
