"""mmdet3d's metric for data sets that lack some classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from mmdet3d.evaluation import IndoorMetric

from ..registry import METRICS


@METRICS.register_module()
class PresentClassIndoorMetric(IndoorMetric):
    """mAP and mAR over the classes that occur in the scenes.

    ``IndoorMetric`` gives NaN for both as soon as a class is predicted that no scene has, which on a handful of scenes
    is the rule. Where all classes occur, the two agree. Arguments and names are those of ``IndoorMetric``.
    """

    def compute_metrics(self, results: list[Any]) -> dict[str, float]:
        """Metrics by name, fractions; NaN for classes that do not occur."""
        metrics = super().compute_metrics(results)
        for threshold in self.iou_thr:
            for kind, mean in (('AP', 'mAP'), ('rec', 'mAR')):
                suffix = f'_{kind}_{threshold:.2f}'
                values = [value for name, value in metrics.items() if name.endswith(suffix)]
                metrics[f'{mean}_{threshold:.2f}'] = float(np.nanmean(values)) if values else float('nan')
        return metrics
