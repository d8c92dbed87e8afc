from __future__ import annotations

import time

import numpy as np
import pytest

from graphmem.core.errors import InvalidValue, WeightsMismatch
from graphmem.memory import GraphMemory
from graphmem.retrieval.passages.links import link_context, match_titles
from graphmem.retrieval.passages.reranker import FEATURES, PassageReranker
from graphmem.retrieval.passages.search import RANKERS, PassageSearch
from graphmem.text.fuzzy_matching import name_similarity
from graphmem.text.name_tagging import capitalised

DOCUMENTS = [
    (
        "The Copper Harbour",
        "The Copper Harbour is a 1931 film directed by Ilse Brandt. It stars Ned Orley as a sailor.",
    ),
    ("Ilse Brandt", "Ilse Brandt (born 1899 in Graz) was a film director who worked in Vienna."),
    ("Ned Orley", "Ned Orley was a stage actor from Leeds, known for comic parts."),
    ("Night over Tarn", "Night over Tarn is a 1954 film directed by Paul Vey and produced by Ned Orley."),
    ("Paul Vey", "Paul Vey (born 1910) was a French director."),
    ("Leeds", "Leeds is a city in the north of England with a long history of making cloth."),
    ("Graz", "Graz is the second largest city of Austria."),
    ("Cloth", "Cloth is made by weaving threads of wool or cotton."),
    ("Harbour", "A harbour is a sheltered body of water where ships may dock."),
]


@pytest.fixture(scope="module")
def memory(encoder):
    with GraphMemory.open(":memory:", encoder=encoder) as opened:
        opened.add_passages(DOCUMENTS, tagger=capitalised)
        yield opened


def titles(memory: GraphMemory, question: str, top_k: int = 10, **options) -> list[str]:
    return [passage.title for passage in memory.retrieve(question, top_k=top_k, **options).passages]


def test_two_hops_by_the_link_that_the_question_asks_for(memory: GraphMemory) -> None:
    assert set(titles(memory, "Where was the director of The Copper Harbour born?")[:2]) == {
        "The Copper Harbour", "Ilse Brandt",
    }  # fmt: skip
    assert "Ned Orley" in titles(memory, "Which actor stars in the copper harbour?".title())[:3]


def test_each_named_thing_brings_its_own(memory: GraphMemory) -> None:
    question = "Which film has the older director, The Copper Harbour or Night Over Tarn?"
    assert {"The Copper Harbour", "Night over Tarn", "Ilse Brandt", "Paul Vey"} <= set(titles(memory, question, 5))


def test_passages_have_id_text_and_falling_scores(memory: GraphMemory) -> None:
    found = memory.retrieve("Who is Paul Vey?", top_k=3).passages
    assert len(found) == 3 and found[0].text == DOCUMENTS[4][1]
    assert memory.store.node(found[0].id).kind == "passage"
    assert [passage.score for passage in found] == sorted((passage.score for passage in found), reverse=True)


@pytest.mark.parametrize("ranker", RANKERS)
def test_every_ranker_finds_the_named_passage(memory: GraphMemory, ranker) -> None:
    found = PassageSearch(memory.store, memory.encoder).search("Ned Orley the stage actor from Leeds", ranker=ranker)
    assert "Ned Orley" in [passage.title for passage in found[:2]]


def test_an_added_passage_is_found_by_the_next_query_and_undone_it_is_gone(encoder) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_passages(DOCUMENTS[:5], tagger=capitalised)
        question = "Where does Mira Solt live?"
        assert "Mira Solt" not in titles(memory, question)
        done = memory.add_passages([("Mira Solt", "Mira Solt is a painter who lives in Graz.")], tagger=capitalised)
        assert titles(memory, question)[0] == "Mira Solt"
        memory.undo(done)
        assert "Mira Solt" not in titles(memory, question)
        memory.redo()
        assert titles(memory, question)[0] == "Mira Solt"


def test_many_passages_of_one_title(encoder) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add_passages([("Graz", f"Part {i} about Graz.") for i in range(30)], tagger=capitalised)
        memory.add_passages([("Graz", "The clock tower of Graz is its landmark.")], tagger=capitalised)
        found = memory.retrieve("What is the landmark of Graz?", top_k=40).passages
        assert "clock tower" in found[0].text and len({passage.id for passage in found}) == len(found) >= 20


@pytest.mark.parametrize(
    "question", ["", "   ", "?" * 100_000, "在哪里?", "a\0b", "\ud800", "zzz", 'a" OR b (c) NEAR *']
)
def test_odd_questions_are_answered_in_bounded_time(memory: GraphMemory, question: str) -> None:
    start = time.process_time()
    found = memory.retrieve(question).passages
    assert len(found) <= 10 and (question.strip() or found == ())
    assert time.process_time() - start < 60


def test_a_memory_without_passages_has_none(encoder) -> None:
    with GraphMemory.open(":memory:", encoder=encoder) as memory:
        memory.add("Ada", "born in", "London")
        assert memory.retrieve("Where was Ada born?").passages == ()


def test_bad_arguments(memory: GraphMemory) -> None:
    search = PassageSearch(memory.store, memory.encoder)
    with pytest.raises(InvalidValue, match="no passage ranker 'x'"):
        search.search("Leeds", ranker="x")  # type: ignore[arg-type]
    with pytest.raises(InvalidValue, match="at least 1"):
        search.search("Leeds", top_k=0)


def test_names_exact_and_alike(memory: GraphMemory) -> None:
    exact, like = match_titles("Did Ilsa Brandt go to Leeds?", memory.store)
    assert exact.confidence == 1.0 and exact.nodes
    assert not like.nodes and like.confidence < 1.0
    assert memory.store.node(like.passages[0]).attributes["title"] == "Ilse Brandt"
    assert name_similarity("Graz", "graz") == 1.0


def test_words_around_a_name_stay_in_its_sentence() -> None:
    text = "It rained. The film was directed by Ilse  Brandt and cut by Ned. It ran long."
    assert link_context(text, "Ilse Brandt") == "The film was directed by it and cut by Ned."
    assert link_context(text, "Nobody") == "it"


def test_scorer_files(tmp_path) -> None:
    assert PassageReranker.load().weights.shape == (len(FEATURES),)
    path = tmp_path / "scorer.safetensors"
    PassageReranker(np.arange(len(FEATURES))).save(path)
    assert PassageReranker.load(path).weights[3] == 3
    path.write_bytes(b"no weights")
    with pytest.raises(WeightsMismatch, match="cannot read"):
        PassageReranker.load(path)
    with pytest.raises(WeightsMismatch, match="expected"):
        PassageReranker(np.zeros(2))


def test_another_encoder_is_a_clear_error(memory: GraphMemory, encoder) -> None:
    from graphmem.core.errors import EncoderMismatch

    class Other:
        dim, fingerprint = 4, "other"

        def encode(self, texts):
            return np.ones((len(texts), 4), np.float32) / 2

    with pytest.raises(EncoderMismatch, match="reencode"):
        PassageSearch(memory.store, Other()).search("Leeds")
