"""Point-cloud datasets."""

from .base import PointCloudDataset, unrepeated
from .collection import PointCollection
from .errors import DatasetError, DatasetNotFoundError
from .few_labels import FewLabels
from .few_shot import FewShot
from .few_shot_modelnet import FewShotModelNet40
from .folder import PointCloudFolder
from .joined import JoinedDatasets
from .labelled_collection import LabelledCollection
from .modelnet import ModelNet
from .part_dataset import PartDataset
from .procedural import ProceduralParts, ProceduralShapes
from .procedural.variety import ProceduralVariety
from .scanned import Scanned
from .scanobjectnn import ScanObjectNN
from .shapenet import ShapeNet55
from .shapenetpart import ShapeNetPart

__all__ = [
    'DatasetError',
    'DatasetNotFoundError',
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
    'ProceduralParts',
    'ProceduralShapes',
    'ProceduralVariety',
    'ScanObjectNN',
    'Scanned',
    'ShapeNet55',
    'ShapeNetPart',
    'unrepeated',
]
