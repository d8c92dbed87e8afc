"""Questions whose answer stands in a document, held out of training: SQuAD, 2WikiMultiHopQA and BoolQ."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from graphmem.core.errors import InvalidValue
from graphmem.core.splits import held
from graphmem.datasets.files import data_folder, read_rows

Document = tuple[str, str]
"""Title and text."""

SETS = ("squad", "squad-all", "2wiki", "boolq")
SQUAD, BOOLQ = "squad/squad_train_15k.jsonl.gz", "boolq/train.jsonl.gz"
WIKI = tuple(f"multihop_2wiki_musique/2wiki_{part}_passages_clean.jsonl.gz" for part in ("dev500", "train500"))


@dataclass(frozen=True, slots=True)
class DocumentQuestion:
    """A question with its right answers (any of them), and the documents that are in memory for it alone."""

    text: str
    answers: tuple[str, ...]
    documents: tuple[Document, ...] = ()


def load(name: str, folder: str | Path | None = None) -> tuple[list[Document], list[DocumentQuestion]]:
    """Documents that are in memory for all questions of a set, and its questions; in the order of the file.

    ``squad`` are the questions about the articles held out, each with its own passage; ``squad-all`` the same with the
    passages of all articles in memory; ``2wiki`` have the paragraphs that come with the question, and ``boolq`` are
    answered by yes or no. The files are read from ``folder``, or from the environment variable GRAPHMEM_DATA.

    Raises:
        InvalidValue: no such set, or its file is missing or of another form.
    """
    if name not in SETS:
        raise InvalidValue(f"no set {name!r}; choose of {', '.join(SETS)}")
    home = data_folder(folder)
    try:
        if name.startswith("squad"):
            return _squad(home / SQUAD, alone=name == "squad")
        return [], list(_boolq(home / BOOLQ) if name == "boolq" else _wiki([home / path for path in WIKI]))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if isinstance(error, InvalidValue):
            raise
        raise InvalidValue(f"the file of {name} in {home} is not of the form that is read: {error!r:.80}") from error


def _squad(path: Path, alone: bool) -> tuple[list[Document], list[DocumentQuestion]]:
    passages: dict[Document, None] = {}
    questions = []
    for row in read_rows(path):
        title = row["title"] or ""
        passage = (title.replace("_", " "), row["context"])
        passages[passage] = None
        if title and held(title):
            own = (passage,) if alone else ()
            questions.append(DocumentQuestion(row["question"], tuple(row["answers"]), own))
    return [] if alone else list(passages), questions


def _wiki(paths: list[Path]) -> Iterator[DocumentQuestion]:
    for path in paths:
        for row in read_rows(path):
            if held(row["question"].lower()):
                paragraphs = ((title, " ".join(line.strip() for line in lines)) for title, lines in row["context"])
                documents = tuple((title, text) for title, text in paragraphs if text)
                yield DocumentQuestion(row["question"], (row["answer"],), documents)


def _boolq(path: Path) -> Iterator[DocumentQuestion]:
    for row in read_rows(path):
        if held(row["question"]):
            answer = "yes" if row["answer"] else "no"
            yield DocumentQuestion(row["question"], (answer,), ((row["title"], row["passage"]),))
