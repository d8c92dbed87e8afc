from random import Random

from graphmem.core.splits import data_split
from graphmem.synthetic.profiles import ProfileGenerator
from graphmem.text.lexicon import split_relations


def test_profiles_mark_their_facts() -> None:
    relations = [*split_relations("train"), *split_relations("dev")]
    generator, known = ProfileGenerator(relations, {}, Random(0)), {relation.relation for relation in relations}
    found = [generator.example() for _ in range(120)]
    for text in found:
        places = [(m.start, m.end) for m in text.mentions]
        assert places == sorted(places)
        assert all(text.text[start:end].strip() for start, end in places)
        assert text.facts and {fact.relation for fact in text.facts} <= known
        assert all(fact.subject != fact.object for fact in text.facts)
        assert "{" not in text.text and "None" not in text.text
    lower = [t.text[t.mentions[f.object].start] for t in found for f in t.facts if f.relation == "position played"]
    assert lower and any(letter.islower() for letter in lower)


def test_profiles_keep_to_names_of_their_split() -> None:
    relations = list(split_relations("train"))
    sports = {
        text.text[text.mentions[fact.object].start : text.mentions[fact.object].end]
        for generator in [ProfileGenerator(relations, {}, Random(1))]
        for text in (generator.example() for _ in range(150))
        for fact in text.facts
        if fact.relation == "sport played"
    }
    assert sports and all("train" in (data_split(name), data_split(name.lower())) for name in sports)
