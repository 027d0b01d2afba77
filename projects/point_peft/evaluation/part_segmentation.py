"""Mean intersection over union of part segmentation, as published for ShapeNetPart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from ..io.errors import InvalidValueError, MissingKeyError
from ..io.text import printable
from ..registry import METRICS

FIELDS = ('gt_part', 'pred_part', 'category')


class ShapeScore(NamedTuple):
    """What counts of one object.

    Attributes:
        category (int): Index of its category.
        miou (float): Mean intersection over union of the category's parts.
        correct (int): Points whose part is predicted correctly.
        total (int): All points.
    """

    category: int
    miou: float
    correct: int
    total: int


@METRICS.register_module()
class PartSegMetric(BaseMetric):
    """Instance mIoU, class mIoU and point accuracy, in percent (PointNet, CVPR 2017, section 5.2).

    The IoU of an object is the mean over all parts of its category of intersection over union of the predicted and the
    true points; a part that neither has counts 1. ``instance_miou`` is the mean over objects, ``class_miou`` the mean
    over the categories that occur of the mean over their objects, ``point_accuracy`` the share of all points predicted
    correctly. Predictions must be parts of the object's category: the head chooses among these alone.

    The dataset says which parts a category has (``metainfo['classes']`` and ``metainfo['class_parts']``).

    Args:
        per_category (bool): Also give ``miou/CATEGORY`` for every category that occurs, and log them as a table.
        collect_device (str): See MMEngine's BaseMetric.
        prefix (str | None): Prefix of the names of the results.
    """

    default_prefix = ''  # no prefix, and no warning that there is none

    def __init__(
        self, *, per_category: bool = False, collect_device: str = 'cpu', prefix: str | None = None
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.per_category = per_category

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Score every object.

        Args:
            data_batch (dict): Unused.
            data_samples (Sequence[dict]): Samples with ``gt_part`` (N,) and ``pred_part`` (N,) int64 global part ids
                and ``category`` () int64.

        Raises:
            KeyError: If a sample lacks one of them, or the dataset names no parts.
            ValueError: If a label or prediction is none of the category's parts, or their numbers differ.
        """
        for key in FIELDS:
            if any(key not in sample for sample in data_samples):
                raise MissingKeyError(
                    f"a data sample has no '{key}'; it has {sorted(data_samples[0])}: check that the dataset gives "
                    "part labels and that the model segments parts and runs in mode='predict'."
                )
        predictions = [sample['pred_part'].reshape(-1) for sample in data_samples]
        sizes = [len(prediction) for prediction in predictions]
        flat = torch.cat(predictions).cpu().numpy()  # one transfer from the device for the whole batch
        for sample, prediction in zip(data_samples, np.split(flat, np.cumsum(sizes)[:-1])):
            self.results.append(self._score(sample, prediction))

    def compute_metrics(self, results: list[ShapeScore]) -> dict[str, float]:
        """Reduce the scores of all processes to percent."""
        names, _ = self._categories()
        categories, mious, correct, total = (np.asarray(column) for column in zip(*results))
        means = {
            names[category]: 100 * float(mious[categories == category].mean())
            for category in np.unique(categories)
        }
        found = dict(
            instance_miou=100 * float(mious.mean()),
            class_miou=float(np.mean(list(means.values()))),
            point_accuracy=100 * float(correct.sum() / total.sum()),
        )
        if self.per_category:
            counts = np.bincount(categories, minlength=len(names))
            print_log(_format_table(dict(zip(names, counts.tolist())), means), logger='current')
            found.update({f'miou/{name}': miou for name, miou in means.items()})
        return found

    def _score(self, sample: dict, prediction: np.ndarray) -> ShapeScore:
        """Check and score the prediction (N,) of one object."""
        names, parts = self._categories()
        category, source = int(sample['category']), printable(sample.get('source', 'a sample'))
        truth = torch.as_tensor(sample['gt_part']).cpu().numpy()
        if len(truth) != len(prediction):
            raise InvalidValueError(
                f'{source} has {len(truth)} part labels but {len(prediction)} predictions; the points that the model '
                'sees must be those of the dataset.'
            )
        for kind, values in (('part label', truth), ('predicted part', prediction)):
            _check_parts(values, parts[category], f'a {kind} of {source}', names[category])
        return score_shape(truth, prediction, parts[category], category)

    def _categories(self) -> tuple[tuple[str, ...], list[tuple[int, ...]]]:
        """Names and global part ids of the categories, by index."""
        meta = self.dataset_meta or {}
        if 'class_parts' not in meta:
            raise MissingKeyError(
                "the dataset's metainfo has no 'class_parts', the parts of every category; use a dataset for part "
                'segmentation, such as ShapeNetPart or ProceduralParts.'
            )
        names = tuple(meta['classes'])
        return names, [tuple(meta['class_parts'][name]) for name in names]


def score_shape(truth: np.ndarray, prediction: np.ndarray, parts: Sequence[int], category: int) -> ShapeScore:
    """Score one object.

    Args:
        truth (np.ndarray): (N,) global part ids.
        prediction (np.ndarray): (N,) global part ids.
        parts (Sequence[int]): Parts of the category; all ids are among them.
        category (int): Index of the category.
    """
    index = list(parts)
    size = max(index) + 1
    right = truth == prediction
    intersection, true, predicted = (
        np.bincount(values, minlength=size)[index] for values in (truth[right], truth, prediction)
    )
    union = true + predicted - intersection
    iou = np.where(union > 0, intersection / np.maximum(union, 1), 1.0)
    return ShapeScore(category, float(iou.mean()), int(right.sum()), len(truth))


def _check_parts(values: np.ndarray, parts: Sequence[int], what: str, category: str) -> None:
    """Check that all ids are parts of the category."""
    outside = ~np.isin(values, parts)
    if outside.any():
        raise InvalidValueError(
            f'{what} is {values[outside][0]}, which is no part of {printable(category)} (allowed: '
            f'{", ".join(map(str, parts))}); '
            "labels must be global ids, and the head must choose among the category's parts."
        )


def _format_table(counts: dict[str, int], means: dict[str, float]) -> str:
    """One line per category: name, number of objects, mIoU in percent."""
    shown_names = {name: printable(name) for name in counts}
    width = max(len(name) for name in (*shown_names.values(), 'category'))
    lines = [f'{"category":{width}}  objects    mIoU']
    for name, count in counts.items():
        shown = f'{means[name]:6.2f}' if count else '     -'
        lines.append(f'{shown_names[name]:{width}}  {count:7d}  {shown}')
    return 'mIoU of every category\n' + '\n'.join(lines)
