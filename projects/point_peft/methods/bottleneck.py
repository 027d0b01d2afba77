"""The bottleneck adapter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..registry import MODELS
from .base import TuningMethod

QUICK_GELU_SLOPE = 1.702
"""Slope of the sigmoid in x * sigmoid(1.702 x), the activation of the Point-PEFT release (``QuickGELU``)."""


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x)."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return x * torch.sigmoid(QUICK_GELU_SLOPE * x)


class Bottleneck(nn.Module):
    """Down-projection, activation, dropout, up-projection.

    The up-projection starts at zero, so a fresh bottleneck changes nothing.

    Args:
        dim (int): Input and output dimension C.
        hidden_dim (int): Dimension of the bottleneck.
        dropout (float): Dropout before the up-projection; 0.1 in the Point-PEFT release.
    """

    def __init__(self, dim: int, *, hidden_dim: int, dropout: float = 0.1) -> None:
        super().__init__()
        self.down = nn.Linear(dim, hidden_dim)
        self.act = QuickGELU()
        self.dropout = nn.Dropout(dropout)
        self.up = nn.Linear(hidden_dim, dim)
        nn.init.xavier_uniform_(self.down.weight)
        for tensor in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(tensor)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C), without a residual."""
        return self.up(self.dropout(self.act(self.down(x))))


@MODELS.register_module()
class BottleneckAdapter(TuningMethod):
    """Add a scaled bottleneck of a sub-layer's output to it: ``h + scale * adapter(h)``.

    Args:
        dim (int): Dimension of the bottleneck; 16 in Point-PEFT.
        at (str): Site whose output is adapted and has the tokens' dimension: ``mlp``, ``attn``, ``block``.
        scale (float): Weight of the adapter; 0.7 in the Point-PEFT release (``Block.forward``).
        dropout (float): Dropout inside the bottleneck.
    """

    def __init__(self, dim: int = 16, *, at: str = 'mlp', scale: float = 0.7, dropout: float = 0.1) -> None:
        super().__init__()
        self.dim, self.at, self.scale, self.dropout = dim, at, scale, dropout
        self.needed_sites = (at,)

    def setup(self, backbone: PointBackbone) -> None:
        """Create one bottleneck per block.

        Raises:
            ValueError: If the site's output has not the tokens' dimension.
        """
        for module, width in zip(backbone.sites(self.at), backbone.layer_dims):
            if isinstance(module, nn.Linear) and module.out_features != width:
                raise InvalidValueError(
                    f'BottleneckAdapter at={self.at!r} gives {module.out_features} channels, but the tokens have '
                    f"{width}; use 'mlp', 'attn' or 'block'."
                )
        self.adapters = nn.ModuleList(
            Bottleneck(width, hidden_dim=self.dim, dropout=self.dropout) for width in backbone.layer_dims
        )

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every block's sub-layer."""
        for module, adapter in zip(backbone.sites(self.at), self.adapters):
            self.on_output(module, self._adapt(adapter))

    def _adapt(self, adapter: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda _, output: torch.add(output, adapter(output), alpha=self.scale)
