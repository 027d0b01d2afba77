"""Train a model: ``python tools/train.py CONFIG``, on a directory of your own with ``--data DIR``."""

from __future__ import annotations

import argparse
import sys

from point_peft.apis.folds import run_folds
from point_peft.apis.training import run_training
from point_peft.apis.training_flags import AMP_DTYPES, COMPILE_MODES, TrainingFlags
from point_peft.cli.arguments import at_least, path, seed
from point_peft.cli.tool import add_common_arguments, run_tool
from point_peft.engine.runtime.device import select_device


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
    parser.add_argument('--amp', action='store_true', help='train in mixed precision')
    parser.add_argument(
        '--amp-dtype',
        choices=list(AMP_DTYPES),
        help='what --amp computes in (default: float16 on a GPU, bfloat16 on a CPU, where it pays if the CPU has '
        'instructions for it)',
    )
    parser.add_argument(
        '--compile',
        nargs='?',
        const='auto',
        choices=COMPILE_MODES,
        help='compile the model by torch.compile (default mode: on a GPU reduce-overhead, which is CUDA graphs)',
    )
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


def main(args: argparse.Namespace) -> None:
    """Train, or cross-validate."""
    flags = TrainingFlags(
        config=args.config,
        data=args.data,
        options=args.cfg_options,
        work_dir=args.work_dir,
        patience=args.patience,
        resume=args.resume,
        amp=args.amp,
        amp_dtype=args.amp_dtype,
        compile=args.compile,
        validate=not args.no_validate,
        auto_scale_lr=args.auto_scale_lr,
        tensorboard=args.tensorboard,
        wandb=args.wandb,
        seed=args.seed,
        launcher=args.launcher,
        device=args.device,
    )
    select_device(args.device)
    if args.folds is None:
        run_training(flags)
    else:
        run_folds(flags, args.folds)


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
