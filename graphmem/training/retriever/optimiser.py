"""Optimiser that the retriever's trainers share: AdamW, a one-cycle learning rate and clipped gradients."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn


class OneCycleAdamW:
    """AdamW with a one-cycle schedule (Smith and Topin 2018); gradients are clipped to norm 1.

    Args:
        parameters: of the trained module.
        rate: peak learning rate.
        weight_decay: of AdamW.
        steps: length of the schedule.
    """

    def __init__(self, parameters: Iterable[nn.Parameter], rate: float, weight_decay: float, steps: int) -> None:
        self.parameters = list(parameters)
        self.optimiser = torch.optim.AdamW(self.parameters, lr=rate, weight_decay=weight_decay)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, rate, total_steps=steps, pct_start=0.1)

    def step(self, loss: Tensor) -> None:
        """One step down the gradient of a loss."""
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimiser.step()
        self.schedule.step()
