"""Training of telling: what a text is told is what its memory would hold, and only the telling half learns."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import torch

from graphmem.core.errors import InvalidValue
from graphmem.fusion.candidates import CONTINUATION_FEATURES
from graphmem.fusion.continuation_attention import DROPPED, ContinuationAttention
from graphmem.model import GraphMemoryModel
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, GoldMention
from graphmem.text.lexicon import split_relations
from graphmem.training.fusion.continuation_examples import ContinuationExamples, Marked, marked, names_asked, own_texts
from graphmem.training.fusion.examples import Example as Taught
from graphmem.training.fusion.examples import Wording
from graphmem.training.fusion.train_continuation import ContinuationTraining, train_continuation
from graphmem.training.fusion.trainer import FusionTraining
from graphmem.training.loop import LoopConfig

TEXT = AnnotatedText(
    "Ada was born in London. Ada Lovelace, they say, never saw Paris.",
    [
        GoldMention(0, 3, "entity", 0), GoldMention(16, 22, "entity", 1), GoldMention(24, 36, "entity", 0),
        GoldMention(58, 63, "entity", 2),
    ],
    [GoldFact(0, "born in", 1), GoldFact(0, "visited", 3, "denied")],
)  # fmt: skip


def test_a_thing_bears_its_longest_name_and_denied_facts_are_not_held() -> None:
    (text,) = marked([TEXT, AnnotatedText("It rained.")])
    assert text.topic == "Ada Lovelace"
    assert text.facts == (("Ada Lovelace", "born in", "London"),)
    assert [text.text[a:b] for a, b in text.spans] == ["London", "Ada Lovelace", "Paris"]


def test_what_is_told_begins_at_the_topic_and_scores_every_name(
    model: GraphMemoryModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for share in ("LATE", "LED"):
        monkeypatch.setattr(f"graphmem.training.fusion.continuation_examples.{share}", 0.0)
    facts = (("Ada", "born in", "London"), ("London", "capital of", "England"))
    text = Marked("Ada was born in London.", ((0, 3), (16, 22)), "Ada", facts)
    others = [Marked("Oslo is in Norway.", ((0, 4), (11, 17)), "Oslo", (("Oslo", "located in", "Norway"),))]
    relations = {relation.relation: relation for relation in split_relations("train")}
    telling = ContinuationExamples(Wording(model.tokenizer, model.names), [text, *others], relations, 4, Random(0))
    whole = 0
    for _ in range(30):
        made = telling.example(text)
        assert made is not None and made.scored is not None and made.found is not None and made.found.told is not None
        assert set(range(16 - 1, 22 - 1)) <= set(made.scored)  # every letter is a token here; the first is no target
        names, features = made.found.names, made.found.told.features
        assert len(names) <= 4 and "Ada" in names
        assert features[names.index("Ada"), CONTINUATION_FEATURES.index("topic")] == 1
        if "London" in names:
            whole += features[names.index("London"), CONTINUATION_FEATURES.index("one")] == 1
    assert whole > 15  # of 30, some forget the fact


def test_some_texts_are_asked_about_by_a_later_name_and_some_begin_with_another_word(
    model: GraphMemoryModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = Marked("Ada was born in London.", ((0, 3), (16, 22)), "Ada", (("Ada", "born in", "London"),))
    telling = ContinuationExamples(Wording(model.tokenizer, model.names), [text], {}, 4, Random(0))
    varied = [telling._varied(text) for _ in range(200)]
    assert {made.topic for made in varied} == {"Ada", "London"} and len({made.text for made in varied}) == 4
    assert all([made.text[a:b] for a, b in made.spans] == ["Ada", "London"] for made in varied)
    monkeypatch.setattr("graphmem.training.fusion.continuation_examples.LATE", 1.0)
    late = next(made for _ in range(40) if (made := telling.example(text)) and told(made))
    assert late.found is not None and late.found.names[0] == "London"


def told(example: Taught) -> bool:
    return example.found is not None and example.found.names[0] == "London"


def test_own_texts_share_no_name_with_what_will_be_asked(tmp_path: Path) -> None:
    rows = [
        {"text": "Ada was born in London.", "triples": [["Ada", "birthPlace", "London"]]},
        {"text": "Oslo lies in Norway.", "triples": [["Oslo", "country", "Norway"]]},
        {"text": "Bo was born in LONDON.", "triples": [["Bo", "birthPlace", "london"]]},
        {"text": "Nobody is named here.", "triples": [["Cy", "birthPlace", "Rome"]]},
    ]
    learned, asked = tmp_path / "learned.jsonl", tmp_path / "asked.jsonl"
    learned.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    asked.write_text(json.dumps(rows[0]), encoding="utf-8")
    assert [text.topic for text in own_texts(learned)] == ["Ada", "Oslo", "Bo"]
    apart = names_asked(asked, 100)
    assert apart == {"Ada", "London"}
    (text,) = own_texts(learned, apart)
    assert text == Marked("Oslo lies in Norway.", ((0, 4), (13, 19)), "Oslo", (("Oslo", "country", "Norway"),))
    asked.write_text("{", encoding="utf-8")
    with pytest.raises(InvalidValue, match="cannot read"):
        own_texts(asked)


@pytest.mark.parametrize("model", ["Llama"], indirect=True)
def test_only_telling_learns(
    model: GraphMemoryModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {name: value.clone() for name, value in model.fusion.state_dict().items()}
    rain = "It rained all day, and then some."
    monkeypatch.setattr("graphmem.training.fusion.train_continuation.plain_texts", lambda count, rng: [rain] * count)
    plan = ContinuationTraining(texts=12, articles=4, distant=0, portraits=3, beside=3, accidental=0)
    training = FusionTraining(LoopConfig(3, log_every=1), batch=4, held=1, refusals=0.0)
    trained = train_continuation(model, None, tmp_path, training, plan)
    changed = {name for name, value in trained.fusion.state_dict().items() if not torch.equal(value, before[name])}
    told = {name for name in changed if ".told." in name}
    assert told and all(name in told or name.endswith(".gate") for name in changed)  # closed gates are opened to learn
    assert trained.fusion.tells and trained.config.quiet_text == trained.config.quiet
    assert trained.config.quiet_topic == 0
    assert not any(trained.fusion[layer].told.dropped for layer in trained.fusion.layers)
    assert trained.config.vocab_size == model.base.config.vocab_size  # still answers for the base
    again = GraphMemoryModel.from_pretrained(model.base, tmp_path, memory=None, tokenizer=model.tokenizer)  # type: ignore[arg-type]
    assert again.fusion.tells and again.config.quiet_text == trained.config.quiet_text


def test_learning_afresh_unlearns_which_name_is_next_and_keeps_when() -> None:
    telling = ContinuationAttention(8, 8, 8, 2)
    with torch.no_grad():
        for parameter in telling.parameters():
            parameter.fill_(3.0)
    telling.forget()
    unlearned = {name for name, value in telling.named_parameters() if not (value == 3.0).all()}
    assert unlearned == {"query.weight", "early.weight", "relation.weight", "name.weight"}
    state = torch.ones(1, 5, 8)
    assert torch.equal(telling.state(state, state), telling.state(state, state)), "also in training mode"
    telling.dropped = DROPPED
    assert not torch.equal(telling.state(state, state), telling.state(state, state)), "left out while it learns"
