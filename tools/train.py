"""Train a model: ``python tools/train.py CONFIG``."""

from __future__ import annotations

import argparse
import os
import sys

from mmengine.config import Config
from mmengine.device import get_device

from point_peft.cli.arguments import seed
from point_peft.cli.tool import add_common_arguments, run_tool
from point_peft.engine.config import DATALOADERS, load_config
from point_peft.engine.config.check import check_config
from point_peft.engine.config.schedule import schedule_notes
from point_peft.engine.preflight import check_batches, check_files, check_fitting, check_recomputation
from point_peft.engine.runtime.device import select_device
from point_peft.engine.runtime.distributed import DEFAULT_TIMEOUT, init_processes, wrap_for_any_device
from point_peft.engine.runtime.output import make_directories
from point_peft.engine.runtime.resume import checkpoint_directory, find_resumable_checkpoint
from point_peft.engine.runtime.runner import SparedRunner
from point_peft.engine.runtime.visualizer import add_backend, check_backends
from point_peft.engine.runtime.work_dir import locked_work_dir
from point_peft.io.errors import ConfigError


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
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


def main(args: argparse.Namespace) -> None:
    """Check everything that is quickly checked, then train."""
    select_device(args.device)
    notes: list[str] = []
    cfg = load_config(args.config, args.cfg_options, args.work_dir, notes=notes)
    apply_arguments(cfg, args)
    check_config(cfg)
    check_backends(cfg)
    check_files(cfg, [name for name in DATALOADERS if cfg.get(name) is not None])
    if args.launcher != 'none':
        init_processes(
            args.launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', DEFAULT_TIMEOUT)
        )
        wrap_for_any_device(cfg)
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
