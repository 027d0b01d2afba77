"""Random rotation about an axis."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ...io.errors import InvalidValueError
from ...registry import TRANSFORMS
from .coordinates import replace_coordinates, uniform

AXES = ('x', 'y', 'z')


@TRANSFORMS.register_module()
class RandomRotate:
    """Rotate every sample about one axis by its own angle.

    Source: the ScanObjectNN protocol of ReCon, IDPT and PPT (about y, any angle, per sample). The released
    Point-PEFT draws one angle for the whole batch.

    Args:
        axis (str): ``x``, ``y`` (up in ModelNet, ShapeNet and ScanObjectNN) or ``z``.
        angle (float): angles are U(-angle, angle), in radians.

    Raises:
        ValueError: an unknown axis.
    """

    def __init__(self, axis: str = 'y', angle: float = math.pi) -> None:
        if axis not in AXES:
            raise InvalidValueError(f"axis='{axis}' is unknown; choose one of {', '.join(AXES)}.")
        self.axis = axis
        self.angle = angle

    def __call__(self, points: Tensor) -> Tensor:
        """Rotate the coordinates of ``points`` (B, N, C >= 3); further channels stay."""
        angle = uniform(points, len(points), low=-self.angle, high=self.angle)
        return replace_coordinates(
            points, points[..., :3] @ rotation_matrix(angle, self.axis).transpose(1, 2)
        )

    def __repr__(self) -> str:
        """Name and settings."""
        return f"{type(self).__name__}(axis='{self.axis}', angle={self.angle:.4g})"


def rotation_matrix(angle: Tensor, axis: str) -> Tensor:
    """Right-handed rotations about a coordinate axis.

    Args:
        angle (Tensor): (B,) radians.
        axis (str): ``x``, ``y`` or ``z``.

    Returns:
        Tensor: (B, 3, 3), to be applied to column vectors.
    """
    # The plane's axes in cyclic order (x: y->z, y: z->x, z: x->y) make every rotation right-handed.
    fixed = AXES.index(axis)
    first, second = (fixed + 1) % 3, (fixed + 2) % 3
    cosine, sine = torch.cos(angle), torch.sin(angle)
    matrix = angle.new_zeros(len(angle), 3, 3)
    matrix[:, fixed, fixed] = 1
    matrix[:, first, first] = cosine
    matrix[:, second, second] = cosine
    matrix[:, first, second] = -sine
    matrix[:, second, first] = sine
    return matrix
