"""Examples whose evidence is text: SQuAD, DROP, HotpotQA, 2Wiki, MuSiQue, FairytaleQA, FriendsQA, QED and QAMR."""

from __future__ import annotations

import csv
import io
import json
import re
import tarfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.splits import held
from graphmem.datasets.files import read_json, read_lines, read_rows
from graphmem.encoding.evidence_text import passage_text
from graphmem.text.sentences import sentences
from graphmem.training.evidence.examples import Example, Unit, occurrences, reworded

LONGEST = 900
"""Characters of a unit of text, about 220 tokens."""


def part_of(
    text: str, spans: Sequence[tuple[int, int]], rng: Random, most: int = LONGEST
) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Whole sentences of a text around one of the spans (anywhere without spans), and the spans inside it."""
    found = sentences(text) or [(0, len(text))]
    wanted = min(most, LONGEST if rng.random() < 0.5 else rng.choice((150, 300, 450, 600)))
    at = rng.choice(list(spans))[0] if spans else rng.randrange(max(1, len(text)))
    middle = next((k for k, (start, end) in enumerate(found) if start <= at < end), 0)
    first = last = middle
    while True:
        sides = [
            (a, b) for a, b in ((first - 1, last), (first, last + 1))
            if a >= 0 and b < len(found) and found[b][1] - found[a][0] <= wanted
        ]  # fmt: skip
        if not sides:
            break
        first, last = rng.choice(sides)
    start, end = found[first][0], found[last][1]
    return text[start:end].rstrip(), tuple((a - start, b - start) for a, b in spans if start <= a and b <= end)


def text_unit(
    title: str, text: str, spans: Sequence[tuple[int, int]], rng: Random, verdict: int = 0, most: int = LONGEST
) -> Unit:
    """A part of a passage with its title as a unit; relevant where it holds a span, or gives a verdict."""
    part, inside = part_of(text, spans, rng, most)
    evidence = passage_text(title, part)
    offset = evidence.object[0]
    moved = tuple((a + offset, b + offset) for a, b in inside)
    return Unit(evidence.text, moved, bool(moved) or verdict > 0, verdict)


def _title(title: str, rng: Random) -> str:
    return title.replace("_", " ") if rng.random() < 0.7 else ""


def squad(folder: Path, rng: Random) -> Iterator[Example]:
    """SQuAD questions with their passage, and others of the article that do not answer them."""
    rows = [row for row in read_rows(folder / "squad" / "squad_train_15k.jsonl.gz") if not _held_title(row)]
    by_title: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["context"] not in by_title[row["title"] or ""]:
            by_title[row["title"] or ""].append(row["context"])
    for row in rows:
        answer, start = row["answers"][0], int(row["start"])
        title = _title(row["title"] or "", rng)
        article = by_title[row["title"] or ""]
        drawn = rng.sample(article, min(4, len(article)))
        others = [text for text in drawn if text != row["context"] and answer.lower() not in text.lower()][:2]
        units = [text_unit(title, row["context"], [(start, start + len(answer))], rng)]
        if others and rng.random() < 0.6:  # another passage of the article, or two short parts of such passages
            units += [
                text_unit(title, text, (), rng, most=rng.choice((600, 260, 260)))
                for text in others[: rng.randint(1, 2)]
            ]
        if len(units) > 1 and rng.random() < 0.3:
            units = units[1:]
        yield Example(reworded(row["question"], rng), tuple(units), "squad")


def _held_title(row: dict[str, Any]) -> bool:
    return bool(row.get("title")) and held(row["title"])


def drop(folder: Path, rng: Random) -> Iterator[Example]:
    """DROP questions that one span of the passage answers."""
    for row in read_rows(folder / "drop" / "dev.jsonl.gz"):
        if held(row["question"]) or len(row["answer"]) != 1:
            continue
        spans = occurrences(row["passage"], row["answer"][0])
        if spans and len(spans) <= 3:
            yield Example(row["question"], (text_unit("", row["passage"], spans[:1], rng),), "drop")


def _paragraphs(
    question: str, answer: str, paragraphs: Sequence[tuple[str, str, bool]], rng: Random, source: str
) -> Example | None:
    """Paragraphs of (title, text, supporting): those that support and hold the answer are relevant."""
    units: list[Unit] = []
    for title, text, supporting in paragraphs:
        spans = occurrences(text, answer) if supporting else ()
        if not supporting and answer.lower() in text.lower():
            continue
        units.append(text_unit(title, text, spans, rng))
    gold = [unit for unit in units if unit.relevant]
    rest = [unit for unit in units if not unit.relevant]
    if not gold:
        return None
    return Example(question, (*gold[:1], *rng.sample(rest, min(2, len(rest)))), source)


def multihop(folder: Path, rng: Random) -> Iterator[Example]:
    """HotpotQA, 2Wiki and MuSiQue with passages; questions of ``2wiki/dev.jsonl`` are left out."""
    never = {row["question"].lower() for row in read_rows(folder / "2wiki" / "dev.jsonl")}
    home = folder / "multihop_2wiki_musique"
    files = [(folder / "hotpotqa" / "dev_distractor_1300.jsonl.gz", "hotpotqa")]
    files += [(home / f"2wiki_{name}_passages_clean.jsonl.gz", "2wiki") for name in ("dev500", "train500")]
    for path, source in files:
        for row in read_rows(path):
            if row["question"].lower() in never or held(row["question"].lower()):
                continue
            supporting = {title.lower() for title, _ in row["supporting_facts"]}
            paragraphs = [(title, " ".join(s.strip() for s in lines), title.lower() in supporting)
                          for title, lines in row["context"]]  # fmt: skip
            made = _paragraphs(row["question"], row["answer"], paragraphs, rng, source)
            if made:
                yield made
    for row in read_rows(home / "musique_dev200_passages_clean.jsonl.gz"):
        if not held(row["question"].lower()):
            texts = [(p["title"], p["paragraph_text"], p["is_supporting"]) for p in row["paragraphs"]]
            if made := _paragraphs(row["question"], row["answer"], texts, rng, "musique"):
                yield made


def fairytales(folder: Path, rng: Random) -> Iterator[Example]:
    """FairytaleQA: explicit questions whose answer stands in their section word by word."""
    with tarfile.open(folder / "fairytaleqa" / "train.tar.gz") as archive:
        files = {m.name: m for m in archive.getmembers() if m.isfile() and m.name.endswith(".csv")}
        for name in sorted(name for name in files if name.endswith("-questions.csv")):
            wanted = name.rsplit("/", 1)[-1].replace("-questions", "-story")
            story = next((file for file in files if file.rsplit("/", 1)[-1] == wanted), None)
            if story is None:
                continue
            sections = {r["section"]: r["text"] for r in _table(archive, files[story])}
            for row in _table(archive, files[name]):
                text = sections.get(str(row.get("cor_section", "")).split(",")[0], "")
                spans = occurrences(text, (row.get("answer1") or "").strip(" ."))
                if row.get("ex-or-im1") == "explicit" and spans and text:
                    yield Example(row["question"].strip(), (text_unit("", text, spans[:1], rng),), "fairytaleqa")


def _table(archive: tarfile.TarFile, member: tarfile.TarInfo) -> list[dict[str, str]]:
    file = archive.extractfile(member)
    assert file is not None
    return list(csv.DictReader(io.StringIO(file.read().decode("utf-8-sig", "replace"))))


def qed(folder: Path, rng: Random) -> Iterator[Example]:
    """QED: questions of Natural Questions with the paragraph that answers them."""
    for line in read_lines(folder / "nq" / "qed-dev.jsonlines.gz"):
        row = json.loads(line)
        answers = row.get("original_nq_answers") or []
        if held(row["question_text"]) or not answers or len(answers[0]) != 1:
            continue
        spans = [(int(a["start"]), int(a["end"])) for a in answers[0]]
        unit = text_unit(row["title_text"], row["paragraph_text"], spans, rng)
        yield Example(row["question_text"], (unit,), "qed")


def qamr(folder: Path, rng: Random) -> Iterator[Example]:
    """QAMR: questions on single sentences, with other sentences beside them."""
    home = folder / "qasrl_qamr"
    texts = dict(line.split("\t") for line in read_lines(home / "wiki-sentences.tsv.gz") if line.count("\t") == 1)
    keys = sorted(texts)
    seen: set[tuple[str, str]] = set()
    for line in read_lines(home / "dev.tsv.gz"):
        fields = line.split("\t")
        key, question, tokens = fields[0], fields[5], fields[6]
        if key not in texts or held(key) or (key, tokens) in seen or not tokens.strip():
            continue
        seen.add((key, tokens))
        places = [int(place) for place in tokens.split()]
        if places != list(range(places[0], places[-1] + 1)):
            continue
        words, start = texts[key].split(" "), 0
        start = sum(len(word) + 1 for word in words[: places[0]])
        end = start + len(" ".join(words[places[0] : places[-1] + 1]))
        units = [Unit(texts[key], ((start, end),), True)]
        units += [Unit(texts[other]) for other in rng.sample(keys, 2) if other != key]
        yield Example(reworded(question, rng), tuple(units), "qamr")


def friends(folder: Path, rng: Random) -> Iterator[Example]:
    """FriendsQA: questions on dialogue, a line for each turn; answered by words of a turn or by its speaker."""
    for scene in read_json(folder / "dialog_friendsqa" / "friendsqa_dev.json.gz")["data"]:
        for paragraph in scene["paragraphs"]:
            turns = [(" and ".join(turn["speakers"]), turn["utterance"]) for turn in paragraph["utterances:"]]
            for asked in paragraph["qas"]:
                if not held(asked["question"]) and (unit := _dialogue_unit(turns, asked["answers"], rng)) is not None:
                    yield Example(reworded(asked["question"], rng), (unit,), "friendsqa")


def _dialogue_unit(turns: Sequence[tuple[str, str]], answers: Sequence[dict[str, Any]], rng: Random) -> Unit | None:
    """Turns around the first answer, with the answer's span; None where the answer cannot be placed."""
    answer = answers[0]
    at, wanted = int(answer["utterance_id"]), _joined(answer["answer_text"])
    first, text = max(0, at - rng.randint(0, 4)), ""
    spans: list[tuple[int, int]] = []
    for number in range(first, min(len(turns), at + rng.randint(1, 5))):
        speaker, said = turns[number][0], _joined(turns[number][1])
        start = len(text) if answer["is_speaker"] else len(text) + len(speaker) + 2
        text += f"{speaker}: {said}\n"
        inside = occurrences(text, wanted, start) if number == at else ()
        spans += inside[:1]
    return Unit(passage_text("", text.rstrip()).text, tuple(spans), True) if spans and len(text) < 1400 else None


def _joined(tokens: str) -> str:
    """Words of tokens, without the blanks that stand before signs."""
    return re.sub(r" (?=[.,!?;:…]|'|n't\b)", "", tokens).strip(" .,!?")


def all_passages(folder: Path, rng: Random) -> Iterable[list[Example]]:
    """The examples of each set."""
    for make in (squad, drop, multihop, fairytales, friends, qed, qamr):
        yield list(make(folder, rng))
