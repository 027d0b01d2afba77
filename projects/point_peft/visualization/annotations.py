"""Boxes and labels in the data samples of mmdet3d, read without importing it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement


@dataclass(frozen=True)
class SceneBoxes:
    """Boxes of a scene.

    Attributes:
        boxes (np.ndarray): (M, 7) as in :func:`~.space.box_edges`, in metres and radians.
        labels (np.ndarray): (M,) class of every box.
        scores (np.ndarray | None): (M,) how sure the model is of every box; None if they are the truth.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray | None = None

    def best(self, score_threshold: float, max_boxes: int) -> SceneBoxes:
        """The boxes of the highest scores: those of at least the threshold, and no more than so many."""
        assert self.scores is not None
        order = np.argsort(-self.scores, kind='stable')[:max_boxes]
        order = order[self.scores[order] >= score_threshold]
        return SceneBoxes(self.boxes[order], self.labels[order], self.scores[order])


def true_boxes(sample: BaseDataElement) -> SceneBoxes | None:
    """The boxes that a scene is evaluated or trained with; None if the sample does not have them."""
    evaluated, trained = sample.get('eval_ann_info'), sample.get('gt_instances_3d')
    for holder, prefix in ((evaluated, 'gt_'), (trained, '')):
        if (boxes := _get(holder, f'{prefix}bboxes_3d')) is not None:
            return SceneBoxes(_geometry(boxes), _array(_get(holder, f'{prefix}labels_3d')))
    return None


def predicted_boxes(sample: BaseDataElement) -> SceneBoxes | None:
    """The boxes that a detector found; None if the sample does not have them."""
    found = sample.get('pred_instances_3d')
    if (boxes := _get(found, 'bboxes_3d')) is None:
        return None
    return SceneBoxes(_geometry(boxes), _array(_get(found, 'labels_3d')), _array(_get(found, 'scores_3d')))


def true_labels(sample: BaseDataElement) -> np.ndarray | None:
    """The true class (N,) of every point; None if the sample does not have it."""
    for holder in (sample.get('eval_ann_info'), sample.get('gt_pts_seg')):
        if (labels := _get(holder, 'pts_semantic_mask')) is not None:
            return _array(labels)
    return None


def predicted_labels(sample: BaseDataElement) -> np.ndarray | None:
    """The predicted class (N,) of every point; None if the sample does not have it."""
    labels = _get(sample.get('pred_pts_seg'), 'pts_semantic_mask')
    return None if labels is None else _array(labels)


def _get(holder: Mapping[str, Any] | BaseDataElement | None, name: str) -> Any:
    """A value of a dict or a data element; None if there is neither."""
    return None if holder is None else holder.get(name)


def _geometry(boxes: Any) -> np.ndarray:
    """Center, size and rotation (M, 7) of mmdet3d's boxes, which keep the center of their lower side themselves."""
    parts = (boxes.gravity_center, boxes.dims, boxes.yaw[:, None])
    return _array(torch.cat(parts, dim=1)).astype(np.float64)


def _array(values: Any) -> np.ndarray:
    """An array or tensor as an array on the CPU."""
    return torch.as_tensor(values).detach().cpu().numpy()
