"""Evaluate a checkpoint or an adapter on the test set: ``python tools/test.py CONFIG CHECKPOINT``."""

from __future__ import annotations

import argparse
import json
import math
import sys
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process

from point_peft.cli.arguments import at_least, check_output, file_or_url, path, share
from point_peft.cli.tool import add_common_arguments, run_tool
from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.engine.preflight import check_files
from point_peft.engine.runtime.device import select_device
from point_peft.engine.runtime.distributed import DEFAULT_TIMEOUT, init_processes, wrap_for_any_device
from point_peft.engine.runtime.output import make_directories
from point_peft.engine.runtime.runner import SparedRunner
from point_peft.engine.runtime.work_dir import check_work_dir
from point_peft.io.atomic import write_atomically
from point_peft.io.errors import ConfigError
from point_peft.io.weights import OWN_KEY, load_checkpoint_file

TRAINING = (
    'train_dataloader',
    'train_cfg',
    'optim_wrapper',
    'param_scheduler',
    'val_dataloader',
    'val_cfg',
    'val_evaluator',
)
"""Sections that a test does not use."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Evaluate a checkpoint on the test set')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', type=file_or_url, help='checkpoint or adapter')
    parser.add_argument('--out', type=path, metavar='JSON', help='file to write the metrics to')
    parser.add_argument(
        '--show-dir',
        type=path,
        metavar='DIR',
        help='directory for pictures and a page of clouds with true and predicted labels or boxes',
    )
    parser.add_argument('--show-num', type=at_least(1), default=16, help='clouds to show (default: 16)')
    parser.add_argument(
        '--show-score', type=share, default=0.3, help='score from which boxes are shown (default: 0.3)'
    )
    parser.add_argument(
        '--report',
        type=path,
        metavar='DIR',
        help='of a classifier: directory for accuracy with its interval, confusions, a table of the classes, all '
        'predictions and a page of the worst mistakes',
    )
    parser.add_argument(
        '--votes',
        type=at_least(1),
        metavar='N',
        help='average over N scaled copies of every cloud; the metrics are named so (default: no voting)',
    )
    add_common_arguments(parser)
    return parser.parse_args()


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Write the flags into the config.

    Raises:
        ConfigError: The config has no test set.
    """
    for name in ('test_dataloader', 'test_evaluator', 'test_cfg'):
        if cfg.get(name) is None:
            raise ConfigError(f'config {args.config} has no {name}, so there is nothing to test on; add one.')
    cfg.launcher, cfg.load_from, cfg.resume = args.launcher, args.checkpoint, False
    for name in TRAINING:
        cfg[name] = None
    if args.votes is not None:
        cfg.test_cfg = dict(cfg.test_cfg, type='VotingTestLoop', num_votes=args.votes)
    if args.report:
        cfg.custom_hooks = [
            *(cfg.get('custom_hooks') or []),
            dict(type='ReportHook', out_dir=str(args.report)),
        ]
    if args.show_dir:
        show = dict(type='ShowHook', out_dir=str(args.show_dir), num_samples=args.show_num)
        show['score_threshold'] = args.show_score
        cfg.custom_hooks = [*(cfg.get('custom_hooks') or []), show]


def main(args: argparse.Namespace) -> None:
    """Check everything that is quickly checked, then test."""
    select_device(args.device)
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    check_work_dir(cfg.work_dir)
    if args.show_dir:
        check_work_dir(args.show_dir, '--show-dir')
    if args.report:
        check_work_dir(args.report, '--report')
    if args.out:
        check_output(args.out, '--out')
    apply_arguments(cfg, args)
    check_config(cfg)
    check_files(cfg, ['test_dataloader'], pretrained=needs_base_weights(args.checkpoint))
    if args.launcher != 'none':
        init_processes(
            args.launcher, cfg.get('env_cfg', {}).get('dist_cfg', {}).get('timeout', DEFAULT_TIMEOUT)
        )
        wrap_for_any_device(cfg)
    make_directories(cfg)
    # A test leaves its config beside the training's, under another name.
    object.__setattr__(cfg, '_filename', f'test_{Path(cfg.filename).name}')
    metrics = SparedRunner.from_cfg(cfg).test()
    if args.out and is_main_process():
        write_metrics(args.out, metrics)


def needs_base_weights(checkpoint: str) -> bool:
    """Whether a checkpoint is an adapter on pre-trained weights."""
    own = (load_checkpoint_file(checkpoint).get('meta') or {}).get(OWN_KEY) or {}
    return own.get('format') == 'delta' and own.get('base_hash') is not None


def write_metrics(file: str | Path, metrics: dict[str, Any]) -> None:
    """Write the numbers among the metrics as JSON; what is not finite, as the IoU of an absent class, as null."""
    numbers = {name: float(value) for name, value in metrics.items() if isinstance(value, (int, float))}
    finite = {name: number if math.isfinite(number) else None for name, number in numbers.items()}
    write_atomically(file, json.dumps(finite, indent=1, allow_nan=False).encode())


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
