"""Chat templates: the templates of well-known models, probed, and the user's last turn found in their prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from graphmem.adapters.chat_templates import (
    CHATML,
    PLAIN,
    chat_prompt,
    chat_template,
    ends_user_turn,
    is_chat,
    last_user_text,
    stop_token,
    user_turns,
)
from graphmem.core.errors import UnsupportedModel
from graphmem.model import attach
from graphmem.testing import FixedMemory, byte_tokenizer, tiny_model

_SPLIT = (
    "{%- if messages[0]['role'] == 'system' %}{%- set system = messages[0]['content'] %}"
    "{%- set turns = messages[1:] %}{%- else %}{%- set turns = messages %}{%- endif %}"
)
_ALTERNATE = (
    "{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}"
)
TEMPLATES = {
    "Llama-3": (
        "{% for message in messages %}{% set content = '<|start_header_id|>' + message['role'] + "
        "'<|end_header_id|>\n\n' + message['content'] | trim + '<|eot_id|>' %}{% if loop.index0 == 0 %}"
        "{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}{% if add_generation_prompt %}"
        "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
    ),
    "Llama-3.1": (
        _SPLIT + "{{- bos_token + '<|start_header_id|>system<|end_header_id|>\n\n' }}"
        "{{- 'Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n' }}"
        "{{- (system if system is defined else '') | trim + '<|eot_id|>' }}{%- for message in turns %}"
        "{{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' + message['content'] | trim }}"
        "{{- '<|eot_id|>' }}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}"
    ),
    "Llama-2": (
        _SPLIT + "{%- for message in turns %}{%- if loop.index0 == 0 and system is defined %}"
        "{%- set content = '<<SYS>>\n' + system + '\n<</SYS>>\n\n' + message['content'] %}{%- else %}"
        "{%- set content = message['content'] %}{%- endif %}{%- if message['role'] == 'user' %}"
        "{{- bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{%- else %}"
        "{{- ' ' + content.strip() + ' ' + eos_token }}{%- endif %}{%- endfor %}"
    ),
    "Mistral-0.1": (
        "{{ bos_token }}{% for message in messages %}" + _ALTERNATE + "{% if message['role'] == 'user' %}"
        "{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}"
        "{{ message['content'] + eos_token + ' ' }}{% else %}"
        "{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}"
    ),
    "Mistral-0.2, system prompt in the first turn": (
        _SPLIT + "{{- bos_token }}{%- for message in turns %}{%- if message['role'] == 'user' %}"
        "{%- if loop.first and system is defined %}"
        "{{- ' [INST] ' + system + '\n\n' + message['content'] + ' [/INST]' }}"
        "{%- else %}{{- ' [INST] ' + message['content'] + ' [/INST]' }}{%- endif %}{%- else %}"
        "{{- ' ' + message['content'] + eos_token }}{%- endif %}{%- endfor %}"
    ),
    "Mistral-0.3, system prompt in the last turn": (
        _SPLIT + "{{- bos_token }}{%- for message in turns %}{%- if message['role'] == 'user' %}"
        "{%- if loop.last and system is defined %}{{- '[INST] ' + system + '\n\n' + message['content'] + '[/INST]' }}"
        "{%- else %}{{- '[INST] ' + message['content'] + '[/INST]' }}{%- endif %}{%- else %}"
        "{{- ' ' + message['content'] | trim + eos_token }}{%- endif %}{%- endfor %}"
    ),
    "Phi-3": (
        "{% for message in messages %}{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}"
    ),
    "Gemma-2": (
        "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}"
        "{% endif %}{% for message in messages %}" + _ALTERNATE + "{% if (message['role'] == 'assistant') %}"
        "{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}"
        "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{'<start_of_turn>model\n'}}{% endif %}"
    ),
    "Gemma-3": (
        _SPLIT + "{{- bos_token }}{%- for message in turns %}{%- if message['role'] == 'assistant' %}"
        "{%- set role = 'model' %}{%- else %}{%- set role = message['role'] %}{%- endif %}"
        "{{- '<start_of_turn>' + role + '\n' + (system + '\n\n' if loop.first and system is defined else '') }}"
        "{{- message['content'] | trim + '<end_of_turn>\n' }}{%- endfor %}{%- if add_generation_prompt %}"
        "{{- '<start_of_turn>model\n' }}{%- endif %}"
    ),
    "ChatML": (
        "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
        "{{ '<|im_start|>system\nYou are a helpful AI assistant named SmolLM<|im_end|>\n' }}{% endif %}"
        "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
    ),
    "channels, with a system prompt of its own": (
        "{{- '<|start|>system<|message|>You are a model.<|end|>' }}{%- for message in messages %}"
        "{%- if message['role'] == 'assistant' %}{{- '<|start|>assistant<|channel|>final<|message|>' }}"
        "{{- message['content'] + ('<|return|>' if loop.last else '<|end|>') }}{%- elif message['role'] == 'system' %}"
        "{{- '<|start|>developer<|message|>' + message['content'] + '<|end|>' }}{%- else %}"
        "{{- '<|start|>user<|message|>' + message['content'] + '<|end|>' }}{%- endif %}{%- endfor %}"
        "{%- if add_generation_prompt %}{{- '<|start|>assistant' }}{%- endif %}"
    ),
    "parts": (
        "{{ bos_token }}{% for message in messages %}{{ '<|turn|>' + message['role'] + '\n' }}"
        "{% for part in message['content'] %}{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}"
        "{{ '<|done|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|turn|>assistant\n' }}{% endif %}"
    ),
    "Zephyr": (
        "{% for message in messages %}\n{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token }}\n"
        "{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}"
    ),
    "words alone": (
        "{% for message in messages %}{% if message['role'] == 'user' %}{{ 'USER: ' + message['content'] + ' ' }}"
        "{% elif message['role'] == 'assistant' %}{{ 'ASSISTANT: ' + message['content'] + eos_token }}{% else %}"
        "{{ message['content'] + ' ' }}{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
    ),
    "headings": (
        "{% for message in messages %}{% if message['role'] == 'user' %}"
        "{{ '### Instruction:\n' + message['content'] + '\n\n' }}{% elif message['role'] == 'assistant' %}"
        "{{ '### Response:\n' + message['content'] + '\n\n' }}{% else %}{{ message['content'] + '\n\n' }}{% endif %}"
        "{% endfor %}{% if add_generation_prompt %}{{ '### Response:\n' }}{% endif %}"
    ),
}
"""Templates as the models' tokenizers hold them, without their parts for tools."""

FIRST, LAST = "Where does Ada live?", "Where does Kalle Berg live?"
SYSTEM = "You are the assistant of Acme in Oslo."
REFUSES = ("Gemma-2", "Mistral-0.1")
ENDS = {
    "Llama-3": "<|eot_id|>", "Llama-3.1": "<|eot_id|>", "Phi-3": "<|end|>", "Gemma-2": "<end_of_turn>",
    "Gemma-3": "<end_of_turn>", "ChatML": "<|im_end|>",
}  # fmt: skip


def tokenizer_of(name: str, *special: str) -> Any:
    """A byte tokenizer with a template; the end of the model's turn is a token of its own."""
    made = byte_tokenizer()
    made.add_special_tokens({"additional_special_tokens": [*special, *([ENDS[name]] if name in ENDS else [])]})
    made.chat_template = TEMPLATES[name]
    return made


def conversation(system: bool, turns: int) -> list[dict[str, str]]:
    said = [{"role": "system", "content": SYSTEM}] if system else []
    for text in [FIRST, LAST][2 - turns :]:
        said += [{"role": "user", "content": f" {text}"}, {"role": "assistant", "content": "In London."}]
    return said[:-1]


def in_parts(tokenizer: Any, said: Sequence[dict[str, str]]) -> list[dict[str, Any]]:
    """Turns as the template takes them: their contents are lists of parts in the one for text and images."""
    if tokenizer.chat_template != TEMPLATES["parts"]:
        return list(said)
    return [turn | {"content": [{"type": "text", "text": turn["content"]}]} for turn in said]


def prompt_ids(tokenizer: Any, *said: dict[str, str], prompt: bool = True) -> list[int]:
    text = tokenizer.apply_chat_template(in_parts(tokenizer, said), tokenize=False, add_generation_prompt=prompt)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


@pytest.mark.parametrize("name", TEMPLATES)
@pytest.mark.parametrize("system", [False, True])
@pytest.mark.parametrize("turns", [1, 2])
@pytest.mark.parametrize("prompt", [False, True])
def test_the_last_user_turn_is_found(name: str, system: bool, turns: int, prompt: bool) -> None:
    tokenizer = tokenizer_of(name)
    if system and name in REFUSES:
        pytest.skip("this template refuses a system prompt")
    ids = prompt_ids(tokenizer, *conversation(system, turns), prompt=prompt)
    assert last_user_text(tokenizer, ids) == LAST
    assert is_chat(tokenizer, ids) and user_turns(tokenizer, ids) == (turns, LAST)


@pytest.mark.parametrize("name", TEMPLATES)
def test_the_prompt_of_a_question_ends_a_user_turn(name: str) -> None:
    tokenizer = tokenizer_of(name)
    ids = tokenizer(chat_prompt(tokenizer, LAST), add_special_tokens=False)["input_ids"]
    assert last_user_text(tokenizer, ids) == LAST
    ended = [n for n in range(1, len(ids) + 1) if ends_user_turn(tokenizer, ids[:n])]
    assert ended and all(last_user_text(tokenizer, ids[:n]) == LAST for n in ended[-1:])
    assert not is_chat(tokenizer, tokenizer("Ada was born in London.")["input_ids"])


@pytest.mark.parametrize("name", ENDS)
def test_the_end_of_the_models_turn_stops_an_answer(name: str) -> None:
    tokenizer = tokenizer_of(name)
    assert stop_token(None, tokenizer) == tokenizer.convert_tokens_to_ids(ENDS[name])
    assert stop_token(None, byte_tokenizer()) == 1


@torch.no_grad()
@pytest.mark.parametrize(
    "name", ["Llama-3.1", "Mistral-0.3, system prompt in the last turn", "Phi-3", "Gemma-3", "ChatML"]
)
def test_a_model_searches_for_the_last_user_turn(name: str) -> None:
    memory, tokenizer = FixedMemory("London"), tokenizer_of(name)
    base = tiny_model("Llama")
    base.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    base.config.max_position_embeddings = 1024
    model = attach(base, tokenizer, memory)
    ids = torch.tensor([prompt_ids(tokenizer, *conversation(True, 2))])
    model(ids)
    model.generate(ids, max_new_tokens=1)
    model.ask(LAST, max_new_tokens=1)
    assert memory.queries == [LAST] * 3


def test_a_template_is_rendered_when_it_is_first_used_and_not_again() -> None:
    rendered = []

    class Counting:
        chat_template, all_special_tokens, bos_token, eos_token = "a", (), None, None

        def apply_chat_template(self, turns: Any, **options: Any) -> str:
            rendered.append(turns)
            return "".join(f"<{turn['role']}>{turn['content']}</{turn['role']}>" for turn in turns) + (
                "<assistant>" if options["add_generation_prompt"] else ""
            )

        def decode(self, ids: Any, **options: Any) -> str:
            return "".join(map(chr, ids))

    tokenizer = Counting()
    text = [*map(ord, "<user>Who?</user><assistant>")]
    assert last_user_text(tokenizer, text) == "Who?" and chat_template(tokenizer).end == "</user>"
    first = len(rendered)
    for _ in range(5):
        last_user_text(tokenizer, text)
    assert 0 < len(rendered) == first
    tokenizer.chat_template = "b"
    assert is_chat(tokenizer, text) and len(rendered) == 2 * first


@pytest.mark.parametrize("template", ["{{ nothing.at.all }}", "{% for", "{{ raise_exception('no') }}", "same for all"])
def test_a_template_that_cannot_be_read_leaves_plain_prompts(template: str) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.chat_template = template
    assert chat_template(tokenizer) is PLAIN
    assert chat_prompt(tokenizer, "Who?") == "Question: Who?\nAnswer:"


def test_a_template_whose_turns_begin_with_the_bos_token() -> None:
    tokenizer = byte_tokenizer("<|im_start|>", "<|im_end|>")
    tokenizer.chat_template = TEMPLATES["ChatML"]
    assert chat_template(tokenizer) is CHATML, "no system prompt is added to a question"
    assert chat_prompt(tokenizer, LAST) == f"<|im_start|>user\n{LAST}<|im_end|>\n<|im_start|>assistant\n"
    assert last_user_text(tokenizer, prompt_ids(tokenizer, *conversation(True, 2))) == LAST


def test_a_header_holds_nothing_of_the_turn_before() -> None:
    tokenizer = tokenizer_of("channels, with a system prompt of its own")
    text = f"<|start|>user<|message|>{LAST}<|end|><|start|>assistant"
    assert last_user_text(tokenizer, tokenizer(text)["input_ids"]) == LAST


def test_without_a_template_the_last_question_is_found() -> None:
    tokenizer = byte_tokenizer()
    chat = f"Question: {FIRST}\nAnswer: London\nQuestion: {LAST}\nAnswer:"
    assert last_user_text(tokenizer, tokenizer(chat)["input_ids"]) == LAST
    for plain in ("Question: who is it?", "He had a Question: none. Answer: none.", "Ada was born in"):
        ids = tokenizer(plain)["input_ids"]
        assert not is_chat(tokenizer, ids) and last_user_text(tokenizer, ids) == plain
    both = byte_tokenizer("<|im_start|>", "<|im_end|>")
    assert chat_template(both) is CHATML and chat_prompt(both, "Who?").startswith("<|im_start|>user\nWho?<|im_end|>")


@pytest.mark.parametrize(
    ("turn", "searched"),
    [
        (f"{SYSTEM}\n\n{LAST}", LAST),
        (f"{LAST}\n\nThanks.", f"{LAST}\n\nThanks."),
        (LAST, LAST),
        ("", ""),
        (f"{SYSTEM}\n\n", SYSTEM),
    ],
)
def test_only_a_blank_line_divides_system_prompt_and_question(turn: str, searched: str) -> None:
    tokenizer = tokenizer_of("Gemma-3")
    ids = prompt_ids(tokenizer, {"role": "user", "content": turn})
    assert last_user_text(tokenizer, ids) == searched


def test_a_model_without_any_end_is_refused() -> None:
    with pytest.raises(UnsupportedModel, match="end-of-turn"):
        tokenizer = byte_tokenizer()
        tokenizer.eos_token = None
        stop_token(None, tokenizer)
