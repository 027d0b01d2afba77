"""Build the memory bank of a Point-PEFT config: ``python tools/build_memory_bank.py CONFIG --out F.safetensors``.

Another method that is fitted on the training set before training is fitted and written in the same way.
"""

from __future__ import annotations

import argparse
import sys

from mmengine.dist import is_main_process
from mmengine.registry import init_default_scope

from point_peft.cli.arguments import at_least, check_output, path
from point_peft.cli.tool import add_common_arguments, run_tool
from point_peft.engine.checkpoint import init_pretrained
from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.engine.fitting import fit_method, fitting_set, save_fitted
from point_peft.engine.preflight import check_files
from point_peft.engine.runtime.device import select_device
from point_peft.engine.runtime.distributed import init_processes
from point_peft.io.errors import ConfigError
from point_peft.methods import fitted_methods
from point_peft.registry import DATASETS, MODELS


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Build a memory bank from the training split of a config')
    parser.add_argument('config', help='config with a Point-prior Prompt')
    parser.add_argument('--out', type=path, required=True, help='safetensors file to write')
    parser.add_argument('--batch-size', type=at_least(1), default=64, help='clouds per step')
    add_common_arguments(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Load the pre-trained backbone, describe every training cloud, and write the file."""
    from mmengine.device import get_device

    select_device(args.device)
    check_output(args.out, '--out')
    cfg = load_config(args.config, args.cfg_options, args.work_dir)
    check_config(cfg)
    check_files(cfg, ['train_dataloader'])
    if args.launcher != 'none':
        init_processes(args.launcher)
    init_default_scope('point_peft')
    model = MODELS.build({'data_preprocessor': cfg.get('data_preprocessor'), **cfg.model})
    methods = list(fitted_methods(model).values())
    if not methods:
        raise ConfigError(
            f'{args.config} has no Point-prior Prompt, so it needs no memory bank; use a point_peft config.'
        )
    if len(methods) > 1:
        raise ConfigError(
            f'{args.config} has a {" and a ".join(method.fitted_name for method in methods)}, which do not fit into '
            'one file; let the training build them.'
        )
    init_pretrained(model)
    model.to(get_device())
    dataset = fitting_set(methods[0], DATASETS.build(cfg.train_dataloader.dataset))
    provenance = fit_method(model, methods[0], dataset, batch_size=args.batch_size)
    if is_main_process():
        save_fitted(args.out, methods[0])
        print(f'wrote {len(dataset)} features to {args.out}: {provenance}')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
