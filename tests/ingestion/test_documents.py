from __future__ import annotations

import datetime as dt
import gzip
import json

import pytest
from click.testing import CliRunner

from graphmem.cli.main import main
from graphmem.core.errors import InvalidTime, InvalidValue, NotFound
from graphmem.core.types import MENTIONS, TITLED
from graphmem.ingestion.documents import (
    MAX_CHARACTERS,
    Document,
    check_document,
    passage_edits,
    read_documents,
    split_document,
)
from graphmem.memory import GraphMemory
from graphmem.text.name_tagging import capitalised

LOTHAIR = ("Lothair II", "Lothair II was king of Lotharingia. He was the son of Ermengarde of Tours and Lothair I.")
ERMENGARDE = ("Ermengarde of Tours", "Ermengarde of Tours died on 20 March 851 in Italy.")


@pytest.fixture
def memory(encoder):
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        yield opened


def add(memory: GraphMemory, *documents: tuple[str, str], **options):
    return memory.add_passages(documents, tagger=capitalised, encode=False, **options)


def named_by(memory: GraphMemory, title: str) -> set[str]:
    passage = memory.facts(title, TITLED)[0].object
    return {fact.object for fact in memory.facts(passage, MENTIONS)}


def test_passages_and_what_they_name_become_a_graph(memory: GraphMemory) -> None:
    done = add(memory, LOTHAIR, ERMENGARDE, source="wiki")
    assert (done.documents, done.passages, len(done.entries)) == (2, 2, 1)
    assert {"Lotharingia", "Ermengarde of Tours"} <= named_by(memory, "lothair ii")
    fact = memory.facts("Lothair II", TITLED)[0]
    passage = memory.node(fact.object)
    assert passage is not None and (passage.kind, passage.text, fact.source) == ("passage", LOTHAIR[1], "wiki")


def test_facts_are_listed_without_the_links_of_passages(memory: GraphMemory) -> None:
    memory.add("Lothair II", "king of", "Lotharingia")
    add(memory, LOTHAIR)
    assert [str(fact) for fact in memory.facts()] == ["Lothair II | king of | Lotharingia"] == list(map(str, memory))
    assert len(memory) == len(memory.facts("Lothair II")) == len(memory.facts(known_at="2100")) == 1
    assert memory.facts(limit=1) and not memory.facts(object="Ermengarde of Tours")
    links = {fact.relation for fact in memory.facts(links=True)}
    assert (
        links == {"king of", TITLED, MENTIONS} == {fact.relation for fact in memory.facts(links=True, known_at="2100")}
    )
    passage = memory.facts("Lothair II", TITLED)[0].object
    assert {fact.relation for fact in memory.facts(passage)} == {MENTIONS}
    memory.retire("Lothair II")
    assert memory.facts("Lothair II", links=True) == []


def test_the_same_corpus_twice_changes_nothing(memory: GraphMemory) -> None:
    add(memory, LOTHAIR, ERMENGARDE, LOTHAIR)
    before = memory.stats()
    assert add(memory, LOTHAIR, ERMENGARDE).passages == 0
    assert memory.stats() == before


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_order_and_batches_make_no_difference(memory: GraphMemory, encoder, batch: int) -> None:
    from graphmem.ingestion.documents import add_passages

    third = ("Camille (1926 film)", "A film about Lothair II and a lady.")
    add(memory, LOTHAIR, ERMENGARDE, third)
    with GraphMemory.open(":memory:", encoder=encoder) as other:
        documents = iter([third, ERMENGARDE, LOTHAIR])
        add_passages(other.store, documents, encoder=None, tagger=lambda texts: capitalised(texts), batch=batch)
        assert {str(fact) for fact in other.facts()} == {str(fact) for fact in memory.facts()}
        assert other.facts("Camille", TITLED)


def test_a_stopped_run_goes_on_where_it_was(memory: GraphMemory) -> None:
    from graphmem.ingestion.documents import add_passages

    def stops():
        yield LOTHAIR
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        add_passages(memory.store, stops(), encoder=None, tagger=capitalised, batch=1)
    again = add_passages(memory.store, [LOTHAIR, ERMENGARDE], encoder=None, tagger=capitalised, batch=1)
    assert again.passages == 1 and again.documents == 2


def test_undo_takes_back_all_batches(memory: GraphMemory) -> None:
    memory.add("Lothair II", "ruled", "Lotharingia")
    before = {str(fact) for fact in memory.facts()}
    done = add(memory, LOTHAIR, ERMENGARDE)
    memory.undo(done)
    assert {str(fact) for fact in memory.facts()} == before and memory.node("Ermengarde of Tours") is None
    with pytest.raises(NotFound, match="no passages"):
        memory.undo(add(memory))


@pytest.mark.parametrize(
    ("documents", "message"),
    [
        ("text", "tuples"),
        (5, "tuples"),
        ([LOTHAIR, "text"], "document 1 is no"),
        ([LOTHAIR, ("A", None)], "document 1 is no"),
        ([("A", " ")], "document 0 .* empty"),
        ([("A", "a\0b")], "document 0: .* NUL"),
        ([("A", "a\ud800b")], "document 0: .* surrogate"),
        ([("A" * 2000, "text")], "document 0: title has 2000 characters"),
        ([LOTHAIR, ("A", "text", "2024", "x")], "document 1 is no"),
        ([LOTHAIR, ("A", "text", "the day of the cat")], r"document 1 \('A'\): cannot read 'the day of the cat'"),
        ([("A", "text", 2024.5)], "document 0 .*cannot read 2024.5 as a time"),
        ([("A", "text", ["2024"])], "document 0 .*cannot read"),
    ],
)
def test_bad_documents_are_named_and_nothing_is_written(memory: GraphMemory, documents, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        memory.add_passages(documents, tagger=capitalised, encode=False)
    assert len(memory) == 0


def test_any_script_and_no_title(memory: GraphMemory) -> None:
    add(memory, ("北京大学", "北京大学位于北京。"), ("北京", "北京是中国的首都。"), ("", "A note about Paris."))
    assert "北京" in named_by(memory, "北京大学")
    assert memory.facts("A note about Paris.", TITLED)


def test_a_long_text_is_cut_at_sentences_and_nothing_is_lost() -> None:
    text = " ".join(f"Sentence number {i} is here." for i in range(1000))
    parts = split_document(Document("Long", text))
    assert all(len(part.text) <= MAX_CHARACTERS and part.text.endswith(".") for part in parts)
    assert " ".join(part.text for part in parts) == text
    assert len(split_document(Document("Wall", "x" * 10_000))) > 1


def test_tagger_without_a_model() -> None:
    text = "The king of Lotharingia met Ermengarde of Tours. It was cold in St. Maurice's Abbey."
    names = [text[start:end] for start, end in capitalised([text])[0]]
    assert "Ermengarde of Tours" in names and "Lotharingia" in names and "It" not in names and "The" not in names


def test_spacy_tagger(memory: GraphMemory) -> None:
    pytest.importorskip("spacy")
    memory.add_passages([ERMENGARDE], encode=False)
    assert named_by(memory, "Ermengarde of Tours") == {"Italy"}


def test_json_lines_and_plain_text(tmp_path) -> None:
    lines = (
        "\n".join(
            json.dumps(row)
            for row in ({"title": "A", "text": "One.", "date": "May 1901"}, {"text": "Two.", "date": ""})
        )
        + "\n\n"
    )
    with gzip.open(tmp_path / "docs.jsonl.gz", "wt") as file:
        file.write(lines)
    assert list(read_documents(tmp_path / "docs.jsonl.gz")) == [("A", "One.", "May 1901"), ("", "Two.", None)]
    (tmp_path / "Graz.txt").write_text("Graz is a city.")
    assert list(read_documents(tmp_path / "Graz.txt")) == [("Graz", "Graz is a city.", None)]


@pytest.mark.parametrize(
    ("item", "date"),
    [
        (("A", "One."), "2020-01-02"),
        (("A", "One.", None), "2020-01-02"),
        (["A", "One.", "2024-09"], "2024-09"),
        (("A", "One.", dt.date(1999, 5, 1)), "1999-05-01"),
        (("A", "One.", 1815), "1815"),
        (("A", "One.", "1815~"), "1815~"),
    ],
)
def test_each_document_has_its_own_date_or_that_of_the_call(memory: GraphMemory, item, date: str) -> None:
    add(memory, item, date="2020-01-02")
    assert memory.node(memory.facts("A", TITLED)[0].object).date == date


def test_every_part_of_a_long_document_has_its_date_and_a_known_document_keeps_its_own(memory: GraphMemory) -> None:
    text = " ".join(f"Sentence number {i} is here." for i in range(400))
    assert add(memory, ("Long", text, "2001"), ("Long", text, "2002")).passages > 2
    assert add(memory, ("Long", text, "2003")).passages == 0
    parts = memory.facts("Long", TITLED)
    assert len(parts) > 2 and {memory.node(part.object).date for part in parts} == {"2001"}


def test_a_date_of_the_call_that_cannot_be_read_is_named(memory: GraphMemory) -> None:
    with pytest.raises(InvalidTime, match="date=: cannot read 'soon'"):
        add(memory, LOTHAIR, date="soon")
    assert len(memory) == 0


@pytest.mark.parametrize("date", ['"soon"', "true", "[2024]", "1e999"])
def test_a_bad_date_in_a_file_is_named(tmp_path, date: str) -> None:
    (tmp_path / "docs.jsonl").write_text('{"text": "fine"}\n{"text": "x", "date": ' + date + "}")
    with pytest.raises(InvalidTime, match="line 2"):
        list(read_documents(tmp_path / "docs.jsonl"))


@pytest.mark.parametrize("line", ["{", "[]", '{"title": "A"}', '{"title": 3, "text": "x"}', '{"text": " "}'])
def test_a_bad_line_is_named(tmp_path, line: str) -> None:
    path = tmp_path / "docs.jsonl"
    path.write_text('{"text": "fine"}\n' + line)
    with pytest.raises(InvalidValue, match="line 2"):
        list(read_documents(path))


def test_bytes_that_are_no_text(tmp_path) -> None:
    (tmp_path / "x.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidValue, match="cannot read"):
        list(read_documents(tmp_path / "x.txt"))


def test_command_adds_and_search_shows(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Graz.txt").write_text("Graz is a city of Austria.")
    run = CliRunner()
    added = run.invoke(main, ["add-passages", "m.db", "Graz.txt", "--json"])
    assert added.exit_code == 0, added.output
    assert json.loads(added.stdout) == {"documents": 1, "passages": 1, "words": 6}
    assert "[Graz] Graz is a city of Austria." in run.invoke(main, ["search", "m.db", "Where is Graz?"]).output
    found = json.loads(run.invoke(main, ["search", "m.db", "Where is Graz?", "--json"]).output)
    assert found["passages"][0]["title"] == "Graz"
    (tmp_path / "bad.jsonl").write_text("{")
    failed = run.invoke(main, ["add-passages", "m.db", "bad.jsonl"])
    assert failed.exit_code == 1 and "line 1" in failed.output


def test_marked_and_endless_files_are_read_or_named(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_text("Łódź is a city.", encoding=encoding)
        assert list(read_documents(path)) == [("a", "Łódź is a city.", None)]
    monkeypatch.setattr("graphmem.ingestion.documents.MAX_FILE", 8)
    with pytest.raises(InvalidValue, match="characters"):
        list(read_documents(path))
    monkeypatch.setattr("graphmem.ingestion.documents.MAX_LINE", 40)
    lines = tmp_path / "a.jsonl"
    lines.write_text('{"text": "short"}\n{"text": "' + "x" * 60 + '"}\n')
    with pytest.raises(InvalidValue, match="line 2"):
        list(read_documents(lines))


def test_splitting_looks_at_each_break_a_few_times_only(monkeypatch):
    """The searches in the list of breaks grow with the passages, not with passages times breaks."""
    import graphmem.ingestion.documents as module

    counted: list[int] = []
    search = module.bisect_right
    monkeypatch.setattr(module, "bisect_right", lambda *args: (counted.append(1), search(*args))[1])
    parts = split_document(Document("t", "One two. " * 40_000))
    assert len(counted) <= len(parts) and "".join(part.text for part in parts).count("One two.") == 40_000


def test_the_note_of_an_entry_counts_its_passages(memory: GraphMemory) -> None:
    add(memory, ("One", "A lake."))
    add(memory, ("Two", "A hill."), ("Three", "A wood."))
    assert [entry.note for entry in memory.store.journal_page(2)[1]] == ["2 passages", "1 passage"]


def test_a_text_without_a_title_is_found_by_what_it_names(memory: GraphMemory) -> None:
    texts = ["The heron of Paris slept.", "nothing is named in this one"]
    documents = [check_document(0, ("", text, "2020-05-01")) for text in texts]
    memory.apply(passage_edits(memory.store, documents, source="notes"))
    assert [f.subject for f in memory.facts("nothing is named in this one", TITLED)] == ["nothing is named in this one"]
    assert memory.facts("The heron of Paris slept.", TITLED) == []
    (passage,) = [fact.subject for fact in memory.facts(relation=MENTIONS, object="Paris")]
    node = memory.node(passage)
    assert node is not None and (node.text, node.date) == (texts[0], "2020-05-01")
    assert passage_edits(memory.store, documents) == []  # both are held


def test_passages_that_only_mention_are_found(memory: GraphMemory) -> None:
    memory.apply(passage_edits(memory.store, [check_document(0, ("", "The heron slept in Paris."))]))
    assert [passage.text for passage in memory.retrieve("Where did the heron sleep?").passages] == [
        "The heron slept in Paris."
    ]
    assert list(memory.store.document_titles().values()) == [1]
