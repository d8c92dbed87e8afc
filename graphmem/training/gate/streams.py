"""Extracted event streams: the candidates of every text of a synthetic world, cached in files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from random import Random

from graphmem.core.names import normalise
from graphmem.reading.alias_patterns import is_alias
from graphmem.reading.candidates import CandidateFact
from graphmem.reading.extractor import FactExtractor
from graphmem.synthetic.event_streams import LabelledEvent
from graphmem.synthetic.worlds import World
from graphmem.text.lexicon import Relation
from graphmem.text.relation_synonyms import synonyms
from graphmem.training.loop import cached

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
    """One stream of ``events`` texts in the world of each seed, which draws 40 of the relations.

    The extractor gets the relations as those of the graph. ``cache`` is a folder of candidates, one file a world;
    a file serves only the same extractor, world and events.
    """
    mark = _fingerprint(extractor, relations) if cache is not None else ""
    for seed in seeds:
        drawn = Random(seed).sample(list(relations), min(_RELATIONS, len(relations)))
        world = World.sample(seed, entities=_ENTITIES, relations=_distinct(drawn))
        stream = world.stream(seed, events)
        extract = partial(_extract, extractor, stream, list(world.relations))
        found = cached(cache / f"{seed}-{events}-{mark}.pickle", extract) if cache is not None else extract()
        yield ExtractedStream(world, tuple(stream), tuple(found))


def _extract(
    extractor: FactExtractor, stream: Sequence[LabelledEvent], relations: Sequence[str]
) -> list[tuple[CandidateFact, ...]]:
    """Candidates of each text, without aliases and hidden states."""
    texts = (extractor.read(event.passage.text, relations=relations) for event in stream)
    return [tuple(replace(c, sentence=None) for c in found if not is_alias(c.fact)) for found in texts]


def _distinct(relations: Sequence[Relation]) -> list[Relation]:
    """One relation of each synonym group: with two names for one relation a question has no right answer."""
    kept: list[Relation] = []
    for relation in relations:
        if not any(normalise(other.relation) in synonyms(relation.relation) for other in kept):
            kept.append(relation)
    return kept


def _fingerprint(extractor: FactExtractor, relations: Sequence[Relation]) -> str:
    """Digest of the extractor's weights and of the relations that worlds are made of."""
    digest = blake2b(digest_size=6)
    for tensor in extractor.network.state_dict().values():
        digest.update(tensor.contiguous().numpy().tobytes())
    digest.update("\n".join(relation.relation for relation in relations).encode())
    return digest.hexdigest()
