"""Pre-training of a plain encoder by several objectives at once, on part of each cloud's groups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn import functional as F

from ..backbones.layers.init import init_by_fan_in, shrink_residuals
from ..io.errors import InvalidValueError
from ..ops import gather, group
from ..ops.grouping import Groups
from ..registry import MODELS
from ..structures import PointDataSample
from .objectives import GroupView
from .owner import build_for


@MODELS.register_module()
class JointPretrain(BaseModel):
    """Train an encoder on what comes free with procedural objects and collections of meshes.

    Each step groups the clouds, hides some groups of each, embeds and encodes the rest, and adds up the losses of the
    objectives: classes, words of names, parts, masked groups, agreement of two views. Hiding groups is augmentation
    (a crop, an occluded side) and saves the time of the hidden ones. ``mode='tensor'`` returns the encoder's global
    descriptor (B, C), as of :class:`PointMAEPretrain`; the encoder has its name in there, so that official and our
    own pre-training files look alike.

    Args:
        encoder (dict): Config of a plain backbone without class token.
        objectives (dict): Config of each objective by a name for the log (see ``models/objectives``).
        keep (tuple[float, float]): Range of the share of groups that are seen; one draw per step.
        one_sided (float): How strongly hidden groups lie on one side of the cloud: 0 hides at random. Per cloud a
            strength in [0, ``one_sided``] is drawn, small ones more often.
        data_preprocessor (dict | None): Config of the data preprocessor.

    Raises:
        ValueError: If ``keep`` is not a range in (0, 1], leaves nothing for a second view that an objective needs, or
            there is no objective.
    """

    def __init__(
        self,
        encoder: dict[str, Any],
        objectives: Mapping[str, dict[str, Any]],
        *,
        keep: tuple[float, float] = (0.4, 0.8),
        one_sided: float = 2.0,
        data_preprocessor: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor)
        if not 0 < keep[0] <= keep[1] <= 1:
            raise InvalidValueError(
                f'keep={tuple(keep)} is not a range of shares in (0, 1]; give (low, high).'
            )
        if not objectives:
            raise InvalidValueError('objectives is empty, so there is nothing to train; name at least one.')
        self.keep = keep
        self.one_sided = one_sided
        self.MAE_encoder = MODELS.build(encoder)
        init_by_fan_in(self.MAE_encoder)
        shrink_residuals(self.MAE_encoder.layers)
        self.objectives = nn.ModuleDict(
            {name: build_for(self.MAE_encoder, config) for name, config in objectives.items()}
        )
        if keep[1] == 1 and any(objective.num_views == 2 for objective in self.objectives.values()):
            raise InvalidValueError(f'keep={tuple(keep)} may leave no second view; lower its end below 1.')
        self.pool_norm = nn.BatchNorm1d(2 * self.MAE_encoder.embed_dim)

    def forward(
        self,
        inputs: dict[str, Tensor],
        data_samples: Sequence[PointDataSample] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Compute the losses or the descriptor.

        Args:
            inputs (dict): ``points`` (B, N, 3).
            data_samples (Sequence[PointDataSample] | None): What is known of each cloud: ``gt_label``, ``gt_part``
                (N,), ``gt_words``. An objective passes over clouds that lack what it needs.
            mode (str): ``loss``, or ``tensor`` for the descriptor (B, C).
        """
        if mode == 'tensor':
            return self.MAE_encoder.summarize(self.MAE_encoder.embed(inputs['points']))
        if mode == 'loss':
            return self.losses(inputs['points'], data_samples or [])
        raise InvalidValueError(f"mode={mode!r} is unknown to JointPretrain; use 'loss' or 'tensor'.")

    def losses(self, points: Tensor, data_samples: Sequence[PointDataSample]) -> dict[str, Tensor]:
        """Loss of every objective, weighted, by ``loss_NAME``."""
        with torch.no_grad():
            groups = group(points, self.MAE_encoder.num_groups, self.MAE_encoder.group_size)
            seen, hidden = self.choose(groups.centers)
        views = [self.encode(groups, seen, hidden)]
        if any(objective.num_views == 2 for objective in self.objectives.values()):
            views.append(self.encode(groups, hidden, seen))
        return {
            f'loss_{name}': objective.weight * objective(views, data_samples)
            for name, objective in self.objectives.items()
        }

    def choose(self, centers: Tensor) -> tuple[Tensor, Tensor]:
        """Divide the groups of centers (B, G, 3): indices (B, V) of the seen and (B, G - V) of the hidden ones."""
        batch, count, _ = centers.shape
        low, high = self.keep
        num_seen = max(1, round(count * float(low + (high - low) * torch.rand(()))))
        direction = F.normalize(torch.randn_like(centers[:, :1]), dim=-1)
        strength = self.one_sided * torch.rand_like(centers[:, :1, 0]).square()  # (B, 1)
        score = strength * (centers * direction).sum(-1) + torch.rand_like(centers[..., 0])
        return score.argsort(dim=1).split([num_seen, count - num_seen], dim=1)

    def encode(self, groups: Groups, seen: Tensor, hidden: Tensor) -> GroupView:
        """Embed and encode the groups ``seen`` (B, V) alone."""
        encoder = self.MAE_encoder
        neighborhoods = gather(groups.neighborhoods.flatten(2), seen).unflatten(2, (-1, 3))
        tokens = encoder.blocks(
            encoder.embed_groups(neighborhoods), encoder.pos_embed(gather(groups.centers, seen))
        )
        tokens = encoder.norm(tokens)  # (B, V, C)
        pooled = self.pool_norm(torch.cat([tokens.amax(dim=1), tokens.mean(dim=1)], dim=-1))
        return GroupView(tokens, pooled, seen, hidden, groups)
