from random import Random

from graphmem.synthetic.annotated_texts import AnnotatedText
from graphmem.synthetic.real_texts import real_names
from graphmem.synthetic.small_talk import SmallTalkGenerator
from graphmem.text.lexicon import split_relations


def examples(count: int) -> list[AnnotatedText]:
    generator = SmallTalkGenerator(split_relations("train"), real_names(None), Random(1))
    return [generator.example() for _ in range(count)]


def test_small_talk_marks_names_and_states_little() -> None:
    found = examples(300)
    assert all(example.text.strip() for example in found)
    without_facts = [example for example in found if not example.facts]
    assert len(without_facts) > 180
    assert any(len(example.mentions) >= 2 for example in without_facts)
    for example in found:
        assert all(example.surface(mention).strip() for mention in example.mentions)
        assert all(max(fact.subject, fact.object) < len(example.mentions) for fact in example.facts)


def test_equal_seeds_give_equal_texts() -> None:
    assert [example.text for example in examples(20)] == [example.text for example in examples(20)]
