"""What a reader learns from: hidden states of texts, their tags, and every pair of names with what is said about it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from graphmem.core.protocols import TextEncoder
from graphmem.reading.config import ExtractorConfig
from graphmem.reading.hidden_states import TokenStates, token_states, tokenise
from graphmem.reading.network import FACTUALITY
from graphmem.reading.relation_context import blanked, linked
from graphmem.synthetic.annotated_texts import AnnotatedText
from graphmem.text.lexicon import Relation
from graphmem.text.sentences import sentences

KIND_TAG = {"entity": 1, "literal": 3, "pronoun": 5}
_TOKENS_A_BATCH = 1200


@dataclass(slots=True)
class Item:
    """One text ready to learn from: its states, its tags, and its pairs.

    ``hidden`` float16 [T, 2D]; ``pairs`` int64 [P, 4] token positions; ``labels`` int64 [P, 3]: mood (-1 unknown), same
    thing (-1 unknown), and the position of the pair's (relation, backwards, phrase) in ``said``, or -1.
    """

    hidden: np.ndarray
    tags: Tensor
    pairs: Tensor
    labels: Tensor
    said: list[tuple[int, bool, int]]
    paired: bool

    @property
    def length(self) -> int:
        """T."""
        return len(self.hidden)


@dataclass(slots=True)
class Corpus:
    """Items, vectors [n, K] of the words around their pairs, and the relations that they speak of.

    Only relations of one ``family`` are told apart: two data sets may name one thing in two ways.
    """

    items: list[Item]
    phrases: np.ndarray
    relations: list[Relation]
    family: list[int] = field(default_factory=list)


class StateCache:
    """Hidden states of texts: computed once, and kept in a folder where one is given.

    Args:
        model, tokenizer: the frozen model.
        layers: entries of ``hidden_states`` to keep.
        folder: where states of earlier runs lie, as ``NAME.npy`` [tokens, 2D] with texts and offsets in ``NAME.json``.
    """

    def __init__(self, model: Any, tokenizer: Any, layers: tuple[int, int], folder: Path | None = None) -> None:
        self._model, self._tokenizer, self._layers, self._folder = model, tokenizer, layers, folder
        self._known: dict[str, np.ndarray] = {}
        for file in sorted(folder.glob("*.json")) if folder else ():
            self._load(file)

    def _load(self, file: Path) -> None:
        texts, starts = json.loads(file.read_text(encoding="utf-8"))
        states = np.load(file.with_suffix(".npy"), mmap_mode="r")
        self._known.update({text: states[starts[i] : starts[i + 1]] for i, text in enumerate(texts)})

    def __getitem__(self, text: str) -> np.ndarray:
        return self._known[text]

    def fill(self, texts: Sequence[str], log: Any = print) -> None:
        """Compute what is missing."""
        new = list(dict.fromkeys(text for text in texts if text not in self._known))
        if not new:
            return
        lengths = [len(tokenise(self._tokenizer, text)[0]) for text in new]
        starts = np.concatenate([[0], np.cumsum(lengths)]).tolist()
        states = self._room(new, starts[-1])
        began, done, said = time.monotonic(), 0, 0
        for batch in _alike(lengths):
            found = token_states(
                self._model, self._tokenizer, [new[i] for i in batch], self._layers, surprise=False
            )  # fmt: skip
            for number, state in zip(batch, found, strict=True):
                states[starts[number] : starts[number + 1]] = state.hidden.numpy()
                done += lengths[number]
            if done > said + 20_000:
                log(f"{done}/{starts[-1]} tokens, {done / (time.monotonic() - began):.0f} tokens/s", flush=True)
                said = done
        self._known.update({text: states[starts[i] : starts[i + 1]] for i, text in enumerate(new)})
        if self._folder:
            self._file(new).with_suffix(".json").write_text(json.dumps([new, starts]), encoding="utf-8")

    def _room(self, texts: Sequence[str], tokens: int) -> np.ndarray:
        shape = (tokens, 2 * int(self._model.config.hidden_size))
        if self._folder is None:
            return np.zeros(shape, np.float16)
        self._folder.mkdir(parents=True, exist_ok=True)
        return np.lib.format.open_memmap(self._file(texts).with_suffix(".npy"), "w+", np.float16, shape)  # type: ignore[no-any-return]

    def _file(self, texts: Sequence[str]) -> Path:
        return (self._folder or Path()) / hashlib.blake2b("\0".join(texts).encode(), digest_size=8).hexdigest()


def build_corpus(
    examples: Sequence[AnnotatedText], relations: Sequence[Relation], model: Any, tokenizer: Any, encoder: TextEncoder,
    config: ExtractorConfig, *, cache: Path | None = None, log: Any = print,
) -> Corpus:  # fmt: skip
    """Run the frozen model over every text once and mark its tokens and pairs."""
    states = StateCache(model, tokenizer, config.layers, cache)
    states.fill([example.text for example in examples], log)
    known = {relation.relation: number for number, relation in enumerate(relations)}
    phrases: dict[str, int] = {}
    items = [mark(example, states[example.text], tokenizer, known, phrases) for example in examples]
    log(f"{len(phrases)} phrases to encode", flush=True)
    vectors = _encoded(list(phrases) or ["X Y"], encoder, cache)
    return Corpus(items, vectors, list(relations), [0] * len(relations))


def _encoded(texts: Sequence[str], encoder: TextEncoder, folder: Path | None) -> np.ndarray:
    """Text vectors float32 [n, K]; those of earlier runs come from the folder, where new ones are kept."""
    known: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("phrases-*.npz")) if folder else ():
        with np.load(file) as held:
            known.update(zip(held["texts"].tolist(), held["vectors"], strict=True))
    new = [text for text in texts if text not in known]
    if new:
        vectors = encoder.encode(new)
        known.update(zip(new, vectors, strict=True))
        if folder:
            name = hashlib.blake2b("\0".join(new).encode(), digest_size=8).hexdigest()
            np.savez(folder / f"phrases-{name}.npz", texts=np.array(new), vectors=vectors)
    return np.stack([known[text] for text in texts]).astype(np.float32)


def mark(
    example: AnnotatedText, hidden: np.ndarray, tokenizer: Any, known: Mapping[str, int], phrases: dict[str, int]
) -> Item:
    """Turn characters into tokens and list every pair of mentions that share a sentence, or name the same thing."""
    state = TokenStates(torch.empty(0), tuple(tokenise(tokenizer, example.text)[1]))
    spans = [state.token_span(m.start, m.end) for m in example.mentions]
    tags = torch.zeros(len(state.offsets), dtype=torch.long)
    for mention, (first, last) in zip(example.mentions, spans, strict=True):
        if first:
            tags[first] = KIND_TAG[mention.kind]
            tags[first + 1 : last + 1] = KIND_TAG[mention.kind] + 1
    places = [(m.start, m.end) for m in example.mentions]
    bounds = [end for _, end in sentences(example.text)]
    sentence = [sum(m.start >= bound for bound in bounds) for m in example.mentions]
    facts = {(f.subject, f.object): f for f in example.facts}
    topic = next((i for i, m in enumerate(example.mentions) if m.kind == "entity"), -1)
    pairs: list[list[int]] = []
    labels: list[list[int]] = []
    said: list[tuple[int, bool, int]] = []
    for b in range(len(spans)):
        for a in range(b):
            fact = facts.get((a, b)) or facts.get((b, a))
            same = int(example.mentions[a].entity == example.mentions[b].entity)
            near = linked(sentence, a, b, topic)
            if not (near or fact or same or example.mentions[b].kind == "pronoun"):
                continue
            if example.partial and not fact:
                continue
            number = -1
            if fact and fact.relation in known:
                others = [p for i, p in enumerate(places) if i not in (a, b)]
                phrase = blanked(example.text, places[a], places[b], others)
                number = len(said)
                said.append((known[fact.relation], fact.subject == b, phrases.setdefault(phrase, len(phrases))))
            mood = FACTUALITY.index(fact.factuality) if fact else (0 if near else -1)
            pairs.append([*spans[a], *spans[b]])
            labels.append([mood, same if example.mentions[b].kind == "pronoun" else -1, number])
    table = torch.tensor(pairs, dtype=torch.long).reshape(-1, 4)
    answers = torch.tensor(labels, dtype=torch.long).reshape(-1, 3)
    return Item(hidden, tags, table, answers, said, example.paired)


def _alike(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Batches of texts of like length, each of about ``_TOKENS_A_BATCH`` tokens."""
    batch: list[int] = []
    for number in np.argsort(lengths, kind="stable").tolist():
        if batch and (len(batch) + 1) * lengths[number] > _TOKENS_A_BATCH:
            yield batch
            batch = []
        batch.append(number)
    if batch:
        yield batch
