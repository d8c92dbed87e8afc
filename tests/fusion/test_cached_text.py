"""Caches that are reset, cropped, reordered, copied and handed on: a text never gets what another text found."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
import transformers
from transformers import DynamicCache, StaticCache

from graphmem.core.errors import InvalidValue
from graphmem.model import GraphMemoryModel, attach
from graphmem.testing import FixedMemory, byte_tokenizer, open_gates, tiny_model

ADA, KALLE, BO = "Where does Ada live?", "Where does Kalle Berg live?", "Where does Bo live?"
HOMES = {ADA: "London", KALLE: "Bergen", BO: "Malmö"}


class Homes:
    """A memory of where people live, asked by whole questions."""

    def __init__(self) -> None:
        self.queries: list[str] = []

    def retrieve(self, query: str, *, top_k: int = 10, ranker: str = "activation", as_of: Any = None) -> Any:
        self.queries.append(query)
        return home(query)


def home(query: str) -> Any:
    return FixedMemory(*([HOMES[query]] if query in HOMES else [])).retrieve(query)


@pytest.fixture(params=["Llama", "Gemma2", "GPT2"])
def model(request: pytest.FixtureRequest) -> GraphMemoryModel:
    return wrapped(request.param)


def wrapped(name: str = "Llama") -> GraphMemoryModel:
    return open_gates(attach(tiny_model(name), byte_tokenizer("<|im_start|>", "<|im_end|>"), Homes())).eval()


def turn(model: GraphMemoryModel, *questions: str, before: str = "") -> torch.Tensor:
    """Prompts of one user turn each, padded on the left with spaces to one length."""
    texts = [f"{before}<|im_start|>user\n{text}<|im_end|>\n<|im_start|>assistant\n" for text in questions]
    rows = [model.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    width, blank = max(map(len, rows)), model.tokenizer(" ")["input_ids"]
    return torch.tensor([blank * (width - len(row)) + row for row in rows])


def expected(model: GraphMemoryModel, whole: torch.Tensor, *questions: str) -> torch.Tensor:
    """Last logits of whole texts, without a cache, with what each question finds."""
    return model(whole, retrieval=[home(question) for question in questions], use_cache=False).logits[:, -1]


def same(one: torch.Tensor, two: torch.Tensor) -> bool:
    return torch.allclose(one, two, atol=2e-4)


def queries(model: GraphMemoryModel) -> list[str]:
    return model.memory.queries  # type: ignore[attr-defined,no-any-return]


STEP = torch.tensor([[70]])


@torch.no_grad()
def test_one_cache_over_several_turns_reads_the_last_one() -> None:
    model = wrapped()
    first, second = turn(model, ADA), turn(model, KALLE, before="London<|im_end|>\n")
    out = model(first, use_cache=True)
    cache = out.past_key_values
    again = model(second, past_key_values=cache).logits[:, -1]
    assert queries(model) == [ADA, KALLE]
    whole = torch.cat([first, second], 1)
    assert same(again, expected(model, whole, KALLE)) and not same(again, expected(model, whole, ADA))
    step = model(STEP, past_key_values=cache).logits[:, -1]
    assert same(step, expected(model, torch.cat([whole, STEP], 1), KALLE)) and queries(model) == [ADA, KALLE]


@torch.no_grad()
def test_the_same_question_again_is_asked_again() -> None:
    model = wrapped()
    cache = model(turn(model, ADA), use_cache=True).past_key_values
    model(turn(model, ADA, before="London<|im_end|>\n"), past_key_values=cache)
    assert queries(model) == [ADA, ADA], "the memory may have changed meanwhile"


@torch.no_grad()
def test_plain_text_that_goes_on_is_new_text(model: GraphMemoryModel) -> None:
    ids = [torch.tensor([model.tokenizer(text)["input_ids"]]) for text in (ADA, KALLE)]
    cache = model(ids[0], use_cache=True).past_key_values
    again = model(ids[1], past_key_values=cache).logits[:, -1]
    assert queries(model) == [ADA, KALLE] and same(again, expected(model, torch.cat(ids, 1), KALLE))
    more = torch.tensor([model.tokenizer(" Or so.")["input_ids"]])
    model(more, past_key_values=cache)
    assert queries(model)[2:] == [" Or so.".strip(), f"{ADA}{KALLE} Or so."], (
        "all of it, where the new words find nothing"
    )


@torch.no_grad()
@pytest.mark.parametrize("kind", ["static", "reset", "cropped"])
def test_an_emptied_cache_holds_no_text(kind: str) -> None:
    model = wrapped()
    static = StaticCache(config=model.base.config, max_cache_len=128)
    cache: Any = static if kind == "static" else DynamicCache(config=model.base.config)
    for question in (ADA, KALLE, BO):
        prompt = turn(model, question)
        answer = model(prompt, past_key_values=cache).logits[:, -1]
        assert queries(model)[-1] == question and same(answer, expected(model, prompt, question))
        step = model(STEP, past_key_values=cache).logits[:, -1]
        assert same(step, expected(model, torch.cat([prompt, STEP], 1), question))
        cache.reset() if kind != "cropped" else cache.crop(-int(cache.get_seq_length()))


@torch.no_grad()
@pytest.mark.parametrize("change", ["filled", "shifted", "zeroed"])
def test_a_cache_with_another_text_is_not_read_on(change: str) -> None:
    model = wrapped()
    prompt, other = turn(model, ADA), turn(model, BO, before=" " * (len(ADA) - len(BO)))
    assert prompt.shape == other.shape
    cache = model(prompt, use_cache=True).past_key_values
    if change == "filled":  # by somebody who calls the base itself
        cache.crop(-prompt.shape[1])
        model.base(other, past_key_values=cache)
    elif change == "shifted":
        cache.layers[-1].keys = cache.layers[-1].keys.roll(1, 2)
    else:
        cache.layers[-1].keys.zero_()
    with pytest.raises(InvalidValue, match="past_key_values is not known"):
        model(STEP, past_key_values=cache)
    assert queries(model) == [ADA]
    model(STEP, past_key_values=cache, retrieval=home(BO))
    model(turn(model, KALLE), past_key_values=cache)
    assert queries(model) == [ADA, KALLE]


@torch.no_grad()
def test_rows_that_are_swapped_repeated_and_selected_keep_their_own(model: GraphMemoryModel) -> None:
    prompts = turn(model, ADA, KALLE)
    cache, own = model(prompts, use_cache=True).past_key_values, [ADA, KALLE]
    steps, asked = torch.tensor([[70], [71]]), len(queries(model))
    for change, order in (
        (lambda: cache.reorder_cache(torch.tensor([1, 0])), [1, 0]),
        (lambda: cache.batch_repeat_interleave(2), [1, 1, 0, 0]),
        (lambda: cache.batch_select_indices(torch.tensor([0, 2, 3])), [1, 0, 0]),
        (lambda: cache.reorder_cache(torch.tensor([1, 1, 0])), [0, 0, 1]),
    ):
        change()
        new = steps[:1].expand(len(order), 1) + torch.arange(len(order))[:, None]
        before = copy.deepcopy(cache)
        logits = model(new, past_key_values=before).logits[:, -1]
        whole = torch.cat([prompts[order], new], 1)
        assert same(logits, expected(model, whole, *(own[row] for row in order)))
    assert len(queries(model)) - asked == 0
    with pytest.raises(InvalidValue, match="holds 3 rows, the new tokens 2"):
        model(steps, past_key_values=cache)


@torch.no_grad()
def test_copies_of_a_prefix_go_their_own_ways(model: GraphMemoryModel) -> None:
    prompt = turn(model, ADA)
    prefix = model(prompt, use_cache=True).past_key_values
    texts, caches = [prompt, prompt], [copy.deepcopy(prefix), copy.deepcopy(prefix)]
    for t in range(4):
        for branch in (0, 1):
            token = STEP + 2 * t + 5 * branch
            texts[branch] = torch.cat([texts[branch], token], 1)
            step = model(token, past_key_values=caches[branch]).logits[:, -1]
            assert same(step, expected(model, texts[branch], ADA))
    assert queries(model) == [ADA]
    second = turn(model, KALLE, before="London<|im_end|>\n")
    step = model(second, past_key_values=copy.deepcopy(prefix)).logits[:, -1]
    assert same(step, expected(model, torch.cat([prompt, second], 1), KALLE))


@torch.no_grad()
def test_drafts_are_taken_back_without_asking_again(model: GraphMemoryModel) -> None:
    prompt = turn(model, ADA)
    cache, draft = model(prompt, use_cache=True).past_key_values, torch.tensor([[70, 71, 72, 73]])
    model(draft, past_key_values=cache)
    cache.crop(-2)
    step = model(STEP, past_key_values=cache).logits[:, -1]
    assert queries(model) == [ADA]
    assert same(step, expected(model, torch.cat([prompt, draft[:, :2], STEP], 1), ADA))


@torch.no_grad()
def test_a_turn_that_comes_in_token_by_token_is_asked_when_it_ends() -> None:
    model = wrapped()
    cache = model(turn(model, ADA), use_cache=True).past_key_values
    for token in turn(model, KALLE, before="London<|im_end|>\n")[0]:
        model(token.view(1, 1), past_key_values=cache)
    assert queries(model) == [ADA, KALLE]


@torch.no_grad()
def test_a_prompt_that_found_nothing_or_was_not_searched_for() -> None:
    model = wrapped()
    cache = model(turn(model, "Who was it?"), use_cache=True).past_key_values
    for _ in range(3):
        model(STEP, past_key_values=cache)
    assert queries(model) == ["Who was it?"], "nothing was found, and nothing is searched for at each token"
    prompt = turn(model, KALLE)
    with model.memory_disabled():
        cache = model(prompt, use_cache=True).past_key_values
    step = model(STEP, past_key_values=cache).logits[:, -1]
    assert queries(model)[1:] == [KALLE]
    plain = model.base(prompt, use_cache=True).past_key_values
    assert not same(step, model.base(STEP, past_key_values=plain).logits[:, -1])


@torch.no_grad()
def test_another_memory_is_asked_itself() -> None:
    model = wrapped()
    prompt = turn(model, ADA)
    cache = model(prompt, use_cache=True).past_key_values
    model.memory = FixedMemory("Bergen")
    step = model(STEP, past_key_values=cache).logits[:, -1]
    assert queries(model) == [ADA] and same(step, expected(model, torch.cat([prompt, STEP], 1), KALLE))


@torch.no_grad()
def test_outputs_as_a_tuple_keep_the_text_as_well() -> None:
    model = wrapped()
    out = model(turn(model, ADA), use_cache=True, return_dict=False)
    cache = next(part for part in out if hasattr(part, "get_seq_length"))
    model(STEP, past_key_values=cache, return_dict=False)
    model(STEP, past_key_values=cache, return_dict=False)
    assert queries(model) == [ADA]


@torch.no_grad()
def test_padding_stays_out_of_the_query() -> None:
    model = wrapped()
    rows, pad = [turn(model, ADA)[0], turn(model, KALLE)[0]], 1
    width = max(map(len, rows))
    ids = torch.stack([torch.cat([torch.full((width - len(row),), pad), row]) for row in rows])
    mask = torch.stack([(torch.arange(width) >= width - len(row)).long() for row in rows])
    cache = model(ids, attention_mask=mask, use_cache=True).past_key_values
    new = turn(model, BO, BO)
    model(new, attention_mask=torch.cat([mask, torch.ones_like(new)], 1), past_key_values=cache)
    assert queries(model) == [ADA, KALLE, BO, BO]


@torch.no_grad()
def test_a_lossy_cache_is_read_on() -> None:
    model = wrapped()
    try:
        cache = transformers.QuantizedCache("fp8", model.base.config)
    except (AttributeError, TypeError, ValueError):
        pytest.skip("this transformers has no quantised cache without further packages")
    model(turn(model, ADA), past_key_values=cache)
    for _ in range(3):
        model(STEP, past_key_values=cache)
    assert queries(model) == [ADA]
    model(turn(model, KALLE), past_key_values=cache)
    assert queries(model) == [ADA, KALLE]


@torch.no_grad()
def test_a_saved_cache_comes_back_without_the_memory() -> None:
    model = wrapped()
    cache = model(turn(model, ADA), use_cache=True).past_key_values
    loaded = pickle.loads(pickle.dumps(cache))
    assert loaded.get_seq_length() == cache.get_seq_length()
    with pytest.raises(InvalidValue, match="not known"):
        model(STEP, past_key_values=loaded)


@torch.no_grad()
def test_two_models_over_one_cache_ask_for_themselves() -> None:
    base = tiny_model("Llama")
    models = [open_gates(attach(base, byte_tokenizer("<|im_start|>", "<|im_end|>"), Homes())) for _ in range(2)]
    cache = models[0](turn(models[0], ADA), use_cache=True).past_key_values
    with pytest.raises(InvalidValue, match="not known"):
        models[1](STEP, past_key_values=cache)


@torch.no_grad()
def test_embeddings_go_on_with_what_was_given() -> None:
    model = wrapped()
    prompt, embed = turn(model, ADA), model.base.get_input_embeddings()
    whole = expected(model, torch.cat([prompt, STEP], 1), ADA)
    cache = model(inputs_embeds=embed(prompt), retrieval=home(ADA), use_cache=True).past_key_values
    assert same(model(STEP, past_key_values=copy.deepcopy(cache)).logits[:, -1], whole)
    assert same(model(inputs_embeds=embed(STEP), past_key_values=copy.deepcopy(cache)).logits[:, -1], whole)
    with pytest.raises(InvalidValue, match="retrieval must be given with inputs_embeds"):
        model(inputs_embeds=embed(prompt), past_key_values=cache)


@torch.no_grad()
def test_generation_over_a_kept_cache_asks_for_the_last_turn() -> None:
    model = wrapped()
    first = turn(model, ADA)
    cache = DynamicCache(config=model.base.config)
    one = model.generate(first, past_key_values=cache, max_new_tokens=3, min_new_tokens=3, do_sample=False)
    second = torch.cat([one, turn(model, KALLE, before="<|im_end|>\n")], 1)
    two = model.generate(second, past_key_values=cache, max_new_tokens=3, min_new_tokens=3, do_sample=False)
    assert queries(model) == [ADA, KALLE]
    fresh = model.generate(second, max_new_tokens=3, min_new_tokens=3, do_sample=False)
    assert torch.equal(two[:, -3:], fresh[:, -3:])
    only = turn(model, BO, before="<|im_end|>\n")
    mask = torch.ones(1, cache.get_seq_length() + only.shape[1], dtype=torch.long)
    model.generate(only, past_key_values=cache, attention_mask=mask, max_new_tokens=2, do_sample=False)
    assert queries(model)[-1] == BO


@torch.no_grad()
def test_assisted_decoding_asks_once() -> None:
    model = wrapped()
    plain = model.generate(turn(model, ADA), max_new_tokens=8, min_new_tokens=8, do_sample=False)
    assisted = model.generate(
        turn(model, ADA), max_new_tokens=8, min_new_tokens=8, do_sample=False, prompt_lookup_num_tokens=3
    )
    assert torch.equal(plain, assisted) and queries(model) == [ADA, ADA]


@torch.no_grad()
@pytest.mark.parametrize("name", ["T5", "Bart"])
def test_an_encoder_decoder_goes_on_with_its_prompt(name: str) -> None:
    torch.manual_seed(0)
    sizes = dict(vocab_size=260, d_model=32, eos_token_id=1, pad_token_id=1, decoder_start_token_id=0)
    more: dict[str, Any] = {
        "T5": {"d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4},
        "Bart": {
            "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4, "decoder_attention_heads": 4,
            "encoder_ffn_dim": 48, "decoder_ffn_dim": 48, "max_position_embeddings": 128,
        },
    }[name]  # fmt: skip
    config = getattr(transformers, f"{name}Config")(**sizes, **more)
    base = transformers.AutoModelForSeq2SeqLM.from_config(config).float().eval()
    model = open_gates(attach(base, byte_tokenizer("<|im_start|>", "<|im_end|>"), Homes()))
    prompts, start, steps = turn(model, ADA, KALLE), torch.zeros(2, 1, dtype=torch.long), torch.tensor([[70], [71]])
    whole = model(prompts, decoder_input_ids=torch.cat([start, steps], 1), use_cache=False).logits[:, -1]
    queries(model).clear()
    out = model(prompts, decoder_input_ids=start, use_cache=True)
    again = model(prompts, decoder_input_ids=steps, past_key_values=copy.deepcopy(out.past_key_values)).logits[:, -1]
    assert same(again, whole) and queries(model) == [ADA, KALLE]
    states = transformers.modeling_outputs.BaseModelOutput(out.encoder_last_hidden_state)
    alone = model(encoder_outputs=states, decoder_input_ids=steps, past_key_values=out.past_key_values).logits[:, -1]
    assert same(alone, whole) and queries(model) == [ADA, KALLE]
    with pytest.raises(InvalidValue, match="encoder_outputs"):
        model(encoder_outputs=states, decoder_input_ids=start)
