"""Generation of each next group, which PointGPT keeps as an auxiliary task while it is fine-tuned."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor
from torch.nn import functional as F

from ..backbones import AnyBackbone
from ..backbones.layers import CausalStack, causal_mask, sine_position
from ..ops import chamfer_distance, chamfer_distance_l1
from ..registry import MODELS
from ..structures import BackboneFeatures


@MODELS.register_module()
class GenerationHead(BaseModule):
    """Predict every group of points from those before it (PointGPT, arXiv 2305.11487, section 3.2).

    Tensor names are the official ones. ``generator_blocks.sos`` is in published files but takes no part; it is kept,
    untrained.

    Args:
        backbone (AnyBackbone): The backbone.
        depth (int): Blocks of the generator.
        num_heads (int): Attention heads.
        group_size (int): Points K per group.
        loss_weight (float): Weight beside the task's loss; 3 in classification. With 0, as in the published part
            segmentation, the head takes no part and is kept untrained.
    """

    def __init__(
        self,
        backbone: AnyBackbone,
        *,
        depth: int = 4,
        num_heads: int = 6,
        group_size: int = 32,
        loss_weight: float = 3.0,
    ) -> None:
        super().__init__()
        self.group_size, self.loss_weight = group_size, loss_weight
        self.generator_blocks = CausalStack(
            backbone.embed_dim, depth=depth, num_heads=num_heads, group_size=group_size
        )
        self.generator_blocks.sos.requires_grad_(False)
        if not loss_weight:
            self.requires_grad_(False)

    def forward(self, features: BackboneFeatures) -> Tensor:
        """Generated groups (B, G, K, 3), in the coordinates of the cloud."""
        blocks, centers = self.generator_blocks, features.centers
        x = torch.cat(
            [features.prefix[:, :1], features.patches[:, :-1]], dim=1
        )  # (B, G, C), one group behind
        directions = F.normalize(centers.diff(dim=1), dim=-1)  # from each group to the next
        pos = sine_position(torch.cat([centers[:, :1], directions], dim=1), x.shape[-1])
        mask = causal_mask(x.shape[1], x.device)
        for block in blocks.layers:
            x = block(x + pos, mask)
        points = blocks.increase_dim(blocks.ln_f(x).transpose(1, 2)).transpose(1, 2)  # (B, G, 3K)
        return points.unflatten(-1, (self.group_size, 3))

    def loss(self, features: BackboneFeatures) -> dict[str, Tensor]:
        """Chamfer distances, absolute plus squared, between generated groups and the cloud's own."""
        if not self.loss_weight:
            return {}
        target = (features.tokens.neighborhoods + features.centers.unsqueeze(2)).flatten(0, 1)
        generated = self(features).flatten(0, 1)  # (B*G, K, 3)
        distance = chamfer_distance_l1(generated, target) + chamfer_distance(generated, target)
        return {'loss_generation': self.loss_weight * distance}
