"""Cross-validation on data of one's own: ``tools/train.py CONFIG --data DIR --folds K``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..engine.config.work_dir import fresh_work_dir
from ..io.errors import ConfigError
from ..io.shipped import TOOLS
from ..io.text import printable, printable_lines
from .own_data import read_own_data
from .training_flags import TrainingFlags

REPORT = ('report/report.json',)
"""By which a finished cross-validation is known."""

ALONE = dict(
    resume=None,
    amp=False,
    amp_dtype=None,
    validate=True,
    auto_scale_lr=False,
    launcher='none',
    tensorboard=False,
    wandb=None,
)
"""What every fold decides by itself, so that it cannot be said."""


def run_folds(flags: TrainingFlags, folds: int) -> Path:
    """Train ``folds`` times, test every object once, and say mean and spread.

    Returns:
        Path: Directory of all folds.

    Raises:
        ConfigError: There is no directory of classes, or a flag does not go with this.
        PointPEFTError: The config cannot be used, or a training failed.
    """
    # Comparisons draw and keep records, which a single training need not wait for.
    from ..experiments import find_devices
    from ..experiments.folds import cross_validate

    if flags.data is None:
        raise ConfigError('--folds is for a directory of your own; give it with --data.')
    cfg, own = read_own_data(flags.config, flags.options, flags.data, flags.work_dir, [], folds=folds, fold=0)
    if own is None:
        raise ConfigError(f'--folds needs a directory of classes, which {flags.config} does not read.')
    for name, usual in ALONE.items():
        if getattr(flags, name) != usual:
            flag = '--no-validate' if name == 'validate' else f'--{name.replace("_", "-")}'
            raise ConfigError(f'{flag} does not go with --folds, which goes on by itself; leave it out.')
    root = Path(cfg.work_dir)
    if flags.work_dir is None:
        root = fresh_work_dir(root.with_name(f'{root.name}_{folds}folds'), REPORT)
    result = own.result(flags.patience)
    own.show(cfg, result)
    hooks: list[dict[str, Any]] = [dict(type='ReportHook', result=result)]
    if flags.patience is not None:
        hooks.append(dict(type='PatienceHook', patience=flags.patience))
    seeded = {} if flags.seed is None else {'randomness.seed': flags.seed}
    text = cross_validate(
        flags.config,
        {**own.options, **seeded},
        folds=folds,
        root=root,
        result=result,
        hooks=hooks,
        tool=TOOLS / 'train.py',
        devices=find_devices(['cpu'] if flags.device == 'cpu' else None),
    )
    print(printable_lines(text))
    print(f'written to {printable(root / "report")}; for a model to use, train without --folds')
    return root
