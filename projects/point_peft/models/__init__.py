"""Task models, which join a backbone and a head, and the data preprocessor."""

from .classifier import PointClassifier
from .data_preprocessor import PointDataPreprocessor
from .masked_autoencoder import PointMAEPretrain

__all__ = ['PointClassifier', 'PointDataPreprocessor', 'PointMAEPretrain']
