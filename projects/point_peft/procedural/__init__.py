"""Objects and rooms made by recipes, and their virtual scans: the datasets that need no download."""

from .dataset import ProceduralShapes
from .parts import ProceduralParts
from .scanned import Scanned
from .shapes import CLASS_PARTS, CLASSES, PARTS
from .variety import ProceduralVariety

__all__ = [
    'CLASSES',
    'CLASS_PARTS',
    'PARTS',
    'ProceduralParts',
    'ProceduralShapes',
    'ProceduralVariety',
    'Scanned',
]
