"""Counting and drawing of a confusion matrix."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from point_peft.evaluation.confusion_matrix import count_confusions, draw_confusion_matrix


def test_by_hand() -> None:
    """Rows are the truth, columns the prediction."""
    matrix = count_confusions(np.array([0, 0, 1]), np.array([1, 1, 0]), num_classes=3)
    assert matrix.tolist() == [[0, 2, 0], [1, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize('num_classes', [2, 40])
def test_picture(tmp_path: Path, num_classes: int) -> None:
    """Pictures of few and many classes, drawn without a display or pyplot."""
    matrix = np.random.default_rng(0).integers(0, 9, (num_classes, num_classes))
    path = tmp_path / 'matrix.png'
    draw_confusion_matrix(matrix, [f'class {i}' for i in range(num_classes)], path=path)
    assert path.stat().st_size > 5000


def test_matplotlib_is_not_imported_by_the_package() -> None:
    """Importing the metrics does not pay for matplotlib."""
    code = 'import sys, point_peft.evaluation; sys.exit("matplotlib" in sys.modules)'
    assert subprocess.run([sys.executable, '-c', code], check=False).returncode == 0
