"""MoST: sparse updates of the attention by Monarch matrices that see each token's neighbours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..ops import gather, interpolate_with, knn, max_pool
from ..ops.checks import at_least_float32
from ..registry import MODELS
from ..structures import BackboneFeatures
from .base import TuningMethod
from .context import TuningContext

RMS_EPS = 1e-6
"""Added to the mean square in :class:`Rectify` (``rmsnorm`` of the published code)."""


@MODELS.register_module()
class MoST(TuningMethod):
    """Monarch sparse tuning (Han et al., CVPR 2025, arXiv 2503.18368): a Point Monarch matrix beside every attention.

    To the output of the attention, whose input is x, ``K_out M K_in x`` is added: M is a :class:`Monarch` matrix, and K
    adds to each patch token what distinguishes it from its neighbours (:class:`Rectify`). A fresh MoST changes nothing.

    Args:
        num_blocks (int): Blocks of both factors of M; must divide the width of every stage. 8 in the published configs.
        num_neighbors (int): Neighbouring centers, the token's own not counted; 4.
        eps (float): Added to their distances, in the units of the cloud, whose inverses are their weights; 0.05.
        num_fused (int): Blocks of the last stage, evenly spaced and the last among them, whose maximum plus mean over
            the patches join what the head gets, each with twice the weight of the one before; 3 in the published
            classifier (blocks 7, 15 and 23 of 24), 0 for none. Only of use to heads that pool the patch tokens.
    """

    needed_sites = ('attn',)
    unfoldable = 'it depends on the neighbours of every token'

    def __init__(
        self, num_blocks: int = 8, *, num_neighbors: int = 4, eps: float = 0.05, num_fused: int = 0
    ) -> None:
        super().__init__()
        self.num_blocks, self.num_neighbors, self.eps, self.num_fused = (
            num_blocks,
            num_neighbors,
            eps,
            num_fused,
        )

    def setup(self, backbone: PointBackbone) -> None:
        """Create a matrix per block, and the norm of the joined features if there are any.

        Raises:
            ValueError: If ``num_blocks`` does not divide a width, or there are fewer blocks than ``num_fused``.
        """
        self.stages, self.depth = list(backbone.layer_stages), len(backbone.layers)
        wrong = sorted({width for width in backbone.layer_dims if width % self.num_blocks})
        if wrong:
            raise InvalidValueError(
                f'MoST num_blocks={self.num_blocks} does not divide the token dimensions {wrong}; choose a divisor.'
            )
        self.matrices = nn.ModuleList(PointMonarch(width, self.num_blocks) for width in backbone.layer_dims)
        last = self.stages.count(self.stages[-1])
        if not 0 <= self.num_fused <= last:
            raise InvalidValueError(
                f'MoST num_fused={self.num_fused}, but the last stage has {last} blocks; choose 0 to {last}.'
            )
        step = last // max(self.num_fused, 1)
        self.fused = [self.depth - 1 - step * back for back in reversed(range(self.num_fused))]
        self.fused_norm = nn.LayerNorm(backbone.embed_dim) if self.fused else None

    def attach(self, backbone: PointBackbone) -> None:
        """Act on the output of every attention, and read that of the fused blocks."""
        for layer, attention in enumerate(backbone.sites('attn')):
            self.on_output(attention, self._add(layer))
        for layer in self.fused:
            self.on_output(backbone.layers[layer], self._pool(layer))

    def begin(self, context: TuningContext) -> list[Tensor]:
        """Weights (B, G, G) of each center's neighbours, for every stage."""
        return [self._weights(centers) for centers in context.tokens.stage_centers]

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """Add the features of the fused blocks to all patch tokens, which a maximum or mean over these passes on."""
        if self.fused_norm is None:
            return features
        pooled = sum(2**place * self.handed_to(layer + 1) for place, layer in enumerate(self.fused))
        return replace(features, patches=features.patches + self.fused_norm(pooled).unsqueeze(1))

    def _add(self, layer: int) -> Callable[[Tensor, Tensor], Tensor]:
        matrix, stage = self.matrices[layer], self.stages[layer]
        return lambda x, output: output + matrix(x, self.state[stage])

    def _pool(self, layer: int) -> Callable[[Tensor, Tensor], Tensor]:
        def read(_: Tensor, x: Tensor) -> Tensor:
            patches = self.split(x)[1]
            self.hand_on(layer + 1, max_pool(patches, dim=1) + patches.mean(dim=1))
            return x

        return read

    @torch.no_grad()
    def _weights(self, centers: Tensor) -> Tensor:
        """Inverse distances (B, G, G) to the nearest centers, each row adding up to one; 0 for all others.

        Raises:
            ValueError: If there are no more tokens than neighbours.
        """
        if centers.shape[1] <= self.num_neighbors:
            raise InvalidValueError(
                f'MoST num_neighbors={self.num_neighbors}, but there are {centers.shape[1]} tokens in a stage, the '
                'token itself among them; lower it.'
            )
        index = knn(centers, centers, self.num_neighbors + 1)[..., 1:]  # a center's nearest is itself
        places = at_least_float32(centers)
        distance = (gather(places, index) - places.unsqueeze(2)).norm(dim=-1)  # (B, G, K)
        weights = (distance + self.eps).reciprocal()
        weights = weights / weights.sum(dim=-1, keepdim=True)
        return weights.new_zeros(*index.shape[:2], index.shape[1]).scatter_(2, index, weights)


class PointMonarch(nn.Module):
    """K_out M K_in, where K acts on patch tokens and M on all (section 3.2).

    Args:
        dim (int): Token dimension C.
        num_blocks (int): Blocks of M's factors.
    """

    def __init__(self, dim: int, num_blocks: int) -> None:
        super().__init__()
        self.rectify_in, self.rectify_out = Rectify(dim), Rectify(dim)
        self.monarch = Monarch(dim, num_blocks)

    def forward(self, x: Tensor, weights: Tensor) -> Tensor:
        """Map tokens (B, L, C), the patches last, with their neighbours' weights (B, G, G)."""
        others, patches = x.tensor_split([x.shape[1] - weights.shape[1]], dim=1)
        mapped = self.monarch(torch.cat([others, self.rectify_in(patches, weights)], dim=1))
        others, patches = mapped.tensor_split([x.shape[1] - weights.shape[1]], dim=1)
        return torch.cat([others, self.rectify_out(patches, weights)], dim=1)


class Rectify(nn.Module):
    """``f + gain * rms_norm(mean of the neighbours' f - f)``; the gain starts at zero.

    Args:
        dim (int): Channels C.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.zeros(dim))

    def forward(self, f: Tensor, weights: Tensor) -> Tensor:
        """Map (B, G, C), given the weights (B, G, G) of the mean."""
        difference = at_least_float32(interpolate_with(weights, f) - f)
        normed = difference * (difference.square().mean(dim=-1, keepdim=True) + RMS_EPS).rsqrt()
        return f + self.gain * normed


class Monarch(nn.Module):
    """A Monarch matrix with bias: two block-diagonal matrices and a fixed permutation between them.

    The second factor and the bias start at zero. (In the published code the first does too, so that neither ever gets a
    gradient.)

    Args:
        dim (int): Channels C.
        num_blocks (int): Blocks N of both factors; must divide C.
    """

    def __init__(self, dim: int, num_blocks: int) -> None:
        super().__init__()
        size = dim // num_blocks
        bound = size**-0.5  # as of a linear layer with as many inputs
        self.first = nn.Parameter(torch.empty(num_blocks, size, size).uniform_(-bound, bound))
        self.second = nn.Parameter(torch.zeros(num_blocks, size, size))
        self.bias = nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., C) to (..., C)."""
        blocks, size, _ = self.first.shape
        x = x.unflatten(-1, (blocks, size))
        x = torch.einsum('...np,nqp->...nq', x, self.first).flatten(-2)
        x = x.unflatten(-1, (size, blocks))  # the permutation: block n gets every N-th channel
        return torch.einsum('...pn,nqp->...qn', x, self.second).flatten(-2) + self.bias
