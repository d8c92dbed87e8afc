"""Exact matching of a text's end with the prefixes of candidate names.

Copying by the previous token alone fails where a token occurs twice in a name ("2026-12-01", "Velvetvet") or in two
names ("Ragnar Bragason", "Tragasson"). Every slot therefore knows all tokens before it in its name, and every position
of the text is compared with them on token ids: the slot to be generated next is one whose whole prefix precedes the
position, and among those the one with the longest prefix. Nothing here is learned; ``GatedCrossAttention.prefix_bias``
weighs the cases. With a cache only the last token comes in, so ``PrefixTracker`` keeps the text before it, or takes it
from ``generate``, where beams swap rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from graphmem.fusion.memory_tokens import END, NO_TOKEN, MemoryTokens

START_OUTSIDE, START_INSIDE, UNMATCHED, SHORTER = 0, 1, 2, 3
"""Codes of a slot: a start of a name while no name is partly matched, or while one is; a slot whose prefix does not
match; one whose prefix matches while a longer one does too. From ``LONGEST`` on: the longest match."""

LONGEST, LENGTHS = 4, 5
"""Codes ``LONGEST`` to ``LONGEST + LENGTHS - 1``: 1, 2, 3-4, 5-8, or more tokens match."""

CODES = LONGEST + LENGTHS
_SAME = 0.999
"""Least cosine of two embeddings of one token: above rounding in bfloat16, below any two tokens."""

UNKNOWN, _NEVER = -2, -3
"""Marks a token of the text that is unknown, as with ``inputs_embeds``; and one that no text holds."""


@dataclass(frozen=True, slots=True)
class PrefixMatches:
    """Codes of one forward pass.

    Attributes:
        slots: int64 [B, T, M].
        positions: int64 [B, T], 0 where no name is partly matched, else 1 to ``LENGTHS`` by the longest match.
        repeated: bool [B, T, M], starts of names that a plain text has mentioned already; None in a question.
        premature: likewise, starts of names before any name that unlocks them.
        blocked: likewise, all slots of locked names, where the query was more than a name.
    """

    slots: Tensor
    positions: Tensor
    repeated: Tensor | None = None
    premature: Tensor | None = None
    blocked: Tensor | None = None


def match_prefixes(text: Tensor, last: int, prefixes: Tensor) -> PrefixMatches:
    """Compare the last T positions of a text, int64 [B, S], with all slots.

    ``prefixes``, int64 [B, M, R, K], holds the tokens before each slot in R tokenizations, the nearest first.
    """
    wanted = (prefixes != NO_TOKEN).sum(-1)  # B M R
    matched = _matched_lengths(text, last, prefixes)  # B T M R
    length = torch.where(matched == wanted.unsqueeze(1), matched, 0).amax(-1)  # B T M
    start = (wanted == 0).all(-1).unsqueeze(1)  # B 1 M
    best = length.amax(-1, keepdim=True) if length.shape[-1] else length.new_zeros(*length.shape[:2], 1)  # B T 1
    codes = torch.where(length > 0, torch.where(length == best, LONGEST - 1 + _bucket(length), SHORTER), UNMATCHED)
    codes = torch.where(start, torch.where(best > 0, START_INSIDE, START_OUTSIDE), codes)
    return PrefixMatches(codes, _bucket(best.squeeze(-1)))


def match_continuation_prefixes(text: Tensor, last: int, tokens: MemoryTokens) -> tuple[Tensor, Tensor, Tensor]:
    """``repeated``, ``premature`` and ``blocked`` of ``PrefixMatches``, for the last T of a text, int64 [B, S].

    Topics of the query are never premature.
    """
    facts = tokens.continuation
    assert facts is not None
    mentioned = _mentioned(text, last, tokens, facts.unlocks.shape[-1])  # B T N
    node = tokens.node.unsqueeze(1).expand(-1, last, -1)  # B T M
    unlocked = (mentioned.float() @ facts.unlocks.float().transpose(1, 2)) > 0
    starts = tokens.starts.unsqueeze(1)
    topic = facts.features[..., 0].gather(1, tokens.node).unsqueeze(1) > 0
    locked, strict = ~unlocked.gather(2, node), facts.strict.view(-1, 1, 1)
    return mentioned.gather(2, node) & starts, locked & ~topic & starts, locked & strict


def _mentioned(text: Tensor, last: int, tokens: MemoryTokens, names: int) -> Tensor:
    """bool [B, T, N]: names that occur whole in the text, up to each of its last positions."""
    is_end = (tokens.kind == END) & tokens.mask
    width = max(1, int(is_end.sum(-1).max())) if is_end.numel() else 1
    order = torch.argsort((~is_end).to(torch.int8), dim=-1, stable=True)[:, :width]  # B E: the ends first
    prefixes = tokens.prefixes.gather(1, order[..., None, None].expand(-1, -1, *tokens.prefixes.shape[2:]))
    wanted = (prefixes != NO_TOKEN).sum(-1).unsqueeze(1)  # B 1 E R
    matched = _matched_lengths(text, text.shape[1], prefixes)
    whole = ((matched == wanted) & (wanted > 0)).any(-1) & is_end.gather(1, order)[:, None]
    so_far = whole.cumsum(1)[:, text.shape[1] - last :] > 0  # B T E
    candidate = F.one_hot(tokens.node.gather(1, order), names).float()  # B E N
    return (so_far.float() @ candidate) > 0


def _matched_lengths(text: Tensor, last: int, prefixes: Tensor) -> Tensor:
    """Number of consecutive tokens before each slot that end the text at each position: int64 [B, T, M, R]."""
    batch, slots, ways, depth = prefixes.shape
    running = torch.ones(batch, last, slots, ways, dtype=torch.bool, device=text.device)
    matched = torch.zeros_like(running, dtype=torch.int64)
    padded = F.pad(text, (depth, 0), value=UNKNOWN)
    end = padded.shape[1]
    for k in range(depth):
        here = padded[:, end - last - k : end - k]  # B T
        running = running & (here[:, :, None, None] == prefixes[:, None, :, :, k])
        if not torch.compiler.is_compiling() and not running.any():
            break
        matched = matched + running
    return matched


def _bucket(length: Tensor) -> Tensor:
    """0, 1, 2, 3-4, 5-8, more -> 0 to 5."""
    edges = torch.tensor([1, 2, 3, 5, 9], device=length.device)
    return torch.bucketize(length, edges, right=True)


class PrefixTracker:
    """Matches of one call's growing text with the slots of its memory, forward pass by forward pass."""

    def __init__(self, tokens: MemoryTokens) -> None:
        self.tokens, self._prefixes = tokens, tokens.prefixes
        if tokens.continuation is not None:  # text goes on behind a name: its end is never matched
            ends = (tokens.kind == END)[..., None, None]
            self._prefixes = self._prefixes.masked_fill(ends & (self._prefixes != NO_TOKEN), _NEVER)
        self._text: Tensor | None = None
        self._rows: Tensor | None = None
        self._past = self._new = 0
        self._matches: PrefixMatches | None = None

    def start_pass(self, past: int) -> None:
        """Start a forward pass with ``past`` positions in its cache."""
        self._past, self._new, self._matches = past, 0, None

    def set_rows(self, ids: Tensor) -> None:
        """Set the whole rows so far, int64 [B, S], as ``generate`` has them; they replace the tracked text."""
        self._rows = ids

    def append(self, ids: Tensor) -> None:
        """Add the pass's token ids, int64 [B, T]."""
        count, new = ids.shape
        rows = self._rows
        if rows is not None and len(rows) == count and rows.shape[1] >= new and torch.equal(rows[:, -new:], ids):
            self._text = rows
        else:
            kept = self._text[:, : self._past] if self._text is not None and len(self._text) == count else ids[:, :0]
            self._text = torch.cat([F.pad(kept, (self._past - kept.shape[1], 0), value=UNKNOWN), ids], 1)
        self._rows, self._new, self._matches = None, new, None

    def append_embedded(self, current: Tensor, embed: Callable[[Tensor], Tensor]) -> None:
        """Add a pass that came in as embeddings [B, T, D] at unit scale; tokens other than names' stay unknown.

        ``embed`` maps token ids to embeddings at the same scale, [n, D].
        """
        tokens = torch.unique(self._prefixes[self._prefixes != NO_TOKEN])
        ids = torch.full(current.shape[:2], UNKNOWN, device=current.device)
        if len(tokens):
            cosine, nearest = (current.float() @ embed(tokens).float().T / current.shape[-1]).max(-1)  # B T
            ids = torch.where(cosine > _SAME, tokens[nearest], ids)
        self.append(ids)

    def matches(self, rows: int) -> PrefixMatches | None:
        """Matches of this pass, for ``rows`` rows (samples repeated side by side); None where no ids came in."""
        if self._text is None or not self._new or len(self._text) != rows:
            return None
        if self._matches is None:
            times = rows // len(self._prefixes)
            self._matches = match_prefixes(self._text, self._new, self._prefixes.repeat_interleave(times, 0))
            if self.tokens.continuation is not None:
                tokens = self.tokens.repeated(times)
                repeated, premature, blocked = match_continuation_prefixes(self._text, self._new, tokens)
                self._matches = replace(self._matches, repeated=repeated, premature=premature, blocked=blocked)
        return self._matches
