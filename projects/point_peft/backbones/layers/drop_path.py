"""Stochastic depth."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ...io.errors import InvalidValueError


class DropPath(nn.Module):
    """Drop whole residual branches of some samples while training (stochastic depth, arXiv 1603.09382).

    Args:
        rate (float): Probability of dropping a sample's branch, in [0, 1).
    """

    def __init__(self, rate: float = 0.0) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise InvalidValueError(f'drop-path rate={rate} is outside [0, 1); lower `drop_path_rate`.')
        self.rate = rate

    def forward(self, branch: Tensor) -> Tensor:
        """Return ``branch`` (B, ...) with dropped samples at zero and the others scaled up."""
        scale = self._scale(branch)
        return branch if scale is None else branch * scale

    def add_to(self, x: Tensor, branch: Tensor) -> Tensor:
        """``x + forward(branch)`` of tensors (B, ...), in one pass over them."""
        scale = self._scale(branch)
        return x + branch if scale is None else torch.addcmul(x, branch, scale)

    def _scale(self, branch: Tensor) -> Tensor | None:
        """Weight (B, 1, ...) of every sample's branch; None if all are one."""
        if self.rate == 0 or not self.training:
            return None
        keep = 1 - self.rate
        shape = branch.shape[:1] + (1,) * (branch.dim() - 1)
        return torch.empty(shape, dtype=branch.dtype, device=branch.device).bernoulli_(keep).div_(keep)

    def extra_repr(self) -> str:
        """Show the rate in ``print(model)``."""
        return f'rate={self.rate:.3f}'


def drop_path_rates(last: float, depth: int) -> list[float]:
    """Rates that grow linearly from 0 in the first block to ``last`` in the last of ``depth``."""
    return [last * index / max(1, depth - 1) for index in range(depth)]
