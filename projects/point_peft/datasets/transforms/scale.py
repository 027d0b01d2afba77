"""Random scaling and translation."""

from __future__ import annotations

from torch import Tensor

from ...registry import TRANSFORMS
from .coordinates import check_range, replace_coordinates, uniform


@TRANSFORMS.register_module()
class RandomScale:
    """Scale every sample along each axis by its own U(low, high).

    Source: Point-PEFT, released ScanObjectNN training (0.9 to 1.1, anisotropic, per sample).

    Args:
        scale (tuple[float, float]): range of the three factors.
    """

    def __init__(self, scale: tuple[float, float] = (0.9, 1.1)) -> None:
        self.scale = check_range('scale', scale)

    def __call__(self, points: Tensor) -> Tensor:
        """Scale the coordinates of ``points`` (B, N, C >= 3); further channels stay."""
        low, high = self.scale
        factor = uniform(points, len(points), 1, 3, low=low, high=high)
        return replace_coordinates(points, points[..., :3] * factor)

    def __repr__(self) -> str:
        """Name and settings."""
        return f'{type(self).__name__}(scale={self.scale})'


@TRANSFORMS.register_module()
class RandomScaleTranslate:
    """Scale every sample along each axis, then move it.

    Source: Point-MAE, ``PointcloudScaleAndTranslate``; its part segmentation scales all axes alike.

    Args:
        scale (tuple[float, float]): range of the three factors of a sample.
        translate (float): the three offsets of a sample are U(-translate, translate), in units of the cloud.
        isotropic (bool): scale the three axes of a sample by one factor.
    """

    def __init__(
        self,
        scale: tuple[float, float] = (2 / 3, 3 / 2),
        translate: float = 0.2,
        *,
        isotropic: bool = False,
    ) -> None:
        self.scale = check_range('scale', scale)
        self.translate = translate
        self.num_factors = 1 if isotropic else 3

    def __call__(self, points: Tensor) -> Tensor:
        """Scale and move the coordinates of ``points`` (B, N, C >= 3); further channels stay."""
        low, high = self.scale
        factor = uniform(points, len(points), 1, self.num_factors, low=low, high=high)
        offset = uniform(points, len(points), 1, 3, low=-self.translate, high=self.translate)
        return replace_coordinates(points, points[..., :3] * factor + offset)

    def __repr__(self) -> str:
        """Name and settings."""
        return f'{type(self).__name__}(scale={self.scale}, translate={self.translate})'
