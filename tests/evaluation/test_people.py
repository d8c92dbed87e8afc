"""People's sets: a small set scored on a model that answers from a table."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphmem.core.errors import InvalidValue
from graphmem.evaluation.people import (
    Estimate,
    asking_day,
    evaluate_people,
    matches,
)
from graphmem.memory import GraphMemory

FACTS = """\
# subject, relation, object, valid from, valid to
Ada Lovelace\tlives in\tLondon\t2020\t
Ada Lovelace\talso known as\tthe Countess
Bo Ek\tjob\tbaker\t2010\t2019
Cy Hart\tborn\tRome\tnot a date\t
"""
QUESTIONS = [
    {"question": "Where does Ada live?", "kind": "1-hop", "answers": ["London"], "needs": "facts"},
    {"question": "Is Bo a baker?", "kind": "yes/no", "answers": ["no"], "needs": "facts"},
    {"question": "Who lives in London?", "kind": "1-hop", "answers": ["Ada Lovelace"], "needs": "facts"},
    {"question": "Who came?", "kind": "document", "answers": [{"all": ["Ada", ["Bo", "Mr Ek"]]}], "needs": "docs"},
]
DOCUMENT = {
    "id": "d1", "title": "Minutes", "date": "2024-03-01", "text": "Ada Lovelace has moved to Bath.",
    "facts": [
        {"subject": "Ada Lovelace", "relation": "lives in", "object": "Bath", "status": "current",
         "valid_from": "2024-03-01", "valid_to": "", "changes": True, "old": "London"},
        {"subject": "Bo Ek", "relation": "likes", "object": "tea", "status": "negated", "valid_from": ""},
        {"subject": "Bo Ek", "relation": "job", "object": "baker", "status": "past", "valid_from": ""},
    ],
}  # fmt: skip
CHAT = {
    "id": "c1", "speaker": "Bo Ek", "date": "2024-11-01",
    "turns": [
        {"user": "I like tea.", "writes": [{"subject": "Bo Ek", "object": "tea"}], "answers": None},
        {"user": "Where does Ada live?", "writes": [], "answers": ["Bath"]},
        {"user": "What is my height?", "writes": [], "answers": []},
    ],
}  # fmt: skip
ANSWERS = {
    "Where does Ada live?": ["LONDON, England"], "Is Bo a baker?": ["No, he was."],
    "Who lives in London?": ["Ada Lovelace", "Cy", "Bo"], "Who came?": ["Ada and Mr. Ek"],
    "What is Ada Lovelace's lives in now?": ["Bath"],
}  # fmt: skip


class Model:
    """Answers from ``ANSWERS``, refuses the rest, and reads one fact from any text."""

    def __init__(self, memory: GraphMemory) -> None:
        self.memory, self.detached = memory, False

    def ask(self, question: str) -> Any:
        names = ANSWERS.get(question, [])
        return SimpleNamespace(text=", ".join(names), answers=tuple(names), refused=not names)

    def read(self, text: str, *, apply: bool, at: str | None, source: str) -> None:
        self.memory.supersede("Ada Lovelace", "lives in", "Bath", at=at)
        self.memory.add("Bo Ek", "likes", "tea")

    def session(self, name: str, config: Any) -> Any:
        def say(text: str, *, at: str | None) -> Any:
            if text.startswith("I "):
                self.memory.add(config.speaker, "likes", "tea")
            answer = self.ask(text)
            return SimpleNamespace(text=answer.text, answer=answer)

        return SimpleNamespace(say=say)

    def detach(self) -> None:
        self.detached = True


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A set in the form of the people's sets."""
    home = tmp_path / "bakery"
    home.mkdir()
    (home / "facts.tsv").write_text(FACTS, encoding="utf-8")
    (home / "README.md").write_text("To be asked as of 30 November 2024.", encoding="utf-8")
    files = {
        "questions": QUESTIONS,
        "unknown": [{"question": "Who is Cy's boss?"}],
        "docs": [DOCUMENT],
        "chats": [CHAT],
    }
    for name, rows in files.items():
        (home / f"{name}.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return home


def test_every_part_is_scored(folder: Path) -> None:
    models: list[Model] = []

    def attach(memory: GraphMemory) -> Model:
        models.append(Model(memory))
        return models[-1]

    lines: list[str] = []
    report = evaluate_people(attach, [folder], log=lines.append)
    own = report.sets["bakery"]
    figures = {key: (round(estimate.value, 3), estimate.n) for key, estimate in own.items() if "CPU" not in key}
    assert figures == {
        "ask": (0.75, 4), "ask facts": (0.667, 3), "ask docs": (1.0, 1), "false refusals": (0.0, 3),
        "ask: 1-hop": (0.5, 2), "ask: 1-hop and reverse": (0.5, 2), "ask: yes": (1.0, 1), "ask: operations": (1.0, 1),
        "ask: docs": (1.0, 1), "unknown refused": (1.0, 1),
        "read precision": (0.5, 2), "read recall": (1.0, 1), "past recall": (1.0, 1), "wrongly current": (1.0, 1),
        "changed": (1.0, 1), "changes answered": (1.0, 1), "read failures": (0.0, 1),
        "chat answers": (0.5, 2), "chat writes": (1.0, 1),
    }  # fmt: skip
    assert all(model.detached for model in models) and any("Who lives in London?" in line for line in lines)
    assert report.mean == own and "| ask | 0.750 [0.250, 1.000] (4) |" in report.table()
    assert json.loads(report.json())["sets"]["bakery"]["ask"]["n"] == 4


def test_the_mean_over_sets_weighs_them_equally(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "facts.tsv").write_text(FACTS, encoding="utf-8")
    (other / "questions.jsonl").write_text(json.dumps(QUESTIONS[2]), encoding="utf-8")
    report = evaluate_people(Model, [folder, other], ["ask"])
    assert report.mean["ask"].value == pytest.approx(0.375) and report.mean["ask"].n == 5
    assert report.table().splitlines()[0] == "| measure | bakery | other | mean |"


class Dated(Model):
    """Answers on a day; where it does not know, it says so beside what it does know."""

    days: list[str | None] = []

    def ask(self, question: str, *, at: str | None = None) -> Any:
        self.days.append(at)
        answer = super().ask(question)
        answer.status = "not_known" if answer.refused else "answered"
        answer.text = answer.text or "I do not know. Ada Lovelace lives in Rome."
        answer.confidence, answer.refused = 0.25 if answer.status == "not_known" else 1.0, False
        return answer


def test_status_day_and_confidence_are_read(folder: Path) -> None:
    report = evaluate_people(Dated, [folder], ["ask", "unknown"])
    own = report.sets["bakery"]
    assert (own["unknown refused"].value, own["ask"].value, own["false refusals"].value) == (1.0, 0.75, 0.0)
    assert set(Dated.days) == {"2024-11-30"}
    assert own["calibration error"].value == pytest.approx((1.0 + 0.25) / 5) and own["calibration error"].n == 5
    assert report.mean["calibration error"] == own["calibration error"]
    last = report.answers[-1]
    assert (last["part"], last["right"], last["confidence"]) == ("unknown", True, 0.25) and "Rome" in last["text"]


def test_documents_keep_their_dates_and_a_wrong_date_hides_none(folder: Path) -> None:
    documents = [DOCUMENT, {**DOCUMENT, "title": "Letter", "date": "soon"}, {**DOCUMENT, "title": "Note", "date": ""}]
    (folder / "docs.jsonl").write_text("\n".join(map(json.dumps, documents)), encoding="utf-8")
    dates: list[dict[str, str | None]] = []

    class Reading(Model):
        def detach(self) -> None:
            store = self.memory.store
            passages = store.passages_by_id(store.passage_ids()).values()
            dates.append({node.name.partition(" ¶")[0]: node.date for node in passages})

    lines: list[str] = []
    evaluate_people(Reading, [folder], ["ask"], log=lines.append)
    assert dates == [{"Minutes": "2024-03-01", "Letter": None, "Note": None}]
    assert any("Letter: " in line for line in lines)


def test_the_base_is_asked_beside_and_memories_open_with_options(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphmem.evaluation import people

    spaces: list[str] = []

    class Base:
        def __init__(self, model: Model) -> None:
            spaces.append(model.memory.store.namespace)

        def ask(self, question: str) -> Any:
            return SimpleNamespace(text="London", answers=(), status="from_base")

    monkeypatch.setattr(people, "PromptedBase", Base)
    report = evaluate_people(Model, [folder], ["ask", "unknown"], baseline=True, options={"namespace": "other"})
    assert spaces == ["other"]
    assert report.mean["in the prompt: ask"].value == 0.25 and report.mean["ask"].value == 0.75
    assert [row["part"] for row in report.answers] == ["ask"] * 4 + ["in the prompt"] * 4 + ["unknown"]
    assert "calibration error" not in report.mean


def test_what_cannot_be_run_is_an_error(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="no part 'sing'"):
        evaluate_people(Model, [folder], ["sing"])
    with pytest.raises(InvalidValue, match="holds no facts.tsv"):
        evaluate_people(Model, [tmp_path], ["ask"])
    with pytest.raises(InvalidValue, match="two of the folders are named bakery"):
        evaluate_people(Model, [folder, folder], [])


def test_objects_match_by_at_least_half_of_their_words() -> None:
    assert matches(("ada", "city of bath"), {("ada", "of bath")}) and not matches(("ada", "bath"), {("bo", "bath")})
    assert not matches(("ada", "noise like goose in fog"), {("ada", "goose")})


@pytest.mark.parametrize(
    ("readme", "day"),
    [
        ("asked as of 30 November 2024", "2024-11-30"), ("as of the end of 2024", "2024-01-28"),
        ("as of spring 2023", "2023-05-15"), ("no day", None),
    ],
)  # fmt: skip
def test_the_day_is_read_from_the_readme(readme: str, day: str | None) -> None:
    assert asking_day(readme) == day


def test_an_estimate_shows_its_interval_and_n() -> None:
    assert str(Estimate(0.5, 4, 0.0, 1.0)) == "0.500 [0.000, 1.000] (4)"
