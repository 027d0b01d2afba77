"""Geometric encoding mixer: local positions by a light convolution, context by a few latent tokens (as in GEM)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..ops import attend, gather, knn
from ..ops.checks import at_least_float32
from ..registry import MODELS
from .base import TuningMethod
from .context import TuningContext

SMALLEST_DISTANCE = 1e-8
"""Mean distance of neighbours under which centers count as coincident, in the units of the cloud."""


@dataclass(frozen=True)
class Surroundings:
    """Where the neighbours of every center of a stage are.

    Attributes:
        index (Tensor): (B, G, K) int64 nearest centers, the own one first.
        offsets (Tensor): (B, G, K, 3) from the center to them, relative to their mean distance in the cloud.
    """

    index: Tensor
    offsets: Tensor


@MODELS.register_module()
class GeometricEncodingMixer(TuningMethod):
    """A spatial adapter before every block and a context adapter beside its attention, for transformers over groups.

    The idea is that of GEM (Tang et al., NeurIPS 2025, arXiv 2505.22444, Spatial and Context Adapter), which tunes
    sparse-voxel networks of scenes. Here a convolution over the nearest centers stands for the one over voxels, and
    the sizes are of our own choice. A fresh one changes nothing.

    Args:
        hidden_dim (int): Width R of both bottlenecks.
        num_neighbors (int): Centers K of the convolution, the own one among them.
        num_latents (int): Latent tokens of a block that collect the context; 0 for no context adapter.
    """

    needed_sites = ('attn',)
    unfoldable = 'it depends on the other tokens'

    def __init__(self, hidden_dim: int = 16, *, num_neighbors: int = 8, num_latents: int = 4) -> None:
        super().__init__()
        if num_latents < 0:
            raise InvalidValueError(f'GeometricEncodingMixer num_latents={num_latents}; choose 0 or more.')
        self.hidden_dim, self.num_neighbors, self.num_latents = hidden_dim, num_neighbors, num_latents

    def setup(self, backbone: PointBackbone) -> None:
        """Create two adapters per block."""
        self.stages = list(backbone.layer_stages)
        self.spatial = nn.ModuleList(SpatialAdapter(dim, self.hidden_dim) for dim in backbone.layer_dims)
        widths = backbone.layer_dims if self.num_latents else ()
        self.context_adapters = nn.ModuleList(
            ContextAdapter(dim, self.hidden_dim, self.num_latents) for dim in widths
        )

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the input of every block, and on the output of its attention."""
        for layer, block in enumerate(backbone.layers):
            self.on_input(block, self._encode(layer))
        for attention, adapter in zip(backbone.sites('attn'), self.context_adapters):
            self.on_output(attention, self._mix(adapter))

    def begin(self, context: TuningContext) -> list[Surroundings]:
        """Find the neighbours of the centers of every stage.

        Raises:
            ValueError: If there are fewer tokens than neighbours.
        """
        return [self._surroundings(centers) for centers in context.tokens.stage_centers]

    def _encode(self, layer: int) -> Callable[[Tensor], Tensor]:
        adapter, stage = cast(SpatialAdapter, self.spatial[layer]), self.stages[layer]

        def encode(x: Tensor) -> Tensor:
            prefix, patches = self.split(x)
            return torch.cat([prefix, patches + adapter(patches, self.state[stage])], dim=1)

        return encode

    def _mix(self, adapter: nn.Module) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda x, output: output + adapter(x)

    @torch.no_grad()
    def _surroundings(self, centers: Tensor) -> Surroundings:
        if centers.shape[1] < self.num_neighbors:
            raise InvalidValueError(
                f'GeometricEncodingMixer num_neighbors={self.num_neighbors}, but a stage has {centers.shape[1]} '
                'tokens; lower it.'
            )
        index = knn(centers, centers, self.num_neighbors)
        places = at_least_float32(centers)
        offsets = gather(places, index) - places.unsqueeze(2)  # (B, G, K, 3)
        scale = offsets.norm(dim=-1).mean(dim=(1, 2)).clamp_min(SMALLEST_DISTANCE)
        return Surroundings(index, (offsets / scale.view(-1, 1, 1, 1)).to(centers.dtype))


class SpatialAdapter(nn.Module):
    """``W_up gelu(mean_j (A o_ij + a) * W_down x_j)``: a depthwise convolution whose weights are linear in the offset.

    Args:
        dim (int): Token dimension C.
        hidden_dim (int): Width R.
    """

    def __init__(self, dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dim, hidden_dim), nn.Linear(hidden_dim, dim)
        self.kernel = nn.Linear(3, hidden_dim)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, patches: Tensor, around: Surroundings) -> Tensor:
        """Map patch tokens (B, G, C) to what is added to them."""
        nearby = gather(self.down(patches), around.index)  # (B, G, K, R)
        return self.up(F.gelu((self.kernel(around.offsets) * nearby).mean(dim=2)))


class ContextAdapter(nn.Module):
    """Latent tokens attend to all tokens, in a narrow space, and all tokens to them.

    Args:
        dim (int): Token dimension C.
        hidden_dim (int): Width R.
        num_latents (int): Latent tokens.
    """

    def __init__(self, dim: int, hidden_dim: int, num_latents: int) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(dim, hidden_dim), nn.Linear(hidden_dim, dim)
        self.latents = nn.Parameter(torch.randn(1, num_latents, hidden_dim))
        self.query, self.key, self.value = (nn.Linear(hidden_dim, hidden_dim, bias=False) for _ in range(3))
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map tokens (B, L, C) to what is added to the attention's output."""
        x = self.down(x)  # (B, L, R)
        collected = attend(self.latents.expand(x.shape[0], -1, -1), self.key(x), self.value(x))
        return self.up(F.gelu(attend(self.query(x), collected, collected)))
