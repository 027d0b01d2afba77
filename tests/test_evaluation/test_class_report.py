"""What predictions on a test set say."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from point_peft.evaluation.class_report import ClassReport, Prediction, wilson
from point_peft.io.errors import InvalidValueError
from point_peft.io.rows import read_rows, write_rows

CLASSES = ('cap', 'mug, blue', 'unseen')
PREDICTIONS = [
    Prediction('a/1.npy', 0, (0.9, 0.1, 0.0)),
    Prediction('a/2.npy', 0, (0.3, 0.6, 0.1)),
    Prediction('b/1.npy', 1, (0.8, 0.1, 0.1)),
    Prediction('b/2\udcff.npy', 1, (0.2, 0.7, 0.1)),
]


@pytest.mark.parametrize(
    ('count', 'total', 'low', 'high'),
    [
        (0, 10, 0.0, 27.75),
        (10, 10, 72.25, 100.0),
        (81, 263, 25.53, 36.62),
    ],  # the last: Newcombe 1998, table I
)
def test_wilson(count: int, total: int, low: float, high: float) -> None:
    """Published values; never outside 0 to 100 %."""
    share = wilson(count, total)
    assert share.low == pytest.approx(low, abs=0.01) and share.high == pytest.approx(high, abs=0.01)
    assert share.percent == pytest.approx(100 * count / total)
    assert math.isnan(wilson(0, 0).percent) and str(wilson(0, 0)) == '-'


def test_report() -> None:
    """Counted by hand."""
    report = ClassReport(CLASSES, PREDICTIONS)
    assert report.matrix.tolist() == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    assert report.accuracy.percent == report.mean_class_accuracy == 50
    assert [one.source for one in report.mistakes()] == ['b/1.npy', 'a/2.npy']  # the surest first
    assert report.to_dict()['classes'][2] == dict(name='unseen', objects=0, found=None, precision=None)
    text = report.describe()
    assert (
        '50.0 % of 4 test objects right (95 % interval 15.0 to 85.0)' in text and len(text.splitlines()) == 5
    )
    with pytest.raises(InvalidValueError, match='no prediction'):
        ClassReport(CLASSES, [])


def test_rows(tmp_path: Path) -> None:
    """Written and read back, with names that need quotes or are no text."""
    report = ClassReport(CLASSES, PREDICTIONS)
    write_rows(tmp_path / 'rows.csv', report.to_rows())
    again = ClassReport.from_rows(CLASSES, read_rows(tmp_path / 'rows.csv'))
    assert [one.source for one in again.predictions] == [one.source for one in PREDICTIONS]
    assert (again.matrix == report.matrix).all()
