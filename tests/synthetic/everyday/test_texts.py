"""Everyday texts: every mark is exact, wordings vary, and every relation and status occurs."""

from __future__ import annotations

import re
from collections import Counter
from random import Random

import pytest

from graphmem.core.times import read_time, to_micros, valid_interval
from graphmem.questions.time_expressions import find_times
from graphmem.synthetic.everyday.frames import STATUSES, families
from graphmem.synthetic.everyday.texts import GENRES, EverydayTextGenerator
from graphmem.synthetic.everyday.writer import EverydayText
from graphmem.text.lexicon import split_relations

PRONOUNS = frozenset("i me my we us our you your he him his she her it its they them their".split())
DAY = 86_400_000_000


@pytest.fixture(scope="module")
def texts() -> list[EverydayText]:
    """The texts of 500 seeds."""
    generator, found = EverydayTextGenerator(Random(0), "all", split_relations("train")), []
    for seed in range(500):
        generator.rng = Random(seed)
        found.append(generator.example())
    return found


@pytest.fixture(scope="module")
def many() -> list[EverydayText]:
    generator = EverydayTextGenerator(Random(0))
    return [generator.example() for _ in range(2000)]


def words_of(text: EverydayText, entity: int) -> set[str]:
    """Names and descriptions that may stand for an entity, in small letters."""
    one = text.entities[entity]
    roles = {text.entities[text.mentions[f.object].entity].name for f in text.facts if f.relation == "role"}
    return {words.lower() for words in (one.name, *one.short.values(), *one.nouns, *roles)}


def test_every_mention_is_a_name_or_a_pronoun_of_its_entity(texts: list[EverydayText]) -> None:
    for text in texts:
        for number, mention in enumerate(text.mentions):
            words = text.surface(number).lower()
            assert words in (PRONOUNS if mention.kind == "pronoun" else words_of(text, mention.entity)), text.text


def test_every_span_of_a_fact_lies_in_its_sentence_or_in_a_heading_above(texts: list[EverydayText]) -> None:
    for text in texts:
        for fact in text.facts:
            start, end = text.sentences[fact.sentence]
            spans = [*fact.words, *((text.times[t].start, text.times[t].end) for t in fact.times)]
            spans += [(m.start, m.end) for m in (text.mentions[n] for n in (fact.object, fact.subject))]
            assert all(0 <= a < b <= end and text.text[a:b].strip() == text.text[a:b] for a, b in spans), text.text
            assert text.mentions[fact.object].start >= start
            if fact.old is not None:
                assert start <= text.mentions[fact.old].start < end
            if fact.source is not None:
                assert start <= text.mentions[fact.source].start < end
            if text.genre not in ("fields", "table", "minutes", "handover", "chat"):
                assert text.mentions[fact.subject].start >= start, text.text


def test_sentences_follow_each_other_and_hold_every_time(texts: list[EverydayText]) -> None:
    for text in texts:
        ends = [end for _, end in text.sentences]
        assert all(a < b for a, b in text.sentences)
        assert all(end <= start for end, (start, _) in zip(ends, text.sentences[1:], strict=False))
        assert all(any(a <= t.start and t.end <= b for a, b in text.sentences) for t in text.times)


def test_he_and_she_can_be_nobody_else(texts: list[EverydayText]) -> None:
    """Where a sentence says "she", no other woman stands in it before that, who was not spoken of as "I" or "you"."""
    seen = 0
    for text in texts:
        for number, mention in enumerate(text.mentions):
            word = text.surface(number).lower()
            if word not in ("he", "she") or text.genre == "chat":
                continue
            seen += 1
            start = next(a for a, b in text.sentences if a <= mention.start < b)
            before = [m for m in text.mentions if start <= m.start < mention.start and m.entity != mention.entity]
            others = [m for m in before if m.kind != "pronoun" and text.entities[m.entity].type in ("person", "pet")]
            assert all(text.entities[m.entity].pronoun != word for m in others), text.text
    assert seen > 50


def test_times_are_read_by_the_package_as_they_are_annotated(texts: list[EverydayText]) -> None:
    read = 0
    for text in texts[:80]:
        for time in text.times:
            value = read_time(time.value)
            words = text.text[time.start : time.end]
            if time.relative or not any(c.isalpha() for c in words) or words.lower().endswith("00s"):
                continue
            given = read_time(words)
            assert value is not None and given is not None and given[:2] == value[:2], words
            read += 1
        for fact in text.facts:
            valid_interval(fact.valid_from, fact.valid_to)
    assert read > 25


def test_times_ago_and_last_are_read_by_the_package_as_they_are_annotated(texts: list[EverydayText]) -> None:
    read = 0
    for text in texts[:200]:
        for time in text.times:
            words = text.text[time.start : time.end].lower()
            if not words.endswith(" ago") and words not in ("yesterday", "last week", "last month", "last year"):
                continue
            value, found = read_time(time.value), find_times(words, to_micros(text.day) or 0)
            assert value is not None and len(found) == 1
            after = value.after or value.first + (7 * DAY if time.precision == "week" else DAY)
            assert found[0].first < after and value.first < found[0].after, (words, text.day, time.value)
            read += 1
    assert read > 20


def test_planned_things_lie_ahead_and_what_is_over_behind(texts: list[EverydayText]) -> None:
    for text in texts:
        today = to_micros(text.day)
        assert today is not None
        for fact in text.facts:
            start, end = read_time(fact.valid_from), read_time(fact.valid_to)
            if fact.status == "planned" and start is not None and fact.relation != "took part in":
                assert (start.after or start.first + 7 * DAY) > today, text.text
            if fact.status in ("past", "ended") and end is not None:
                assert end.first <= today, text.text


def test_equal_seeds_make_equal_texts_and_others_do_not() -> None:
    one, same, other = (EverydayTextGenerator(Random(seed)).example() for seed in (3, 3, 4))
    assert one.text == same.text and one.facts == same.facts and one.mentions == same.mentions
    assert one.text != other.text


def test_half_of_the_sentences_state_nothing(many: list[EverydayText]) -> None:
    count = sum(len(text.sentences) for text in many)
    stating = sum(len({fact.sentence for fact in text.facts}) for text in many)
    assert 0.4 < 1 - stating / count < 0.65
    assert all(2 <= len(text.sentences) <= 24 for text in many)
    assert len({text.text for text in many}) == len(many)


def test_every_relation_status_and_genre_occurs(many: list[EverydayText]) -> None:
    relations = Counter(fact.relation for text in many for fact in text.facts)
    assert {family.name for family in families()} <= set(relations)
    statuses = Counter(fact.status for text in many for fact in text.facts)
    assert min(statuses[status] for status in STATUSES) > 150
    assert {text.genre for text in many} == set(GENRES)


def test_people_are_named_in_many_ways(many: list[EverydayText]) -> None:
    kinds: Counter[str] = Counter()
    for text in many:
        for fact in text.facts:
            mention = text.mentions[fact.subject]
            words, one = text.surface(fact.subject), text.entities[mention.entity]
            kinds[words.lower() if mention.kind == "pronoun" else "full" if words == one.name else "short"] += 1
    assert all(kinds[word] > 20 for word in ("i", "we", "my", "our", "he", "she", "they", "it", "full", "short")), kinds


def test_held_out_wordings_are_used_by_no_text_to_train_on() -> None:
    """Frames of both sets are read back from texts whose names are put aside."""
    train, held = families("train"), families("held")
    for one, other, whole in zip(train, held, families(), strict=True):
        for status, frames in whole.frames.items():
            assert set(one.frames[status]) | set(other.frames[status]) == set(frames)
    plain = lambda found: {re.sub(r"[\[\]^]", "", w) for f in found for frames in f.frames.values() for w in frames}
    assert plain(train).isdisjoint(plain(held))
    count = sum(len(frames) for family in held for frames in family.frames.values())
    whole_count = sum(len(frames) for family in families() for frames in family.frames.values())
    assert 0.08 < count / whole_count < 0.18
    generator = EverydayTextGenerator(Random(1), "held")
    facts = [fact for _ in range(300) for fact in generator.example().facts]
    assert len({fact.relation for fact in facts}) > 60 and {fact.status for fact in facts} == set(STATUSES)


def test_a_genre_can_be_asked_for() -> None:
    generator = EverydayTextGenerator(Random(5))
    assert {generator.example(genre).genre for genre in GENRES} == set(GENRES)
    chat = generator.example("chat")
    assert all(": " in line or line[0].isupper() or line[0].islower() for line in chat.text.split("\n"))
    assert chat.group is not None or chat.author is not None
