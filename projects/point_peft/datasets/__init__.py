"""Point-cloud datasets."""

from .base import PointCloudDataset
from .errors import DatasetError, DatasetNotFoundError
from .folder import PointCloudFolder
from .modelnet import ModelNet
from .procedural import ProceduralShapes
from .scanobjectnn import ScanObjectNN
from .shapenet import ShapeNet55

__all__ = [
    'DatasetError',
    'DatasetNotFoundError',
    'ModelNet',
    'PointCloudDataset',
    'PointCloudFolder',
    'ProceduralShapes',
    'ScanObjectNN',
    'ShapeNet55',
]
