"""The linear layer of transformer blocks."""

from __future__ import annotations

from torch import Tensor, nn

from ...ops import linear


class Linear(nn.Linear):
    """``nn.Linear``, by the library that multiplies fastest on the processor at hand, see :func:`ops.linear`."""

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in) to (..., out)."""
        return linear(x, self.weight, self.bias)
