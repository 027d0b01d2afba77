"""Small models and servers for the tests of the demo."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from browser import browser  # noqa: F401

from point_peft.apis import train
from point_peft.backbones import PointMAE
from point_peft.demo.model import DemoModel
from point_peft.demo.server import DemoServer
from point_peft.io.weights import save_checkpoint

SIZES = dict(embed_dim=16, depth=2, num_heads=2, num_groups=16, group_size=8, patch_dims=(8, 8, 16))
OBJECTS, POINTS = 32, 128
LARGEST = 1


def train_small(name: str, folder: Path, **options: Any) -> Path:
    """A training of one step on few objects; gives its checkpoint, which has its memory bank beside it."""
    torch.manual_seed(0)
    weights = folder / 'tiny.safetensors'
    save_checkpoint(weights, PointMAE(class_token=False, drop_path_rate=0.0, **SIZES).state_dict(), {})
    options |= {f'model.backbone.{key}': value for key, value in SIZES.items()}
    for split in ('train', 'test'):
        options |= {
            f'{split}_dataloader.dataset.num_points': POINTS,
            f'{split}_dataloader.dataset.num_samples': OBJECTS,
        }
    options |= {f'val_{key}': None for key in ('dataloader', 'evaluator', 'cfg')}
    options |= {'train_dataloader.batch_size': OBJECTS, 'train_cfg.max_epochs': 1}
    options |= {'model.backbone.init_cfg.checkpoint': str(weights), 'default_hooks.protocol': None}
    checkpoint = train(name, options=options, work_dir=folder / 'run', seed=0, device='cpu').checkpoint
    assert checkpoint is not None
    return checkpoint


@pytest.fixture(scope='session')
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of Point-PEFT that classifies the built-in shapes."""
    options = {'data_preprocessor.num_points': POINTS, 'data_preprocessor.num_candidates': POINTS}
    return train_small('point_peft/pointmae_mini_shapes', tmp_path_factory.mktemp('classes'), **options)


@pytest.fixture(scope='session')
def segmentor(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of Point-PEFT that segments their parts."""
    return train_small('point_peft/pointmae_mini_shapes_part', tmp_path_factory.mktemp('parts'))


def serving(model: DemoModel) -> Iterator[DemoServer]:
    """A server in a thread until the tests are over."""
    with DemoServer(port=0, largest=LARGEST) as server:
        server.model = model
        thread = Thread(target=server.serve_forever, kwargs=dict(poll_interval=0.05), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope='session')
def model(classifier: Path) -> DemoModel:
    return DemoModel(str(classifier))


@pytest.fixture(scope='session')
def server(model: DemoModel) -> Iterator[DemoServer]:
    """The demo of the classifier."""
    yield from serving(model)


@pytest.fixture(scope='session')
def part_server(segmentor: Path) -> Iterator[DemoServer]:
    """The demo of the model for parts."""
    yield from serving(DemoModel(str(segmentor)))
