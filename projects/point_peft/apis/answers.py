"""What a model says of a cloud, as data and as what is drawn of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from ..io.errors import ConfigError


@dataclass
class Answer:
    """A cloud on its way through a model: as it was given, as the model sees it, and what the model says.

    Attributes:
        source (str): File, or ``array 0`` for the first one given in memory.
        position (int): Which of the inputs it is or, for a file of a directory, lies in.
        in_memory (bool): Whether it was given as an array.
        points (Tensor | None): (N, 3) float32 as the model sees it; of rooms (N, 3 + D) in metres.
        category (int | None): What the object is, where the model has to be told.
        sample (BaseDataElement | None): With predictions, on the CPU.
        problem (Exception | None): Why it cannot be used.
    """

    source: str
    position: int = 0
    in_memory: bool = False
    points: Tensor | None = None
    category: int | None = None
    sample: BaseDataElement | None = None
    problem: Exception | None = None


def as_result(answer: Answer, meta: Mapping[str, Any]) -> dict[str, Any]:
    """What a user gets of an answer; see :meth:`~.inferencer.Inferencer.__call__`.

    Args:
        answer (Answer): The answer.
        meta (Mapping): Names of classes and parts.
    """
    result: dict[str, Any] = dict(
        source=answer.source, error=None if answer.problem is None else str(answer.problem)
    )
    sample = answer.sample
    if sample is None or answer.points is None:
        return result
    result['points'] = answer.points.numpy()
    if 'pred_scores' in sample:
        scores = sample.pred_scores.float()
        best = int(scores.argmax())
        name = str(class_names(meta, len(scores))[best])
        result |= dict(pred_label=best, pred_class=name, pred_score=float(scores[best]))
        result['pred_scores'] = scores.numpy()
    elif 'pred_part' in sample:
        names = meta.get('parts') or ()
        found = sample.pred_part.unique().tolist()
        result |= dict(pred_parts=sample.pred_part.numpy(), category=answer.category)
        result['part_names'] = {part: names[part] if part < len(names) else str(part) for part in found}
    elif 'pred_instances_3d' in sample:
        result |= _boxes(sample, meta)
    elif 'pred_pts_seg' in sample:
        labels = np.asarray(sample.pred_pts_seg.pts_semantic_mask)
        result |= dict(pred_point_labels=labels, classes=tuple(meta.get('classes') or ()))
    else:
        fields = {key: value for key, value in sample.items() if key.startswith('pred_')}
        result |= {
            key: value.numpy() if isinstance(value, Tensor) else value for key, value in fields.items()
        }
    return result


def refuse_problems(answers: Sequence[Answer]) -> None:
    """Refuse arrays that cannot be used, and files if no other can.

    Raises:
        PointPEFTError: There is one, or all are.
    """
    for answer in answers:
        if answer.problem is not None and (answer.in_memory or len(answers) == 1):
            raise answer.problem
    if all(answer.problem is not None for answer in answers):
        raise ConfigError(f'none of the files can be used: {answers[0].problem}')


def class_names(meta: Mapping[str, Any], num_classes: int) -> list[str]:
    """Names of the classes; their numbers where there are none, or of another number."""
    names = meta.get('classes') or ()
    return list(names) if len(names) == num_classes else [str(index) for index in range(num_classes)]


def _boxes(sample: BaseDataElement, meta: Mapping[str, Any]) -> dict[str, Any]:
    """Boxes under the names that mmdet3d's inferencers give them; the center is that of the whole box."""
    found = sample.pred_instances_3d
    boxes = torch.cat(
        [found.bboxes_3d.gravity_center, found.bboxes_3d.dims, found.bboxes_3d.yaw[:, None]], dim=1
    )
    return dict(
        bboxes_3d=boxes.numpy(),
        labels_3d=found.labels_3d.numpy(),
        scores_3d=found.scores_3d.numpy(),
        classes=tuple(meta.get('classes') or ()),
    )
