"""Evaluation: metrics, and probes of frozen features."""

from .classification import ClassificationAccuracy
from .features import pooled_features
from .part_segmentation import PartSegMetric
from .probing import LabelledFeatures, ProbeResult, probe

__all__ = [
    'ClassificationAccuracy',
    'LabelledFeatures',
    'PartSegMetric',
    'ProbeResult',
    'pooled_features',
    'probe',
]
