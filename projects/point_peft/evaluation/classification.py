"""Accuracy of a classifier."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from ..io.errors import MissingKeyError
from ..io.spared import spared
from ..io.text import printable
from ..registry import METRICS
from .confusion_matrix import count_confusions, save_confusion_matrix


@METRICS.register_module()
class ClassificationAccuracy(BaseMetric):
    """Overall accuracy, mean-class accuracy and confusion matrix.

    ``overall_accuracy`` is the share of objects classified correctly; ``mean_class_accuracy`` the mean over
    classes of the share of their objects classified correctly, over the classes that occur. Both in percent.

    Attributes:
        confusion_matrix (np.ndarray | None): (num_classes, num_classes) int64 counts after an evaluation, on
            the main process; row = true class, column = predicted class.

    Args:
        out_dir (str | None): save ``confusion_matrix.npy`` and ``.png`` there after every evaluation.
        per_class (bool): log a table of the accuracy of every class.
        collect_device (str): see MMEngine's BaseMetric.
        prefix (str | None): prefix of the names of the results.
    """

    default_prefix = ''  # no prefix, and no warning that there is none

    def __init__(
        self,
        *,
        out_dir: str | None = None,
        per_class: bool = False,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.out_dir = None if out_dir is None else Path(out_dir)
        self.per_class = per_class
        self.confusion_matrix: np.ndarray | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Note the true and predicted class of every sample.

        Args:
            data_batch (dict): unused.
            data_samples (Sequence[dict]): samples with ``gt_label`` and ``pred_label``, () int64 each.

        Raises:
            KeyError: a sample has no true or no predicted class.
        """
        for key in ('gt_label', 'pred_label'):
            if any(key not in sample for sample in data_samples):
                raise MissingKeyError(
                    f"a data sample has no '{key}'; it has {sorted(data_samples[0])}: check that the "
                    "dataset gives labels and that the model runs in mode='predict'."
                )
        pairs = [
            torch.stack(
                [
                    torch.as_tensor(sample['gt_label'], device=sample['pred_label'].device).reshape(()),
                    sample['pred_label'].reshape(()),
                ]
            )
            for sample in data_samples
        ]
        self.results.extend(tuple(pair) for pair in torch.stack(pairs).tolist())

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict[str, float]:
        """Reduce (true, predicted) pairs of all processes to the accuracies, in percent.

        Raises:
            ValueError: a class lies outside the dataset's classes.
        """
        truth, prediction = np.asarray(results, dtype=np.int64).T
        classes = self._class_names(int(max(truth.max(), prediction.max())) + 1)
        matrix = count_confusions(truth, prediction, num_classes=len(classes))
        self.confusion_matrix = matrix
        total = matrix.sum(axis=1)
        present = total > 0
        per_class = 100 * matrix.diagonal() / np.maximum(total, 1)
        if self.per_class:
            print_log(_format_table(classes, total, per_class), logger='current')
        if self.out_dir is not None:
            with spared(f'the confusion matrix in {self.out_dir}'):
                save_confusion_matrix(matrix, classes, out_dir=self.out_dir)
        return dict(
            overall_accuracy=100 * float(matrix.trace()) / len(results),
            mean_class_accuracy=float(per_class[present].mean()),
        )

    def _class_names(self, least: int) -> tuple[str, ...]:
        """Names of the classes: those of the dataset, or numbers when it gives none."""
        names = (self.dataset_meta or {}).get('classes')
        return tuple(names) if names else tuple(str(index) for index in range(least))


def _format_table(classes: Sequence[str], total: np.ndarray, accuracy: np.ndarray) -> str:
    """One line per class: name, number of objects, accuracy in percent."""
    names = [printable(name) for name in classes]
    width = max(len(name) for name in (*names, 'class'))
    lines = [f'{"class":{width}}  objects  accuracy']
    for name, count, value in zip(names, total, accuracy):
        shown = f'{value:8.2f}' if count else '       -'
        lines.append(f'{name:{width}}  {count:7d}  {shown}')
    return 'Accuracy of every class\n' + '\n'.join(lines)
