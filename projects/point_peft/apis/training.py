"""Training, from Python and from the command line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import broadcast_object_list, is_main_process
from mmengine.runner import Runner

from ..engine.config import DATALOADERS, load_config
from ..engine.config.check import check_config
from ..engine.config.schedule import schedule_notes
from ..engine.config.work_dir import fresh_work_dir, newest_work_dir
from ..engine.hooks.own_files import BEST
from ..engine.hooks.protocol import ProtocolHook
from ..engine.hooks.report import LAST_CHECKPOINT
from ..engine.preflight import check_batches, check_files, check_fitting, check_recomputation
from ..engine.runtime.device import selected_device
from ..engine.runtime.distributed import DEFAULT_TIMEOUT, init_processes, wrap_for_any_device
from ..engine.runtime.output import make_directories
from ..engine.runtime.protocol import ROWS, protocol_rows
from ..engine.runtime.runner import SparedRunner
from ..engine.runtime.visualizer import check_backends
from ..engine.runtime.work_dir import locked_work_dir
from ..io.errors import InvalidValueError
from ..io.text import printable
from .own_data import OwnData, read_own_data
from .training_flags import TrainingFlags, add_hooks, apply_flags

DEVICES = ('auto', 'cpu', 'cuda')
LAUNCHERS = ('none', 'pytorch', 'slurm', 'mpi')

_runs = count(1)
"""Trainings of this process: MMEngine tells runs apart by their name and the second of their start."""


@dataclass(frozen=True)
class TrainingResult:
    """What a training left.

    Attributes:
        work_dir (Path): Directory with logs and checkpoints; ``report`` in it has the report of data of one's own.
        checkpoint (Path | None): The file to use, which needs no config beside it; None if nothing was saved.
        chosen (str): Which epoch that is: ``best_on_val``, or ``last`` where validation has too few objects to choose
            by, or there is none.
        accuracies (Mapping[str, float]): On the test set, in percent, of the epochs ``last``, ``best_on_val`` and
            ``best_on_test``, the last of which is never used to choose; the metric is the first of the config's
            ``ProtocolHook``. Empty where nothing was tested.
    """

    work_dir: Path
    checkpoint: Path | None
    chosen: str
    accuracies: Mapping[str, float]

    @property
    def accuracy(self) -> float | None:
        """On the test set, in percent, of :attr:`checkpoint`; None if it was not tested."""
        return self.accuracies.get(self.chosen)


def train(
    config: str | Path,
    data: str | Path | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    work_dir: str | Path | None = None,
    patience: int | None = None,
    resume: str | Path | None = None,
    seed: int | None = None,
    device: str = 'auto',
    amp: bool = False,
    amp_dtype: str | None = None,
    compile: str | None = None,
    validate: bool = True,
    auto_scale_lr: bool = False,
    tensorboard: bool = False,
    wandb: str | None = None,
    launcher: str = 'none',
) -> TrainingResult:
    """Train a model: the same as ``python tools/train.py CONFIG --data DIR``, whose flags the arguments are.

    Args:
        config (str | Path): Name METHOD/BACKBONE_TASK, or config file.
        data (str | Path | None): Directory of the data. For a METHOD/BACKBONE_folder one of your own, CLASS/FILE, whose
            classes are counted, with settings that suit its size and a report at the end.
        options (Mapping | None): Changes to the config, such as ``{'train_cfg.max_epochs': 20}``.
        work_dir (str | Path | None): Directory for logs and checkpoints. None gives a run that begins a directory of
            its own below ``work_dirs``.
        patience (int | None): End when validation has not improved for so many epochs.
        resume (str | Path | None): Checkpoint to go on from; ``auto`` for the newest in the work dir.
        seed (int | None): Seed of everything random; None for that of the config.
        device (str): ``auto``, ``cpu`` or ``cuda``.
        amp (bool): Train in mixed precision.
        amp_dtype (str | None): ``bfloat16`` or ``float16``; None for float16 on a GPU and bfloat16 on a CPU.
        compile (str | None): ``auto``, or a mode of ``torch.compile``, to compile the model.
        validate (bool): Evaluate during training.
        auto_scale_lr (bool): Scale the learning rate with the batch size.
        tensorboard (bool): Record the curves for TensorBoard too.
        wandb (str | None): Project of Weights & Biases to record them in too.
        launcher (str): Who started the processes, where there are several.

    Raises:
        PointPEFTError: The config, the data or an argument cannot be used; found before the first step, as far as
            possible.

    Examples:
        >>> result = train('point_peft/pointmae_mini_folder', data='my_clouds')  # doctest: +SKIP
        >>> result.checkpoint, result.accuracy  # doctest: +SKIP
    """
    for name, value, known in (('device', device, DEVICES), ('launcher', launcher, LAUNCHERS)):
        if value not in known:
            raise InvalidValueError(
                f"{name}='{printable(value)}' is unknown; give one of {', '.join(known)}."
            )
    if patience is not None and (not isinstance(patience, int) or patience < 1):
        raise InvalidValueError(f'patience={patience!r} must be a whole number of epochs, at least 1.')
    flags = TrainingFlags(
        config=str(config),
        data=None if data is None else Path(data).expanduser(),
        options=dict(options or {}),
        work_dir=None if work_dir is None else Path(work_dir).expanduser(),
        patience=patience,
        resume=None if resume is None else str(resume),
        amp=amp,
        amp_dtype=amp_dtype,
        compile=compile,
        validate=validate,
        auto_scale_lr=auto_scale_lr,
        tensorboard=tensorboard,
        wandb=wandb,
        seed=seed,
        launcher=launcher,
        device=device,
    )
    with selected_device(device):
        return run_training(flags)


def run_training(flags: TrainingFlags) -> TrainingResult:
    """Check everything that is quickly checked, then train."""
    notes: list[str] = []
    cfg, own = _read(flags, notes)
    if flags.has_default_work_dir(cfg) and (flags.resume == 'auto' or cfg.get('resume')):
        cfg.work_dir = str(newest_work_dir(Path(cfg.work_dir)))
    apply_flags(cfg, flags)
    if own is not None:
        add_hooks(cfg, dict(type='ReportHook', result=own.result(flags.patience)))
    check_config(cfg)
    check_backends(cfg)
    check_files(cfg, [name for name in DATALOADERS if cfg.get(name) is not None])
    if flags.launcher != 'none':
        timeout = cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', DEFAULT_TIMEOUT)
        init_processes(flags.launcher, timeout)
        wrap_for_any_device(cfg)
    _freshen_work_dir(cfg, flags)
    if own is not None and is_main_process():
        own.show(cfg, own.result(flags.patience))
    make_directories(cfg)
    _name_apart(cfg)
    with locked_work_dir(cfg.work_dir, flags.launcher):
        runner = SparedRunner.from_cfg(cfg)
        for note in notes + schedule_notes(cfg):
            runner.logger.warning(note)
        check_fitting(runner)
        check_batches(runner)
        check_recomputation(runner)
        runner.train()
    return _result(runner, 'best_on_val' if own is None else own.result(flags.patience))


def _read(flags: TrainingFlags, notes: list[str]) -> tuple[Config, OwnData | None]:
    """Read the config, and look at the data of one's own."""
    if flags.data is None:
        return load_config(flags.config, flags.options, flags.work_dir, notes=notes), None
    return read_own_data(flags.config, flags.options, flags.data, flags.work_dir, notes)


def _freshen_work_dir(cfg: Config, flags: TrainingFlags) -> None:
    """Give a run that begins a directory without another run's files, if none is named; the same in all processes."""
    if not flags.has_default_work_dir(cfg) or cfg.get('resume') or flags.resume is not None:
        return
    chosen = [str(fresh_work_dir(Path(cfg.work_dir)))]
    broadcast_object_list(chosen)
    if chosen[0] != cfg.work_dir and is_main_process():
        print(f'{printable(cfg.work_dir)} has a run; this one is written to {printable(chosen[0])}')
    cfg.work_dir = chosen[0]


def _name_apart(cfg: Config) -> None:
    """Name a run so that its logger and history are not those of one that this process began in the same second."""
    number = next(_runs)
    if number > 1:
        cfg.experiment_name = f'{cfg.get("experiment_name") or Path(cfg.filename or "run").stem}_{number}'


def _result(runner: Runner, wanted: str) -> TrainingResult:
    """What is to be said of a training that has ended."""
    best, last = (runner.message_hub.get_info(key) for key in (BEST, LAST_CHECKPOINT))
    checkpoint = best if best and wanted == 'best_on_val' else last
    chosen = 'best_on_val' if checkpoint and checkpoint == best else 'last'
    return TrainingResult(
        Path(runner.work_dir), Path(checkpoint) if checkpoint else None, chosen, _accuracies(runner)
    )


def _accuracies(runner: Runner) -> dict[str, float]:
    """The first metric of the protocol on the test set, by the short names of its rows."""
    protocol = next((hook for hook in runner.hooks if isinstance(hook, ProtocolHook)), None)
    if protocol is None:
        return {}
    metric = protocol.metrics[0]
    rows = protocol_rows(protocol.history, metric)
    found = {name: rows[label] for name, label in ROWS.items()}
    return {name: row.test[metric] for name, row in found.items() if row is not None and metric in row.test}
