"""Checks of class labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..io.errors import DatasetError


def whole_labels(values: Any, sources: Sequence[str]) -> np.ndarray:
    """Labels of a file as integers.

    Args:
        values (array-like): (M,) what the file has.
        sources (Sequence[str]): M names of the clouds.

    Returns:
        np.ndarray: (M,) int64.

    Raises:
        DatasetError: a label is a fraction, NaN, larger than any integer, or no number.
    """
    labels = np.asarray(values)
    if labels.dtype.kind in 'ib':
        return labels.astype(np.int64)
    if labels.dtype.kind not in 'uf':
        raise DatasetError(
            f'{sources[0]} has label {labels.flat[0]!r}, which is no number; expected the index of its class, '
            'counted from 0.'
        )
    whole = np.isfinite(labels) & (labels == np.round(labels))
    if not whole.all():
        index = int(np.argmin(whole))
        raise DatasetError(
            f'{sources[index]} has label {labels[index]:g}, which is no whole number; expected the index of its '
            'class, counted from 0: write the labels again as integers.'
        )
    inside = np.abs(labels) < 2.0**63  # beyond it the integer would be another one
    if not inside.all():
        index = int(np.argmin(inside))
        raise DatasetError(
            f'{sources[index]} has label {labels[index]:g}, which is no class; expected its index, counted from 0: '
            'write the labels again.'
        )
    return labels.astype(np.int64)


def check_labels(labels: np.ndarray, sources: Sequence[str], num_classes: int) -> None:
    """Check that every label is a class.

    Args:
        labels (np.ndarray): (M,) integers.
        sources (Sequence[str]): M names of the clouds.
        num_classes (int): number of classes.

    Raises:
        DatasetError: a label lies outside [0, num_classes).
    """
    outside = (labels < 0) | (labels >= num_classes)
    if outside.any():
        index = int(np.argmax(outside))
        raise DatasetError(
            f'{sources[index]} has label {labels[index]}, outside [0, {num_classes}); '
            f'use the files of a dataset with {num_classes} classes or correct the label.'
        )
