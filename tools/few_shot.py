"""Train and test every fold of a few-shot config, and average: ``python tools/few_shot.py CONFIG``.

Each fold is a run of ``tools/train.py`` in ``WORK_DIR/cells``. The same command again goes on where it was interrupted.
``WORK_DIR/results.jsonl`` has a line per fold, ``WORK_DIR/table.md`` mean and standard deviation.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from point_peft.cli.arguments import at_least, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.datasets.few_shot import NUM_FOLDS
from point_peft.engine.config import load_config, walk_dicts
from point_peft.engine.config.check import accepted_arguments, check_config
from point_peft.engine.config.walking import option_key
from point_peft.engine.config.work_dir import default_work_dir
from point_peft.engine.runtime.device import select_device
from point_peft.engine.runtime.protocol import BEST_ON_TEST
from point_peft.engine.runtime.work_dir import check_work_dir
from point_peft.experiments import CellRun, Matrix, Records, compare, find_devices, mean_and_spread
from point_peft.io.errors import ConfigError
from point_peft.io.text import printable
from point_peft.registry import DATASETS

TRAIN = Path(__file__).with_name('train.py')

LOADERS = ('train_dataloader', 'test_dataloader')

SHOWN = {'last': 'last epoch', 'best_on_test': 'best on test'}
"""Results that are printed, and what they are called."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train and test all folds of a few-shot config')
    parser.add_argument('config', help='few-shot config, METHOD/BACKBONE_fewshot_DATASET')
    parser.add_argument('--ways', type=at_least(1), default=5, help='classes (default: 5)')
    parser.add_argument(
        '--shots', type=at_least(1), default=10, help='training objects per class (default: 10)'
    )
    parser.add_argument('--folds', type=int, default=NUM_FOLDS, help='folds, from fold 0 on (default: 10)')
    parser.add_argument('--work-dir', type=path, help='default: work_dirs/METHOD/CONFIG_WAYSway_SHOTSshot')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='device to run on')
    parser.add_argument('--jobs', type=at_least(1), default=1, help='folds at once (default: 1)')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Check everything, run the folds that are missing, and average."""
    if not 1 <= args.folds <= NUM_FOLDS:
        raise ConfigError(
            f'--folds {args.folds} is out of range; the protocol has the folds 0 to {NUM_FOLDS - 1}.'
        )
    select_device(args.device)
    devices = find_devices(['cpu'] if args.device == 'cpu' else None) * args.jobs
    usual = default_work_dir(args.config)
    work_dir = args.work_dir or usual.with_name(f'{usual.name}_{args.ways}way_{args.shots}shot')
    check_work_dir(work_dir)
    matrix = few_shot_matrix(args)
    compare(matrix, work_dir, tool=TRAIN, devices=devices, check=check_fold)
    entries = Records(work_dir).lines.values()
    print(f'\n{printable(matrix.title)}\n{format_table(list(entries))}\nwritten to {printable(work_dir)}')


def few_shot_matrix(args: argparse.Namespace) -> Matrix:
    """The folds as draws of a comparison of one method.

    Raises:
        ConfigError: The config is not few-shot, or has a mistake.
    """
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope('point_peft')
    check_config(cfg)
    of_all: dict[str, Any] = {'model.head.num_classes': args.ways}
    if cfg.train_dataloader.get('drop_last'):  # a support set smaller than a batch is one batch, not none
        of_all['train_dataloader.batch_size'] = min(cfg.train_dataloader.batch_size, args.ways * args.shots)
    draws = {}
    places = list(few_shot_places(cfg, args.config))
    for fold in range(args.folds):
        of_fold = dict(num_ways=args.ways, num_shots=args.shots, fold=fold)
        changes = {f'{place}.{key}': value for place in places for key, value in of_fold.items()}
        draws[f'fold {fold}'] = {**changes, **of_all}
    name = Path(args.config).stem
    title = f'{args.config}, {args.ways}-way {args.shots}-shot: accuracy in percent'
    return Matrix(title, {name: (args.config, {})}, name, {'': args.cfg_options}, draws, compared='last')


def few_shot_places(cfg: Config, name: str) -> Iterator[str]:
    """Dotted keys of the few-shot datasets for training and test, wherever they are in their loaders.

    Raises:
        ConfigError: A loader has none.
    """
    for loader in LOADERS:
        nodes = walk_dicts(cfg.get(loader) or {}, loader)
        found = [option_key(place) for place, node in nodes if is_few_shot(node.get('type'))]
        if not found:
            raise ConfigError(
                f'the {loader} of {name} has no few-shot dataset; use a config such as '
                'point_peft/pointmae_mini_fewshot_shapes, or see docs/few_shot.md.'
            )
        yield from found


def is_few_shot(kind: Any) -> bool:
    """Whether a type is a dataset that has ways, shots and folds."""
    cls = DATASETS.get(kind) if isinstance(kind, str) else None
    return cls is not None and {'num_ways', 'num_shots', 'fold'} <= (accepted_arguments(cls) or set())


def check_fold(run: CellRun) -> None:
    """Read the data of a fold, so that a fault in the last one shows before the first is trained.

    Raises:
        ConfigError: Its training and test classes differ.
    """
    cfg = Config.fromstring(run.config_text, '.py')
    support, queries = (DATASETS.build(cfg[loader].dataset) for loader in LOADERS)
    if support.metainfo['classes'] != queries.metainfo['classes']:
        raise ConfigError(
            f'training has the classes {support.metainfo["classes"]} and test {queries.metainfo["classes"]}; '
            'give both datasets the same settings.'
        )


def format_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """One line per fold, then mean and standard deviation."""
    spreads = {key: mean_and_spread([entry[key] for entry in entries]) for key in SHOWN}
    lines = [(entry['draw'], [entry[key] for key in SHOWN]) for entry in entries]
    for number, name in enumerate(('mean', 'standard deviation')):
        lines.append((name, [spreads[key][number] for key in SHOWN]))
    text = f'{"":20}' + ''.join(f'{title:>14}' for title in SHOWN.values()) + '\n'
    for name, values in lines:
        text += (
            f'{name:20}'
            + ''.join(f'{"-" if value is None else f"{value:.2f}":>14}' for value in values)
            + '\n'
        )
    return f'{text}{BEST_ON_TEST}: another epoch in every fold; deviations are those of a sample'


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
