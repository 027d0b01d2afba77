"""Steps that mixed precision skips."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

SMALLEST_SCALE = 2.0**-24
"""Loss scale below which mixed precision has skipped so many steps that it is not learning any more."""

LONGEST_SKIP = 25
"""Steps in a row that a loss scale which never changes may skip."""


class SkippedSteps:
    """Counts the steps in a row that mixed precision has skipped, without waiting for the device.

    Args:
        optim_wrapper (OptimWrapper): Wrapper with a ``loss_scaler``.
    """

    def __init__(self, optim_wrapper: Any) -> None:
        scaler = optim_wrapper.loss_scaler
        self.scale = float(scaler.get_scale())
        self.count = 0
        self.in_a_row: int | Tensor = 0
        if getattr(optim_wrapper, '_scale_update_param', None) is None:
            halvings = math.log(self.scale / SMALLEST_SCALE) / -math.log(scaler.get_backoff_factor())
            self.limit = max(LONGEST_SKIP, math.ceil(halvings))
            self.problem = 'the gradients are not finite at any loss scale of mixed precision'
        else:
            self.limit = LONGEST_SKIP
            self.problem = (
                f'mixed precision skipped the last {LONGEST_SKIP} steps, because the gradients are not finite at the '
                f'fixed loss scale of {self.scale:g}'
            )
        optim_wrapper.optimizer.register_step_post_hook(self._take)

    @classmethod
    def of(cls, optim_wrapper: Any) -> SkippedSteps | None:
        """The counter of a wrapper; None if it scales no losses."""
        scaler = getattr(optim_wrapper, 'loss_scaler', None)
        return None if scaler is None or not scaler.is_enabled() else cls(optim_wrapper)

    def after_step(self, optim_wrapper: Any) -> str | None:
        """Count a training iteration; the beginning of a sentence if too many in a row are known to be skipped."""
        if not optim_wrapper.should_update():
            return None
        self.count += 1
        self.in_a_row = self.in_a_row + 1
        return self.problem if isinstance(self.in_a_row, int) and self.too_many() else None

    def too_many(self) -> bool:
        """Whether too many steps in a row were skipped."""
        return int(self.in_a_row) >= self.limit

    def all_were_skipped(self) -> bool:
        """Whether there were steps, and none was taken."""
        return int(self.in_a_row) == self.count > 0

    def _take(self, optimizer: Any, *_: Any) -> None:
        """The optimizer took a step, which is counted right after this; a fused one may have skipped it inside."""
        skipped = getattr(optimizer, 'found_inf', None)
        self.in_a_row = -1 if skipped is None else torch.where(skipped > 0, self.in_a_row, -1)
