"""Task heads."""

from .base import DecoderHead, Head, given_or_new
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
    'DecoderHead',
    'GenerationHead',
    'GraphPartSegHead',
    'HierarchicalPartSegHead',
    'Head',
    'LinearPartSegHead',
    'LinearSceneSegHead',
    'PartSegHead',
    'PlainPartSegHead',
    'PointClsHead',
    'PropagationSceneSegHead',
    'SceneSegHead',
    'given_or_new',
]
