from random import Random

from graphmem.synthetic.annotated_texts import TextGenerator
from graphmem.synthetic.real_texts import real_names
from graphmem.synthetic.small_talk import small_talk_examples
from graphmem.text.lexicon import split_relations


def test_chatter_marks_names_and_states_little() -> None:
    speaker = TextGenerator(split_relations("train"), real_names(None), Random(1))
    made = small_talk_examples(speaker, 300, 2)
    assert made and all(example.text.strip() for example in made)
    silent = [example for example in made if not example.facts]
    assert len(silent) > 180
    assert any(len(example.mentions) >= 2 for example in silent)
    for example in made:
        for mention in example.mentions:
            assert example.text[mention.start : mention.end].strip()
        for fact in example.facts:
            assert max(fact.subject, fact.object) < len(example.mentions)


def test_chatter_repeats_itself() -> None:
    def once() -> list[str]:
        speaker = TextGenerator(split_relations("train"), real_names(None), Random(1))
        return [example.text for example in small_talk_examples(speaker, 20, 2)]

    assert once() == once()
