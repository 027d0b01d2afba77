"""The loss between the set of predicted boxes and the set of boxes of a scene."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from mmdet.utils import reduce_mean
from mmdet3d.registry import MODELS
from mmdet3d.structures import BaseInstance3DBoxes
from mmengine.structures import InstanceData
from torch import Tensor, nn

from .box_selection import enclosing_extents

ROTATED_ONLY = ('loss_dir_class', 'loss_dir_res')
"""Losses that make no sense for boxes without rotation."""

UNROTATED_ONLY = ('loss_iou',)
"""Losses on axis-aligned boxes; 3DETR, too, trains without them on SUN RGB-D."""

Prediction = dict[str, Tensor]
"""Boxes after one decoder layer: what mmdet3d's box coder decodes, ``logits`` and ``extent``; see ``Detr3DHead``."""


class SetLoss(nn.Module):
    """Match every box of a scene with one query; that query learns the box, the others learn that they have none.

    As 3DETR does it (arXiv 2109.08141, section 3): every decoder layer has a matching and losses of its own; centers
    and sizes are compared in fractions of the scene's extent. Box losses are sums over the matched queries, divided by
    the number of boxes in the batch, averaged over all processes and at least 1. The class loss is the mean over all
    queries, weighted by their class's weight, as in mmdet's DETR: it does not grow with the number of queries.

    Args:
        num_classes (int): Number of classes.
        bbox_coder (GroupFree3DBBoxCoder): Box coder of mmdet3d.
        assigner (HungarianAssigner): mmdet's assigner with its match costs.
        losses (dict): Configs of mmdet's losses, by the names that :class:`Detr3DHead` lists.
        no_object_weight (float): Weight of the class "no object".
    """

    def __init__(
        self,
        num_classes: int,
        bbox_coder: Any,
        assigner: Any,
        losses: dict[str, dict[str, Any] | None],
        no_object_weight: float,
    ) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.bbox_coder = bbox_coder
        self.assigner = assigner
        self.no_object_weight = no_object_weight
        without = UNROTATED_ONLY if bbox_coder.with_rot else ROTATED_ONLY
        configs = {name: dict(config) for name, config in losses.items() if config and name not in without}
        configs['loss_cls']['class_weight'] = [1.0] * num_classes + [no_object_weight]
        self.losses = nn.ModuleDict({name: MODELS.build(config) for name, config in configs.items()})

    def forward(
        self, predictions: Sequence[Prediction], ground_truth: Sequence[InstanceData]
    ) -> dict[str, Tensor]:
        """Losses of all layers.

        Args:
            predictions (Sequence[dict]): Predictions of every decoder layer for B scenes; see :class:`Detr3DHead`.
            ground_truth (Sequence[InstanceData]): ``bboxes_3d`` and ``labels_3d`` of the B scenes.

        Returns:
            dict: The losses of the last layer by their names, those of layer i with ``d{i}.`` in front.
        """
        targets = [
            self._targets(boxes, extent) for boxes, extent in zip(ground_truth, predictions[-1]['extent'])
        ]
        box_type = type(ground_truth[0].bboxes_3d)
        num_boxes = predictions[-1]['logits'].new_tensor(float(sum(map(len, targets))))
        num_boxes = reduce_mean(num_boxes).clamp(min=1)
        losses = {}
        for layer, prediction in enumerate(predictions):
            prefix = '' if layer == len(predictions) - 1 else f'd{layer}.'
            assigned = self.assign(prediction, targets, box_type)
            values = self._layer_losses(prediction, assigned, targets, num_boxes)
            losses.update({f'{prefix}{name}': value for name, value in values.items()})
        return losses

    @torch.no_grad()
    def assign(
        self, prediction: Prediction, targets: Sequence[InstanceData], box_type: type[BaseInstance3DBoxes]
    ) -> Tensor:
        """Which box of its scene every query learns: (B, Q) int64, counted from 1; 0 for none."""
        boxes = self.bbox_coder.decode(prediction)  # (B, Q, 7)
        extents = enclosing_extents(box_type(boxes.flatten(0, 1), origin=(0.5, 0.5, 0.5)))
        found = [
            InstanceData(scores=scores, centers=centers, extents=corners)
            for scores, centers, corners in zip(
                prediction['logits'],
                prediction['center'] / prediction['extent'],
                extents.unflatten(0, boxes.shape[:2]),
            )
        ]
        return torch.stack(
            [self.assigner.assign(queries, wanted).gt_inds for queries, wanted in zip(found, targets)]
        )

    def _targets(self, scene: InstanceData, extent: Tensor) -> InstanceData:
        """What the M boxes of a scene with an extent (1, 3) ask for, in the terms of the predictions."""
        boxes, labels = scene.bboxes_3d, scene.labels_3d
        center, size, _, _, dir_class, dir_res = self.bbox_coder.encode(boxes, labels)
        return InstanceData(
            labels=labels,
            centers=center / extent,
            sizes=size / extent,
            dir_class=dir_class,
            dir_res=dir_res / (math.pi / self.bbox_coder.num_dir_bins),
            extents=enclosing_extents(boxes),
        )

    def _layer_losses(
        self, prediction: Prediction, assigned: Tensor, targets: Sequence[InstanceData], num_boxes: Tensor
    ) -> dict[str, Tensor]:
        """Losses of one layer, by name; ``assigned`` (B, Q) as :meth:`assign` returns it."""
        matched = assigned > 0
        counts = assigned.new_tensor([len(scene) for scene in targets])
        position = (assigned - 1 + (counts.cumsum(0) - counts).unsqueeze(1))[matched]  # in all scenes' boxes
        wanted = InstanceData.cat(list(targets))[position]
        labels = torch.full_like(assigned, self.num_classes)
        labels[matched] = wanted.labels
        weights = matched.sum() + self.no_object_weight * (~matched).sum()
        found = {name: value.expand(*matched.shape, -1)[matched] for name, value in prediction.items()}
        dir_res = found['dir_res_norm'].gather(1, wanted.dir_class.unsqueeze(1)).squeeze(1)
        low, high = (found['center'] + sign * found['size'] / 2 for sign in (-1, 1))
        inputs = dict(
            loss_cls=(prediction['logits'].flatten(0, 1), labels.flatten(), weights),
            loss_center=(found['center'] / found['extent'], wanted.centers, num_boxes),
            loss_size=(found['size'] / found['extent'], wanted.sizes, num_boxes),
            loss_dir_class=(found['dir_class'], wanted.dir_class, num_boxes),
            loss_dir_res=(dir_res, wanted.dir_res, num_boxes),
            loss_iou=(torch.cat([low, high], dim=1), wanted.extents, num_boxes),
        )
        return {
            name: loss(pred, target, avg_factor=factor)
            for name, loss in self.losses.items()
            for pred, target, factor in [inputs[name]]
        }
