"""From the tokens of an encoder to what the heads of mmdet3d read."""

from .seed_neck import SeedNeck

__all__ = ['SeedNeck']
