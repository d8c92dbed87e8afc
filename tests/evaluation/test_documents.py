"""Questions answered from documents: which documents are in memory for each, how answers are scored, the baseline."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.core.errors import Closed, InvalidValue
from graphmem.core.splits import held
from graphmem.datasets.document_questions import BOOLQ, SQUAD
from graphmem.evaluation import documents
from graphmem.evaluation.answers import PromptedAnswer
from graphmem.evaluation.documents import GRAPHMEM, MAJORITY, PROMPTED, evaluate_documents
from graphmem.memory import GraphMemory

YES_OR_NO = [question for question in (f"is house {number} old" for number in range(80)) if held(question)][:3]


class Reader:
    """Answers with the last word of the only passage in memory; knows nothing where there are several."""

    def __init__(self, memory: GraphMemory) -> None:
        self.memory, self.seen, self.detached = memory, [], False

    def ask(self, question: str) -> Any:
        passages = texts_of(self.memory)
        self.seen.append(len(passages))
        if len(passages) != 1:
            return SimpleNamespace(text="I do not know Ada.", status="not_known", confidence=0.1)
        return SimpleNamespace(text=passages[0].split()[-1], status="answered", confidence=0.9)

    def detach(self) -> None:
        self.detached = True


def texts_of(memory: GraphMemory) -> list[str]:
    return [node.text for node in memory.store.passages_by_id(memory.store.passage_ids()).values()]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three questions about two passages of an article held out, one of another article, and three of BoolQ."""
    row = {"question": "Who was it?", "answers": ["Ada Lovelace", "Ada"], "title": "Dog"}
    squad = [{**row, "context": context} for context in ("It was Ada", "It was Ada", "It was Bo")]
    squad.append({**row, "title": "University_of_Notre_Dame", "context": "It was Cy"})
    boolq = [{"question": q, "title": "House", "passage": f"Old, say {n} people? Yes", "answer": n != 1}
             for n, q in enumerate(YES_OR_NO)]  # fmt: skip
    for path, rows in ((SQUAD, squad), (BOOLQ, boolq)):
        (tmp_path / path).parent.mkdir()
        with gzip.open(tmp_path / path, "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(each) + "\n" for each in rows)
    return tmp_path


def test_each_question_is_asked_with_its_documents(folder: Path, encoder: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    models: list[Reader] = []

    def attach(memory: GraphMemory) -> Reader:
        memory._encoder = encoder
        models.append(Reader(memory))
        return models[-1]

    monkeypatch.setattr(documents, "PromptedBase", lambda model: SimpleNamespace(ask=lambda q: PromptedAnswer("Ada!")))
    lines: list[str] = []
    report = evaluate_documents(
        attach, ("squad", "squad-all", "boolq"), folder=folder, baseline=True, progress=False, log=lines.append
    )
    rows = {(row.dataset, row.method): row for row in report.rows}
    assert [model.seen for model in models] == [[1, 1, 1], [3, 3, 3], [1, 1, 1]]
    for model in models:  # on the memory that it was attached to
        with pytest.raises(Closed):
            assert model.detached and model.memory.store
    own, everything, prompted = rows["squad", GRAPHMEM], rows["squad-all", GRAPHMEM], rows["squad", PROMPTED]
    assert (own.n, own.exact, own.f1) == (3, pytest.approx(2 / 3), pytest.approx(2 / 3)) and own.not_known == 0
    assert (everything.exact, everything.f1, everything.not_known) == (0, 0, 1)
    assert prompted.f1 == 1 and prompted.right is None
    yes = rows["boolq", GRAPHMEM]
    assert yes.right == rows["boolq", MAJORITY].right == pytest.approx(2 / 3) and yes.f1 is None
    assert len(lines) == len(report.rows) == 7 and len(report.answers) == 18
    assert report.answers[0] | {"cpu_seconds": 0} == {
        "dataset": "squad", "method": GRAPHMEM, "question": "Who was it?", "answers": ["Ada Lovelace", "Ada"],
        "text": "Ada", "refused": False, "confidence": 0.9, "cpu_seconds": 0, "exact": 1.0, "f1": 1.0, "number": 0,
    }  # fmt: skip


def test_questions_are_drawn_and_the_passages_kept(folder: Path, encoder: Any, tmp_path: Path) -> None:
    def attach(memory: GraphMemory) -> Reader:
        memory._encoder = encoder
        return Reader(memory)

    path = tmp_path / "all.db"
    first = evaluate_documents(attach, ["squad-all"], folder=folder, n=2, seed=1, memory=path, progress=False)
    assert first.rows[0].n == 2 and first.seed == 1
    with GraphMemory.open(path) as memory:
        assert sorted(texts_of(memory)) == ["It was Ada", "It was Bo", "It was Cy"]
        before = len(memory.journal(99))
    evaluate_documents(attach, ["squad-all"], folder=folder, n=2, memory=path, progress=False)
    with GraphMemory.open(path) as memory:
        assert len(memory.journal(99)) == before


def test_a_stopped_run_goes_on(folder: Path, tmp_path: Path) -> None:
    class Stopping(Reader):
        left, asked = 2, []

        def ask(self, question: str) -> Any:
            if not self.left:
                raise Closed("stopped")
            Stopping.left -= 1
            self.asked.append(question)
            return super().ask(question)

    kept = tmp_path / "answers.jsonl"
    with pytest.raises(Closed, match="stopped"):
        evaluate_documents(Stopping, ["squad"], folder=folder, kept=kept, progress=False)
    assert len(kept.read_text(encoding="utf-8").splitlines()) == 2
    Stopping.left = 1
    report = evaluate_documents(Stopping, ["squad"], folder=folder, kept=kept, progress=False)
    again = evaluate_documents(Stopping, ["squad"], folder=folder, kept=kept, n=2, progress=False)
    assert len(Stopping.asked) == 3 and [row["number"] for row in report.answers] == [0, 1, 2]
    assert again.rows[0].n == 2 and report.rows[0].f1 == pytest.approx(2 / 3)
    kept.write_text('{"some": "notes"}')
    with pytest.raises(InvalidValue, match="give another file"):
        evaluate_documents(Stopping, ["squad"], folder=folder, kept=kept)


def test_what_cannot_be_asked_is_said(folder: Path) -> None:
    with pytest.raises(InvalidValue, match="no set 'nq'"):
        evaluate_documents(Reader, ["nq"], folder=folder)
    with pytest.raises(InvalidValue, match="cannot read"):
        evaluate_documents(Reader, ["2wiki"], folder=folder)
