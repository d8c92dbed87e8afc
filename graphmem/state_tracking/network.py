"""State network: five heads over hidden states, and its checkpoint."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Final

from torch import Tensor, nn

from graphmem.core.errors import WeightsMismatch
from graphmem.core.paths import WEIGHTS

CHANGES: Final = ("none", "placed", "taken", "left")
"""What a sentence may change between X and Y: nothing; X is in Y now; X carries Y now; X carries Y no more."""
QUESTIONS: Final = ("where", "before", "whether", "count", "list")
"""Where is X; where was X before Y; is X in Y; how many things does X carry; which."""
SHIPPED = WEIGHTS / "states.safetensors"
BACK = 2
"""A pronoun may mean somebody of so many sentences before its own."""


class StateNetwork(nn.Module):
    """The trained part: five small heads over vectors of width K.

    Args:
        text_width: K.
        width: of the hidden layers.
        least: the least certainty, 0..1, at which ordinary text is hardly ever taken for a change; calibrated.
    """

    def __init__(self, text_width: int = 384, width: int = 32, least: float = 0.5) -> None:
        super().__init__()
        self.sizes, self.least = {"text_width": text_width, "width": width}, least

        def head(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(nn.Linear(inputs, width), nn.GELU(), nn.Linear(width, outputs))

        self.tells, self.names = head(text_width, 1), head(text_width, 1)
        self.change, self.question = head(2 * text_width, len(CHANGES)), head(text_width, len(QUESTIONS))
        self.means = head(2 * text_width + BACK + 1, 1)


def save_states(network: StateNetwork, path: str | Path, fingerprint: str) -> None:
    """Write weights as fp16 safetensors, with their sizes and the encoder's fingerprint."""
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {k: v.detach().half().contiguous() for k, v in network.state_dict().items()}
    save_file(tensors, str(path), {
        "kind": "graphmem-states", "sizes": json.dumps(network.sizes), "encoder": fingerprint,
        "heads": json.dumps([CHANGES, QUESTIONS]), "least": str(network.least),
    })  # fmt: skip


@lru_cache(maxsize=4)
def load_states(path: str | Path, fingerprint: str | None = None) -> StateNetwork:
    """Read weights that ``save_states`` wrote.

    Raises:
        WeightsMismatch: none there, other heads, or trained with another encoder than ``fingerprint``.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), "pt") as file:
            header = file.metadata() or {}
            tensors = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise WeightsMismatch(f"{path} cannot be read as weights of a state reader: {error}") from error
    if header.get("heads") != json.dumps([CHANGES, QUESTIONS]):
        raise WeightsMismatch(f"{path} holds no state reader of this version; train one: graphmem train states")
    if fingerprint is not None and header["encoder"] != fingerprint:
        raise WeightsMismatch(f"{path} was trained with encoder {header['encoder']}, this one is {fingerprint}")
    network = StateNetwork(**json.loads(header["sizes"]), least=float(header.get("least", 0.5)))
    network.load_state_dict(tensors)
    return network.eval()
