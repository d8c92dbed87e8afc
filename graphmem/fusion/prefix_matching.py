"""Where in each name a text stands: how many of a slot's tokens, counted back from it, the text has just said.

Copying by the previous token alone is lost where a token stands twice in a name ("2026-12-01", "Velvetvet") or in two
names ("Ragnar Bragason", "Tragasson"). So every slot also knows all tokens before it in its name, and every position of
the text is compared with them, exactly, on token ids: the slot that may be said next is one whose whole beginning has
been said, and among those the one with the longest. Nothing here is learned, and nothing depends on the model; what
each case is worth is (``MemoryAttention.standing``). With a cache only the last token comes in; the text before it is
kept here, and taken from ``generate`` where beams swap rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from graphmem.fusion.memory_tokens import END, NONE, MemoryTokens

START_OUTSIDE, START_INSIDE, NOT_SAID, SHORTER = 0, 1, 2, 3
"""What a slot is at a position: a start where no name is half said, or where one is; a slot whose beginning was not
said; one whose beginning was said, while a longer one fits too. From ``LONGEST`` on: the longest that fits."""

LONGEST, LENGTHS = 4, 5
"""Codes ``LONGEST`` to ``LONGEST + LENGTHS - 1``: 1, 2, 3-4, 5-8, or more tokens have been said."""

CODES = LONGEST + LENGTHS
_SAME = 0.999
"""Least cosine of two embeddings of one token: above rounding in bfloat16, below any two tokens."""

UNKNOWN, _NEVER = -2, -3
"""Stands for a token of the text that was never seen, as with ``inputs_embeds``; and for one that no text holds."""


@dataclass(frozen=True, slots=True)
class PrefixMatches:
    """Codes of one forward pass: of slots, int64 [B, T, M], and of positions, int64 [B, T].

    A position's code is 0 where no name is half said, else 1 to ``LENGTHS`` by how much of the longest was said.
    In a text where nobody asked, ``again``, bool [B, T, M], marks starts of names that it has said already; ``early``
    starts of names before anything that leads to them has been said; and ``shut`` the slots that may not be said at all
    so early, because the memory was asked with more than a name. Else they are None.
    """

    slots: Tensor
    positions: Tensor
    again: Tensor | None = None
    early: Tensor | None = None
    shut: Tensor | None = None


def match_prefixes(text: Tensor, last: int, behind: Tensor) -> PrefixMatches:
    """Compare the last positions of a text with all slots.

    Args:
        text: int64 [B, S], token ids.
        last: T, how many positions at the end are asked about.
        behind: int64 [B, M, R, K], the tokens before each slot in its R readings, the nearest first; ``NONE`` beyond.
    """
    wanted = (behind != NONE).sum(-1)  # B M R
    said = _said(text, last, behind)  # B T M R
    full = said == wanted.unsqueeze(1)
    length = torch.where(full, said, 0).amax(-1)  # B T M
    start = (wanted == 0).all(-1).unsqueeze(1)  # B 1 M
    best = length.amax(-1, keepdim=True) if length.shape[-1] else length.new_zeros(*length.shape[:2], 1)  # B T 1
    codes = torch.where(length > 0, torch.where(length == best, LONGEST - 1 + _bucket(length), SHORTER), NOT_SAID)
    codes = torch.where(start, torch.where(best > 0, START_INSIDE, START_OUTSIDE), codes)
    return PrefixMatches(codes, _bucket(best.squeeze(-1)))


def match_continuation_prefixes(text: Tensor, last: int, tokens: MemoryTokens) -> tuple[Tensor, Tensor, Tensor]:
    """Which names a text has said, as its slots are told: ``again``, ``early`` and ``shut`` of ``PrefixMatches``.

    What the memory was asked about is never early.

    Args:
        text: int64 [B, S], token ids.
        last: T, how many positions at the end are asked about.
        tokens: the slots, with what a plain text is told of them.
    """
    assert tokens.told is not None
    said = _names_said(text, last, tokens, tokens.told.opens.shape[-1])  # B T N
    node = tokens.node.unsqueeze(1).expand(-1, last, -1)  # B T M
    opened = (said.float() @ tokens.told.opens.float().transpose(1, 2)) > 0
    starts = tokens.starts.unsqueeze(1)
    topic = tokens.told.features[..., 0].gather(1, tokens.node).unsqueeze(1) > 0
    early, own = ~opened.gather(2, node), tokens.told.own.view(-1, 1, 1)
    return said.gather(2, node) & starts, early & ~topic & starts, early & own


def _names_said(text: Tensor, last: int, tokens: MemoryTokens, names: int) -> Tensor:
    """bool [B, T, N]: names that stand whole in the text, somewhere up to each of its last positions."""
    is_end = (tokens.kind == END) & tokens.mask
    most = max(1, int(is_end.sum(-1).max())) if is_end.numel() else 1
    order = torch.argsort((~is_end).to(torch.int8), dim=-1, stable=True)[:, :most]  # B E: the ends first
    behind = tokens.behind.gather(1, order[..., None, None].expand(-1, -1, *tokens.behind.shape[2:]))
    wanted = (behind != NONE).sum(-1).unsqueeze(1)  # B 1 E R
    whole = ((_said(text, text.shape[1], behind) == wanted) & (wanted > 0)).any(-1) & is_end.gather(1, order)[:, None]
    stood = whole.cumsum(1)[:, text.shape[1] - last :] > 0  # B T E
    of = torch.nn.functional.one_hot(tokens.node.gather(1, order), names).float()  # B E N
    return (stood.float() @ of) > 0


def _said(text: Tensor, last: int, behind: Tensor) -> Tensor:
    """How many tokens behind each slot the text has just said, one after the other: int64 [B, T, M, R]."""
    batch, slots, readings, depth = behind.shape
    running = torch.ones(batch, last, slots, readings, dtype=torch.bool, device=text.device)
    said = torch.zeros_like(running, dtype=torch.int64)
    padded = torch.nn.functional.pad(text, (depth, 0), value=UNKNOWN)
    end = padded.shape[1]
    for k in range(depth):
        here = padded[:, end - last - k : end - k]  # B T
        running = running & (here[:, :, None, None] == behind[:, None, :, :, k])
        if not torch.compiler.is_compiling() and not running.any():
            break
        said = said + running
    return said


def _bucket(length: Tensor) -> Tensor:
    """0, 1, 2, 3-4, 5-8, more -> 0 to 5."""
    edges = torch.tensor([1, 2, 3, 5, 9], device=length.device)
    return torch.bucketize(length, edges, right=True)


class PrefixTracker:
    """Follows one call's text, forward pass by forward pass, beside the slots of its memory.

    Args:
        tokens: the memory's slots.
    """

    def __init__(self, tokens: MemoryTokens) -> None:
        self._tokens, self._behind = tokens, tokens.behind
        if tokens.told is not None:  # a text goes on: no name ends in it, and none is half said at its end
            ends = (tokens.kind == END)[..., None, None]
            self._behind = self._behind.masked_fill(ends & (self._behind != NONE), _NEVER)
        self._text: Tensor | None = None
        self._all: Tensor | None = None
        self._past = self._new = 0
        self._places: PrefixMatches | None = None

    def begin(self, past: int) -> None:
        """A forward pass begins, with ``past`` positions in its cache."""
        self._past, self._new, self._places = past, 0, None

    def whole(self, ids: Tensor) -> None:
        """What ``generate`` says that the rows hold so far, int64 [B, S]: believed over what was seen here."""
        self._all = ids

    def see(self, ids: Tensor) -> None:
        """The pass's own token ids, int64 [B, T]."""
        rows, new = ids.shape
        whole = self._all
        if whole is not None and len(whole) == rows and whole.shape[1] >= new and torch.equal(whole[:, -new:], ids):
            self._text = whole
        else:
            self._text = torch.cat([self._before(ids), ids], 1)
        self._all, self._new, self._places = None, new, None

    def recognise(self, current: Tensor, embedded: Callable[[Tensor], Tensor]) -> None:
        """See a pass that came in as embeddings: tokens of names are told by their embedding, the rest stay unknown.

        Args:
            current: [B, T, D], at unit scale.
            embedded: gives token ids' embeddings at the same scale, [n, D].
        """
        tokens = torch.unique(self._behind[self._behind != NONE])
        ids = torch.full(current.shape[:2], UNKNOWN, device=current.device)
        if len(tokens):
            likeness, which = (current.float() @ embedded(tokens).float().T / current.shape[-1]).max(-1)  # B T
            ids = torch.where(likeness > _SAME, tokens[which], ids)
        self.see(ids)

    def _before(self, ids: Tensor) -> Tensor:
        kept = self._text[:, : self._past] if self._text is not None and len(self._text) == len(ids) else ids[:, :0]
        return torch.nn.functional.pad(kept, (self._past - kept.shape[1], 0), value=UNKNOWN)

    def places(self, rows: int) -> PrefixMatches | None:
        """Codes of this pass, for ``rows`` rows (samples repeated side by side); None where no ids were seen."""
        if self._text is None or not self._new or len(self._text) != rows:
            return None
        if self._places is None:
            times = rows // len(self._behind)
            self._places = match_prefixes(self._text, self._new, self._behind.repeat_interleave(times, 0))
            if self._tokens.told is not None:
                spread = self._tokens.repeated(times)
                said, early, shut = match_continuation_prefixes(self._text, self._new, spread)
                self._places = replace(self._places, again=said, early=early, shut=shut)
        return self._places
