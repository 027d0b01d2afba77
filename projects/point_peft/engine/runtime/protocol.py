"""Which epoch a result comes from: the last one, the best on validation, or the best on the test set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

LAST = 'last'
BEST_ON_VAL = 'best on val'
BEST_ON_TEST = 'best on test (as papers report; never used for selection)'

ROWS = {'last': LAST, 'best_on_val': BEST_ON_VAL, 'best_on_test': BEST_ON_TEST}
"""Short names of the results, and the rows of ``protocol.json`` that hold them."""


@dataclass
class EpochResult:
    """Metrics after an epoch.

    Attributes:
        epoch (int): Number of epochs trained.
        val (dict[str, float]): Metrics on the validation split; empty if it was not evaluated.
        test (dict[str, float]): Metrics on the test split; empty if it was not evaluated.
    """

    epoch: int
    val: dict[str, float] = field(default_factory=dict)
    test: dict[str, float] = field(default_factory=dict)

    def to_dict(self) -> dict:
        """As plain data."""
        return asdict(self)


def best_epoch(history: Sequence[EpochResult], split: str, metric: str) -> EpochResult | None:
    """The earliest epoch with the highest metric on ``val`` or ``test``; None if it was never evaluated."""
    scored = [result for result in history if metric in getattr(result, split)]
    return max(scored, key=lambda result: getattr(result, split)[metric], default=None)


def protocol_rows(history: Sequence[EpochResult], metric: str) -> dict[str, EpochResult | None]:
    """The epochs of the three rows, by label.

    Args:
        history (Sequence[EpochResult]): Results in the order of the epochs.
        metric (str): Metric that decides what is best; greater is better.
    """
    return {
        LAST: history[-1] if history else None,
        BEST_ON_VAL: best_epoch(history, 'val', metric),
        BEST_ON_TEST: best_epoch(history, 'test', metric),
    }


def format_protocol(rows: Mapping[str, EpochResult | None], metrics: Sequence[str]) -> str:
    """A table with one line per row: epoch, then every metric on validation and on test."""
    columns = [(split, metric) for split in ('val', 'test') for metric in metrics]
    titles = ['epoch', *(f'{split}/{metric}' for split, metric in columns)]
    width = max(map(len, rows))
    lines = [f'{"":{width}}  ' + '  '.join(titles)]
    for label, result in rows.items():
        cells = ['-' if result is None else str(result.epoch)]
        for split, metric in columns:
            value = None if result is None else getattr(result, split).get(metric)
            cells.append('-' if value is None else f'{value:.2f}')
        lines.append(
            f'{label:{width}}  '
            + '  '.join(f'{cell:>{len(title)}}' for cell, title in zip(cells, titles, strict=True))
        )
    return '\n'.join(lines)
