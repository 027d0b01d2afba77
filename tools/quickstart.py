"""Fine-tune the shipped mini backbone in three ways on the built-in shapes, and compare them.

``bash tools/quickstart.sh`` installs what this needs and runs it; it takes less than five minutes on two CPU
cores. It leaves ``table.md``, ``results.json``, ``picture.png`` and the work directory of each training under
``work_dirs/quickstart``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.box import SIMPLE_HEAD
from rich.table import Table

from point_peft.apis import init_model
from point_peft.engine.arguments import path as path_argument
from point_peft.engine.cli import run_tool
from point_peft.engine.config import load_config
from point_peft.engine.errors import ConfigError, PointPEFTError
from point_peft.engine.protocol import BEST_ON_VAL, LAST
from point_peft.engine.work_dir import LOCK, check_work_dir, locked_work_dir
from point_peft.experiments.training import WAIT_PASSIVELY
from point_peft.registry import DATASETS
from point_peft.text import plain_console, printable
from point_peft.visualization import MethodResult, plot_results, save_figure

METHODS = {'point_peft': 'Point-PEFT', 'full': 'full fine-tuning', 'linear_probe': 'linear probing'}
"""Directories of ``configs/`` by what they are."""

CONFIG = 'pointmae_mini_shapes.py'

METRIC = 'overall_accuracy'

MARKER = '.quickstart'
"""File that says that a directory was made by this tool, so that it may be cleared."""

SHOWN = re.compile(
    r'Epoch\(\w+\).*|trainable params.*|building the memory bank.*|Traceback.*|\w*[Ee]rror:.*|error:.*'
)
"""What is shown of a training's log lines; all of them are in the work directory."""

TAIL = 30
"""Lines of a failed training that are shown."""

TITLES = [
    'method',
    'trained parameters',
    'of all',
    'test, last',
    'test, best on val',
    'seconds',
    'adapter MB',
    'bank MB',
]
"""Columns of the table; the accuracies are those on the test set."""

NUM_CLOUDS = 12
"""Test clouds in the picture."""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Compare three ways of fine-tuning on the built-in shapes')
    parser.add_argument('--epochs', type=int, default=6, help='epochs of each training (default: 6)')
    parser.add_argument('--samples', type=int, default=960, help='training clouds (default: 960)')
    parser.add_argument(
        '--work-dir', type=path_argument, default=Path('work_dirs/quickstart'), help='where to write'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='further changes to the configs, handed to tools/train.py as they are',
    )
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Train each method, then compare."""
    started = time.monotonic()
    if args.epochs < 1 or args.samples < 32:
        raise ConfigError(
            f'--epochs {args.epochs} --samples {args.samples}: at least 1 epoch and 32 clouds (one batch).'
        )
    check_work_dir(args.work_dir)
    with locked_work_dir(args.work_dir):
        compare(args)
    print(
        f'done in {time.monotonic() - started:.0f} s; {printable(args.work_dir)} holds the table and a picture.png'
    )
    print('next: your own clouds with configs/_base_/datasets/folder.py (docs/datasets.md)')


def compare(args: argparse.Namespace) -> None:
    """Train each method, and leave what they came to in the work dir."""
    prepare_directory(args.work_dir)
    options = [*config_options(args.epochs, args.samples), *args.cfg_options]
    results = []
    for number, method in enumerate(METHODS, start=1):
        print(f'\n[{number}/{len(METHODS)}] {METHODS[method]}: configs/{method}/{CONFIG}', flush=True)
        seconds = train(method, args.work_dir / method, options)
        results.append(collect(method, args.work_dir / method, seconds))
    table = markdown_table(results)
    (args.work_dir / 'table.md').write_text(table)
    (args.work_dir / 'results.json').write_text(json.dumps(summary(args, results), indent=1))
    draw(args.work_dir, results)
    show(results)


def prepare_directory(path: Path) -> None:
    """Make the directory, or clear what an earlier quickstart left in it.

    Raises:
        PointPEFTError: Something else is in it.
    """
    found = {file.name for file in path.iterdir()} if path.exists() else set()
    if found - {LOCK} and MARKER not in found:
        raise PointPEFTError(f"'{printable(path)}' holds files of something else; give another --work-dir.")
    path.mkdir(parents=True, exist_ok=True)
    (path / MARKER).touch()
    for method in METHODS:
        shutil.rmtree(path / method, ignore_errors=True)
    for name in ('table.md', 'results.json', 'picture.png'):
        (path / name).unlink(missing_ok=True)


def config_options(epochs: int, samples: int) -> list[str]:
    """What the quickstart changes in the configs to fit into five minutes.

    Args:
        epochs (int): Epochs of a training.
        samples (int): Training clouds.
    """
    return [
        f'train_cfg.max_epochs={epochs}',
        'param_scheduler.0.end=1',
        'param_scheduler.1.begin=1',
        f'param_scheduler.1.end={max(epochs, 2)}',
        f'train_dataloader.dataset.num_samples={samples}',
        f'val_dataloader.dataset.num_samples={max(samples // 6, 16)}',
        f'test_dataloader.dataset.num_samples={max(samples // 2, 16)}',
        'default_hooks.logger.interval=10',
        # Only the epochs that the table shows: the last, and each that is the best on validation so far.
        f'default_hooks.protocol.test_interval={epochs}',
    ]


def train(method: str, work_dir: Path, options: Sequence[str]) -> float:
    """Run ``tools/train.py`` and show its progress.

    Args:
        method (str): Directory of the config.
        work_dir (Path): Where the training writes.
        options (Sequence[str]): ``--cfg-options``.

    Returns:
        float: Seconds that it took, from start to end of the process.

    Raises:
        PointPEFTError: The training failed.
    """
    started = time.monotonic()
    command = [sys.executable, str(Path(__file__).with_name('train.py')), f'configs/{method}/{CONFIG}']
    command += ['--work-dir', str(work_dir), '--cfg-options', *options]
    environment = {**WAIT_PASSIVELY, **os.environ, 'PYTHONUNBUFFERED': '1'}
    last_lines: deque[str] = deque(maxlen=TAIL)
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    ) as process:
        try:
            for line in process.stdout or ():
                last_lines.append(line)
                shown = SHOWN.search(line)
                if shown:
                    print(f'  {shorten(shown.group())}', flush=True)
        except BaseException:
            process.terminate()  # a quickstart that is stopped leaves no training behind
            raise
    if process.returncode:
        sys.stderr.writelines(last_lines)
        raise PointPEFTError(
            f'{METHODS[method]} stopped with exit code {process.returncode}; its last lines are above.'
        )
    return time.monotonic() - started


def shorten(line: str) -> str:
    """A log line without the numbers that say little on the way."""
    return re.sub(r'(base_lr|lr|time|data_time|grad_norm): \S+ *', '', line).strip()


def collect(method: str, work_dir: Path, seconds: float) -> dict[str, Any]:
    """Read what a training reports about itself.

    Args:
        method (str): Directory of the config.
        work_dir (Path): Where the training wrote.
        seconds (float): How long it took.
    """
    protocol = json.loads((work_dir / 'protocol.json').read_text())
    rows = {row['label']: row for row in protocol['rows']}
    keys = ('trainable_parameters', 'all_parameters', 'adapter_mb', 'bank_mb', 'full_mb', 'history')
    return dict(
        name=METHODS[method],
        config=f'configs/{method}/{CONFIG}',
        seconds=seconds,
        test_last=rows[LAST]['test'][METRIC],
        test_best_on_val=rows[BEST_ON_VAL]['test'][METRIC],
        epoch_best_on_val=rows[BEST_ON_VAL]['epoch'],
        **{key: protocol[key] for key in keys},
    )


def summary(args: argparse.Namespace, results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What ``results.json`` holds: the results, and under which circumstances they came about."""
    return dict(
        epochs=args.epochs,
        samples=args.samples,
        cfg_options=args.cfg_options,
        torch=torch.__version__,
        threads=torch.get_num_threads(),
        methods=list(results),
    )


def table_rows(results: Sequence[dict[str, Any]]) -> list[list[str]]:
    """The cells of the table, in the order of :data:`TITLES`, one list per method."""
    return [
        [
            result['name'],
            f'{result["trainable_parameters"]:,d}',
            f'{100 * result["trainable_parameters"] / result["all_parameters"]:.1f} %',
            f'{result["test_last"]:.2f}',
            f'{result["test_best_on_val"]:.2f}',
            f'{result["seconds"]:.0f}',
            f'{result["adapter_mb"]:.2f}',
            f'{result["bank_mb"]:.2f}',
        ]
        for result in results
    ]


def markdown_table(results: Sequence[dict[str, Any]]) -> str:
    """The table for ``table.md``."""
    lines = [TITLES, ['---'] + ['---:'] * (len(TITLES) - 1), *table_rows(results)]
    return ''.join(f'| {" | ".join(line)} |\n' for line in lines)


def show(results: Sequence[dict[str, Any]]) -> None:
    """Print the table, narrow enough for a terminal of 80 columns."""
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), title='Built-in shapes, accuracy in percent')
    for number, title in enumerate(TITLES):
        table.add_column(title.replace(' ', '\n'), justify='right' if number else 'left', no_wrap=True)
    for row in table_rows(results):
        table.add_row(*row)
    plain_console().print(table)


def draw(work_dir: Path, results: Sequence[dict[str, Any]]) -> None:
    """Draw ``picture.png``: test clouds as the first method classifies them, and the methods compared.

    The clouds are spread evenly over the test set, so that they show what is typical.
    """
    method, name = next(iter(METHODS.items()))
    run_dir = work_dir / method
    config = load_config(run_dir / CONFIG)  # the complete config that the training left there
    model = init_model(config, os.fsdecode((run_dir / 'last_checkpoint').read_bytes()).strip())
    dataset = DATASETS.build(config.test_dataloader.dataset)
    index = np.unique(np.linspace(0, len(dataset) - 1, NUM_CLOUDS).round().astype(int))
    items = [dataset[int(i)] for i in index]
    batch = dict(
        inputs=dict(points=[item['inputs']['points'] for item in items]),
        data_samples=[item['data_samples'] for item in items],
    )
    samples = model.test_step(batch)
    classes = dataset.metainfo['classes']
    figure = plot_results(
        [method_result(result) for result in results],
        clouds=[item['inputs']['points'].numpy() for item in items],
        predicted=[classes[int(sample.pred_label)] for sample in samples],
        true=[classes[int(sample.gt_label)] for sample in samples],
        title=f'{name}: predicted classes of some test clouds',
    )
    save_figure(figure, work_dir / 'picture.png')


def method_result(result: dict[str, Any]) -> MethodResult:
    """What the picture shows of a method."""
    return MethodResult(
        name=result['name'],
        trainable_parameters=result['trainable_parameters'],
        test_accuracy=result['test_last'],
        val_curve=[(epoch['epoch'], epoch['val'][METRIC]) for epoch in result['history'] if epoch['val']],
    )


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
