"""Build the memory bank of a Point-PEFT config: ``python tools/build_memory_bank.py CONFIG --out F.safetensors``."""

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
from point_peft.engine.memory_bank import bank_dataset, build_bank, find_prompt, save_bank
from point_peft.engine.preflight import check_files
from point_peft.engine.runtime.device import select_device
from point_peft.engine.runtime.distributed import init_processes
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
    found = find_prompt(model)
    if found is None:
        raise ValueError(
            f'{args.config} has no Point-prior Prompt, so it needs no memory bank; use a point_peft config.'
        )
    init_pretrained(model)
    model.to(get_device())
    dataset = bank_dataset(model, DATASETS.build(cfg.train_dataloader.dataset))
    provenance = build_bank(model, dataset, batch_size=args.batch_size)
    bank = found[1].bank
    if is_main_process():
        save_bank(args.out, bank, provenance)
        print(f'wrote {len(bank)} features to {args.out}: {provenance}')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
