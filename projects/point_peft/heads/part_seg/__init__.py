"""Decoders that give every point a part, one file per published kind."""

from .base import PartSegHead
from .graph import GraphPartSegHead
from .hierarchical import HierarchicalPartSegHead
from .linear import LinearPartSegHead
from .plain import PlainPartSegHead
from .propagation import FeaturePropagation

__all__ = [
    'FeaturePropagation',
    'GraphPartSegHead',
    'HierarchicalPartSegHead',
    'LinearPartSegHead',
    'PartSegHead',
    'PlainPartSegHead',
]
