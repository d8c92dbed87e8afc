"""Chat templates: what a tokenizer's template puts around the turns, and the user turns inside a templated prompt.

A template is a program of its own, so it is probed once: conversations of marker words are rendered, and what stands
around the markers is what stands around any turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from graphmem.core.errors import UnsupportedModel

_SYSTEM, _USER, _REPLY, _NEXT = (f"marker{word}word" for word in ("system", "user", "reply", "next"))
_PIECE = re.compile(r"<[^<>\s]+>|\[/?[A-Z_]+\]|\w+|\s+|[^\w\s]")
_TAIL = 24
"""Tokens at the end of a text that hold the end of a user's turn, in any tokenization."""


@dataclass(frozen=True, slots=True)
class ChatTemplate:
    """What stands around the turns of a conversation.

    Attributes:
        user, end: before and after a user's text, without the white space around them; empty where there is nothing.
        stop: token that ends the model's turn; None where the template names none.
        system: what stands between a system prompt and a user's text in the same turn; None where they are apart.
        system_last: whether the system prompt joins the last user's turn, and not the first.
        renders: whether the tokenizer's own template makes the prompts.
        parts: whether it takes a content as a list of parts, as templates for text and images do.
    """

    user: str
    end: str
    stop: str | None = None
    system: str | None = None
    system_last: bool = False
    renders: bool = True
    parts: bool = False

    def user_text(self, text: str) -> str | None:
        """The last user's text of a prompt; None in a text without turns."""
        start = text.rfind(self.user) if self.user else -1
        if start < 0:
            return None
        turn = text[start + len(self.user) :]
        closed = turn.find(self.end) if self.end else -1
        if self is PLAIN and (closed < 0 or text[:start].rpartition("\n")[2].strip()):
            return None  # "Question:" is a word of any text; only with an answer to follow is it a turn
        turn = (turn if closed < 0 else turn[:closed]).strip()
        joined = self.system is not None and (self.system_last or text.find(self.user) == start)
        return self._without_system(turn) if joined else turn

    def _without_system(self, turn: str) -> str:
        """A turn without the system prompt before it.

        Where only a blank line divides the two, the first paragraph counts as the system prompt, unless it alone asks.
        """
        mark = (self.system or "").strip()
        first, _, rest = turn.partition(mark or "\n\n")
        alone = not mark and "?" in first and "?" not in rest
        return rest.strip() if rest.strip() and not alone else turn


CHATML = ChatTemplate("<|im_start|>user", "<|im_end|>", "<|im_end|>", renders=False)
"""Turns of a tokenizer with the two tokens of ChatML."""

PLAIN = ChatTemplate("Question:", "Answer:", renders=False)
"""Turns where there is no template."""

_PROBED: WeakKeyDictionary[Any, tuple[Any, ChatTemplate]] = WeakKeyDictionary()


def chat_template(tokenizer: Any) -> ChatTemplate:
    """The tokenizer's template; probed when it is first asked for, and again only when the template was replaced."""
    source = getattr(tokenizer, "chat_template", None)
    try:
        known = _PROBED.get(tokenizer)
    except TypeError:  # a tokenizer that cannot be kept
        return _probe(tokenizer, source)
    if known is None or known[0] != source:
        _PROBED[tokenizer] = known = source, _probe(tokenizer, source)
    return known[1]


def _probe(tokenizer: Any, source: Any) -> ChatTemplate:
    chatml = all(_has_token(tokenizer, token) for token in ("<|im_start|>", "<|im_end|>"))
    found = (_read_template(tokenizer) or _read_template(tokenizer, parts=True)) if source else None
    if chatml and (found is None or found.user == CHATML.user):
        return CHATML
    return found or PLAIN


def _read_template(tokenizer: Any, *, parts: bool = False) -> ChatTemplate | None:
    """The template, as its renderings show it; None where it renders no user's turn."""
    render = partial(_render, tokenizer, parts=parts)
    user, reply, following = ("user", _USER), ("assistant", _REPLY), ("user", _NEXT)
    asked, bare = render([user], True), render([user], False)
    if asked is None or _USER not in asked:
        return None
    talk = render([user, reply, following], True) or ""
    done = _after(render([user, reply], False), _REPLY)
    shown = [("system", _SYSTEM), user]
    system, long = render(shown, True), render([*shown, reply, following], True)

    before, middle = _pieces(asked.partition(_USER)[0]), _pieces(_between(talk, _REPLY, _NEXT))
    apart = _pieces(_between(system, _SYSTEM, _USER))
    closing = _common(middle or apart, _pieces(done or _after(bare, _USER)))
    header = _common(before[::-1], (middle or apart or before)[::-1])[::-1]
    header = header[max(0, len(closing) - (len(middle or apart) - len(header))) :] if middle or apart else header
    edge = {getattr(tokenizer, "bos_token", None), getattr(tokenizer, "eos_token", None)}
    marks = lambda pieces: any(not piece.isalnum() and not piece.isspace() for piece in pieces)
    while header and (header[0].isspace() or (header[0] in edge and marks(header[1:]))):  # ChatML begins with its bos
        header = header[1:]
    opening = "".join(header).strip()

    ends = [_pieces(_after(text, _USER)) for text in (asked, bare) if text] + (
        [_pieces(_between(talk, _USER, _REPLY))] if talk else []
    )
    shared = "".join(_common(*ends)).strip() or "".join(_common(ends[0], ends[-1])).strip()
    opening = opening.removeprefix(shared).strip() or opening
    joined = system is not None and _SYSTEM in system and opening not in _between(system, _SYSTEM, _USER)
    between = _between(system, _SYSTEM, _USER) if joined and opening else None
    last = long is not None and _SYSTEM in long and long.find(_SYSTEM) > long.find(_REPLY)
    stop = next((piece for piece in _pieces(done) if not piece.isspace()), None)
    known = stop is not None and (_has_token(tokenizer, stop) or stop in getattr(tokenizer, "get_added_vocab", dict)())
    return ChatTemplate(opening, shared, stop if known else None, between, last, parts=parts)


def _render(tokenizer: Any, turns: Sequence[tuple[str, str]], prompt: bool, *, parts: bool = False) -> str | None:
    """A conversation in the tokenizer's template; None where it refuses such turns (a system prompt, for instance)."""
    said = [{"role": role, "content": _content(text, parts)} for role, text in turns]
    try:
        return str(tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=prompt))
    except Exception:  # a template is a program of its own and raises what it likes
        return None


def _content(text: str, parts: bool) -> str | list[dict[str, str]]:
    """A turn's text as a template takes it."""
    return [{"type": "text", "text": text}] if parts else text


def _pieces(text: str | None) -> list[str]:
    return _PIECE.findall(text or "")


def _common(*lists: list[str]) -> list[str]:
    """The longest common beginning."""
    return [same[0] for same in takewhile(lambda row: len({*row}) == 1, zip(*lists, strict=False))]


def _after(text: str | None, mark: str) -> str:
    return (text or "").rpartition(mark)[2] if mark in (text or "") else ""


def _between(text: str | None, first: str, second: str) -> str:
    return _after((text or "").partition(second)[0], first) if second in (text or "") else ""


def stop_token(model: Any, tokenizer: Any) -> int:
    """Id of the token that ends the model's turn."""
    end = chat_template(tokenizer).stop
    stop = tokenizer.convert_tokens_to_ids(end) if end is not None else tokenizer.eos_token_id
    if stop is None:
        eos = getattr(getattr(model, "config", None), "eos_token_id", None)
        stop = eos[0] if isinstance(eos, list) else eos
    if stop is None:
        raise UnsupportedModel("neither the tokenizer nor the model names an end-of-turn token (eos_token_id)")
    return int(stop)


def _has_token(tokenizer: Any, token: str) -> bool:
    return token in (getattr(tokenizer, "all_special_tokens", None) or ())


def chat_prompt(tokenizer: Any, question: str, facts: str | None = None) -> str:
    """Prompt of a question (after facts, if given) by the model's chat template, without a system prompt."""
    content = question if facts is None else f"{facts}\n\n{question}"
    template = chat_template(tokenizer)
    if template is CHATML:
        return f"{CHATML.user}\n{content}{CHATML.end}\n<|im_start|>assistant\n"
    if template.renders:
        turns = [{"role": "user", "content": _content(content, template.parts)}]
        return str(tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True))
    return f"{PLAIN.user} {content}\n{PLAIN.end}"


def last_user_text(tokenizer: Any, ids: Sequence[int]) -> str:
    """Question of a prompt: the last user turn of a chat, else the whole text."""
    text = chat_template(tokenizer).user_text(_decoded(tokenizer, ids))
    return text if text is not None else " ".join(_parts(tokenizer, ids))


def is_chat(tokenizer: Any, ids: Sequence[int]) -> bool:
    """Whether a prompt holds a turn of a user, rather than plain text."""
    return chat_template(tokenizer).user_text(_decoded(tokenizer, ids)) is not None


def user_turns(tokenizer: Any, ids: Sequence[int]) -> tuple[int, str] | None:
    """Number of user turns in a prompt, and the text of the last; None in plain text."""
    text, template = _decoded(tokenizer, ids), chat_template(tokenizer)
    last = template.user_text(text)
    return None if last is None else (text.count(template.user), last)


def is_due(tokenizer: Any, ids: Sequence[int]) -> bool:
    """Whether an answer follows a prompt: in a user's turn, after a question mark, or after "Answer:"."""
    return is_chat(tokenizer, ids) or bool(tokenizer.decode(list(ids[-4:])).rstrip().endswith(("?", ":")))


def ends_user_turn(tokenizer: Any, ids: Sequence[int]) -> bool:
    """Whether a text ends with the end of a user's turn, so that another question may have been asked."""
    end = chat_template(tokenizer).end
    return bool(end) and _decoded(tokenizer, ids[-_TAIL:]).rstrip().endswith(end)


def rows_of(ids: Tensor, mask: Tensor | None) -> list[list[int]]:
    """Token ids of every row of [B, T], where the mask (of the same shape) is not 0; unknown tokens are left out."""
    kept = mask if mask is not None and mask.shape == ids.shape else torch.ones_like(ids)
    return [row[keep.bool() & (row >= 0)].tolist() for row, keep in zip(ids, kept, strict=True)]


def _decoded(tokenizer: Any, ids: Iterable[int]) -> str:
    return str(tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))


def _parts(tokenizer: Any, ids: Iterable[int]) -> list[str]:
    """Texts between the special tokens."""
    special, parts = set(tokenizer.all_special_ids or ()), [[]]  # type: list[int] | set[int], list[list[int]]
    for token in ids:
        parts.append([]) if token in special else parts[-1].append(token)
    return [text for part in parts if (text := tokenizer.decode(part).strip())]
