"""Point-cloud datasets."""

from .base import PointCloudDataset, unrepeated
from .collection import PointCollection
from .evenly_spread import EvenlySpread
from .few_labels import FewLabels
from .few_shot import FewShot
from .few_shot_modelnet import FewShotModelNet40
from .folder import PointCloudFolder
from .joined import JoinedDatasets
from .labelled_collection import LabelledCollection
from .modelnet import ModelNet
from .part_dataset import PartDataset
from .scanobjectnn import ScanObjectNN
from .shapenet import ShapeNet55
from .shapenetpart import ShapeNetPart

__all__ = [
    'EvenlySpread',
    'FewLabels',
    'FewShot',
    'FewShotModelNet40',
    'JoinedDatasets',
    'LabelledCollection',
    'ModelNet',
    'PartDataset',
    'PointCloudDataset',
    'PointCloudFolder',
    'PointCollection',
    'ScanObjectNN',
    'ShapeNet55',
    'ShapeNetPart',
    'unrepeated',
]
