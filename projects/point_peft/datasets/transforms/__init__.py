"""Batched augmentations (B, N, C >= 3), run on the training device by the data preprocessor."""

from .jitter import RandomJitter
from .rotate import RandomRotate
from .scale import RandomScale, RandomScaleTranslate
from .shuffle import ShufflePoints
from .up_axis import RandomUpAxis

__all__ = [
    'RandomJitter',
    'RandomRotate',
    'RandomScale',
    'RandomScaleTranslate',
    'RandomUpAxis',
    'ShufflePoints',
]
