"""The released GAPrompt on Point-MAE, number for number (zhoujiahuan1991/ICML2025-GAPrompt at 9ed90f2).

For running the authors' checkpoints. What it does otherwise than ``GAPrompt``:

* in the prompted blocks the indices of regions carry the offset of ``b * G`` but address a tensor whose samples are
  ``G + T`` rows apart, so a sample gathers rows of other samples of its batch, and prompts instead of tokens;
* regions are pooled from ``x + DropPath(x)``, which is ``2 x`` in evaluation and takes part in the stochastic depth;
* prompts of the second half of the blocks, and a scale of each adapter, are trained but take no part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import PointBackbone, PointMAE
from ..backbones.layers import DropPath, drop_path_rates
from ..io.errors import InvalidValueError
from ..methods import GAPrompt, Inserted, TuningContext
from ..methods.ga_prompt import ShapeState
from ..ops import add_interpolated, max_pool
from ..registry import MODELS
from .parts import ReleaseRegions


@MODELS.register_module()
class ReleaseGAPrompt(GAPrompt):
    """``PointTransformer_pointtokenprompt`` as a tuning method of a :class:`PointMAE`.

    Args:
        drop_path (float): Rate at which rows of regions are dropped in the last block, growing from 0.
        kwargs: As :class:`GAPrompt`.
    """

    def __init__(self, *, drop_path: float = 0.1, **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type]
        self.drop_path_rate = drop_path

    def setup(self, backbone: PointBackbone) -> None:
        """Create what takes part, and what does not.

        Raises:
            ValueError: If the backbone is not a Point-MAE, or has no class token.
        """
        if not isinstance(backbone, PointMAE) or backbone.num_prefix_tokens != 1:
            raise InvalidValueError(
                f'the released GAPrompt is for a PointMAE with class token, not for {type(backbone).__name__}; use '
                'GAPrompt.'
            )
        super().setup(backbone)
        dims = backbone.layer_dims
        unused = [dim for layer, dim in enumerate(dims) if layer not in self.positions]
        self.embeddings.extend(torch.zeros(self.num_tokens, dim) for dim in unused)
        self.unused_scales = nn.ModuleList(nn.Linear(dim, 1) for dim in dims)
        self.drop_paths = nn.ModuleList(map(DropPath, drop_path_rates(self.drop_path_rate, len(dims))))

    def attach(self, backbone: PointBackbone) -> None:
        """Put the prompts in before a block, and act on all that leaves it."""
        for layer, block in enumerate(backbone.layers):
            if layer in self.positions:
                self.on_input(block, self._with_prompts(layer))
            self.on_output(block, self._adapted(layer))

    def begin(self, context: TuningContext) -> ShapeState:
        """The shape features, and the released regions."""
        state, centers = super().begin(context), context.tokens.centers
        num_regions = round(self.center_ratio * centers.shape[1])
        regions = ReleaseRegions(centers, num_regions, self.num_neighbors)
        return replace(state, geometry=cast(Any, [regions]))

    def tokens_before(self, layer: int, x: Tensor) -> Inserted | None:
        """None: the prompts leave a block with its output, where the exchange needs them."""
        return None

    def _with_prompts(self, layer: int) -> Callable[[Tensor], Tensor]:
        def put(x: Tensor) -> Tensor:
            prefix, patches = self.split(x)
            prompts = cast(Inserted, GAPrompt.tokens_before(self, layer, x)).tokens
            return torch.cat([prefix, prompts, patches], dim=1)

        return put

    def _exchange(self, patches: Tensor, layer: int) -> Tensor:
        """Pool regions of ``[prompts | patches]`` (B, T+G, C) and propagate what is found to the patches (B, G, C)."""
        regions = cast(ReleaseRegions, self.state.geometry[0])
        num_prompts = self.num_tokens if layer in self.positions else 0
        rows = patches.flatten(0, 1)  # samples T+G rows apart, addressed by indices that assume G
        near = rows[regions.neighbors]  # (B*S, K, C)
        pooled = max_pool(near + self.drop_paths[layer](near), dim=1)
        pooled = F.gelu(self.pool_norms[layer](pooled)) + self.center_scale * rows[regions.anchors]
        pooled = pooled.unflatten(0, (len(patches), -1))
        own = patches[:, num_prompts:]
        return add_interpolated(own, regions.interpolation, pooled, scale=self.propagation_scale)
