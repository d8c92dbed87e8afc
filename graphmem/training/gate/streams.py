"""Extracted event streams: the candidates of every text of a synthetic world, cached in files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from graphmem.core.names import normalise
from graphmem.core.types import Fact
from graphmem.reading.alias_patterns import is_alias
from graphmem.reading.candidates import CandidateFact, RelationAlternative
from graphmem.reading.extractor import FactExtractor
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import synonyms

_ENTITIES, _RELATIONS = 120, 40


@dataclass(frozen=True, slots=True)
class ExtractedStream:
    """One world's stream of events, and the candidates that the extractor found in each event's text."""

    world: World
    events: tuple[LabelledEvent, ...]
    found: tuple[tuple[CandidateFact, ...], ...]


def extract_streams(
    seeds: Sequence[int], events: int, relations: Sequence[Relation], extractor: FactExtractor,
    cache: Path | None = None,
) -> Iterator[ExtractedStream]:  # fmt: skip
    """One stream of ``events`` events in the world of each seed.

    Args:
        seeds: one world each.
        events: texts a world.
        relations: each world draws 40 of them.
        extractor: reads the texts; the world's relations are given to it as those of the graph.
        cache: folder of candidates, one file a world, made if missing. A file serves only the same extractor, world
            and events.
    """
    mark = _fingerprint(extractor, relations) if cache is not None else ""
    for seed in seeds:
        world = _world(seed, relations)
        stream = world.stream(seed, events)
        path = cache / f"{seed}-{events}-{mark}.json.gz" if cache is not None else None
        if path is not None and path.exists():
            found = _load(path)
        else:
            names = list(world.relations)
            every = (extractor.read(event.passage.text, relations=names) for event in stream)
            found = [[c for c in candidates if not is_alias(c.fact)] for candidates in every]
            if path is not None:
                _save(path, found)
        yield ExtractedStream(world, tuple(stream), tuple(map(tuple, found)))


def _world(seed: int, relations: Sequence[Relation]) -> World:
    chosen = _distinct(Random(seed).sample(list(relations), min(_RELATIONS, len(relations))))
    return World.sample(seed, entities=_ENTITIES, relations=chosen)


def _distinct(relations: Sequence[Relation]) -> list[Relation]:
    """One relation of each synonym group: with two names for one relation a question has no right answer."""
    kept: list[Relation] = []
    for relation in relations:
        if not any(normalise(other.relation) in synonyms(relation.relation) for other in kept):
            kept.append(relation)
    return kept


# ---------------------------------------------------------------- files


def _fingerprint(extractor: FactExtractor, relations: Sequence[Relation]) -> str:
    """Digest of the extractor's weights and of the relations that worlds are made of."""
    digest = blake2b(b"streams 2", digest_size=6)
    for tensor in extractor.network.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    digest.update("\n".join(relation.relation for relation in relations).encode())
    return digest.hexdigest()


def _save(path: Path, found: Sequence[Sequence[CandidateFact]]) -> None:
    """Write candidates as gzipped JSON, without the hidden states of their sentences."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [[asdict(replace(candidate, sentence=None)) for candidate in event] for event in found]
    partial = path.with_suffix(".partial")
    with gzip.open(partial, "wt", encoding="utf-8") as file:
        json.dump(rows, file, default=np.ndarray.tolist)
    partial.replace(path)


def _load(path: Path) -> list[list[CandidateFact]]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [[_candidate(row) for row in event] for event in json.load(file)]


def _candidate(row: dict[str, Any]) -> CandidateFact:
    arrays = {name: np.asarray(row[name], np.float32) for name in ("factuality_probabilities", "features")}
    spans = {name: tuple(row[name]) for name in ("subject_span", "object_span", "as_received")}
    alternatives = tuple(RelationAlternative(**other) for other in row["alternatives"])
    return CandidateFact(**{**row, **arrays, **spans, "fact": Fact(**row["fact"]), "alternatives": alternatives})
