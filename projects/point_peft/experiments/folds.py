"""Cross-validation on data of one's own: every object is tested once, by a model that has not seen it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from ..datasets import PointCloudFolder
from ..datasets.preparation import preparation_of
from ..engine.config import DATALOADERS, load_config
from ..evaluation.class_report import ClassReport, Prediction
from ..io.rows import read_rows
from ..visualization.class_report import write_class_report
from .cells import ROWS
from .comparison import compare
from .matrix import Matrix
from .records import Records
from .statistics import mean_and_spread

REPORT = Path('run', 'report', 'predictions.csv')
"""What every fold leaves in its directory."""


def cross_validate(
    config: str,
    options: Mapping[str, Any],
    *,
    folds: int,
    root: Path,
    result: str,
    hooks: Sequence[Mapping[str, Any]],
    tool: Path,
    devices: Sequence[str],
) -> str:
    """Train and test every fold that has not been, and report on all of them together.

    Args:
        config (str): File or name of the config.
        options (Mapping): Changes to it.
        folds (int): Number of folds.
        root (Path): Directory of all folds; ``report`` in it gets the files of
            :func:`~..visualization.class_report.write_class_report`.
        result (str): Which epoch counts, see ``ReportHook``.
        hooks (Sequence[Mapping]): Hooks that every training gets.
        tool (Path): ``tools/train.py``.
        devices (Sequence[str]): One entry per process: ``cpu``, or the number of a GPU.

    Returns:
        str: Accuracy of every fold, mean, spread, and the report.

    Raises:
        PointPEFTError: A config has a mistake, the directory holds something else, or a training failed.
    """
    cfg = load_config(config, options)
    common = {**options, 'custom_hooks': [*(cfg.get('custom_hooks') or []), *hooks]}
    draws = {
        f'fold {fold}': {f'{name}.dataset.fold': fold for name in DATALOADERS if cfg.get(name)}
        for fold in range(folds)
    }
    name = Path(config).stem
    title = f'{config}, {folds} folds: accuracy in percent'
    matrix = Matrix(title, {name: (config, {})}, name, {'': common}, draws, compared=result)
    compare(matrix, root, tool=tool, devices=devices)
    entries = [entry for entry in Records(root).lines.values() if entry['draw'] in draws]
    values = [entry[result] for entry in entries]
    report = _joined(cfg, [root / 'cells' / entry['cell'] / REPORT for entry in entries])
    mean, spread = mean_and_spread(values)
    about = dict(folds=values, mean=mean, standard_deviation=spread, result=ROWS[result])
    preparation = preparation_of(cfg.test_dataloader.dataset)

    def cloud_of(one: Prediction) -> np.ndarray:
        return preparation.read(Path(one.source))

    write_class_report(report, root / 'report', cloud_of=cloud_of, title=f'{folds} folds', about=about)
    lines = [f'{entry["draw"]}: {value:.2f}' for entry, value in zip(entries, values)]
    lines += [
        f'mean {mean:.2f}, standard deviation {spread or 0:.2f} (of the folds, which share training objects)'
    ]
    return '\n'.join([*lines, report.describe()])


def _joined(cfg: Config, files: Sequence[Path]) -> ClassReport:
    """The predictions of all folds."""
    classes = PointCloudFolder.classes_in(cfg.test_dataloader.dataset.data_root)
    return ClassReport.from_rows(classes, [row for file in files for row in read_rows(file)])
