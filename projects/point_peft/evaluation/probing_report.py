"""Tables of probes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .probing import ProbeResult

TITLES = {'linear': 'linear', 'knn': 'kNN', 'retrieval_map': 'retrieval mAP'}
"""Headings of the columns; ``linear_10_shot`` becomes ``10 per class``."""


@dataclass(frozen=True)
class ProbeRow:
    """One network's probes.

    Attributes:
        name (str): which network.
        width (int): dimensions of its features.
        results (Sequence[ProbeResult]): one, or one per fold.
        seconds (float): time of features and probes.
    """

    name: str
    width: int
    results: Sequence[ProbeResult]
    seconds: float

    def values(self) -> dict[str, list[float]]:
        """Every measured value by its short name: of the folds, and of the draws of the few-shot probes."""
        found: dict[str, list[float]] = {'linear': [result.linear for result in self.results]}
        for result in self.results:
            for shots, draws in result.shots.items():
                found.setdefault(f'linear_{shots}_shot', []).extend(draws)
        found['knn'] = [result.knn for result in self.results]
        found['retrieval_map'] = [result.retrieval for result in self.results]
        return found

    def as_json(self) -> dict[str, Any]:
        """All values and their means."""
        values = self.values()
        return dict(
            name=self.name,
            width=self.width,
            seconds=round(self.seconds, 1),
            mean={key: float(np.mean(value)) for key, value in values.items()},
            values=values,
        )


def as_markdown(rows: Sequence[ProbeRow]) -> str:
    """A table of means, with the standard deviation where there are several values."""
    keys = list(rows[0].values())
    head = ['backbone', 'width', *(heading(key) for key in keys), 'seconds']
    lines = [head, ['---'] * len(head)]
    for row in rows:
        cells = [spread(row.values()[key]) for key in keys]
        lines.append([row.name, str(row.width), *cells, f'{row.seconds:.0f}'])
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def heading(key: str) -> str:
    """Title of a column."""
    if key in TITLES:
        return TITLES[key]
    shots = key.removeprefix('linear_').removesuffix('_shot')
    return f'{shots} per class'


def spread(values: Sequence[float]) -> str:
    """Mean, and standard deviation of several values."""
    if len(values) == 1:
        return f'{values[0]:.1f}'
    return f'{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}'
