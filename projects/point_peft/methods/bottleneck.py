"""The bottleneck adapter."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..ops import add_bottleneck, quick_gelu
from ..registry import MODELS
from .base import TuningMethod


class QuickGELU(nn.Module):
    """x * sigmoid(1.702 x), of the Point-PEFT release."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply elementwise."""
        return quick_gelu(x)


ACTIVATIONS: dict[str, type[nn.Module]] = {'gelu': nn.GELU, 'quick_gelu': QuickGELU, 'relu': nn.ReLU}
"""Activations of a bottleneck by name."""


class Bottleneck(nn.Module):
    """Down-projection, activation, dropout, up-projection.

    The up-projection starts at zero, so a fresh bottleneck changes nothing.

    Args:
        dim (int): Input and output dimension C.
        hidden_dim (int): Dimension of the bottleneck.
        dropout (float): Dropout before the up-projection; 0.1 in the Point-PEFT release.
        activation (str): ``gelu``, ``quick_gelu`` or ``relu``; QuickGELU in the Point-PEFT release.

    Raises:
        ValueError: If the activation is unknown.
    """

    def __init__(
        self, dim: int, *, hidden_dim: int, dropout: float = 0.1, activation: str = 'quick_gelu'
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise InvalidValueError(
                f'activation={activation!r} is unknown; use one of {sorted(ACTIVATIONS)}.'
            )
        self.down = nn.Linear(dim, hidden_dim)
        self.act = ACTIVATIONS[activation]()
        self.dropout = nn.Dropout(dropout)
        self.up = nn.Linear(hidden_dim, dim)
        nn.init.xavier_uniform_(self.down.weight)
        for tensor in (self.down.bias, self.up.weight, self.up.bias):
            nn.init.zeros_(tensor)

    def forward(self, x: Tensor, *, residual_scale: float | None = None) -> Tensor:
        """Map tokens.

        Args:
            x (Tensor): (..., C).
            residual_scale (float | None): Weight with which the result is added to x; None for the result alone.

        Returns:
            Tensor: (..., C).
        """
        if residual_scale is None:
            return self.up(self.dropout(self.act(self.down(x))))
        if not isinstance(self.act, QuickGELU):
            return torch.add(x, self.forward(x), alpha=residual_scale)  # hooks see one call
        weights = self.down.weight, self.down.bias, self.up.weight, self.up.bias
        dropout = self.dropout.p if self.training else 0.0
        return add_bottleneck(x, *weights, dropout=dropout, scale=residual_scale)


@MODELS.register_module()
class BottleneckAdapter(TuningMethod):
    """Add a scaled bottleneck to a sub-layer's output: ``h + scale * adapter(h)``, or ``h + scale * adapter(x)``.

    The first, serial, is the adapter of Houlsby et al. (ICML 2019, arXiv 1902.00751) behind attention and feed-forward
    network and of Pfeiffer et al. (EACL 2021, arXiv 2005.00247) behind the latter; Point-PEFT has it too. The second,
    parallel, reads the sub-layer's input x (He et al., ICLR 2022, arXiv 2110.04366; AdaptFormer, NeurIPS 2022).

    Args:
        dim (int): Dimension of the bottleneck; 16 in Point-PEFT, 64 in Houlsby's and AdaptFormer's code.
        at (str): Site whose output is adapted and has the tokens' dimension: ``mlp``, ``attn``, ``block``.
        parallel (bool): Whether the bottleneck reads what the sub-layer reads, not what it gives.
        scale (float): Weight of the adapter; 0.7 in the Point-PEFT release (``Block.forward``), 0.1 in AdaptFormer.
        dropout (float): Dropout inside the bottleneck; 0.1 in AdaptFormer too.
        activation (str): ``quick_gelu`` (Point-PEFT), ``gelu`` (Houlsby) or ``relu`` (AdaptFormer).
    """

    unfoldable = 'its activation is not linear'

    def __init__(
        self,
        dim: int = 16,
        *,
        at: str = 'mlp',
        parallel: bool = False,
        scale: float = 0.7,
        dropout: float = 0.1,
        activation: str = 'quick_gelu',
    ) -> None:
        super().__init__()
        self.dim, self.at, self.parallel, self.scale = dim, at, parallel, scale
        self.dropout, self.activation = dropout, activation
        self.needed_sites = (at,)

    def setup(self, backbone: PointBackbone) -> None:
        """Create one bottleneck per block.

        Raises:
            ValueError: If what the site gives, or reads for a parallel adapter, has not the tokens' dimension.
        """
        for module, width in zip(backbone.sites(self.at), backbone.layer_dims):
            if isinstance(module, nn.Linear):
                self._check_width('gives', module.out_features, width)
                self._check_width('reads', module.in_features if self.parallel else width, width)
        self.adapters = nn.ModuleList(
            Bottleneck(width, hidden_dim=self.dim, dropout=self.dropout, activation=self.activation)
            for width in backbone.layer_dims
        )

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every block's sub-layer."""
        for module, adapter in zip(backbone.sites(self.at), self.adapters):
            self.on_output(module, self._adapt(adapter))

    def _check_width(self, verb: str, channels: int, width: int) -> None:
        if channels != width:
            raise InvalidValueError(
                f'BottleneckAdapter at={self.at!r} {verb} {channels} channels, but the tokens have {width}; '
                "use 'mlp', 'attn' or 'block'."
            )

    def _adapt(self, adapter: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        if self.parallel:
            return lambda x, output: torch.add(output, adapter(x), alpha=self.scale)
        return lambda _, output: adapter(output, residual_scale=self.scale)
