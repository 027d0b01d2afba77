"""Objects made by recipes: the dataset that needs no download."""

from .dataset import ProceduralShapes
from .parts import ProceduralParts
from .shapes import CLASS_PARTS, CLASSES, PARTS

__all__ = ['CLASSES', 'CLASS_PARTS', 'PARTS', 'ProceduralParts', 'ProceduralShapes']
