"""STAG: a narrow state beside the blocks adapts their tokens by graph convolution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointBackbone
from ..io.errors import InvalidValueError
from ..ops import gather, knn, max_pool
from ..registry import MODELS
from ..structures import BackboneFeatures
from .base import TuningMethod
from .context import TuningContext


@MODELS.register_module()
class STAG(TuningMethod):
    """Side token adaptation on a neighborhood graph (Furuya, MVA 2025, arXiv 2502.14142).

    A state (B, G, R) gathers what enters every block, ``s += D x``. Behind the blocks from ``first_layer`` on it is
    convolved over the nearest centers, ``s <- F max_j (A s_i + B s_j)``, and displaces the tokens: ``x += relu(U s)``,
    prefix tokens by the mean over the patches. No gradient goes below ``first_layer``. In a hierarchy all this
    happens in the last stage, whose first block is read with its positions.

    Constants are those of STAG-std; STAG-sl is ``first_layer=3, num_readers=4, num_convolutions=3``. Methods that
    change what leaves the last block have to stand before it in the list.

    Args:
        dim (int): Width R of the state.
        num_neighbors (int): Nearest centers K of the convolution, the token's own among them.
        first_layer (int | None): First block whose output is adapted; None means the middle one (6 of 12), or the first
            of a hierarchy's last stage if that is later.
        num_readers (int): Sets of D; neighbouring blocks share one.
        num_convolutions (int): Sets of A, B, F and U; neighbouring blocks share one.
        final_norm (bool): Whether the head gets tokens behind the backbone's final norm; published: no.
    """

    unfoldable = 'it depends on the neighbours of every token'

    def __init__(
        self,
        dim: int = 192,
        *,
        num_neighbors: int = 8,
        first_layer: int | None = None,
        num_readers: int = 1,
        num_convolutions: int = 1,
        final_norm: bool = False,
    ) -> None:
        super().__init__()
        self.dim, self.num_neighbors, self.first_layer = dim, num_neighbors, first_layer
        self.num_readers, self.num_convolutions, self.final_norm = num_readers, num_convolutions, final_norm

    def setup(self, backbone: PointBackbone) -> None:
        """Create the layers, with torch's initial values as published, so that a fresh STAG already adapts.

        Raises:
            ValueError: If ``first_layer`` is no block of the last stage, or there are more sets of layers than blocks.
        """
        stages = list(backbone.layer_stages)
        self.depth, self.start = len(stages), stages.index(stages[-1])
        middle = max(self.depth // 2, self.start)
        self.gradient_from = middle if self.first_layer is None else self.first_layer
        if not self.start <= self.gradient_from < self.depth:
            raise InvalidValueError(
                f'STAG first_layer={self.first_layer} is none of the blocks {self.start} to {self.depth - 1} of the '
                'last stage, where it adapts tokens; choose one of them, or None.'
            )
        self._check_count('num_readers', self.num_readers, self.depth - self.start)
        self._check_count('num_convolutions', self.num_convolutions, self.depth - self.gradient_from)
        width = backbone.embed_dim
        self.readers = nn.ModuleList(nn.Linear(width, self.dim) for _ in range(self.num_readers))
        self.convolutions = nn.ModuleList(
            SideConvolution(width, self.dim) for _ in range(self.num_convolutions)
        )

    def attach(self, backbone: PointBackbone) -> None:
        """Act behind every block of the last stage."""
        for layer in range(self.start, self.depth):
            self.on_output(backbone.layers[layer], self._behind(layer))

    def begin(self, context: TuningContext) -> Tensor:
        """Find the nearest centers (B, G, K) of each center of the last stage.

        Raises:
            ValueError: If there are fewer tokens than neighbours.
        """
        centers = context.tokens.stage_centers[-1]
        if centers.shape[1] < self.num_neighbors:
            raise InvalidValueError(
                f'STAG num_neighbors={self.num_neighbors}, but the last stage has {centers.shape[1]} tokens; lower it.'
            )
        return knn(centers, centers, self.num_neighbors)

    def finish(self, features: BackboneFeatures, context: TuningContext) -> BackboneFeatures:
        """The tokens without the final norm, unless it is wanted."""
        if self.final_norm:
            return features
        prefix, patches = self.split(self.handed_to(self.depth))
        prefix = torch.cat([prefix, features.kept.to(prefix.dtype)], dim=1)
        return replace(features, patches=patches, prefix=prefix)

    def _behind(self, layer: int) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda x, output: self._adapt(x, output, layer)

    def _adapt(self, x: Tensor, output: Tensor, layer: int) -> Tensor:
        """Carry the state past a block with input ``x`` and output (B, P+G, C), and adapt the output."""
        if layer == self.start:  # only the very first tokens are known without their positions
            first = self.context.tokens.features if layer == 0 else self.split(x)[1]
            state = self._reader(layer)(first)  # (B, G, R)
        else:
            state = self.handed_to(layer)
        if layer >= self.gradient_from:
            convolution = self._convolution(layer)
            state = convolution(state, self.state)
            shift = convolution.displacement(state)  # (B, G, C)
            prefix, patches = self.split(output)
            output = torch.cat([prefix + shift.mean(dim=1, keepdim=True), patches + shift], dim=1)
        if layer + 1 < self.depth:
            state = state + self._reader(layer + 1)(self.split(output)[1])
            self.hand_on(layer + 1, state)
        elif not self.final_norm:
            self.hand_on(self.depth, output)
        return output

    def _reader(self, layer: int) -> nn.Module:
        return self.readers[(layer - self.start) * self.num_readers // (self.depth - self.start)]

    def _convolution(self, layer: int) -> SideConvolution:
        since, count = layer - self.gradient_from, self.depth - self.gradient_from
        return cast(SideConvolution, self.convolutions[since * self.num_convolutions // count])

    @staticmethod
    def _check_count(name: str, count: int, blocks: int) -> None:
        if not 1 <= count <= blocks:
            raise InvalidValueError(
                f'STAG {name}={count}, but {blocks} blocks share them; choose 1 to {blocks}.'
            )


class SideConvolution(nn.Module):
    """The layers A, B, F and U of :class:`STAG`.

    Args:
        width (int): Token dimension C.
        dim (int): Width R of the state.
    """

    def __init__(self, width: int, dim: int) -> None:
        super().__init__()
        self.own = nn.Linear(dim, dim)
        self.neighbor = nn.Linear(dim, dim)
        self.mix = nn.Linear(dim, dim)
        self.up = nn.Linear(dim, width)

    def forward(self, state: Tensor, index: Tensor) -> Tensor:
        """Convolve a state (B, G, R) over neighbours (B, G, K); what is a token's own is the same for all of them."""
        nearby = max_pool(gather(self.neighbor(state), index), dim=2)
        return self.mix(self.own(state) + nearby)

    def displacement(self, state: Tensor) -> Tensor:
        """What is added to the patch tokens (B, G, C)."""
        return F.relu(self.up(state))
