"""GAPrompt: moved and added points, prompts and adapters that know the shape, and exchange among neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointBackbone
from ..backbones.layers import BatchNorm1d
from ..ops import add_interpolated, take_rows
from ..registry import MODELS
from ..structures import BackboneFeatures
from .bottleneck import QuickGELU
from .context import Inserted, TuningContext
from .geometry_aware_adapter import TokenGeometry, token_geometry
from .prompting import DeepPrompt
from .shift_net import ShiftNet

PLACE_STD = 0.06
"""Standard deviation of the prompts' places at the start (published code, ``prompt_cor``)."""


@dataclass(frozen=True)
class ShapeState:
    """What all blocks share.

    Attributes:
        shapes (list[Tensor]): The shape feature (B, 1, C) for every width of tokens.
        geometry (list[TokenGeometry]): Regions of every stage.
    """

    shapes: list[Tensor]
    geometry: list[TokenGeometry]


@MODELS.register_module()
class GAPrompt(DeepPrompt):
    """Geometry-aware prompts (Ai et al., ICML 2025, arXiv 2505.04119).

    A small network moves every point, ``x + 0.8 MLP(x) * x``, and describes the shape; learnable points are added to
    the cloud. In the first half of the blocks prompts are ``e + 0.5 shape + position``. Behind every block the tokens
    of a region are max-pooled and propagated by inverse distance, and an adapter acts on patch tokens, in the first
    half together with the shape. The shape is one more token for the head.

    A head must read it (``pool=(..., 'kept_mean')``), or not read prefix tokens at all.

    Args:
        num_tokens (int): Prompts per block; 10.
        layers (Sequence[int] | None): Blocks with prompts and shape; None means the first half, of a hierarchy all.
        num_points (int): Learnable points; 5.
        point_scale (float): They start uniform in a cube of this half width; 0.01.
        point_factor (float): What they are multiplied by; 5.
        perturbation (float): Weight of the shift; 0.8 for ScanObjectNN, 0.05 for ModelNet40.
        shift_group_size (int): Points in a group of the network that shifts; 32.
        shape_hidden_dim (int): Width between its description and the shape feature; 16.
        shape_scale (float): Weight of the shape in prompts and adapters; 0.5.
        hidden_dim (int): Dimension of the adapters; 16.
        adapter_scale (float): Their weight; 0.7.
        center_ratio (float): Regions per token; 64 of 128.
        num_neighbors (int): Tokens per region; 16.
        center_scale (float): Weight of a region's center token; 0.3.
        propagation_scale (float): Weight of what regions give back; 0.3.
        dropout (float): Dropout of prompts and adapters; 0.1.
        shape_dropout (float): Dropout of the shape feature; 0.25.

    Source: zhoujiahuan1991/ICML2025-GAPrompt at 9ed90f2, ``models/prompt_MAE.py`` and ``models/GAPrompt.py``.
    """

    num_kept_tokens = 1
    unfoldable = 'it changes points and tokens'

    def __init__(
        self,
        num_tokens: int = 10,
        *,
        layers: Sequence[int] | None = None,
        num_points: int = 5,
        point_scale: float = 0.01,
        point_factor: float = 5.0,
        perturbation: float = 0.8,
        shift_group_size: int = 32,
        shape_hidden_dim: int = 16,
        shape_scale: float = 0.5,
        hidden_dim: int = 16,
        adapter_scale: float = 0.7,
        center_ratio: float = 0.5,
        num_neighbors: int = 16,
        center_scale: float = 0.3,
        propagation_scale: float = 0.3,
        dropout: float = 0.1,
        shape_dropout: float = 0.25,
    ) -> None:
        super().__init__(num_tokens, layers=layers)
        self.point_factor, self.perturbation = point_factor, perturbation
        self.shift_group_size, self.shape_hidden_dim = shift_group_size, shape_hidden_dim
        self.shape_scale, self.hidden_dim, self.adapter_scale = shape_scale, hidden_dim, adapter_scale
        self.center_ratio, self.num_neighbors = center_ratio, num_neighbors
        self.center_scale, self.propagation_scale = center_scale, propagation_scale
        self.dropout, self.shape_dropout = nn.Dropout(dropout), shape_dropout
        self.points = nn.Parameter(torch.empty(1, num_points, 3).uniform_(-point_scale, point_scale))
        self.places = nn.Parameter(nn.init.trunc_normal_(torch.empty(num_tokens, 3), std=PLACE_STD))
        self.shape: Tensor | None = None

    def prompted_layers(self, backbone: PointBackbone) -> list[int]:
        """Indices of the blocks that get prompts and see the shape."""
        layers = super().prompted_layers(backbone)
        halved = self.layers is None and len(set(backbone.layer_stages)) == 1
        return layers[: max(1, len(layers) // 2)] if halved else layers

    def setup(self, backbone: PointBackbone) -> None:
        """Create the network that shifts, and each block's prompts, pooling norm and adapter."""
        super().setup(backbone)
        dims = backbone.layer_dims
        self.stages, widths = list(backbone.layer_stages), list(dict.fromkeys(dims))
        self.width_of_layer = [widths.index(dim) for dim in dims]
        self.shift_net = ShiftNet(backbone.num_groups, self.shift_group_size)
        self.shape_mlp = nn.Sequential(
            nn.Linear(self.shift_net.shape_dim, self.shape_hidden_dim),
            nn.GELU(),
            nn.Dropout(self.shape_dropout),
        )
        self.shape_outs = nn.ModuleList(nn.Linear(self.shape_hidden_dim, width) for width in widths)
        self.embeddings = nn.ParameterList(
            torch.zeros(self.num_tokens, dims[layer]) for layer in self.positions
        )
        self.pool_norms = nn.ModuleList(BatchNorm1d(dim) for dim in dims)
        self.adapters = nn.ModuleList(
            NormedBottleneck(dim, hidden_dim=self.hidden_dim, dropout=self.dropout.p) for dim in dims
        )
        self.embed_positions = backbone.embed_positions

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every block."""
        for layer, block in enumerate(backbone.layers):
            self.on_output(block, self._adapted(layer))

    def transform_points(self, points: Tensor) -> Tensor:
        """Move the points (B, N, 3), and add the learnable ones: (B, N+T, 3)."""
        with torch.autocast(points.device.type, enabled=False):
            shift, self.shape = self.shift_net(points)
            moved = shift * self.perturbation * points + points
            added = (self.points * self.point_factor).expand(len(points), -1, -1)
            return torch.cat([moved, added.to(moved)], dim=1)

    def begin(self, context: TuningContext) -> ShapeState:
        """The shape features and the regions."""
        shape, self.shape = self.shape, None  # of this forward
        hidden = self.shape_mlp(shape)
        shapes = [out(hidden).unsqueeze(1) for out in self.shape_outs]
        return ShapeState(shapes, token_geometry(context.tokens, self.center_ratio, self.num_neighbors))

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """The prompts (B, T, C) of a block, if it has any."""
        if layer not in self.positions:
            return None
        learned = self.dropout(self.embeddings[self.positions[layer]])
        place = self.embed_positions(self.places.unsqueeze(0), self.stages[layer])
        return Inserted(learned + self.shape_scale * self._shape(layer) + place)

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Give the head the shape as a last prefix token, which is not normed."""
        prefix = torch.cat([features.prefix, self.state.shapes[-1].to(features.prefix)], dim=1)
        return replace(features, prefix=prefix, num_kept=features.num_kept + 1)

    def prompts(self, position: int) -> Tensor:
        """Prompts (T, C) of a block without shape and places."""
        return self.embeddings[position]

    def _shape(self, layer: int) -> Tensor:
        """The shape (B, 1, C) as a block's tokens know it."""
        return self.state.shapes[self.width_of_layer[layer]]

    def _adapted(self, layer: int) -> Callable[[Tensor, Tensor], Tensor]:
        def act(_: Tensor, x: Tensor) -> Tensor:
            prefix, patches = self.split(x)
            return torch.cat([prefix, self._adapt(self._exchange(patches, layer), layer)], dim=1)

        return act

    def _exchange(self, patches: Tensor, layer: int) -> Tensor:
        """Pool regions of patch tokens (B, G, C) and propagate what is found."""
        geometry = self.state.geometry[self.stages[layer]]
        regions = take_rows(patches, geometry.rows).amax(dim=2)  # (B, S, C)
        regions = F.gelu(self.pool_norms[layer](regions.flatten(0, 1))).view_as(regions)
        regions = torch.add(regions, take_rows(patches, geometry.anchors), alpha=self.center_scale)
        return add_interpolated(patches, geometry.interpolation, regions, scale=self.propagation_scale)

    def _adapt(self, patches: Tensor, layer: int) -> Tensor:
        """Add the adapter of patch tokens (B, G, C)."""
        seen = patches
        if layer in self.positions:
            seen = patches + self.shape_scale * self._shape(layer)
        return torch.add(patches, self.adapters[layer](seen), alpha=self.adapter_scale)


class NormedBottleneck(nn.Module):
    """Layer norm, down-projection, quick GELU, dropout, up-projection; not zero at the start.

    Args:
        dim (int): Input and output dimension C.
        hidden_dim (int): Dimension of the bottleneck.
        dropout (float): Dropout before the up-projection.
    """

    def __init__(self, dim: int, *, hidden_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.down, self.act = nn.LayerNorm(dim), nn.Linear(dim, hidden_dim), QuickGELU()
        self.dropout, self.up = nn.Dropout(dropout), nn.Linear(hidden_dim, dim)
        for layer in (self.down, self.up):
            nn.init.normal_(layer.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C), without a residual."""
        return self.up(self.dropout(self.act(self.down(self.norm(x)))))
