"""A pre-trained backbone, plain or tuned, as the backbone of a detector of whole rooms."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor

from ..backbones.layers import ExtraChannels
from ..io.errors import InvalidValueError
from ..registry import MODELS
from ..structures import SceneTokens
from .owner import BackboneOwner, build_backbone, build_for


@MODELS.register_module()
class SceneEncoder(BackboneOwner, BaseModule):
    """Encode rooms into seeds with places in metres, in the place of the PointNet++ of mmdet3d's detectors.

    The neck is in here and not in the detector, so that it can ask the backbone for the widths that it joins.

    A room is moved so that the mean of its points is the origin, and scaled by a factor that is the same for all rooms,
    so that objects keep their sizes. At the default, a group of 32 out of 40 000 points of a room is about as large
    (0.2 m) as groups were, relative to the unit sphere, in pre-training.

    Args:
        backbone (dict): Config of a plain backbone.
        neck (dict): Config of what makes seeds of the tokens of the backbone's decoder blocks (``SeedNeck``).
        peft (dict | None): Config of the wrapper that freezes and tunes the backbone (``PEFTBackbone``); None means
            full fine-tuning.
        extra_channels (int): Columns after the coordinates (height, color) that are embedded too; see
            :class:`~..backbones.layers.ExtraChannels`. Further columns are ignored.
        scale (float): Units of the backbone per metre.
    """

    def __init__(
        self,
        backbone: dict[str, Any],
        neck: dict[str, Any],
        *,
        peft: dict[str, Any] | None = None,
        extra_channels: int = 0,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.backbone = build_backbone(backbone, peft)
        self.neck = build_for(self.backbone, neck)
        self.stages = [tuple(layers) for layers in self.backbone.decoder_layers]
        self.hidden_layers = tuple(layer for layers in self.stages for layer in layers)
        self.extra_channels, self.scale = extra_channels, scale
        first_dim = self.backbone.layer_dims[0]
        self.extra = ExtraChannels(extra_channels, first_dim) if extra_channels else None

    def forward(self, points: Tensor) -> Any:
        """Make seeds of scenes (B, N, 3 + D) in metres, as the neck gives them."""
        return self.neck(self.encode(points))

    def encode(self, points: Tensor) -> SceneTokens:
        """Encode scenes (B, N, 3 + D) in metres.

        Raises:
            ValueError: The points have fewer columns than coordinates and ``extra_channels``.
        """
        if points.shape[-1] < 3 + self.extra_channels:
            raise InvalidValueError(
                f'the points have {points.shape[-1]} columns, but the encoder wants 3 coordinates and '
                f'{self.extra_channels} more; change use_dim or shift_height of LoadPointsFromFile, or '
                'model.backbone.extra_channels.'
            )
        scene = self._enough(points)
        add_channels = (
            None if self.extra is None else partial(self.extra, extra=scene[..., 3 : 3 + self.extra_channels])
        )
        places, origin = self._place(scene[..., :3])
        features = self.backbone(places, hidden_layers=self.hidden_layers, transform_tokens=add_channels)
        return SceneTokens(
            tokens=features.joined(self.stages),
            centers=[center / self.scale + origin for center in features.tokens.stage_centers],
            index=features.tokens.center_index % points.shape[1],
        )

    def backbone_points(self, inputs: dict[str, Any]) -> Tensor:
        """The clouds (B, N, 3) that the backbone gets of scenes ``inputs['points']``, a list of (N, 3 + D)."""
        return self._place(self._enough(torch.stack(inputs['points']))[..., :3])[0]

    def _enough(self, points: Tensor) -> Tensor:
        """Repeat the points of scenes that have fewer than the backbone makes groups."""
        count = points.shape[1]
        if count >= self.backbone.num_groups:
            return points
        return points[:, torch.arange(self.backbone.num_groups, device=points.device) % count]

    def _place(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """Coordinates (B, N, 3) for the backbone, and where their origin (B, 1, 3) is in the scene."""
        origin = points.mean(dim=1, keepdim=True)
        return (points - origin) * self.scale, origin
