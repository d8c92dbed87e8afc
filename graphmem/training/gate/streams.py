"""Streams of events in made-up worlds as the trained reader reads them, kept in files: reading is what takes long."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from graphmem.core.names import normalise
from graphmem.core.types import Fact
from graphmem.reading.alias_patterns import is_alias
from graphmem.reading.candidates import CandidateFact, RelationAlternative, mark_competition
from graphmem.reading.extractor import FactExtractor
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import synonyms

_ENTITIES, _RELATIONS = 120, 40


@dataclass(frozen=True, slots=True)
class ExtractedStream:
    """One world's stream of events, and for each event the candidates that the reader found in its text."""

    world: World
    events: tuple[LabelledEvent, ...]
    found: tuple[tuple[CandidateFact, ...], ...]


def extract_stream(
    seeds: Sequence[int], events: int, relations: Sequence[Relation], reader: FactExtractor, cache: Path | None = None
) -> Iterator[ExtractedStream]:
    """One stream of ``events`` events in the world of each seed, read by ``reader``.

    Args:
        seeds: one world each.
        events: texts a world.
        relations: what worlds draw 40 relations from.
        reader: reads the texts; it is given the world's relations as those of the graph.
        cache: folder that keeps what was read, one file a world; it is made where it is missing. A file serves only
            the same reader, world and events.
    """
    mark = _fingerprint(reader, relations) if cache is not None else ""
    for seed in seeds:
        world = _world(seed, relations)
        stream = world.stream(seed, events)
        path = cache / f"{seed}-{events}-{mark}.npz" if cache is not None else None
        if path is not None and path.exists():
            found = _load(path)
        else:
            names = list(world.relations)
            read = (reader.read(event.passage.text, relations=names) for event in stream)
            found = [[c for c in candidates if not is_alias(c.fact)] for candidates in read]
            if path is not None:
                _save(path, found)
        yield ExtractedStream(world, tuple(stream), tuple(map(tuple, found)))


def _world(seed: int, relations: Sequence[Relation]) -> World:
    chosen = _distinct(Random(seed).sample(list(relations), min(_RELATIONS, len(relations))))
    return World.sample(seed, entities=_ENTITIES, relations=chosen)


def _distinct(relations: Sequence[Relation]) -> list[Relation]:
    """One relation of each meaning: a graph that holds two names for one thing has no right answer."""
    kept: list[Relation] = []
    for relation in relations:
        if not any(normalise(other.relation) in synonyms(relation.relation) for other in kept):
            kept.append(relation)
    return kept


# ---------------------------------------------------------------- files


def _fingerprint(reader: FactExtractor, relations: Sequence[Relation]) -> str:
    """Of the reader's weights and of the relations that worlds are made of."""
    digest = blake2b(digest_size=6)
    for tensor in reader.network.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    digest.update("\n".join(relation.relation for relation in relations).encode())
    return digest.hexdigest()


def _save(path: Path, found: Sequence[Sequence[CandidateFact]]) -> None:
    """Write candidates: their arrays as arrays, the rest as JSON. The sentences' states are left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    flat = [candidate for candidates in found for candidate in candidates]
    rows = [[_row(candidate) for candidate in candidates] for candidates in found]
    arrays = {
        name: np.stack([np.asarray(getattr(c, name), np.float32) for c in flat] or [np.zeros(0, np.float32)])
        for name in ("moods", "features")
    }
    partial = path.with_suffix(".partial.npz")
    np.savez_compressed(partial, rows=np.array(json.dumps(rows)), **arrays)  # type: ignore[arg-type]
    partial.replace(path)


def _row(candidate: CandidateFact) -> dict[str, Any]:
    kept = ("mood", "subject_span", "object_span", "object_kind", "surprise", "named", "sure", "spotted")
    row = {name: getattr(candidate, name) for name in kept}
    fact = {name: value for name, value in asdict(candidate.fact).items() if name != "id"}
    return {**row, "fact": fact, "others": [asdict(other) for other in candidate.others]}


def _load(path: Path) -> list[list[CandidateFact]]:
    with np.load(path, allow_pickle=False) as file:
        rows, moods, features = json.loads(str(file["rows"])), file["moods"], file["features"]
    arrays = zip(moods, features, strict=True)
    return [mark_competition([_candidate(row, *next(arrays)) for row in event]) for event in rows]


def _candidate(row: dict[str, Any], moods: np.ndarray, features: np.ndarray) -> CandidateFact:
    spans = {name: (row[name][0], row[name][1]) for name in ("subject_span", "object_span")}
    others = tuple(RelationAlternative(**other) for other in row["others"])
    return CandidateFact(**{
        **row, **spans, "fact": Fact(**row["fact"]), "others": others, "moods": moods, "features": features
    })  # fmt: skip
