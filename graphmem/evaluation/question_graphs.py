"""Graphs with questions over them that retrieval is measured on."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

from graphmem.core.errors import InvalidValue
from graphmem.core.splits import Split
from graphmem.datasets.wikimovies import Question, load_facts, load_questions

Facts = Sequence[tuple[str, str, str]]
Graph = tuple[Facts, list[Question]]

DATASETS: Final = ("wikimovies", "worlds", "pathquestion", "mquake", "popqa", "zsre")
"""``wikimovies`` asks over all 129,233 facts; ``worlds`` over random worlds whose relations belong to the split, so
that with ``test`` graph and relations are new. The others are read from the folder in the environment variable
GRAPHMEM_DATA, were never trained on and are asked whole: ``pathquestion`` two hops; ``mquake`` two to four hops in
three phrasings over all single hops of the AKEW copy of MQuAKE-CF; ``popqa`` and ``zsre`` one fact among hundreds."""

LABELS: Final = {
    "P17": "country", "P19": "place of birth", "P20": "place of death", "P26": "spouse", "P30": "continent",
    "P36": "capital", "P40": "child", "P50": "author", "P69": "educated at", "P106": "occupation",
    "P112": "founded by", "P127": "owned by", "P131": "located in the administrative territorial entity",
    "P136": "genre", "P159": "headquarters location", "P170": "creator", "P175": "performer", "P176": "manufacturer",
    "P264": "record label", "P276": "location", "P407": "language of work or name",
    "P413": "position played on team / speciality", "P495": "country of origin", "P740": "location of formation",
    "P800": "notable work", "P364": "original language of film or TV show",
    "P1412": "languages spoken, written or signed", "P27": "country of citizenship", "P937": "work location",
    "P37": "official language", "P140": "religion or worldview", "P178": "developer", "P108": "employer",
    "P641": "sport", "P190": "twinned administrative body", "P463": "member of", "P449": "original broadcaster",
    "P35": "head of state", "P286": "head coach", "P1308": "officeholder", "P488": "chairperson",
    "P169": "chief executive officer", "P1037": "director / manager", "P6": "head of government",
}  # fmt: skip
"""Wikidata's English labels of the properties that MQuAKE uses."""


def load_graphs(dataset: str, split: Split, n: int, seed: int) -> list[Graph]:
    """Graphs and at most ``n`` questions of each number of hops, in all.

    Raises:
        InvalidValue: the data set's folder is not there.
    """
    rng = Random(seed)
    if dataset == "worlds":
        return _worlds(split, n, rng)
    if dataset == "wikimovies":
        return [(load_facts(), _of_each_length(load_questions(split), n, rng))]
    facts, questions = _READERS[dataset](_folder(dataset))
    return [(facts, _of_each_length(questions, n, rng))]


def _folder(dataset: str) -> Path:
    folder = Path(os.environ.get("GRAPHMEM_DATA", ".")) / dataset
    if not folder.is_dir():
        raise InvalidValue(f"no folder {folder}; set GRAPHMEM_DATA to the folder that holds {dataset}/")
    return folder


def _of_each_length(questions: Sequence[Question], n: int, rng: Random) -> list[Question]:
    drawn = []
    for hops in sorted({question.hops for question in questions}):
        same = [question for question in questions if question.hops == hops]
        drawn += same if len(same) <= n else rng.sample(same, n)
    return drawn


def _worlds(split: Split, n: int, rng: Random, each: int = 60) -> list[Graph]:
    from graphmem.synthetic.worlds import World
    from graphmem.text.lexicon import split_relations

    pool = split_relations(split)
    graphs: list[Graph] = []
    left = {1: n, 2: n, 3: n}
    while any(left.values()):
        relations = rng.sample(pool, min(len(pool), 30))
        world = World.sample(rng.randrange(2**31), relations=relations, entities=300)
        questions: list[Question] = []
        for asked in world.questions(rng, each):
            if left[asked.hops]:
                left[asked.hops] -= 1
                questions.append(Question(asked.question, asked.topic, asked.answers, asked.hops))
        if questions:
            graphs.append((world.triples, questions))
    return graphs


def _pathquestion(folder: Path) -> tuple[list[Any], list[Question]]:
    facts = [tuple(line.split("\t")) for line in _lines(folder / "kb_2hop.tsv")]
    questions = []
    for line in _lines(folder / "dev_2hop.tsv"):
        question, answers, path = line.split("\t")
        right = tuple(filter(None, answers[answers.index("(") + 1 :].rstrip(")").split("/")))
        questions.append(Question(question, path.split("#")[0], right, 2))
    return facts, questions


def _mquake(folder: Path) -> tuple[list[Any], list[Question]]:
    templates = json.loads((folder / "cloze_templates.json").read_text(encoding="utf-8"))
    forms = [
        (LABELS[key], re.compile(re.escape(text.removesuffix("__").strip()).replace(r"\[X\]", "(.+)")))
        for key, text in sorted(templates.items(), key=lambda item: -len(item[1]))  # the most particular first
    ]
    facts: dict[tuple[str, str, str], None] = {}
    questions = []
    for line in _lines(folder / "akew_dev.jsonl"):
        case = json.loads(line)
        chain = [_fact(forms, hop) for hop in case["single_hops"]]
        if None in chain:
            continue
        facts.update(dict.fromkeys(chain))
        right = (case["answer"], *case["answer_alias"])
        questions += [Question(text, chain[0][0], right, len(chain)) for text in case["questions"]]
    return list(facts), questions


def _fact(forms: Sequence[tuple[str, re.Pattern[str]]], hop: dict[str, Any]) -> Any:
    for label, form in forms:
        if match := form.fullmatch(hop["cloze"].strip()):
            return match[1], label, hop["answer"]
    return None


def _popqa(folder: Path) -> tuple[list[Any], list[Question]]:
    rows = [json.loads(line) for line in _lines(folder / "dev.jsonl")]
    facts = [(row["subject"], row["relation"], row["object"]) for row in rows]
    return facts, [
        Question(row["question"] if "question" in row else row["questions"][0], row["subject"],
                 (row["object"], *row["answers"]), 1) for row in rows
    ]  # fmt: skip


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


_READERS: Final[dict[str, Callable[[Path], tuple[list[Any], list[Question]]]]] = {
    "pathquestion": _pathquestion, "mquake": _mquake, "popqa": _popqa, "zsre": _popqa,
}  # fmt: skip
