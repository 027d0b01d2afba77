"""Train and test every fold of a few-shot config, and average: ``python tools/few_shot.py CONFIG``.

Each fold is a run of ``tools/train.py`` in ``WORK_DIR/fold_K``, whose config is ``WORK_DIR/fold_K.py``. The same
command again goes on where it was interrupted. ``WORK_DIR/results.json`` has the accuracies, their mean and standard
deviation.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import init_default_scope

from point_peft.datasets.few_shot import NUM_FOLDS
from point_peft.engine.arguments import at_least, path
from point_peft.engine.checkpoint import write_atomically
from point_peft.engine.cli import add_config_options, run_tool, select_device
from point_peft.engine.config import load_config, walk_dicts
from point_peft.engine.config.work_dir import default_work_dir
from point_peft.engine.config_check import accepted_arguments, check_config
from point_peft.engine.errors import ConfigError, PointPEFTError
from point_peft.engine.preflight import check_files
from point_peft.engine.protocol import BEST_ON_TEST, LAST
from point_peft.engine.work_dir import check_work_dir, locked_work_dir
from point_peft.experiments import mean_and_spread
from point_peft.experiments.training import WAIT_PASSIVELY
from point_peft.registry import DATASETS
from point_peft.text import printable

LOADERS = ('train_dataloader', 'test_dataloader')

METRIC = 'overall_accuracy'

ROWS = {'last': LAST, 'best_on_test': BEST_ON_TEST}
"""Names of the two results in ``results.json``, and the rows of a fold's ``protocol.json`` that hold them."""

TRAINED = re.compile(r'Epoch\(train\) +\[(\d+)\].*\bloss: (\S+)')
"""What a training logs after an epoch."""

UPDATES = 5
"""Lines of progress per fold."""

TAIL = 30
"""Lines of a failed training that are shown."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Train and test all folds of a few-shot config')
    parser.add_argument('config', help='few-shot config, configs/METHOD/BACKBONE_fewshot_DATASET.py')
    parser.add_argument('--ways', type=at_least(1), default=5, help='classes (default: 5)')
    parser.add_argument(
        '--shots', type=at_least(1), default=10, help='training objects per class (default: 10)'
    )
    parser.add_argument('--folds', type=int, default=NUM_FOLDS, help='folds, from fold 0 on (default: 10)')
    parser.add_argument('--work-dir', type=path, help='default: work_dirs/METHOD/CONFIG_WAYSway_SHOTSshot')
    parser.add_argument('--device', choices=['auto', 'cpu', 'cuda'], default='auto', help='device to run on')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Check everything, run the folds that are missing, and average."""
    if not 1 <= args.folds <= NUM_FOLDS:
        raise ConfigError(
            f'--folds {args.folds} is out of range; the protocol has the folds 0 to {NUM_FOLDS - 1}.'
        )
    select_device(args.device)
    setting = f'{args.ways}way_{args.shots}shot'
    usual = default_work_dir(args.config)
    work_dir = args.work_dir or usual.with_name(f'{usual.name}_{setting}')
    check_work_dir(work_dir)
    configs = build_configs(args, work_dir)
    check_folds([cfg for cfg in configs if read_result(cfg) is None])
    with locked_work_dir(work_dir):
        results = run_folds(args, configs, work_dir)
    title = f'{args.config}, {args.ways}-way {args.shots}-shot: accuracy in percent'
    print(f'\n{printable(title)}\n{format_table(results)}\nwritten to {printable(work_dir / "results.json")}')


def run_folds(args: argparse.Namespace, configs: Sequence[Config], work_dir: Path) -> list[dict[str, Any]]:
    """Run the folds that are missing; the accuracies of all."""
    keep_configs(work_dir, configs)
    results = []
    for fold, cfg in enumerate(configs):
        label = f'fold {fold} ({fold + 1} of {args.folds})'
        # Read under the lock: a run that has just ended may have added to what was there.
        finished = read_result(cfg)
        results.append(finished or run_fold(cfg, fold_file(work_dir, fold), label, args.device))
        origin = ', from an earlier run' if finished else ''
        print(f'{label}: {results[-1]["last"]:.2f} at the last epoch{origin}', flush=True)
        write_results(work_dir, args, results)
    return results


def build_configs(args: argparse.Namespace, work_dir: Path) -> list[Config]:
    """The config of every fold.

    Raises:
        ConfigError: The config is not few-shot, or has a mistake.
    """
    notes: list[str] = []
    base = load_config(args.config, args.cfg_options, notes=notes)
    for note in notes:
        print(note, file=sys.stderr)
    init_default_scope('point_peft')
    check_config(base)
    if (base.get('default_hooks') or {}).get('protocol') is None:
        raise ConfigError(
            f'{args.config} has no default_hooks.protocol, which measures the accuracy; add it.'
        )
    configs = []
    for fold in range(args.folds):
        cfg = copy.deepcopy(base)
        for dataset in few_shot_datasets(cfg, args.config):
            dataset.update(num_ways=args.ways, num_shots=args.shots, fold=fold)
        cfg.merge_from_dict({'num_classes': args.ways, 'model.head.num_classes': args.ways})
        loader = cfg.train_dataloader
        if loader.get('drop_last'):  # a support set that is smaller than a batch is one batch, not none
            loader.batch_size = min(loader.batch_size, max(args.ways * args.shots, 1))
        cfg.work_dir = str(work_dir / f'fold_{fold}')
        configs.append(cfg)
    return configs


def few_shot_datasets(cfg: Config, name: str) -> Iterator[dict[str, Any]]:
    """The few-shot datasets for training and test, wherever they are in their loaders.

    Raises:
        ConfigError: A loader has none.
    """
    for loader in LOADERS:
        found = [node for _, node in walk_dicts(cfg.get(loader) or {}) if is_few_shot(node.get('type'))]
        if not found:
            raise ConfigError(
                f'the {loader} of {name} has no few-shot dataset; use a config such as '
                'configs/point_peft/pointmae_mini_fewshot_shapes.py, or see docs/few_shot.md.'
            )
        yield from found


def is_few_shot(kind: Any) -> bool:
    """Whether a type is a dataset that has ways, shots and folds."""
    cls = DATASETS.get(kind) if isinstance(kind, str) else None
    return cls is not None and {'num_ways', 'num_shots', 'fold'} <= (accepted_arguments(cls) or set())


def check_folds(configs: Sequence[Config]) -> None:
    """Read the data of the folds that are to be run, so that a fault in the last one shows before the first.

    Raises:
        ConfigError: Training and test classes of a fold differ.
    """
    for cfg in configs:
        check_files(cfg, LOADERS)
        support, queries = (DATASETS.build(cfg[loader].dataset) for loader in LOADERS)
        if support.metainfo['classes'] != queries.metainfo['classes']:
            raise ConfigError(
                f'training has the classes {support.metainfo["classes"]} and test {queries.metainfo["classes"]}; '
                'give both datasets the same settings.'
            )


def fold_file(work_dir: Path, fold: int) -> Path:
    """Where the config of a fold is kept."""
    return work_dir / f'fold_{fold}.py'


def keep_configs(work_dir: Path, configs: Sequence[Config]) -> None:
    """Write the config of every fold, or make sure that an earlier run had the same.

    Raises:
        ConfigError: The directory holds folds with other settings.
    """
    work_dir.mkdir(parents=True, exist_ok=True)
    for fold, cfg in enumerate(configs):
        path = fold_file(work_dir, fold)
        if not path.is_file():
            if Path(cfg.work_dir).exists():
                raise ConfigError(
                    f"'{cfg.work_dir}' exists, but not its config '{path}'; give another --work-dir."
                )
            write_atomically(path, cfg.pretty_text.encode())
            continue
        earlier = Config.fromfile(path)
        earlier.work_dir = cfg.work_dir  # the directory may have been moved
        difference = first_difference(earlier.to_dict(), cfg.to_dict())
        if difference is not None:
            raise ConfigError(
                f"'{path}' of an earlier run has {difference}; give another --work-dir, or the settings of that run "
                'to go on with it.'
            )


def first_difference(old: Any, new: Any, place: str = '') -> str | None:
    """Where two configs differ first, with both values, as part of a sentence; None if they agree."""
    if not (isinstance(old, Mapping) and isinstance(new, Mapping)):
        return None if old == new else f'{place}={old!r} where this one has {new!r}'
    for key in sorted({*old, *new}, key=str):
        name = f'{place}.{key}' if place else str(key)
        if key not in old or key not in new:
            return f'{"no " if key in new else ""}{name}, unlike this one'
        found = first_difference(old[key], new[key], name)
        if found is not None:
            return found
    return None


def read_result(cfg: Config) -> dict[str, Any] | None:
    """The accuracies of a fold, or None if it has not reached its last epoch."""
    path = Path(cfg.work_dir) / 'protocol.json'
    if not path.is_file():
        return None
    rows = {row['label']: row for row in json.loads(path.read_text())['rows']}
    last = rows.get(LAST)
    if last is None or last['epoch'] < cfg.train_cfg.max_epochs or METRIC not in last['test']:
        return None
    return dict(
        {key: rows[label]['test'][METRIC] for key, label in ROWS.items()},
        best_epoch=rows[BEST_ON_TEST]['epoch'],
    )


def run_fold(cfg: Config, config: Path, label: str, device: str) -> dict[str, Any]:
    """Train and test one fold, from its last checkpoint if there is one.

    Raises:
        PointPEFTError: The training failed.
    """
    started = time.monotonic()
    command = [sys.executable, str(Path(__file__).with_name('train.py')), str(config)]
    command += ['--work-dir', cfg.work_dir, '--resume', 'auto', '--device', device]
    tail: deque[str] = deque(maxlen=TAIL)
    show = progress(label, cfg.train_cfg.max_epochs)
    environment = {**WAIT_PASSIVELY, **os.environ, 'PYTHONUNBUFFERED': '1'}
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            for line in process.stdout or ():
                tail.append(line)
                show(line)
        except BaseException:
            process.terminate()  # no training is left behind
            print('the same command goes on from here', file=sys.stderr, flush=True)
            raise
    result = read_result(cfg)
    if process.returncode or result is None:
        sys.stderr.writelines(tail)
        raise PointPEFTError(
            f'{label} stopped with exit code {process.returncode}; its last lines are above. The same command goes '
            'on from here.'
        )
    print(f'{label}: {time.monotonic() - started:.0f} s', flush=True)
    return result


def progress(label: str, max_epochs: int) -> Callable[[str], None]:
    """Function that prints a few of the epochs among the lines of a training."""
    every = max(1, max_epochs // UPDATES)

    def show(line: str) -> None:
        found = TRAINED.search(line)
        if found and int(found[1]) % every == 0:
            print(f'{label}: epoch {found[1]}/{max_epochs}, loss {found[2]}', flush=True)

    return show


def spread_of(results: Sequence[dict[str, Any]], key: str) -> dict[str, float | None]:
    """Mean and sample standard deviation of a result over the folds; one fold has no deviation."""
    return dict(zip(('mean', 'std'), mean_and_spread([result[key] for result in results])))


def write_results(work_dir: Path, args: argparse.Namespace, results: Sequence[dict[str, Any]]) -> None:
    """Write ``results.json`` with the folds so far."""
    summary = dict(
        config=args.config,
        cfg_options=args.cfg_options,
        ways=args.ways,
        shots=args.shots,
        metric=METRIC,
        folds_wanted=args.folds,
        **{key: dict(meaning=ROWS[key], **spread_of(results, key)) for key in ROWS},
        folds=[dict(fold=fold, **result) for fold, result in enumerate(results)],
    )
    write_atomically(work_dir / 'results.json', json.dumps(summary, indent=1, default=str).encode())


def format_table(results: Sequence[dict[str, Any]]) -> str:
    """One line per fold, then mean and standard deviation."""
    spreads = {key: spread_of(results, key) for key in ROWS}
    lines = [(f'fold {fold}', [result[key] for key in ROWS]) for fold, result in enumerate(results)]
    for name, part in (('mean', 'mean'), ('standard deviation', 'std')):
        lines.append((name, [spreads[key][part] for key in ROWS]))
    text = f'{"":20}{"last epoch":>12}{"best on test":>14}\n'
    for name, values in lines:
        cells = ['-' if value is None else f'{value:.2f}' for value in values]
        text += f'{name:20}{cells[0]:>12}{cells[1]:>14}\n'
    return f'{text}{BEST_ON_TEST}: another epoch in every fold; deviations are those of a sample'


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
