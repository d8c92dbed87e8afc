"""The time that a question asks about: dates, holders and events, names with dates, and the question without them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from graphmem.core.times import from_micros, to_micros
from graphmem.core.types import Subgraph
from graphmem.questions.temporal_form import TAGS, TemporalClassifier, TemporalForm, TemporalPhrase
from graphmem.questions.time_scope import TimeScope, time_scope, without_phrase
from graphmem.retrieval.results import Retrieval
from graphmem.retrieval.seeds import Seeds
from graphmem.text.name_matching import NameMatch

AT = to_micros("2026-11-30") or 0


def match(query: str, words: str, *nodes: int) -> NameMatch:
    return NameMatch(query.index(words), query.index(words) + len(words), words, nodes, 1.0)


def scope_of(query: str, words: str, relation: str, *mentions: NameMatch) -> TimeScope:
    """The scope of a query in which ``words`` set the time by ``relation``."""
    phrase = TemporalPhrase(query.index(words), query.index(words) + len(words), relation, 1.0)
    return time_scope(TemporalForm((phrase,) if words else ()), query, mentions, AT)


def retrieved(query: str, *mentions: NameMatch) -> Retrieval:
    nodes = np.array([node for mention in mentions for node in mention.nodes], np.int64)
    seeds = Seeds(nodes, np.ones(len(nodes), np.float32), mentions, query, "exact")
    return Retrieval(query, (), Subgraph.empty(), seeds, "activation", None)


def test_a_date_in_the_phrase_is_the_time() -> None:
    scope = scope_of("Who was director in 2010?", "in 2010", "at")
    assert scope.is_set and scope.relation == "at" and not scope.nodes
    assert (from_micros(scope.first), from_micros(scope.after)) == ("2010-01-01", "2011-01-01")
    between = scope_of("Who ran it between 2001 and 2005?", "between 2001 and 2005", "at")
    assert (from_micros(between.first), from_micros(between.after)) == ("2001-01-01", "2006-01-01")


def test_a_phrase_is_as_long_as_the_date_or_name_in_it() -> None:
    query = "Who had Vik before Sunniva Dahl?"
    name = match(query, "Sunniva Dahl", 7)
    scope = scope_of(query, "before Sunni", "before", match(query, "Vik", 3), name)
    assert scope.nodes == (7,) and scope.first is None and query[slice(*scope.phrase)] == "before Sunniva Dahl"
    date = scope_of("Who ran it in the summer of 2023?", "in the summer", "at")
    assert date.phrase[1] == len("Who ran it in the summer of 2023")


def test_a_date_outside_the_phrases_or_in_a_name_sets_no_time() -> None:
    query = "How many came to Christmas 2022?"
    assert not scope_of(query, "", "none").is_set
    assert not scope_of(query, "Christmas 2022", "at", match(query, "Christmas 2022", 5)).is_set
    assert not scope_of("Who came in 2022?", "2022", "after").is_set
    assert scope_of("Who came in 2022?", "in 2022", "at", match("Who came in 2022?", "2022", 5)).is_set


def test_now_is_the_moment_of_asking() -> None:
    assert not scope_of("Who is director now?", "now", "at").is_set
    assert scope_of("Who was director yesterday?", "yesterday", "at").is_set
    assert TimeScope(AT).at == AT and not TimeScope(AT).is_set


def test_a_holder_sets_a_time_only_as_before_or_after_it() -> None:
    query = "Who hosted it until Nord Cloud took over?"
    name = match(query, "Nord Cloud", 4)
    assert scope_of(query, "until Nord Cloud took over", "until", name).relation == "before"
    assert not scope_of(query, "until Nord Cloud took over", "since", name).is_set
    assert not scope_of("What was he before he came to us?", "before he came to us", "before").is_set
    former = scope_of("Who was it previously?", "previously", "before")
    assert former.is_set and former.first is None and former.nodes == ()


def test_the_question_without_its_time_keeps_its_names_where_they_stand() -> None:
    query = "In 2019, where was Nora living with Finn?"
    mentions = (match(query, "2019", 1), match(query, "Nora", 2), match(query, "Finn", 3))
    scope = scope_of(query, "In 2019", "at", *mentions)
    asked = without_phrase(retrieved(query, *mentions), scope)
    assert asked.query == "where was Nora living with Finn?" and asked.seeds.nodes.tolist() == [2, 3]
    assert [asked.query[m.start : m.end] for m in asked.seeds.mentions] == ["Nora", "Finn"]
    query = "Who drove the Saab in 2000?"
    mentions = (match(query, "Saab", 2),)
    asked = without_phrase(retrieved(query, *mentions), scope_of(query, "in 2000", "at", *mentions))
    assert asked.query == "Who drove the Saab?" and asked.seeds.nodes.tolist() == [2]


@pytest.mark.parametrize(
    ("question", "relation", "words"),
    [
        ("Who was the director of the museum in 1998?", "at", "in 1998"),
        ("Who owned the boat before Peter?", "before", "before Peter"),
        ("Which firm supplied the flour until 2015?", "until", "until 2015"),
        ("Where did Maria work after 2009?", "after", "after 2009"),
    ],
)
def test_the_shipped_classifier_finds_the_words_that_set_a_time(
    encoder: Any, question: str, relation: str, words: str
) -> None:
    (form,) = TemporalClassifier.load(encoder.fingerprint).forms(encoder, [question])
    (phrase,) = form.phrases
    assert (phrase.relation, question[phrase.start : phrase.end]) == (relation, words) and phrase.relation in TAGS


def test_the_shipped_classifier_finds_none_in_other_questions(encoder: Any) -> None:
    questions = ["Who is the director of the museum?", "Where does Peter work?", "What is Maria's phone number?"]
    assert all(form.phrases == () for form in TemporalClassifier.load(encoder.fingerprint).forms(encoder, questions))


def test_the_shipped_classifier_knows_what_is_wanted(encoder: Any) -> None:
    wanted = {
        "How long was Peter the director of the museum?": "duration", "How old is Maria?": "duration",
        "For how many years did Maria work there?": "duration", "When did Peter become director?": "date",
        "Since when does Maria work there?": "date",
        "Who is the director?": "other", "How many people work there?": "other", "How much did the boat cost?": "other",
    }  # fmt: skip
    forms = TemporalClassifier.load(encoder.fingerprint).forms(encoder, list(wanted))
    assert [form.asks for form in forms] == list(wanted.values())


@pytest.mark.parametrize("question", ["", "?", "in 2010", "x" * 100_000, "\x00", "🦀 " * 500, "before " * 500])
def test_any_text_has_a_form(encoder: Any, question: str) -> None:
    (form,) = TemporalClassifier.load(encoder.fingerprint).forms(encoder, [question])
    assert sum(form.wanted) == pytest.approx(1, abs=1e-3)
    assert all(0 <= phrase.start < phrase.end <= len(question) for phrase in form.phrases)
    time_scope(form, question, (), AT)
