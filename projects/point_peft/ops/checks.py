"""Argument checks shared by the point operations: shapes and sizes only, so nothing waits for the device."""

from __future__ import annotations

import torch
from torch import Tensor

from ..io.errors import InvalidValueError

COORDINATES = 3


def check_clouds(name: str, points: Tensor) -> None:
    """Refuse anything that is not a batch of 3-D clouds.

    Args:
        name (str): Argument name, for the message.
        points (Tensor): Tensor to check.

    Raises:
        ValueError: If ``points`` is not a floating-point tensor of shape ``(B, N >= 1, 3)``.
    """
    if points.ndim != COORDINATES or points.shape[-1] != COORDINATES or points.shape[1] == 0:
        raise InvalidValueError(
            f'{name} has shape {tuple(points.shape)}, expected (B, N, 3) with N >= 1; '
            'stack the clouds of a batch and keep only their x, y, z columns'
        )
    if not points.is_floating_point():
        raise InvalidValueError(
            f'{name} has dtype {points.dtype}, expected floating point; call `.float()` first'
        )


def check_same_batch(name: str, points: Tensor, other_name: str, other: Tensor) -> None:
    """Refuse two batches of different length, which broadcasting would silently mix.

    Args:
        name (str): Name of the first argument.
        points (Tensor): ``(B, ...)``.
        other_name (str): Name of the second argument.
        other (Tensor): ``(B, ...)``.

    Raises:
        ValueError: If the leading dimensions differ.
    """
    if points.shape[0] != other.shape[0]:
        raise InvalidValueError(
            f'{name} holds {points.shape[0]} samples but {other_name} holds {other.shape[0]}; '
            'pass tensors of one batch'
        )


def check_count(name: str, count: int) -> None:
    """Refuse a count below one.

    Args:
        name (str): Argument name, for the message.
        count (int): Value to check.

    Raises:
        ValueError: If ``count`` is smaller than 1.
    """
    if count < 1:
        raise InvalidValueError(f'{name}={count}, expected at least 1; raise {name}')


def at_least_float32(points: Tensor) -> Tensor:
    """Upcast half-precision coordinates: fp16 and bf16 cannot tell neighbours of a dense cloud apart.

    Args:
        points (Tensor): Floating-point tensor of any shape.

    Returns:
        Tensor: float64 stays float64, everything else is float32.
    """
    return points if points.dtype == torch.float64 else points.float()
