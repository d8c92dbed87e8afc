"""Models of transformers loaded from a folder with all their weights, without the general loader.

The general loader builds a model without values first, for which torch imports its symbolic mathematics. Here the
model is built without initial values and takes its tensors from the mapped file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from graphmem.adapters.light_imports import whole_torch

QUICK = ("bert", "llama")  # kinds whose buffers follow from the config alone


def load_model(auto: Any, folder: str | Path, dtype: torch.dtype) -> Any:
    """A model by ``auto.from_pretrained``, quicker where the folder has all weights of a kind that allows it.

    Args:
        auto: a class of transformers such as ``AutoModelForCausalLM``.
        folder: a folder or a hub name.
        dtype: of the weights.
    """
    from transformers import AutoConfig

    file = Path(folder, "model.safetensors")
    if file.exists():
        config = AutoConfig.from_pretrained(str(folder))
        if config.model_type in QUICK and getattr(config, "quantization_config", None) is None:
            model = _built(auto, config, dtype)
            if model is not None and _filled(model, file, dtype):
                model.config._name_or_path = str(folder)
                return model.eval()
    whole_torch()  # the general loader builds a model without values first
    return auto.from_pretrained(str(folder), dtype=dtype)


def _built(auto: Any, config: Any, dtype: torch.dtype) -> Any:
    """The model without initial values; None where this version of transformers cannot build one."""
    try:
        from transformers.initialization import no_init_weights
    except ImportError:
        return None
    with no_init_weights():
        return auto.from_config(config, dtype=dtype)


def _filled(model: Any, file: Path, dtype: torch.dtype) -> bool:
    """Whether the file's tensors are all that the model needs, besides those tied to others."""
    from safetensors.torch import load_file

    state = {name: tensor.to(dtype) for name, tensor in load_file(file).items()}
    missing, unexpected = model.load_state_dict(state, strict=False, assign=True)
    model.tie_weights()
    tied = set(getattr(model, "all_tied_weights_keys", None) or ())
    return set(unexpected) <= {name for name, _ in model.named_buffers()} and set(missing) <= tied
