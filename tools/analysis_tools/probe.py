"""Probe backbones: ``python tools/analysis_tools/probe.py CONFIG [CONFIG ...] [--folds N] [--out DIR]``.

The data are the training and test sets of the first config; each config's backbone is measured as its weights are,
and once with random ones: linear probe on all labels and on a few per class, nearest neighbours, retrieval. Methods and
heads of the configs do not matter. Writes ``probe.md``, ``probe.json`` and a picture of the test features by class.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from point_peft.cli.arguments import file_or_url, path
from point_peft.cli.tool import add_config_options, run_tool
from point_peft.engine.config import load_config
from point_peft.engine.preflight import check_data
from point_peft.evaluation.features import pooled_features
from point_peft.evaluation.probing import LabelledFeatures, probe
from point_peft.evaluation.probing_report import ProbeRow, as_markdown
from point_peft.io.errors import ConfigError
from point_peft.registry import DATASETS, MODELS
from point_peft.visualization import plot_features, save_figure

LOADERS = ('train_dataloader', 'test_dataloader')
PICTURE = 'features.png'


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description='Measure frozen features of backbones')
    parser.add_argument('configs', nargs='+', help='configs with a backbone; the first one says which data')
    parser.add_argument(
        '--checkpoint',
        type=file_or_url,
        help='weights for the backbone of the first config, in place of those it names; any file that holds it',
    )
    parser.add_argument('--shots', type=int, nargs='*', default=[1, 5, 10], help='labels per class')
    parser.add_argument('--draws', type=int, default=5, help='choices of those labels')
    parser.add_argument(
        '--folds',
        type=int,
        help='cross-validate: the test sets fold=0 ... N-1 of the first config are all data',
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the random weights and of the choices')
    parser.add_argument('--no-random', action='store_true', help='leave the random weights out')
    parser.add_argument('--threads', type=int, help='threads of torch')
    parser.add_argument('--out', type=path, default=Path('work_dirs/probe'), help='directory for the results')
    add_config_options(parser)
    return parser.parse_args()


def main(args: argparse.Namespace) -> None:
    """Measure every backbone and write the results."""
    if args.threads:
        torch.set_num_threads(args.threads)
    init_default_scope('point_peft')
    cfgs = [load_config(path, args.cfg_options) for path in args.configs]
    check_data(cfgs[0], LOADERS)
    data = build_data(cfgs[0], args.folds)
    num_points = (cfgs[0].get('data_preprocessor') or {}).get('num_points')
    rows: list[ProbeRow] = []
    shown: dict[str, LabelledFeatures] = {}
    for position, cfg in enumerate(cfgs):
        networks = {args.configs[position]: build_backbone(cfg, args.checkpoint if position == 0 else None)}
        if not args.no_random:
            torch.manual_seed(args.seed)
            networks['the same with random weights'] = build_backbone(cfg, None, pretrained=False)
        for name, backbone in networks.items():
            start = time.perf_counter()
            features = [pooled_features(backbone, part, num_points=num_points) for part in data]
            results = [
                probe(train, test, shots=args.shots, draws=args.draws, seed=args.seed)
                for train, test in splits(features, args.folds)
            ]
            rows.append(ProbeRow(name, features[0].values.shape[1], results, time.perf_counter() - start))
            shown[name] = features[-1]
            print(as_markdown(rows[-1:]), flush=True)
    write(args.out, rows, shown, args, classes=data[0].classes)


def build_data(cfg: Config, folds: int | None) -> list[Any]:
    """The training and the test set; or the test sets of all folds, which need no training set.

    Raises:
        ConfigError: The config lacks one of them.
    """
    for name in LOADERS if folds is None else LOADERS[1:]:
        if not cfg.get(name):
            raise ConfigError(
                f'the first config has no {name}; give one with a classification dataset first.'
            )
    test = dict(cfg.test_dataloader.dataset)
    if folds is None:
        return [DATASETS.build(cfg[name].dataset) for name in LOADERS]
    if folds < 2:
        raise ConfigError(f'--folds {folds} leaves nothing to train on; give at least 2.')
    return [DATASETS.build({**test, 'fold': fold}) for fold in range(folds)]


def splits(
    features: list[LabelledFeatures], folds: int | None
) -> list[tuple[LabelledFeatures, LabelledFeatures]]:
    """Pairs (training, test): the two sets as they are, or each fold against all others."""
    if folds is None:
        return [(features[0], features[1])]
    return [(join(features[:fold] + features[fold + 1 :]), features[fold]) for fold in range(folds)]


def join(parts: list[LabelledFeatures]) -> LabelledFeatures:
    """Several sets as one."""
    return LabelledFeatures(
        torch.cat([part.values for part in parts]), torch.cat([part.labels for part in parts])
    )


def build_backbone(cfg: Config, checkpoint: str | None, *, pretrained: bool = True) -> nn.Module:
    """The plain backbone of a config, with its weights, those of a file, or random ones.

    Raises:
        ConfigError: The config has no backbone.
    """
    model = cfg.get('model') or {}
    node = model.get('backbone') or model.get('encoder')
    if node is None:
        raise ConfigError('the config has no model.backbone and no model.encoder; give one with a backbone.')
    node = dict(node)
    if checkpoint is not None:
        node['init_cfg'] = dict(type='Pretrained', checkpoint=checkpoint)
    if not pretrained:
        node.pop('init_cfg', None)
    backbone = MODELS.build(node)
    backbone.init_weights()
    return backbone


def write(
    out: Path,
    rows: list[ProbeRow],
    shown: dict[str, LabelledFeatures],
    args: argparse.Namespace,
    *,
    classes: Any,
) -> None:
    """Write the table, the numbers and the picture."""
    out.mkdir(parents=True, exist_ok=True)
    table = as_markdown(rows)
    (out / 'probe.md').write_text(table + '\n')
    settings = {key: value for key, value in vars(args).items() if key not in ('out', 'cfg_options')}
    (out / 'probe.json').write_text(
        json.dumps(dict(settings=settings, rows=[row.as_json() for row in rows]), indent=2) + '\n'
    )
    save_figure(plot_features(shown, classes), out / PICTURE)
    print(table)
    print(f'written to {out}: probe.md, probe.json, {PICTURE}')


if __name__ == '__main__':
    arguments = parse_args()
    sys.exit(run_tool(main, arguments))
