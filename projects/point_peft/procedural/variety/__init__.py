"""Procedural objects of many classes, for pre-training."""

from .dataset import ProceduralVariety
from .recipes import CLASSES, PARTS, RECIPES, sample_variety

__all__ = ['CLASSES', 'PARTS', 'RECIPES', 'ProceduralVariety', 'sample_variety']
