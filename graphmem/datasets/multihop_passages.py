"""Questions whose gold passages are known: 2WikiMultiHopQA and HotpotQA, read from a folder."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from graphmem.core.errors import InvalidValue
from graphmem.core.names import normalise

DATASETS = ("2wiki", "hotpotqa")


@dataclass(frozen=True, slots=True)
class PassageQuestion:
    """A question with the titles of the passages that answer it; ``missing`` titles are not in the corpus."""

    text: str
    kind: str
    gold: tuple[str, ...]
    missing: int
    half: str


def load(dataset: str, folder: str | Path | None = None) -> tuple[list[tuple[str, str]], list[PassageQuestion]]:
    """Documents and questions of a data set, from ``folder`` or the environment variable GRAPHMEM_DATA.

    Questions none of whose gold titles are in the corpus are left out. Gold titles of 2wiki are the subjects of the
    evidence, compared without regard to case.

    Raises:
        InvalidValue: no such data set, or its files are not there.
    """
    if dataset not in DATASETS:
        raise InvalidValue(f"no data set {dataset!r}; choose one of {', '.join(DATASETS)}")
    home = Path(folder or os.environ.get("GRAPHMEM_DATA", "")) / dataset
    try:
        return (_load_2wiki if dataset == "2wiki" else _load_hotpotqa)(home)
    except OSError as error:
        raise InvalidValue(
            f"cannot read {dataset} below {home.parent}: {error}; give its folder with --data or GRAPHMEM_DATA"
        ) from None


def _load_2wiki(home: Path) -> tuple[list[tuple[str, str]], list[PassageQuestion]]:
    with gzip.open(home / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        documents = [(row["title"], row["text"]) for row in map(json.loads, file)]
    raw = []
    for row in map(json.loads, (home / "dev.jsonl").read_text(encoding="utf-8").splitlines()):
        raw.append((row["question"], row["question_type"].replace("_", "-"), [e[0] for e in row["evidence"]]))
    return documents, list(_questions(raw, documents))


def _load_hotpotqa(home: Path) -> tuple[list[tuple[str, str]], list[PassageQuestion]]:
    corpus = json.loads((home / "hotpotqa_train_corpus.json").read_text(encoding="utf-8"))
    documents = [(title, "".join(sentences)) for title, sentences in corpus.items()]
    rows = json.loads((home / "hotpotqa_train.json").read_text(encoding="utf-8"))
    raw = [(row["question"], row["type"], [fact[0] for fact in row["supporting_facts"]]) for row in rows]
    return documents, list(_questions(raw, documents))


def _questions(
    raw: Sequence[tuple[str, str, list[str]]], documents: Sequence[tuple[str, str]]
) -> Iterator[PassageQuestion]:
    titles = {title.casefold() for title, _ in documents}
    wanted = [list(dict.fromkeys(title.casefold() for title in gold)) for _, _, gold in raw]
    halves = split_halves([[title for title in each if title in titles] for each in wanted])
    for (text, kind, _), each, half in zip(raw, wanted, halves, strict=True):
        gold = tuple(title for title in each if title in titles)
        if gold:
            yield PassageQuestion(text, kind, gold, len(each) - len(gold), half)


def split_halves(groups: Sequence[Sequence[str]]) -> list[str]:
    """``train`` or ``test`` for each group of titles, so that no title is in both: by the hash of what hangs together.

    Groups that share a title, directly or through others, fall into the same half.
    """
    parent: dict[str, str] = {}

    def root(title: str) -> str:
        while parent.setdefault(title, title) != title:
            title = parent[title]
        return title

    for group in groups:
        for title in group[1:]:
            first, second = sorted((root(group[0]), root(title)))
            parent[second] = first
    heads = [normalise(root(group[0])) if group else "" for group in groups]
    return ["train" if blake2b(head.encode()).digest()[0] % 2 else "test" for head in heads]
