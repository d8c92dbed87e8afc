"""A folder of small made data sets in the forms of the real ones. Row ``n`` of each asks about ``Person<n>``."""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest

from graphmem.training.evidence.examples import Example

ROWS = 64
WHERE = "Where was Person{}, of whom it tells, born?".format
DBPEDIA = "<http://dbpedia.org/resource/{}>"


def text_of(n: int) -> str:
    return (
        f"Person{n} grew up by the sea. Person{n} was born in Town{n} in {1900 + n}. The winters there are long. "
        f"Later years were spent in the hills. Many letters of that time are kept."
    )


class Folder:
    """Writer of the files of a data folder."""

    def __init__(self, home: Path) -> None:
        self.home = home

    def lines(self, name: str, rows: Iterable[Any]) -> None:
        """Write texts, or JSON lines of other values."""
        text = "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)
        self.bytes(name, gzip.compress(text.encode()) if name.endswith("gz") else text.encode())

    def bytes(self, name: str, data: bytes) -> None:
        (self.home / name).parent.mkdir(parents=True, exist_ok=True)
        (self.home / name).write_bytes(data)

    def archive(self, name: str, tables: dict[str, list[list[str]]]) -> None:
        """Write CSV tables into a tar file."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w:gz") as tar:
            for member, rows in tables.items():
                out = io.StringIO()
                csv.writer(out).writerows(rows)
                info = tarfile.TarInfo(member)
                info.size = len(out.getvalue().encode())
                tar.addfile(info, io.BytesIO(out.getvalue().encode()))
        self.bytes(name, packed.getvalue())


@pytest.fixture(scope="session")
def checked() -> Callable[[Sequence[Example]], set[int]]:
    """Numbers of the rows that examples ask about, once each example has been checked."""

    def check(examples: Sequence[Example]) -> set[int]:
        for example in examples:
            assert example.question.strip() and example.units and example.source
            for unit in example.units:
                assert unit.text.strip() and unit.relevant == bool(unit.spans or unit.verdict)
                assert all(
                    0 <= a < b <= len(unit.text) and unit.text[a:b] == unit.text[a:b].strip() for a, b in unit.spans
                )
                assert not unit.spans if example.asks_verdict else not unit.verdict
        return {int(found[0]) for example in examples if (found := re.findall(r"\d+", example.question))}

    return check


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder."""
    folder, rows = Folder(tmp_path_factory.mktemp("data")), range(ROWS)
    _facts(folder, rows)
    _chains(folder, rows)
    _passages(folder, rows)
    _claims(folder, rows)
    _sets(folder, rows)
    return folder.home


def _facts(folder: Folder, rows: range) -> None:
    asked = []
    for n in rows:
        backward = n % 3 == 0
        kind = ("place_of_birth", "birthPlace") if n % 2 else ("nationality", "country")
        asked.append({
            "Query": f"Who was born in Town{n}, as Person{n} was?" if backward else f"Where was Person{n} born?",
            "Subject": f"http://dbpedia.org/resource/{'Town' if backward else 'Person'}{n}",
            "PredicateList": [{"Predicate": f"http://dbpedia.org/ontology/{kind[1]}",
                               "Direction": "backward" if backward else "forward"}],
            "FreebasePredicate": f"www.freebase.com/people/person/{kind[0]}",
        })  # fmt: skip
    folder.lines("simplequestions/test.json.gz", [json.dumps({"Questions": asked[::2]})])
    folder.lines("simplequestions/valid.json.gz", [json.dumps({"Questions": asked[1::2]})])
    relations = ("/people/person/place_of_birth", "/people/person/profession", "/people/person/religion")
    triples = [f"/m/p{n}\t{r}\t/m/{r[-3:]}{n}" for n in rows for r in relations]
    names = [f"/m/p{n}\tPerson{1000 + n}" for n in rows]
    names += [f"/m/{r[-3:]}{n}\t{r[-5:].title()}{1000 + n}" for n in rows for r in relations]
    folder.lines("kgc/fb15k237/kgbert_entity2text.txt", names)
    folder.lines("kgc_inductive_grail/leave_out_fb15k237.txt", ["/m/p5", "/m/p6"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("FB15k-237/train.txt", "\n".join(triples))
    folder.bytes("kgc/fb15k237/FB15k-237.zip", packed.getvalue())
    kinds = ("occupation", "place of birth", "genre", "father", "capital", "sport")
    folder.lines("popqa/dev.jsonl", [
        {"question": f"What is the {kinds[n % 6]} of Person{n}?", "subject": f"Person{n}", "relation": kinds[n % 6],
         "object": f"Thing{n}"} for n in rows
    ])  # fmt: skip
    folder.archive("wikitablequestions/csv_tables.tar.gz", {
        f"csv/{n}.csv": [["Name", "Town", "Year"]] + [
            [f"Row{k} of {n}", f"Place{k} of {n}", str(1900 + k)] for k in range(8)
        ] for n in rows
    })  # fmt: skip


def _sets(folder: Folder, rows: range) -> None:
    asked = ("where is Row2 of {0}", "who is from Place3 of {0}?", "which row has the last year of {0}?")
    table = [f"nt-{n}\t{asked[n % 3].format(n)}\tcsv/{n}.csv\t{answer}" for n in rows
             for answer in ((f"Place2 of {n}", f"Row3 of {n}", f"Row7 of {n}")[n % 3],)]  # fmt: skip
    folder.lines("wikitablequestions/training.tsv.gz", ["id\tutterance\tcontext\ttargetValue", *table])
    turns = lambda n: [
        {"uid": 0, "speakers": [f"Person{n}"], "utterance": "Hello ."},
        {"uid": 1, "speakers": ["Ann"], "utterance": f"I was born in Town{n} , you know ?"},
    ]  # fmt: skip
    answers = lambda n: [{"answer_text": f"Town{n}", "utterance_id": 1, "is_speaker": False} if n % 2 else
                         {"answer_text": "Ann", "utterance_id": 1, "is_speaker": True}]  # fmt: skip
    scenes = [{"paragraphs": [{"utterances:": turns(n), "qas": [{"question": WHERE(n), "answers": answers(n)}]}]}
              for n in rows]  # fmt: skip
    folder.lines("dialog_friendsqa/friendsqa_dev.json.gz", [json.dumps({"data": scenes})])


def _chains(folder: Folder, rows: range) -> None:
    folder.lines("metaqa/kb.tsv.gz", [line for n in rows for line in (
        f"Film{n}\tdirected_by\tPerson{n}", f"Film{n}\trelease_year\t{1900 + n}", f"Sequel{n}\tdirected_by\tPerson{n}",
        f"Sequel{n}\thas_genre\tGenre{n}", f"Film{n}\tstarred_actors\tActor{n}",
    )])  # fmt: skip
    for hops, question, answer in (
        (1, "who directed Film{}", "Person"), (2, "what else did the director of Film{} direct", "Sequel"),
        (3, "which genre has the other film of the director of Film{}", "Genre"),
    ):  # fmt: skip
        folder.lines(f"metaqa/dev_{hops}hop.jsonl", [
            {"question": question.format(n), "topic": f"Film{n}", "answers": [f"{answer}{n}"]} for n in rows
        ])  # fmt: skip
    home, births = "multihop_2wiki_musique", [("father", "birthplace"), ("spouse", "place of burial")]
    folder.lines(f"{home}/2wiki_dev4000_evidences_clean.jsonl.gz", [
        {"question": f"Where was the {births[n % 2][0]} of Person{n} born or buried?", "type": "compositional",
         "evidences": [[f"Person{n}", births[n % 2][0], f"Parent{n}"], [f"Parent{n}", births[n % 2][1], f"Town{n}"]],
         "answer": f"Town{n}"} for n in rows
    ] + [
        {"question": f"Who is older, Person{n} or Person{n + 1}?", "type": "comparison", "answer": f"Person{n}",
         "evidences": [[f"Person{n + k}", ("date of birth", "birth year")[n % 2], str(1900 + n + k)] for k in (0, 1)]}
        for n in rows
    ])  # fmt: skip
    folder.lines("2wiki/dev.jsonl", [
        {"question": question} for n in rows if n % 8 == 3
        for question in (f"Where was the {births[n % 2][0]} of Person{n} born or buried?", WHERE(n).upper())
    ])  # fmt: skip
    folder.lines(f"{home}/musique_dev_decomposed_clean.jsonl.gz", [
        {"question": f"In which land is the town of Person{n}?", "answer": f"Land{n}", "question_decomposition": [
            {"question": f"Person{n} >> {('birthplace', 'home')[n % 2]}", "answer": f"Town{n}"},
            {"question": f"#1 >> {('country', 'land')[n % 2]}", "answer": f"Land{n}"}]} for n in rows
    ])  # fmt: skip
    birth, land = "<http://dbpedia.org/ontology/birthPlace>", "<http://dbpedia.org/ontology/country>"
    forms = (
        ("Where was Person {} born?", "SELECT ?uri WHERE {{ {} {birth} ?uri }}", "It was [Town{}]."),
        ("Was Person {} born in Town{}?", "ASK WHERE {{ {} {birth} {town} }}", "[Yes], so it is."),
        (
            "In which land was Person {} born?",
            "SELECT ?uri WHERE {{ {} {birth} ?x . ?x {land} ?uri }}",
            "It was [Land{}].",
        ),
        ("Who was born in the town of Person {}?", "SELECT ?uri WHERE {{ ?uri {birth} {} }}", "[Child{}] was."),
    )
    forms = (
        *forms,
        ("How many were born at the place of Person {}?", "SELECT DISTINCT COUNT(?uri) WHERE {{ ?uri {birth} {} }}",
         "There are [3]."),
        ("Who comes from both Person {} and Town{}?", "SELECT ?uri WHERE {{ ?uri {birth} {} . ?uri {land} {town} }}",
         "It is [Twin{}]."),
    )  # fmt: skip
    asked = []
    for n in rows:
        question, query, answer = forms[n % 6]
        query = query.format(DBPEDIA.format(f"Person_{n}"), birth=birth, land=land, town=DBPEDIA.format(f"Town{n}"))
        asked.append(
            {"uid": str(n), "question": question.format(n, n), "query": query, "verbalized_answer": answer.format(n)}
        )
    folder.lines("kgqa_vquanda/train.json.gz", [json.dumps(asked[::2])])
    folder.lines("kgqa_vquanda/test.json.gz", [json.dumps(asked[1::2])])


def _passages(folder: Folder, rows: range) -> None:
    folder.lines("squad/squad_train_15k.jsonl.gz", [
        {"title": f"Article_{n // 4}", "context": text_of(n), "question": WHERE(n), "answers": [f"Town{n}"],
         "start": text_of(n).index(f"Town{n}")} for n in rows
    ])  # fmt: skip
    folder.lines("drop/dev.jsonl.gz", [
        {"passage": text_of(n), "question": WHERE(n), "answer": [f"Town{n}"] if n % 5 else ["1", "2"]} for n in rows
    ])  # fmt: skip
    sides = lambda n: [
        [f"Person{n}", text_of(n)], [f"Person{n + 500}", text_of(n + 500)],
        [f"Town{n}", f"Town{n} is a town. It is old."],
    ]  # fmt: skip
    several = [
        {"question": WHERE(n), "answer": f"Town{n}", "supporting_facts": [[f"Person{n}", 0]],
         "context": [[title, [text]] for title, text in sides(n)]} for n in rows
    ]  # fmt: skip
    folder.lines("hotpotqa/dev_distractor_1300.jsonl.gz", several)
    home = "multihop_2wiki_musique"
    folder.lines(f"{home}/2wiki_dev500_passages_clean.jsonl.gz", several[::2])
    folder.lines(f"{home}/2wiki_train500_passages_clean.jsonl.gz", several[1::2])
    folder.lines(f"{home}/musique_dev200_passages_clean.jsonl.gz", [
        {"question": WHERE(n), "answer": f"Town{n}", "paragraphs": [
            {"title": title, "paragraph_text": text, "is_supporting": k == 0}
            for k, (title, text) in enumerate(sides(n))]}
        for n in rows
    ])  # fmt: skip
    tables: dict[str, list[list[str]]] = {}
    for n in range(8):
        tables[f"d/story-{n}-story.csv"] = [["section", "text"], ["1", text_of(n)], ["2", text_of(n + 100)]]
        tables[f"d/story-{n}-questions.csv"] = [
            ["question", "cor_section", "ex-or-im1", "answer1"], [WHERE(n), "1", "explicit", f"Town{n}."],
            [WHERE(n + 100), "2", "implicit", f"Town{n + 100}"],
        ]  # fmt: skip
    folder.archive("fairytaleqa/train.tar.gz", tables)
    at = lambda n: text_of(n).index(f"Town{n}")
    folder.lines("nq/qed-dev.jsonlines.gz", [
        {"title_text": f"Person{n}", "question_text": WHERE(n), "paragraph_text": text_of(n),
         "original_nq_answers": [[{"start": at(n), "end": at(n) + len(f"Town{n}")}]]} for n in rows
    ])  # fmt: skip
    sentence = lambda n: f"Person{n} was born in Old Town{n} , by the sea ."
    folder.lines("qasrl_qamr/wiki-sentences.tsv.gz", [f"Wiki:{n}\t{sentence(n)}" for n in rows])
    folder.lines("qasrl_qamr/dev.tsv.gz", [
        f"Wiki:{n}\t3 4\t7\t0\t3\t{WHERE(n)}\t{'4 5' if n % 7 else '0 5'}\t1:4 5" for n in rows
    ])  # fmt: skip


def _claims(folder: Folder, rows: range) -> None:
    folder.lines("boolq/train.jsonl.gz", [
        {"question": f"was person{n} born by the sea", "title": f"Person{n}", "passage": text_of(n),
         "answer": n % 2 == 0} for n in rows
    ])  # fmt: skip
    folder.lines("fever/validation.jsonl.gz", [
        {"claim": f"Person{n} was born in Town{n}.", "label": ("SUPPORTS", "REFUTES")[n % 2],
         "evidence": [f"Evidence{n} of it."] if n % 9 else []} for n in rows
    ])  # fmt: skip
    folder.lines("creak/train.json.gz", [
        {"sentence": f"Person{n} was born in Town{n}.", "label": ("true", "false")[n % 2],
         "explanation": f"Explanation{n} of it." if n % 9 else ""} for n in rows
    ])  # fmt: skip
