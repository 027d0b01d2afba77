"""What to show of a cloud with its predictions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement
from torch import Tensor

from ..evaluation.part_segmentation import score_shape
from ..io.errors import InvalidValueError
from .annotations import predicted_boxes, predicted_labels
from .scenes import MAX_BOXES, SCORE_THRESHOLD, show_boxes, show_labels, source_name
from .shown import ShownCloud


def show_sample(
    sample: BaseDataElement,
    points: Tensor,
    meta: Mapping[str, Any],
    *,
    score_threshold: float = SCORE_THRESHOLD,
    max_boxes: int = MAX_BOXES,
) -> ShownCloud:
    """Turn a data sample with predictions, and the truth where it is known, into what is shown.

    Args:
        sample (BaseDataElement): With ``pred_part`` (N,) and ``category`` (), or with ``pred_label``; see
            ``structures.PointDataSample``. Or mmdet3d's, with ``pred_instances_3d`` or ``pred_pts_seg``; see
            :mod:`~.scenes`.
        points (Tensor): (N, 3 + D) points that the model saw; of rooms in metres.
        meta (Mapping[str, Any]): The dataset's ``metainfo``: ``classes``, ``parts``, ``class_parts``; numbers stand in
            for names that are missing.
        score_threshold (float): Score from which predicted boxes are drawn.
        max_boxes (int): Predicted boxes that are drawn at most.

    Raises:
        ValueError: The sample has no predictions that could be shown, or not one for each point.
    """
    cloud = points[:, :3].detach().cpu().float().numpy()
    if 'pred_part' in sample:
        return _show_parts(sample, cloud, meta)
    if 'pred_label' in sample:
        return _show_class(sample, cloud, meta.get('classes') or ())
    if predicted_boxes(sample) is not None:
        return show_boxes(sample, points, meta, score_threshold=score_threshold, max_boxes=max_boxes)
    if predicted_labels(sample) is not None:
        return show_labels(sample, points, meta)
    raise InvalidValueError(
        "nothing to show: a data sample has none of 'pred_label', 'pred_part', 'pred_instances_3d' and "
        f"'pred_pts_seg'; it has {sorted(sample.keys())}. Only models for these tasks can be shown."
    )


def _show_class(sample: BaseDataElement, cloud: np.ndarray, classes: Sequence[str]) -> ShownCloud:
    """A cloud with its predicted class, the probability and the true class in the title."""
    predicted = int(sample.pred_label)
    scores = sample.get('pred_scores')
    probability = '' if scores is None else f' ({100 * float(scores[predicted]):.0f} %)'
    lines = [source_name(sample), f'predicted: {_name(classes, predicted)}{probability}']
    right = None
    if 'gt_label' in sample:
        true = int(sample.gt_label)
        lines.insert(1, f'true: {_name(classes, true)}')
        right = true == predicted
    return ShownCloud('\n'.join(line for line in lines if line), cloud, right=right)


def _show_parts(sample: BaseDataElement, cloud: np.ndarray, meta: Mapping[str, Any]) -> ShownCloud:
    """A cloud with its true and its predicted parts; the title has its category and mean IoU."""
    classes, category = meta.get('classes') or (), int(sample.category)
    parts = meta.get('parts') or ()
    names = {part: parts[part] if part < len(parts) else '' for part in parts_of(meta, category)}
    labels = {'predicted': _array(sample.pred_part)}
    title = ', '.join(text for text in (_name(classes, category), source_name(sample)) if text)
    if 'gt_part' in sample:
        labels = {'true': _array(sample.gt_part), **labels}
    shown = ShownCloud(title, cloud, labels=labels, names=names)
    if 'true' not in labels or not names:
        return shown
    score = score_shape(labels['true'], labels['predicted'], list(names), category)
    return ShownCloud(f'{title}: mean IoU {100 * score.miou:.1f} %', cloud, labels=labels, names=names)


def parts_of(meta: Mapping[str, Any], category: int) -> tuple[int, ...]:
    """Global part ids of a category; none if the dataset does not say."""
    classes, class_parts = meta.get('classes') or (), meta.get('class_parts') or {}
    return tuple(class_parts.get(classes[category], ())) if category < len(classes) else ()


def _name(names: Sequence[str], index: int) -> str:
    """The name of a class or part; its number where there is none."""
    return names[index] if index < len(names) else str(index)


def _array(labels: Tensor) -> np.ndarray:
    """Labels (N,) on the CPU."""
    return labels.detach().cpu().numpy()
