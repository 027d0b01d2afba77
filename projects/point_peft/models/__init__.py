"""Task models, which join a backbone and a head, the encoder of scenes, and the data preprocessors."""

from .classifier import PointClassifier
from .data_preprocessor import PointDataPreprocessor
from .descriptor import PointDescriptor
from .joint_pretraining import JointPretrain
from .masked_autoencoder import PointMAEPretrain
from .part_segmentor import PartSegmentor
from .scene_encoder import SceneEncoder
from .scene_preprocessor import ScenePreprocessor
from .scene_segmentor import SceneSegmentor
from .voting import VotingModel

__all__ = [
    'JointPretrain',
    'PartSegmentor',
    'PointClassifier',
    'PointDataPreprocessor',
    'PointDescriptor',
    'PointMAEPretrain',
    'SceneEncoder',
    'ScenePreprocessor',
    'SceneSegmentor',
    'VotingModel',
]
