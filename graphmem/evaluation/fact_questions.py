"""Facts of other people's data, written into a memory and asked: each set brings what to write, and what to ask.

    graphmem evaluate answers pathquestion --data DATA

Sets: ``pathquestion`` (two hops over a graph never trained on), ``akew`` (multi-hop questions after edits, in three
phrasings, applied as triples), ``popqa`` and ``zsre`` (single facts among thousands of others), ``paraphrase`` (an edit
asked in four ways). None may ship: they are read from a folder that the user names.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from graphmem.core.errors import NotFound
from graphmem.core.types import normalise
from graphmem.evaluation.answers import Spoken, contains, is_right, speak

Triple = tuple[str, str, str]
SETS = ("pathquestion", "akew", "popqa", "zsre", "paraphrase")


@dataclass(frozen=True, slots=True)
class FactQuestion:
    """One question.

    Attributes:
        question: as asked.
        answers: any of them is right.
        hops: how many facts lead to the answer.
        phrasing: which way of asking it is, from 0.
        case: questions of one case ask the same.
        old: answers that an edit has made wrong.
        fact: the single fact behind it, where there is one.
    """

    question: str
    answers: tuple[str, ...]
    hops: int = 1
    phrasing: int = 0
    case: int = 0
    old: tuple[str, ...] = ()
    fact: Triple | None = None


@dataclass(frozen=True, slots=True)
class FactStore:
    """One memory's worth: facts to write, edits to apply after them (subject, relation, new object), questions."""

    facts: tuple[Triple, ...]
    edits: tuple[Triple, ...]
    questions: tuple[FactQuestion, ...]


@dataclass(frozen=True, slots=True)
class FactRow:
    """Scores of one method on one set, over its first phrasing, its other phrasings, and any phrasing of a case.

    Attributes:
        right: first thing said right, first phrasing; ``n`` questions.
        contains: a right answer anywhere in what was said, first phrasing.
        other: right in the other phrasings; ``n_other`` questions.
        any: cases right in any phrasing; ``cases`` of them.
        old: questions answered by what an edit made wrong.
        prompt_tokens, seconds: means per answer.
    """

    dataset: str
    method: str
    n: int
    right: float
    contains: float
    n_other: int
    other: float | None
    cases: int
    any: float
    old: float
    prompt_tokens: float
    seconds: float


@dataclass(frozen=True)
class FactReport:
    """All rows, and what was said."""

    rows: list[FactRow]
    seed: int
    said: list[dict[str, Any]] = field(default_factory=list, repr=False)

    def table(self) -> str:
        """The rows as a table for people."""
        head = (
            "set           method                  n     right  contains  other (n)      any    old    prompt s/answer"
        )
        return "\n".join([head, *(line(row) for row in self.rows)])

    def save(self, path: str | Path) -> None:
        """Write rows and answers as JSON."""
        content = {"seed": self.seed, "rows": [asdict(row) for row in self.rows], "answers": self.said}
        Path(path).write_text(json.dumps(content, ensure_ascii=False, indent=1), encoding="utf-8")


def line(row: FactRow) -> str:
    """One row of the table."""
    other = f"{row.other:.3f} ({row.n_other})" if row.other is not None else "-"
    return (
        f"{row.dataset:<13} {row.method:<23} {row.n:<5} {row.right:.3f}  {row.contains:.3f}     {other:<14} "
        f"{row.any:.3f}  {row.old:.3f}  {row.prompt_tokens:<6.0f} {row.seconds:.3f}"
    )


# ---------------------------------------------------------------- the sets


def load_facts_and_questions(dataset: str, folder: str | Path | None, n: int, seed: int = 0) -> list[FactStore]:
    """A set's stores, with about ``n`` cases drawn by ``seed``; every fact of the set is written, drawn or not.

    Args:
        dataset: one of ``SETS``.
        folder: of the data; the environment variable ``GRAPHMEM_DATA`` when None.

    Raises:
        NotFound: no such set, no folder, or a file that is not there; the message names it.
    """
    if dataset not in SETS:
        raise NotFound(f"no set {dataset!r}; choose one of {', '.join(SETS)}")
    given = folder or os.environ.get("GRAPHMEM_DATA")
    if not given:
        raise NotFound("no folder of data: give --data FOLDER, or set GRAPHMEM_DATA")
    return _LOADERS[dataset](Path(given), n, Random(seed))


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise NotFound(f"there is no {path}; --data must name the folder that holds {path.parent.name}/{path.name}")
    return path.read_text(encoding="utf-8").splitlines()


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(row) for row in _lines(path)]


def _draw(rng: Random, items: Sequence[Any], n: int) -> list[Any]:
    return rng.sample(list(items), min(n, len(items)))


def _plain(name: str) -> str:
    return name.replace("_", " ").strip()


def path_question(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """PathQuestion, two hops: the whole graph, questions as written."""
    facts = [tuple(map(_plain, row.split("\t"))) for row in _lines(folder / "pathquestion/kb_2hop.tsv") if row]
    asked: list[FactQuestion] = []
    for row in _draw(rng, _lines(folder / "pathquestion/dev_2hop.tsv"), n):
        question, answers = row.split("\t")[:2]
        names = re.sub(r"\((.*)\)$", r"/\1", answers).split("/")
        right = tuple(dict.fromkeys(_plain(name) for name in names if name.strip()))
        asked.append(FactQuestion(_plain(question), right, 2, case=len(asked)))
    return [FactStore(tuple(facts), (), tuple(asked))]  # type: ignore[arg-type]


def akew(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """AKEW's MQuAKE-CF cases: the old facts are written, the edits applied; contradicting cases stand apart."""
    from graphmem.evaluation.text_edits import edit_cases, pools

    path = folder / "mquake/akew_dev.jsonl"
    _lines(path)
    cases = _draw(rng, edit_cases(path), n)
    olds = {row["questions"][0]: (row["answer"], *row["answer_alias"]) for row in _rows(path)}
    stores = []
    for group in pools(cases):
        new = {key for case in group for key in case.claims}
        kept = {fact for case in group for fact in case.others}
        before = {(e.fact[0], e.fact[1], e.old) for case in group for e in case.edits}
        edits = [edit.fact for case in group for edit in case.edits]
        asked = [
            FactQuestion(a.question, a.answers, len(case.singles), k, number, olds[case.multi[0].question])
            for number, case in enumerate(group)
            for k, a in enumerate(case.multi)
        ]
        facts = kept | {t for t in before if (normalise(t[0]), normalise(t[1])) in new}
        stores.append(FactStore(tuple(sorted(facts)), tuple(dict.fromkeys(edits)), tuple(asked)))
    return stores


def _single(folder: Path, n: int, rng: Random, asked_set: str) -> list[FactStore]:
    rows = {name: _rows(folder / f"{name}/dev.jsonl") for name in ("popqa", "zsre", "trex")}
    facts = {(r["subject"], r["relation"], r["object"]) for rs in rows.values() for r in rs}
    asked: list[FactQuestion] = []
    for r in _draw(rng, [r for r in rows[asked_set] if r.get("question") or r.get("questions")], n):
        forms = r.get("questions") or [r["question"]]
        fact = (r["subject"], r["relation"], r["object"])
        right = tuple(dict.fromkeys([r["object"], *r["answers"], *_also(facts, fact)]))
        asked += [FactQuestion(q, right, 1, k, len(asked), fact=fact) for k, q in enumerate(forms[:1])]
    return [FactStore(tuple(sorted(facts)), (), tuple(asked))]


def _also(facts: set[Triple], fact: Triple) -> list[str]:
    """Other values that the set itself holds for the same subject and relation."""
    return sorted(o for s, r, o in facts if s == fact[0] and r == fact[1])


def popqa(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """PopQA questions; the facts of PopQA, zsRE and T-REx are all written."""
    return _single(folder, n, rng, "popqa")


def zsre(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """zsRE questions; the facts of PopQA, zsRE and T-REx are all written."""
    return _single(folder, n, rng, "zsre")


def paraphrase(folder: Path, n: int, rng: Random) -> list[FactStore]:
    """MQuAKE's edit sentences, each cut by its template into a fact, and four questions that it answers.

    A few of them hold the answer that the set gives them ("Which play was written by George Bernard Shaw?" with his own
    name): they ask for the subject instead, and are left out.
    """
    cloze = json.loads("\n".join(_lines(folder / "mquake/cloze_templates.json")))
    forms = {template for template in cloze.values()}
    forms |= {
        edit["prompt"].replace("{}", "[X]") + " __"
        for row in _rows(folder / "mquake/akew_dev.jsonl")
        for edit in row["requested_rewrite"]
    }
    patterns = [(_pattern(f), _relation(f)) for f in sorted(forms, key=len, reverse=True) if _relation(f)]
    rows = _rows(folder / "mquake/edits_with_paraphrases.jsonl")
    facts: dict[tuple[str, str], str] = {}
    asked: list[FactQuestion] = []
    for r in _draw(rng, rows, len(rows)):
        fact = next(((m["x"], rel, m["o"]) for p, rel in patterns if (m := p.fullmatch(r["edit"].strip(" .")))), None)
        if fact is None or facts.setdefault(fact[:2], fact[2]) != fact[2]:
            continue  # another edit of the same fact came first
        if len({q.case for q in asked}) < n:
            asked += [
                FactQuestion(q, (fact[2],), 1, k, len(facts), fact=fact)
                for k, q in enumerate(r["questions"])
                if not contains(q, [fact[2]])
            ]
    return [FactStore(tuple((s, r, o) for (s, r), o in facts.items()), (), tuple(asked))]


def _pattern(form: str) -> re.Pattern[str]:
    return re.compile(re.escape(form).replace(re.escape("[X]"), "(?P<x>.+?)").replace("__", "(?P<o>.+)"))


def _relation(form: str) -> str:
    """ "The author of [X] is __" -> "author of"; "[X] was born in the city of __" -> "was born in the city of".

    "The [X] is __", of an office, leaves "is".
    """
    words = form.replace("__", "").replace("[X]'s", "").replace("[X]", "").split()
    if words and words[0] == "The":
        words = words[1:-1] if words[-1] == "is" else words[1:]
    return " ".join(words) or "is"


_LOADERS: dict[str, Callable[[Path, int, Random], list[FactStore]]] = {
    "pathquestion": path_question, "akew": akew, "popqa": popqa, "zsre": zsre, "paraphrase": paraphrase,
}  # fmt: skip


# ---------------------------------------------------------------- asking


def fill(memory: Any, store: FactStore) -> None:
    """Write a store's facts into a memory, then apply its edits, superseding what they change. Writes."""
    memory.add_many(store.facts, source="facts")
    for subject, relation, value in store.edits:
        memory.supersede(subject, relation, value)


def evaluate_facts(
    model: Any, dataset: str, stores: Sequence[FactStore], *, methods: Sequence[str], seed: int = 0, facts: int = 50,
    batch: int = 16, max_new_tokens: int = 32, report: Callable[[str], None] = print,
) -> FactReport:  # fmt: skip
    """Write each store into a memory of its own, ask its questions by every method, and score what is said first.

    Args:
        model: a ``GraphMemoryModel``; its own memory is left alone.
        dataset: name for the rows.
        stores: of ``load_facts_and_questions``, or your own.
        methods: of ``graphmem.evaluation.answers.METHODS``.
        seed: for the record.
        facts: most facts in the rival's prompt.
    """
    from graphmem.memory import GraphMemory

    said: dict[str, list[tuple[int, FactQuestion, Spoken]]] = {method: [] for method in methods}
    for number, store in enumerate(stores):
        with GraphMemory.open(":memory:", model.memory.encoder) as memory:
            fill(memory, store)
            for method, spoken in speak(model, memory, store.questions, methods, facts, batch, max_new_tokens):
                said[method] += [(number, q, s) for q, s in zip(store.questions, spoken, strict=True)]
    made = FactReport([], seed)
    report(made.table())
    for method in methods:
        made.rows.append(_row(dataset, method, said[method]))
        made.said.extend(
            {"method": method, "question": q.question, "answers": list(q.answers), "phrasing": q.phrasing, **asdict(s)}
            for _, q, s in said[method]
        )
        report(line(made.rows[-1]))
    return made


def _row(dataset: str, method: str, said: Sequence[tuple[int, FactQuestion, Spoken]]) -> FactRow:
    first, other = ([s for _, q, s in said if (q.phrasing == 0) is wanted] for wanted in (True, False))
    cases: dict[tuple[int, int], bool] = {}
    for number, q, s in said:
        cases[number, q.case] = cases.get((number, q.case), False) or s.right
    edited = [(q, s) for _, q, s in said if q.old]
    stale = [is_right(s.text, q.old) and not s.right for q, s in edited]
    spoken = [s for _, _, s in said]
    return FactRow(
        dataset, method, len(first), _mean([s.right for s in first]), _mean([s.contains for s in first]), len(other),
        _mean([s.right for s in other]) if other else None, len(cases), _mean(list(cases.values())), _mean(stale),
        _mean([s.prompt_tokens for s in spoken]), _mean([s.seconds for s in spoken]),
    )  # fmt: skip


def _mean(values: Sequence[float]) -> float:
    return sum(values) / max(1, len(values))
