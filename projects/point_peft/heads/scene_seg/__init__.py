"""Decoders that give every point of a block of a scene its class."""

from .base import SceneSegHead
from .linear import LinearSceneSegHead
from .propagation import PropagationSceneSegHead

__all__ = ['LinearSceneSegHead', 'PropagationSceneSegHead', 'SceneSegHead']
