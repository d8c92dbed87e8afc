"""The text behind a key-value cache: its tokens, and what was retrieved for them.

A cache object says nothing about its text: it is reset, cropped, reordered, copied, and handed to the next user. The
text is therefore kept with the cache and proven by the cache's content: the last layer's keys at a position depend on
every token before it, so the text counts only where the keys are, bit for bit, those that it left. Rows are proven one
by one, which follows them through any reordering.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from graphmem.fusion.prefix_matching import UNKNOWN

_KEPT = "_graphmem_text"


@dataclass(frozen=True, eq=False, slots=True)
class CachedText:
    """Text of the rows of a cache.

    Attributes:
        owner: the model that it passed through.
        ids, mask: int64 [B, S]; tokens that came in as embeddings are ``UNKNOWN``.
        proofs: for each position the digest of every row's keys; empty where they are not known.
        found: what was retrieved for the rows; None where the memory was off.
    """

    owner: Any
    ids: Tensor
    mask: Tensor
    proofs: tuple[tuple[bytes, ...], ...]
    found: Any

    def __deepcopy__(self, memo: dict[int, Any]) -> CachedText:
        return self  # a copied cache holds the same text

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()  # a saved cache comes back without the memory


def _nothing() -> None:
    return None


def cache_length(cache: Any) -> int:
    """Positions in a cache; 0 without one."""
    length = getattr(cache, "get_seq_length", None)
    return int(length()) if length is not None else 0


def proven_text(cache: Any, owner: Any) -> tuple[CachedText, list[int]] | None:
    """The text that a cache holds, and for each row of the cache the row of the text; None where nothing proves it."""
    text, past = getattr(cache, _KEPT, None), cache_length(cache)
    if not isinstance(text, CachedText) or text.owner is not owner or not 0 < past <= len(text.proofs):
        return None
    known, held = text.proofs[past - 1], _digests(cache, 1)
    if not known or not held:
        return None
    rows = []
    for row, digest in enumerate(held[0]):
        if digest not in known:
            return None
        rows.append(row if row < len(known) and known[row] == digest else known.index(digest))
    return text, rows


def keep_text(
    cache: Any, owner: Any, before: CachedText | None, rows: list[int], past: int, ids: Tensor, mask: Tensor, found: Any
) -> None:
    """Keep with a cache the text that has passed: ``past`` positions of ``before``'s rows, and new ids [B, T]."""
    length = cache_length(cache)
    count = length - past
    if count <= 0 or not hasattr(cache, "__dict__"):
        return
    ids, mask = ids[:, ids.shape[1] - count :], mask[:, mask.shape[1] - count :]
    ids, mask = F.pad(ids, (count - ids.shape[1], 0), value=UNKNOWN), F.pad(mask, (count - mask.shape[1], 0), value=1)
    proofs: tuple[tuple[bytes, ...], ...] = ((),) * past
    if before is not None:
        ids = torch.cat([before.ids[rows, :past], ids], 1)
        mask = torch.cat([before.mask[rows, :past], mask], 1)
        same = rows == [*range(len(before.ids))]
        kept = before.proofs[:past]
        proofs = kept if same else tuple(tuple(at[row] for row in rows) if at else () for at in kept)
    else:
        ids, mask = F.pad(ids, (past, 0), value=UNKNOWN), F.pad(mask, (past, 0), value=1)
    new = _digests(cache, count)
    setattr(cache, _KEPT, CachedText(owner, ids, mask, proofs + ((),) * (count - len(new)) + tuple(new), found))


def _digests(cache: Any, count: int) -> list[tuple[bytes, ...]]:
    """For each of the last positions, ``count`` or fewer, the digest of every row's keys in the last layer."""
    cache = getattr(cache, "self_attention_cache", cache)
    length, layers = cache_length(cache), getattr(cache, "layers", None)
    given = (
        [_keys(layer) for layer in reversed(layers)] if layers is not None else getattr(cache, "key_cache", [])[::-1]
    )
    keys = next((keys for keys in given if isinstance(keys, Tensor) and keys.ndim == 4 and keys.shape[2]), None)
    if keys is None or not length:
        return []
    end = min(length, keys.shape[2])
    last = keys.detach()[:, :, max(0, end - count) : end].transpose(1, 2).flatten(2).contiguous().cpu()  # B T K
    rows = last.view(torch.uint8).numpy()
    return [tuple(blake2b(row.tobytes(), digest_size=16).digest() for row in at) for at in rows.transpose(1, 0, 2)]


def _keys(layer: Any) -> Any:
    """Keys of a cache's layer, [B, H, S, K]; of a quantised one as it will give them back."""
    keys = getattr(layer, "keys", None)
    if hasattr(layer, "_dequantize") and (keys is None or not keys.numel()) and getattr(layer, "is_initialized", False):
        keys = layer._dequantize(layer._quantized_keys)
        beams = getattr(layer, "_pending_beam_idx", None)
        return keys if beams is None else keys.index_select(0, beams.to(keys.device))
    return keys
