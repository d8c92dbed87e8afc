"""Articles: mentions and facts lie where they are marked, and no relation of the test split occurs."""

from random import Random

import pytest

from graphmem.core.splits import data_split
from graphmem.synthetic.articles import ArticleGenerator
from graphmem.synthetic.relations import with_more_templates
from graphmem.synthetic.templates import load
from graphmem.text.lexicon import split_relations


@pytest.fixture(scope="module")
def generator() -> ArticleGenerator:
    return ArticleGenerator(with_more_templates(split_relations("train")), {}, Random(0))


def test_marks_lie_in_the_text_in_order(generator: ArticleGenerator) -> None:
    for _ in range(60):
        found = generator.example()
        ends = [0]
        for mention in found.mentions:
            assert ends[-1] <= mention.start < mention.end <= len(found.text)
            ends.append(mention.end)
        for fact in found.facts:
            assert fact.subject != fact.object
            assert max(fact.subject, fact.object) < len(found.mentions)
        assert "{" not in found.text


def test_only_relations_that_were_given_occur(generator: ArticleGenerator) -> None:
    found = {fact.relation for _ in range(60) for fact in generator.example().facts}
    assert found
    assert all(data_split(relation) == "train" for relation in found)


def test_statements_have_both_slots() -> None:
    for texts in load("frames")["statements"].values():
        assert all(text.count("{o}") == 1 and "{s}" in text for text in texts)
