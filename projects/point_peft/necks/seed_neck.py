"""Tokens as the seed points of mmdet3d's indoor detectors."""

from __future__ import annotations

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones import AnyBackbone, decoder_widths
from ..backbones.layers import BatchNorm1d
from ..ops import interpolate
from ..registry import MODELS
from ..structures import SceneTokens


@MODELS.register_module()
class SeedNeck(BaseModule):
    """Make every token of the finest stage a seed point with its index in the scene.

    Coarser stages are carried to the seeds by inverse distance weights of the three nearest, as in PointNet++'s feature
    propagation (arXiv 1706.02413, section 3.4), and all stages are joined by two layers with batch norm.

    Args:
        backbone (AnyBackbone): The backbone whose tokens are joined.
        out_channels (int): Width C of the seeds' features: 256 for ``VoteHead``, 288 for ``GroupFree3DHead``.
    """

    def __init__(self, backbone: AnyBackbone, out_channels: int = 256) -> None:
        super().__init__()
        widths = (sum(decoder_widths(backbone)), out_channels, out_channels)
        self.layers = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in zip(widths, widths[1:]))
        self.norms = nn.ModuleList(BatchNorm1d(width) for width in widths[1:])

    def forward(self, scene: SceneTokens) -> dict[str, list[Tensor]]:
        """Make seeds.

        Args:
            scene (SceneTokens): S tokens in the finest stage.

        Returns:
            dict: ``fp_xyz`` (B, S, 3) in metres, ``fp_features`` (B, C, S), ``fp_indices`` (B, S) int64, each in a
            list, as mmdet3d's PointNet++ backbones return them.
        """
        seeds = scene.centers[0]
        coarser = zip(scene.centers[1:], scene.tokens[1:])
        carried = [interpolate(seeds, centers, tokens) for centers, tokens in coarser]
        x = torch.cat([scene.tokens[0], *carried], dim=-1)  # (B, S, sum of widths)
        for layer, norm in zip(self.layers, self.norms):
            x = F.relu(norm(layer(x).mT)).mT
        return dict(fp_xyz=[seeds], fp_features=[x.mT.contiguous()], fp_indices=[scene.index])
