"""The mini-PointNet that embeds each group of points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from ...ops import linear, max_pool
from ...ops.compiling import is_compiling
from .batch_norm import BatchNorm1d

CHUNK_ROWS = {'cpu': 2**12}
"""Points that are embedded at a time when nothing ties the groups together: as many as stay in a CPU's cache."""

LARGE_CHUNK_ROWS = 2**17
"""The same on other devices: enough to keep them busy, in half a GB at most."""


class PatchEmbed(nn.Module):
    """Embed the points of each group with a two-stage PointNet (Point-BERT, section 3.1; Point-MAE ``Encoder``).

    The layers keep the official names and the (out, in, 1) weights of 1x1 convolutions. They are applied as matrix
    products over all points, and the global half of the second stage once per group instead of once per point:
    the same numbers, in about three quarters of the multiplications.

    Args:
        dim (int): Output dimension C.
        hidden_dims (Sequence[int]): Widths of the first stage (two or more), then of the second stage (one).
        in_channels (int): Coordinates (and features) per point.
    """

    def __init__(
        self, dim: int, *, hidden_dims: Sequence[int] = (128, 256, 512), in_channels: int = 3
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        *first, second = hidden_dims
        self.first_conv = _stage(in_channels, *first)
        self.second_conv = _stage(2 * first[-1], second, dim)

    def forward(self, neighborhoods: Tensor) -> Tensor:
        """Embed groups.

        Args:
            neighborhoods (Tensor): (B, G, K, in_channels) points relative to their group center.

        Returns:
            Tensor: (B, G, C), in the precision of the input also under autocast: all blocks add to these tokens, so
            that half precision would round their sum once per block.
        """
        batch, _, size, _ = neighborhoods.shape
        groups = neighborhoods.flatten(0, 1)  # (B*G, K, in)
        # A compiler fuses instead, and the number of chunks would tie its graph to one batch size.
        if self._groups_are_independent(groups) and not is_compiling():
            rows = CHUNK_ROWS.get(groups.device.type, LARGE_CHUNK_ROWS)
            embedded = torch.cat([self._embed(part) for part in groups.split(max(1, rows // size))])
        else:
            embedded = self._embed(groups)
        return embedded.unflatten(0, (batch, -1)).to(neighborhoods.dtype)

    def _groups_are_independent(self, groups: Tensor) -> bool:
        """Whether nothing ties the groups together: neither batch statistics nor a graph for the backward."""
        needs_graph = groups.requires_grad or any(p.requires_grad for p in self.parameters())
        return not self.training and not (torch.is_grad_enabled() and needs_graph)

    def _embed(self, groups: Tensor) -> Tensor:
        """Embed groups (M, K, in_channels) into (M, C)."""
        count, size, channels = groups.shape
        points = groups.reshape(-1, channels)  # (M*K, 3)
        local = _rest(_pointwise(points, self.first_conv[0]), self.first_conv)
        local = local.view(count, size, -1)  # (M, K, 256)
        pooled = max_pool(local, dim=1)  # (M, 256)
        conv = cast(nn.Conv1d, self.second_conv[0])
        on_pooled, on_local = conv.weight.squeeze(-1).chunk(2, dim=1)
        mixed = linear(local, on_local)  # (M, K, 512)
        mixed += linear(pooled, on_pooled, conv.bias).unsqueeze(1)
        mixed = _rest(mixed.flatten(0, 1), self.second_conv)
        return max_pool(mixed.view(count, size, -1), dim=1)


def position_mlp(dim: int, *, hidden_dim: int = 128) -> PositionMlp:
    """Build the positional embedding of group centers: 3 - hidden - C with a GELU (Point-MAE)."""
    return PositionMlp(nn.Linear(3, hidden_dim), nn.GELU(), nn.Linear(hidden_dim, dim))


class PositionMlp(nn.Sequential):
    """Layers that autocast leaves alone.

    Every block adds the positions, so that their rounding would add up, and they are a hundredth of a block's work.
    """

    def forward(self, centers: Tensor) -> Tensor:
        """Embed centers (B, G, 3) as (B, G, C)."""
        with torch.autocast(centers.device.type, enabled=False):
            return super().forward(centers)


def _pointwise(x: Tensor, conv: nn.Module) -> Tensor:
    """Apply a 1x1 convolution to rows (M, in)."""
    assert isinstance(conv, nn.Conv1d)
    return linear(x, conv.weight.squeeze(-1), conv.bias)


def _stage(*dims: int) -> nn.Sequential:
    """1x1 convolutions through these widths, with batch norm and ReLU between them."""
    layers: list[nn.Module] = [nn.Conv1d(dims[0], dims[1], 1)]
    for before, after in zip(dims[1:], dims[2:]):
        layers += [BatchNorm1d(before), nn.ReLU(inplace=True), nn.Conv1d(before, after, 1)]
    return nn.Sequential(*layers)


def _rest(x: Tensor, stage: nn.Sequential) -> Tensor:
    """What follows a stage's first convolution, on rows (M, hidden)."""
    for layer in list(stage)[1:]:
        x = _pointwise(x, layer) if isinstance(layer, nn.Conv1d) else layer(x)
    return x
