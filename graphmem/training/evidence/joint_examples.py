"""Examples in which the units of a question are read as one text, so that the encoder learns to compare them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

from graphmem.encoding.evidence_text import LINK, SEPARATOR, joined_text
from graphmem.text.sentences import sentences
from graphmem.training.evidence.examples import Example, Unit

MOST, LONGEST = 6, 240
"""Units of one text, and characters of one of them."""


def joined(examples: Sequence[Example], rng: Random) -> Iterator[Example]:
    """The examples that ask for no verdict, each with one unit: its units as one text, in random order."""
    for example in examples:
        if example.asks_verdict:
            continue
        right = [unit for unit in example.units if unit.relevant and unit.spans]
        others = [unit for unit in example.units if not unit.relevant]
        chosen = [*rng.sample(right, min(len(right), 2)), *rng.sample(others, min(len(others), MOST))][:MOST]
        rng.shuffle(chosen)
        parts = [part_of(unit, rng) for unit in chosen]
        if len(parts) > 1 or rng.random() < 0.3:
            text, starts = joined_text([part.text for part in parts])
            places = zip(parts, starts, strict=True)
            spans = tuple((start + a, start + b) for part, start in places for a, b in part.spans)
            yield Example(example.question, (Unit(text, spans, bool(spans)),), example.source)


def part_of(unit: Unit, rng: Random) -> Unit:
    """A unit for a joint text: of a passage, the title and the sentence of an answer, or one of its sentences."""
    if unit.text.split(LINK)[0].count(SEPARATOR) >= 2 or len(unit.text) <= LONGEST:
        return Unit(unit.text, unit.spans, unit.relevant)
    head = unit.text.index(SEPARATOR) + len(SEPARATOR) if SEPARATOR in unit.text[:90] else 0
    found = [(a, b) for a, b in sentences(unit.text) if b > head] or [(head, len(unit.text))]
    inside = [(a, b) for a, b in found if any(a <= start < b for start, _ in unit.spans)]
    start, end = rng.choice(inside or found)
    start = max(start, head)
    kept, title = unit.text[start:end].rstrip(), unit.text[:head]
    by = len(title) - start
    spans = tuple((a + by, b + by) for a, b in unit.spans if start <= a and b <= start + len(kept))
    return Unit(title + kept, spans, bool(spans))
