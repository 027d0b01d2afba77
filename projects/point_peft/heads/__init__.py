"""Task heads."""

from .cls_head import PointClsHead
from .generation_head import GenerationHead
from .part_seg import (
    GraphPartSegHead,
    HierarchicalPartSegHead,
    LinearPartSegHead,
    PartSegHead,
    PlainPartSegHead,
)
from .scene_seg import LinearSceneSegHead, PropagationSceneSegHead, SceneSegHead

__all__ = [
    'GenerationHead',
    'GraphPartSegHead',
    'HierarchicalPartSegHead',
    'LinearPartSegHead',
    'LinearSceneSegHead',
    'PartSegHead',
    'PlainPartSegHead',
    'PointClsHead',
    'PropagationSceneSegHead',
    'SceneSegHead',
]
