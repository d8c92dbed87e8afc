"""Articles: what is marked lies where it says, and nothing of the test split is said."""

from random import Random

import pytest

from graphmem.core.splits import data_split
from graphmem.synthetic.articles import ArticleGenerator, with_spoken
from graphmem.text.lexicon import split_relations
from graphmem.training.phrasing import spoken_statements


@pytest.fixture(scope="module")
def writer() -> ArticleGenerator:
    return ArticleGenerator(with_spoken(split_relations("train")), {}, Random(0))


def test_marks_lie_in_the_text_in_order(writer: ArticleGenerator) -> None:
    for _ in range(60):
        made = writer.article()
        ends = [0]
        for mention in made.mentions:
            assert ends[-1] <= mention.start < mention.end <= len(made.text)
            ends.append(mention.end)
        for fact in made.facts:
            assert fact.subject != fact.object
            assert max(fact.subject, fact.object) < len(made.mentions)
        assert "{" not in made.text


def test_only_relations_that_were_given_are_said(writer: ArticleGenerator) -> None:
    said = {fact.relation for _ in range(60) for fact in writer.article().facts}
    assert said
    assert all(data_split(relation) == "train" for relation in said)


def test_statements_have_both_slots() -> None:
    for texts in spoken_statements().values():
        assert all(text.count("{o}") == 1 and "{s}" in text for text in texts)
