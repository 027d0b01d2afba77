"""What a classifier's predictions on a test set say: accuracies with intervals, confusions, mistakes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ..io.errors import InvalidValueError
from ..io.text import printable
from .confusion_matrix import count_confusions

Z = 1.959963984540054
"""Quantile of the normal distribution for an interval of 95 %."""

PREFIX = 'p:'
"""Beginning of the names of the columns with the probability of every class."""


class Share(NamedTuple):
    """A share of objects, in percent, with its 95 % interval; NaN of none.

    Attributes:
        percent (float): The share.
        low (float): Lower end.
        high (float): Upper end.
    """

    percent: float
    low: float
    high: float

    def __str__(self) -> str:
        """The three numbers; a dash for a share of no object."""
        return '-' if math.isnan(self.percent) else f'{self.percent:.1f} ({self.low:.1f} to {self.high:.1f})'


def wilson(count: int, total: int) -> Share:
    """A share with its Wilson score interval, which stays within 0 to 100 % and holds for few objects too.

    Wilson, Probable inference, the law of succession, and statistical inference, JASA 22 (1927).

    Args:
        count (int): Objects that have the property.
        total (int): All objects.
    """
    if total == 0:
        return Share(math.nan, math.nan, math.nan)
    share, square = count / total, Z * Z / total
    center = (share + square / 2) / (1 + square)
    half = Z / (1 + square) * math.sqrt(share * (1 - share) / total + square / (4 * total))
    low, high = max(0.0, center - half), min(1.0, center + half)
    return Share(100 * share, 100 * low, 100 * high)


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of an object.

    Attributes:
        source (str): File of the object.
        truth (int): Its class.
        scores (Sequence[float]): Probability of every class.
    """

    source: str
    truth: int
    scores: Sequence[float]

    @property
    def predicted(self) -> int:
        """The most probable class."""
        return int(np.argmax(self.scores))

    @property
    def probability(self) -> float:
        """Of that class."""
        return float(self.scores[self.predicted])


@dataclass(frozen=True)
class ClassReport:
    """Predictions on a test set.

    Attributes:
        classes (Sequence[str]): Names of the classes.
        predictions (Sequence[Prediction]): One for each object.

    Raises:
        ValueError: There is no prediction.
    """

    classes: Sequence[str]
    predictions: Sequence[Prediction]

    def __post_init__(self) -> None:
        """Refuse an empty test."""
        if not self.predictions:
            raise InvalidValueError('there is no prediction to report on; test at least one object.')

    @cached_property
    def matrix(self) -> np.ndarray:
        """Confusions (C, C) int64; row = true class, column = predicted class."""
        pairs = np.array([(one.truth, one.predicted) for one in self.predictions])
        return count_confusions(*pairs.T, num_classes=len(self.classes))

    @property
    def accuracy(self) -> Share:
        """Share of the objects that are classified right."""
        return wilson(int(self.matrix.trace()), len(self.predictions))

    @property
    def mean_class_accuracy(self) -> float:
        """Mean over the classes that occur of the share that is classified right, in percent."""
        return float(np.nanmean([share.percent for share in self.recalls]))

    @cached_property
    def recalls(self) -> list[Share]:
        """By class: the share of its objects that are found."""
        return [wilson(int(row[index]), int(row.sum())) for index, row in enumerate(self.matrix)]

    @cached_property
    def precisions(self) -> list[Share]:
        """By class: the share of the objects taken for it that are of it."""
        return [wilson(int(column[index]), int(column.sum())) for index, column in enumerate(self.matrix.T)]

    def mistakes(self) -> list[Prediction]:
        """What is classified wrong, that of which the model is surest first."""
        wrong = [one for one in self.predictions if one.predicted != one.truth]
        return sorted(wrong, key=lambda one: (-one.probability, one.source))

    def describe(self) -> str:
        """The accuracy in a sentence, and a line per class."""
        names = [printable(name) for name in self.classes]
        width = max(map(len, (*names, 'class')))
        lines = [
            f'{self.accuracy.percent:.1f} % of {len(self.predictions)} test objects right (95 % interval '
            f'{self.accuracy.low:.1f} to {self.accuracy.high:.1f}), mean over the classes '
            f'{self.mean_class_accuracy:.1f} %',
            f'{"class":{width}}  objects  {"found, %":>22}  {"precision, %":>22}',
        ]
        for index, name in enumerate(names):
            objects = int(self.matrix[index].sum())
            found, precision = str(self.recalls[index]), str(self.precisions[index])
            lines.append(f'{name:{width}}  {objects:7d}  {found:>22}  {precision:>22}')
        return '\n'.join(lines)

    def to_dict(self) -> dict[str, Any]:
        """As plain data; None for shares of no object."""
        rows = zip(self.classes, self.matrix, self.recalls, self.precisions)
        return dict(
            objects=len(self.predictions),
            accuracy=_plain(self.accuracy),
            mean_class_accuracy=self.mean_class_accuracy,
            classes=[
                {
                    'name': name,
                    'objects': int(row.sum()),
                    'found': _plain(found),
                    'precision': _plain(precise),
                }
                for name, row, found, precise in rows
            ],
            confusion_matrix=self.matrix.tolist(),
        )

    def to_rows(self) -> list[dict[str, Any]]:
        """A row for each object, for :func:`~..io.rows.write_rows`."""
        return [
            {
                'file': one.source,
                'true': self.classes[one.truth],
                'class': self.classes[one.predicted],
                'right': int(one.predicted == one.truth),
                'probability': round(one.probability, 6),
                **probability_columns(self.classes, one.scores),
            }
            for one in self.predictions
        ]

    @classmethod
    def from_rows(cls, classes: Sequence[str], rows: Sequence[Mapping[str, str]]) -> ClassReport:
        """The report that :meth:`to_rows` was called of."""
        index = {name: number for number, name in enumerate(classes)}
        return cls(
            classes,
            [
                Prediction(row['file'], index[row['true']], [float(row[PREFIX + name]) for name in classes])
                for row in rows
            ],
        )


def probability_columns(classes: Sequence[str], scores: Sequence[float]) -> dict[str, float]:
    """Probabilities by the names of their columns."""
    return {PREFIX + name: round(float(score), 6) for name, score in zip(classes, scores)}


def _plain(share: Share) -> dict[str, float] | None:
    return None if math.isnan(share.percent) else share._asdict()
