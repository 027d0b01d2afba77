"""Counting, drawing and saving of a confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..io.errors import InvalidValueError
from ..io.text import label


def count_confusions(truth: np.ndarray, prediction: np.ndarray, *, num_classes: int) -> np.ndarray:
    """Count how often each class was taken for each.

    Args:
        truth (np.ndarray): (M,) true classes.
        prediction (np.ndarray): (M,) predicted classes.
        num_classes (int): number of classes.

    Returns:
        np.ndarray: (num_classes, num_classes) int64; row = true class, column = predicted class.

    Raises:
        ValueError: a class lies outside [0, num_classes).
    """
    for name, values in (('label', truth), ('prediction', prediction)):
        outside = (values < 0) | (values >= num_classes)
        if outside.any():
            raise InvalidValueError(
                f'{name} {values[outside][0]} lies outside [0, {num_classes}); the head '
                "(num_classes) and the dataset's classes must agree."
            )
    flat = np.bincount(truth * num_classes + prediction, minlength=num_classes**2)
    return flat.reshape(num_classes, num_classes)


def save_confusion_matrix(matrix: np.ndarray, classes: Sequence[str], *, out_dir: Path) -> None:
    """Write ``confusion_matrix.npy`` (counts) and ``confusion_matrix.png`` (percent of each true class).

    Args:
        matrix (np.ndarray): (C, C) counts; row = true class, column = predicted class.
        classes (Sequence[str]): C names.
        out_dir (Path): directory, created if missing.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    np.save(out_dir / 'confusion_matrix.npy', matrix)
    draw_confusion_matrix(matrix, classes, path=out_dir / 'confusion_matrix.png')


def draw_confusion_matrix(matrix: np.ndarray, classes: Sequence[str], *, path: Path) -> None:
    """Draw the rows of ``matrix`` (C, C), each in percent of its sum, to the picture ``path``."""
    # The object interface draws without a display and leaves pyplot's global state alone.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    percent = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    side = max(4.0, 1.5 + 0.3 * len(classes))  # inches; 0.3 per class keeps the names readable
    figure = Figure(figsize=(side + 1, side), layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    image = axes.imshow(percent, cmap='Blues', vmin=0, vmax=100)
    names = [label(name) for name in classes]
    axes.set_xticks(range(len(classes)), names, rotation=90)
    axes.set_yticks(range(len(classes)), names)
    axes.set_xlabel('predicted class')
    axes.set_ylabel('true class')
    for row, column in zip(*np.nonzero(matrix)):
        shade = 'white' if percent[row, column] > 50 else 'black'
        axes.text(
            column, row, f'{percent[row, column]:.0f}', ha='center', va='center', color=shade, fontsize=6
        )
    figure.colorbar(image, label='% of the true class', shrink=0.8)
    figure.savefig(path, dpi=120)
