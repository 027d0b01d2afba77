"""Train a model: ``python tools/train.py CONFIG``, on a directory of your own with ``--data DIR``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.dist import broadcast_object_list, is_main_process

from point_peft.cli.arguments import at_least, path, seed
from point_peft.cli.own_data import OwnData, read_own_data
from point_peft.cli.tool import add_common_arguments, run_tool
from point_peft.engine.config import DATALOADERS, load_config
from point_peft.engine.config.check import check_config
from point_peft.engine.config.schedule import schedule_notes
from point_peft.engine.config.work_dir import default_work_dir, fresh_work_dir, newest_work_dir
from point_peft.engine.preflight import check_batches, check_files, check_fitting, check_recomputation
from point_peft.engine.runtime.device import select_device
from point_peft.engine.runtime.distributed import DEFAULT_TIMEOUT, init_processes, wrap_for_any_device
from point_peft.engine.runtime.output import make_directories
from point_peft.engine.runtime.resume import checkpoint_directory, find_resumable_checkpoint
from point_peft.engine.runtime.runner import SparedRunner
from point_peft.engine.runtime.visualizer import add_backend, check_backends
from point_peft.engine.runtime.work_dir import locked_work_dir
from point_peft.io.errors import ConfigError
from point_peft.io.text import printable, printable_lines

REPORT = ('report/report.json',)
"""By which a finished cross-validation is known."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file, or name METHOD/BACKBONE_TASK')
    parser.add_argument(
        '--data',
        type=path,
        metavar='DIR',
        help='directory of the data; for a config METHOD/BACKBONE_folder one of your own, CLASS/FILE, whose classes '
        'are counted, with settings that suit its size and a report at the end (docs/own_data.md)',
    )
    parser.add_argument(
        '--folds',
        type=at_least(2),
        metavar='K',
        help='with --data: train K times, test every object once, give mean and spread',
    )
    parser.add_argument(
        '--patience',
        type=at_least(1),
        metavar='EPOCHS',
        help='end when validation has not improved for so many epochs (default: train all epochs)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from a checkpoint; without a file or with "auto", from the newest usable one in the '
        'work dir, or from the start if there is none',
    )
    parser.add_argument('--amp', action='store_true', help='train with automatic mixed precision (GPU only)')
    parser.add_argument('--no-validate', action='store_true', help='do not evaluate during training')
    parser.add_argument(
        '--auto-scale-lr', action='store_true', help='scale the learning rate with the batch size'
    )
    parser.add_argument('--tensorboard', action='store_true', help='record the curves for TensorBoard too')
    parser.add_argument(
        '--wandb',
        nargs='?',
        const='point_peft',
        metavar='PROJECT',
        help='record the curves by Weights & Biases too, in this project (default: point_peft)',
    )
    parser.add_argument('--seed', type=seed, help='seed of everything random')
    add_common_arguments(parser)
    return parser.parse_args()


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Write the flags into the config.

    Raises:
        ConfigError: A flag does not fit the config or the machine.
    """
    cfg.launcher = args.launcher
    if args.seed is not None:
        cfg.merge_from_dict({'randomness.seed': args.seed})
    if args.amp:
        enable_amp(cfg)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
        cfg.get('default_hooks', {}).pop('protocol', None)
    if args.tensorboard:
        add_backend(cfg, 'TensorboardVisBackend')
    if args.wandb is not None:
        run_name = os.path.basename(os.path.abspath(cfg.work_dir))
        add_backend(cfg, 'WandbVisBackend', init_kwargs=dict(project=args.wandb, name=run_name))
    if args.patience is not None:
        add_hooks(cfg, dict(type='PatienceHook', patience=args.patience))
    if args.auto_scale_lr:
        if cfg.get('auto_scale_lr', {}).get('base_batch_size') is None:
            raise ConfigError(
                '--auto-scale-lr needs auto_scale_lr=dict(base_batch_size=...) in the config, the batch size '
                'that its learning rate is meant for.'
            )
        cfg.auto_scale_lr.enable = True
    if args.resume == 'auto' or (args.resume is None and cfg.get('resume') and not cfg.get('load_from')):
        newest = find_resumable_checkpoint(cfg.work_dir, checkpoint_directory(cfg))
        cfg.resume = newest is not None
        cfg.load_from = str(newest) if newest else cfg.get('load_from')
    elif args.resume is not None:
        cfg.resume, cfg.load_from = True, os.path.expanduser(args.resume)


def add_hooks(cfg: Config, *hooks: dict) -> None:
    """Add hooks to those of the config."""
    cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), *hooks]


def enable_amp(cfg: Config) -> None:
    """Train in mixed precision.

    Raises:
        ConfigError: The machine has no GPU, or the config has another optimizer wrapper than MMEngine's plain
            one.
    """
    if get_device() != 'cuda':
        raise ConfigError('--amp needs a GPU, and this run has none; leave it out.')
    kind = cfg.optim_wrapper.get('type', 'OptimWrapper')
    if kind not in ('OptimWrapper', 'AmpOptimWrapper'):
        raise ConfigError(f'--amp works with OptimWrapper, but the config has {kind}; leave --amp out.')
    cfg.optim_wrapper.type = 'AmpOptimWrapper'
    cfg.optim_wrapper.setdefault('loss_scale', 'dynamic')


def read_config(args: argparse.Namespace, notes: list[str]) -> tuple[Config, OwnData | None]:
    """Read the config, and look at the data of one's own.

    Raises:
        PointPEFTError: One of them cannot be used, or flags contradict each other.
    """
    if args.data is None:
        if args.folds is not None:
            raise ConfigError('--folds is for a directory of your own; give it with --data.')
        return load_config(args.config, args.cfg_options, args.work_dir, notes=notes), None
    folds = {} if args.folds is None else dict(folds=args.folds, fold=0)
    cfg, own = read_own_data(args.config, args.cfg_options, args.data, args.work_dir, notes, **folds)
    if folds and own is None:
        raise ConfigError(f'--folds needs a directory of classes, which {args.config} does not read.')
    return cfg, own


def choose_work_dir(cfg: Config, args: argparse.Namespace) -> None:
    """Let a run that goes on find its directory, if none is named."""
    if args.work_dir is None and _is_default(cfg, args) and (args.resume == 'auto' or cfg.get('resume')):
        cfg.work_dir = str(newest_work_dir(Path(cfg.work_dir)))


def freshen_work_dir(cfg: Config, args: argparse.Namespace) -> None:
    """Give a run that begins a directory without another run's files, if none is named; the same in all processes."""
    if (
        args.work_dir is not None
        or not _is_default(cfg, args)
        or cfg.get('resume')
        or args.resume is not None
    ):
        return
    chosen = [str(fresh_work_dir(Path(cfg.work_dir)))]
    broadcast_object_list(chosen)
    if chosen[0] != cfg.work_dir and is_main_process():
        print(f'{printable(cfg.work_dir)} has a run; this one is written to {printable(chosen[0])}')
    cfg.work_dir = chosen[0]


def _is_default(cfg: Config, args: argparse.Namespace) -> bool:
    """Whether neither the config nor a flag names the work dir."""
    return args.data is not None or cfg.work_dir == str(default_work_dir(args.config))


def run_folds(cfg: Config, own: OwnData, args: argparse.Namespace) -> None:
    """Cross-validate.

    Raises:
        ConfigError: A flag does not go with it.
    """
    # Comparisons draw and keep records, which a single training need not wait for.
    from point_peft.experiments import find_devices
    from point_peft.experiments.folds import cross_validate

    alone = dict(resume=None, amp=False, no_validate=False, launcher='none', tensorboard=False, wandb=None)
    for name, usual in alone.items():
        if getattr(args, name) != usual:
            flag = f'--{name.replace("_", "-")}'
            raise ConfigError(f'{flag} does not go with --folds, which goes on by itself; leave it out.')
    root = Path(cfg.work_dir)
    if args.work_dir is None:
        root = fresh_work_dir(root.with_name(f'{root.name}_{args.folds}folds'), REPORT)
    result = own.result(args.patience)
    own.show(cfg, result)
    hooks = [dict(type='ReportHook', result=result)]
    if args.patience is not None:
        hooks.append(dict(type='PatienceHook', patience=args.patience))
    options = dict(own.options) if args.seed is None else {**own.options, 'randomness.seed': args.seed}
    text = cross_validate(
        args.config,
        options,
        folds=args.folds,
        root=root,
        result=result,
        hooks=hooks,
        tool=Path(__file__).resolve(),
        devices=find_devices(['cpu'] if args.device == 'cpu' else None),
    )
    print(printable_lines(text))
    print(f'written to {printable(root / "report")}; for a model to use, train without --folds')


def main(args: argparse.Namespace) -> None:
    """Check everything that is quickly checked, then train."""
    select_device(args.device)
    notes: list[str] = []
    cfg, own = read_config(args, notes)
    if own is not None and args.folds is not None:
        run_folds(cfg, own, args)
        return
    choose_work_dir(cfg, args)
    apply_arguments(cfg, args)
    if own is not None:
        add_hooks(cfg, dict(type='ReportHook', result=own.result(args.patience)))
    check_config(cfg)
    check_backends(cfg)
    check_files(cfg, [name for name in DATALOADERS if cfg.get(name) is not None])
    if args.launcher != 'none':
        init_processes(
            args.launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', DEFAULT_TIMEOUT)
        )
        wrap_for_any_device(cfg)
    freshen_work_dir(cfg, args)
    if own is not None and is_main_process():
        own.show(cfg, own.result(args.patience))
    make_directories(cfg)
    with locked_work_dir(cfg.work_dir, args.launcher):
        runner = SparedRunner.from_cfg(cfg)
        for note in notes + schedule_notes(cfg):
            runner.logger.warning(note)
        check_fitting(runner)
        check_batches(runner)
        check_recomputation(runner)
        runner.train()


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
