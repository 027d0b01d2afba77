"""What to show of a room: its boxes, or the labels of its points."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement
from torch import Tensor

from .annotations import predicted_boxes, predicted_labels, true_boxes, true_labels
from .shown import ShownCloud

MAX_POINTS = 20_000
"""Points that are drawn of a room; more neither tell more at this size nor let a page open quickly."""

SCORE_THRESHOLD = 0.3
"""Score from which predicted boxes are drawn."""

MAX_BOXES = 64
"""Predicted boxes that are drawn at most. Rooms of ScanNet have about 13 true ones, few have more than 40."""


def show_boxes(
    sample: BaseDataElement,
    points: Tensor,
    meta: Mapping[str, Any],
    *,
    score_threshold: float = SCORE_THRESHOLD,
    max_boxes: int = MAX_BOXES,
) -> ShownCloud:
    """A room with its true and its predicted boxes, as far as the sample has them, colored by class.

    Args:
        sample (BaseDataElement): Data sample of mmdet3d: ``eval_ann_info`` or ``gt_instances_3d``, and
            ``pred_instances_3d``.
        points (Tensor): (N, 3 + D) points in metres, z up.
        meta (Mapping[str, Any]): The dataset's ``metainfo``, for the names of the ``classes``.
        score_threshold (float): Score from which predicted boxes are drawn.
        max_boxes (int): Predicted boxes that are drawn at most, those of the highest scores.
    """
    shown, counts = {}, []
    if (truth := true_boxes(sample)) is not None:
        shown['true'] = truth
        counts.append(f'{len(truth.boxes)} true boxes')
    if (found := predicted_boxes(sample)) is not None:
        shown['predicted'] = found.best(score_threshold, max_boxes)
        drawn = len(shown['predicted'].boxes)
        counts.append(f'best {drawn} of {len(found.boxes)} predicted boxes (scores from {score_threshold:g})')
    return ShownCloud(
        '\n'.join(line for line in (source_name(sample), ', '.join(counts)) if line),
        _coordinates(points),
        names=class_names(meta),
        boxes={name: found.boxes for name, found in shown.items()},
        box_labels={name: found.labels for name, found in shown.items()},
        up='z',
    ).thinned(MAX_POINTS)


def show_labels(sample: BaseDataElement, points: Tensor, meta: Mapping[str, Any]) -> ShownCloud:
    """A room with the true and the predicted classes of its points, as far as the sample has them.

    Args:
        sample (BaseDataElement): Data sample of mmdet3d: ``eval_ann_info`` or ``gt_pts_seg``, and ``pred_pts_seg``.
        points (Tensor): (N, 3 + D) points in metres, z up.
        meta (Mapping[str, Any]): The dataset's ``metainfo``, for the names of the ``classes``. Points whose true class
            is none of them count as points without a class.
    """
    title, labels, names = source_name(sample), {}, class_names(meta)
    truth, found = true_labels(sample), predicted_labels(sample)
    if truth is not None:
        # mmdet3d gives what nobody evaluates the number behind the last class.
        labels['true'] = np.where(np.isin(truth, list(names)), truth, -1) if names else truth
    if found is not None:
        labels['predicted'] = found
    shown = ShownCloud(title, _coordinates(points), labels=labels, names=names, up='z')  # checks the lengths
    if len(labels) == 2 and (counted := labels['true'] >= 0).any():
        right = (labels['true'] == labels['predicted'])[counted].mean()
        title = f'{title}: {100 * right:.1f} % of the points with a class are right'.removeprefix(': ')
        shown = ShownCloud(title, shown.points, labels=labels, names=names, up='z')
    return shown.thinned(MAX_POINTS)


def class_names(meta: Mapping[str, Any]) -> dict[int, str]:
    """Names of the classes by label; none if the dataset does not say."""
    return dict(enumerate(meta.get('classes') or ()))


def source_name(sample: BaseDataElement) -> str:
    """The file that a cloud came from, without its directory, or its number if that is all that is known."""
    if path := sample.get('source') or sample.get('lidar_path'):
        return Path(str(path)).name
    return '' if (number := sample.get('sample_idx')) is None else f'sample {number}'


def _coordinates(points: Tensor) -> np.ndarray:
    """Coordinates (N, 3) on the CPU."""
    return points[:, :3].detach().cpu().float().numpy()
