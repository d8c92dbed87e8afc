"""Real names by type and real sentences, as annotated texts."""

from __future__ import annotations

from pathlib import Path
from random import Random
from zipfile import ZipFile

from graphmem.datasets.plain_text import passage_texts
from graphmem.datasets.wikimovies import load_facts
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldMention
from graphmem.synthetic.templates import load
from graphmem.text.sentences import sentences


def real_names(kgc: Path | None) -> dict[str, list[str]]:
    """Return real names by type ("" is any): of WikiMovies, which ships, and of FB15k-237 and WN18RR in ``kgc``."""
    found: dict[str, set[str]] = {"film": set(), "person": set()}
    for subject, relation, value in load_facts():
        found["film"].add(subject)
        if relation in ("directed by", "written by", "starred actors"):
            found["person"].add(value)
    names: dict[str, list[str]] = {type: sorted(group) for type, group in found.items()} | load("names")["everyday"]
    names[""] = [*names["film"][::4], *names["person"][::4]]
    if kgc:
        for type, group in typed_names(kgc / "fb15k237").items():
            names[type] = sorted({*names.get(type, ()), *group})
        rows = (kgc / "wn18rr" / "kgbert_entity2text.txt").read_text(encoding="utf-8").splitlines()
        nouns = sorted({row.split("\t")[1].split(",")[0].strip() for row in rows if "\t" in row})
        names[""] += Random(0).sample(nouns, min(4000, len(nouns)))
    return names


def typed_names(folder: Path) -> dict[str, list[str]]:
    """Return names of FB15k-237 by the type that their relations imply; all of them under ""."""
    rows = (folder / "kgbert_entity2text.txt").read_text(encoding="utf-8").splitlines()
    names = dict(row.split("\t")[:2] for row in rows if "\t" in row)
    types = load("names")["freebase_types"]
    found: dict[str, set[str]] = {"": set(names.values())}
    with ZipFile(folder / "FB15k-237.zip").open("FB15k-237/train.txt") as lines:
        for line in lines:
            head, relation, tail = line.decode().strip().split("\t")
            kind = types.get("/".join(relation.split("/")[1:3]))
            if kind and head in names:
                found.setdefault(kind, set()).add(names[head].strip())
            if relation == "/people/person/place_of_birth" and tail in names:
                found.setdefault("city", set()).add(names[tail].strip())
    return {kind: sorted(group) for kind, group in found.items()}


def natural_examples(count: int, seed: int) -> list[AnnotatedText]:
    """Return openings of encyclopaedia passages with the mentions that spaCy finds, and no facts."""
    from graphmem.adapters.spacy import named_spans

    opening = lambda text: text[: next((end for _, end in sentences(text) if end > 80), None)].strip()[:400]
    texts = [opening(text) for text in Random(seed).sample(passage_texts("train"), count)]
    mentions = ([GoldMention(*span, number) for number, span in enumerate(spans)] for spans in named_spans(texts))
    return [AnnotatedText(text, found, [], paired=False) for text, found in zip(texts, mentions, strict=True)]
