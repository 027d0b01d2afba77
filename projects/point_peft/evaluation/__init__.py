"""Evaluation metrics."""

from .classification import ClassificationAccuracy
from .part_segmentation import PartSegMetric

__all__ = ['ClassificationAccuracy', 'PartSegMetric']
