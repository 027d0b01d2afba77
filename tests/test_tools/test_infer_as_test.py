"""The tool that classifies files against the one that tests: one preparation, so the same numbers."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric
from mmengine.runner import Runner
from small_models import scramble, small_config
from torch import Tensor

from point_peft.apis import init_model
from point_peft.engine.checkpoint import full_state
from point_peft.registry import METRICS

CLASSES = ('ball', 'can')


@METRICS.register_module(force=True)
class KeepScores(BaseMetric):
    """Keeps the prediction of every cloud by its file."""

    found: dict[str, Tensor] = {}

    def process(self, data_batch: Any, data_samples: list[dict]) -> None:
        """Note a batch."""
        for sample in data_samples:
            self.found[Path(sample['source']).name] = sample['pred_scores']
        self.results.append(0)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Nothing to compute."""
        return dict(number=len(results))


@pytest.fixture
def infer(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The tool as a module."""
    return load_tool('infer.py')


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Clouds with fewer points than wanted, as many, more, and far from the origin; and meshes."""
    rng = np.random.default_rng(0)
    for subset in ('train', 'test'):
        for name in CLASSES:
            folder = tmp_path / 'clouds' / subset / name
            folder.mkdir(parents=True)
            for size in (40, 80, 200):
                np.save(folder / f'{name}{size}.npy', rng.standard_normal((size, 3)) * 2 + 1)
            np.savetxt(folder / f'{name}_map.txt', rng.random((300, 3)) * 5 + (4e5, 5e6, 300), fmt='%.4f')
            triangles = rng.random((30, 3))
            rows = [f'v {x} {y} {z}' for x, y, z in triangles] + [
                f'f {i} {i + 1} {i + 2}' for i in range(1, 28)
            ]
            (folder / f'{name}_mesh.obj').write_text('\n'.join(rows))
    return tmp_path / 'clouds'


def config(tmp_path: Path, root: Path, **dataset: Any) -> Path:
    """A config of a small model on a folder of clouds, and a checkpoint of random weights."""
    cfg = small_config(tmp_path)
    cfg.model.head.num_classes = len(CLASSES)
    data = dict(type='PointCloudFolder', data_root=str(root), **dataset)
    for split in ('train', 'val', 'test'):
        cfg[f'{split}_dataloader'].dataset = dict(data, split=split)
    cfg.test_dataloader.batch_size = 4
    cfg.test_evaluator = dict(type='KeepScores')
    path = tmp_path / 'small.py'
    cfg.dump(path)
    model = init_model(cfg)
    scramble(model)
    meta = dict(dataset_meta=dict(classes=CLASSES))
    torch.save(dict(state_dict=full_state(model), meta=meta), tmp_path / 'small.pth')
    return path


def scores_of_test(path: Path) -> dict[str, Tensor]:
    """Scores of the test run by the name of the file."""
    cfg = Config.fromfile(path)
    for name in ('train_dataloader', 'train_cfg', 'optim_wrapper', 'param_scheduler'):
        cfg[name] = None
    for name in ('val_dataloader', 'val_cfg', 'val_evaluator'):
        cfg[name] = None
    cfg.load_from = str(path.with_suffix('.pth'))
    KeepScores.found = {}
    Runner.from_cfg(cfg).test()
    return KeepScores.found


def scores_of_infer(infer: ModuleType, path: Path, *files: Path, **changes: Any) -> dict[str, Tensor]:
    """Scores of the other tool by the name of the file."""
    found: dict[str, Tensor] = {}

    def keep(paths: list[str], scores: list[Tensor], *_: Any) -> str:
        found.update(zip([Path(path).name for path in paths], scores))
        return ''

    infer.class_table = keep
    given = dict(
        top_k=2, normalize=None, png=None, html=None, category=None, out=None, device='cpu', cfg_options={}
    )
    infer.main(
        argparse.Namespace(
            config=path, checkpoint=str(path.with_suffix('.pth')), files=files, **{**given, **changes}
        )
    )
    return found


@pytest.mark.parametrize(
    'dataset',
    [
        dict(num_points=80),
        dict(num_points=100, max_points=70),
        dict(num_points=80, normalize=None),
        dict(num_points=250, normalize=None, max_points=90),
    ],
)
def test_same_probabilities(infer: ModuleType, tmp_path: Path, root: Path, dataset: dict[str, Any]) -> None:
    """Every file of the test set, bit for bit, whatever its size and format."""
    if 'normalize' in dataset:  # float32 would lose their shape, which is refused
        for path in root.rglob('*_map.txt'):
            path.unlink()
    path = config(tmp_path, root, **dataset)
    expected = scores_of_test(path)
    files = sorted((root / 'test').rglob('*.*'))
    assert len(files) == len(expected) >= 8
    found = scores_of_infer(infer, path, *files)
    for name, scores in expected.items():
        assert torch.equal(found[name], scores), (found[name] - scores).abs().max()
    assert len({tuple(scores.tolist()) for scores in found.values()}) == len(files)
