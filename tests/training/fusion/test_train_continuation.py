"""Training of continuation attention: candidates are those of a memory, and the rest of the weights is unchanged."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random

import pytest
import torch

from graphmem.core.errors import InvalidValue
from graphmem.datasets.webnlg import FactText, fact_texts
from graphmem.fusion.candidates import CONTINUATION_FEATURES
from graphmem.fusion.continuation_attention import DROPOUT, ContinuationAttention
from graphmem.model import GraphMemoryModel
from graphmem.synthetic.annotated_texts import AnnotatedText, GoldFact, GoldMention
from graphmem.text.lexicon import split_relations
from graphmem.training.fusion.continuation_examples import ContinuationExamples, mark_texts, user_texts
from graphmem.training.fusion.examples import Example, ExampleBuilder
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


def test_entities_get_their_longest_name_and_negated_facts_are_left_out() -> None:
    (text,) = mark_texts([TEXT, AnnotatedText("It rained.")])
    assert text.topic == "Ada Lovelace"
    assert text.gold == (("Ada Lovelace", "born in", "London"),)
    assert [text.text[a:b] for a, b in text.mentions] == ["London", "Ada Lovelace", "Paris"]


def test_candidates_start_at_the_topic_and_every_name_is_scored(
    model: GraphMemoryModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for share in ("LATER_TOPIC", "PREFIXED"):
        monkeypatch.setattr(f"graphmem.training.fusion.continuation_examples.{share}", 0.0)
    facts = (("Ada", "born in", "London"), ("London", "capital of", "England"))
    text = FactText("Ada was born in London.", ((0, 3), (16, 22)), facts, "Ada")
    others = [FactText("Oslo is in Norway.", ((0, 4), (11, 17)), (("Oslo", "located in", "Norway"),), "Oslo")]
    relations = {relation.relation: relation for relation in split_relations("train")}
    examples = ContinuationExamples(ExampleBuilder(model), [text, *others], relations, Random(0))
    whole = 0
    for _ in range(30):
        made = examples.example(text)
        assert (
            made is not None
            and made.scored is not None
            and made.found is not None
            and made.found.continuation is not None
        )
        assert set(range(16 - 1, 22 - 1)) <= set(made.scored)  # every letter is a token here; the first is no target
        names, features = made.found.names, made.found.continuation.features
        assert len(names) <= 4 and "Ada" in names
        assert features[names.index("Ada"), CONTINUATION_FEATURES.index("topic")] == 1
        if "London" in names:
            whole += features[names.index("London"), CONTINUATION_FEATURES.index("one")] == 1
    assert whole > 15  # of 30, some lack the fact


def test_some_texts_have_a_later_topic_and_some_a_word_before(
    model: GraphMemoryModel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    text = FactText("Ada was born in London.", ((0, 3), (16, 22)), (("Ada", "born in", "London"),), "Ada")
    examples = ContinuationExamples(ExampleBuilder(model), [text], {}, Random(0))
    varied = [examples._varied(text) for _ in range(200)]
    assert {made.topic for made in varied} == {"Ada", "London"} and len({made.text for made in varied}) == 4
    assert all([made.text[a:b] for a, b in made.mentions] == ["Ada", "London"] for made in varied)
    monkeypatch.setattr("graphmem.training.fusion.continuation_examples.LATER_TOPIC", 1.0)
    late = next(made for _ in range(40) if (made := examples.example(text)) and starts_with_london(made))
    assert late.found is not None and late.found.names[0] == "London"


def starts_with_london(example: Example) -> bool:
    return example.found is not None and example.found.names[0] == "London"


def test_user_texts_share_no_name_with_excluded_ones(tmp_path: Path) -> None:
    rows = [
        {"text": "Ada was born in London.", "triples": [["Ada", "birthPlace", "London"]]},
        {"text": "Oslo lies in Norway.", "triples": [["Oslo", "country", "Norway"]]},
        {"text": "Bo was born in LONDON.", "triples": [["Bo", "birthPlace", "london"]]},
        {"text": "Nobody is named here.", "triples": [["Cy", "birthPlace", "Rome"]]},
    ]
    learned, excluded = tmp_path / "learned.jsonl", tmp_path / "excluded.jsonl"
    learned.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    excluded.write_text(json.dumps(rows[0]), encoding="utf-8")
    assert [text.topic for text in user_texts(learned)] == ["Ada", "Oslo", "Bo"]
    names = fact_texts(excluded)[0].names
    assert names == {"Ada", "London"}
    (text,) = user_texts(learned, names)
    assert text == FactText("Oslo lies in Norway.", ((0, 4), (13, 19)), (("Oslo", "country", "Norway"),), "Oslo")
    excluded.write_text("{", encoding="utf-8")
    with pytest.raises(InvalidValue, match="not JSON lines"):
        user_texts(excluded)


@pytest.mark.parametrize("model", ["Llama"], indirect=True)
def test_only_continuation_attention_is_trained(
    model: GraphMemoryModel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = {name: value.clone() for name, value in model.fusion.state_dict().items()}
    rain = "It rained all day, and then some."
    monkeypatch.setattr("graphmem.training.fusion.train_continuation.plain_texts", lambda count, rng: [rain] * count)
    plan = ContinuationTraining(texts=12, articles=4, distant=0, portraits=3, unrelated=3, accidental=0)
    training = FusionTraining(LoopConfig(3, log_every=1), batch=4, kl_batch=1, refusals=0.0)
    trained = train_continuation(model, None, tmp_path, training, plan)
    changed = {name for name, value in trained.fusion.state_dict().items() if not torch.equal(value, before[name])}
    continuation = {name for name in changed if ".continuation." in name}
    assert continuation and all(
        name in continuation or name.endswith(".gate") for name in changed
    )  # closed gates are opened to learn
    assert trained.fusion.reads_text and trained.config.min_attention_text == trained.config.min_attention
    assert trained.config.min_attention_topic == 0
    assert not any(trained.fusion[layer].continuation.dropout for layer in trained.fusion.layers)
    assert trained.config.vocab_size == model.base.config.vocab_size  # still passes through to the base's config
    again = GraphMemoryModel.from_pretrained(model.base, tmp_path, memory=model.memory, tokenizer=model.tokenizer)
    assert again.fusion.reads_text and again.config.min_attention_text == trained.config.min_attention_text


def test_reset_scores_keeps_the_null_slot_and_dropout_is_random() -> None:
    attention = ContinuationAttention(8, 8, 8, 2)
    with torch.no_grad():
        for parameter in attention.parameters():
            parameter.fill_(3.0)
    attention.reset_scores()
    unlearned = {name for name, value in attention.named_parameters() if not (value == 3.0).all()}
    assert unlearned == {"query.weight", "early.weight", "relation.weight", "name.weight"}
    state = torch.ones(1, 5, 8)
    assert torch.equal(attention.state_query(state, state), attention.state_query(state, state)), (
        "also in training mode"
    )
    attention.dropout = DROPOUT
    assert not torch.equal(attention.state_query(state, state), attention.state_query(state, state)), (
        "dropped while training"
    )
