"""A new method, backbone or task is one file, and needs nothing in this repository."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from point_peft.apis import init_model
from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.methods import PEFTBackbone
from point_peft.registry import MODELS

METHOD = '''
"""Scales what every block's network gives."""
custom_imports = dict(imports=['scale_of_test'])
peft = dict(type='PEFTBackbone', methods=[dict(type='ScaleOfTest')])
'''
MODULE = """
import torch
from torch import nn
from point_peft.registry import MODELS
from point_peft.methods import TuningMethod

@MODELS.register_module(force=True)
class ScaleOfTest(TuningMethod):
    def setup(self, backbone):
        self.scales = nn.ParameterList(torch.ones(dim) for dim in backbone.layer_dims)

    def attach(self, backbone):
        for block, scale in zip(backbone.layers, self.scales):
            self.on_output(block.mlp, lambda _, output, scale=scale: output * scale)
"""
BACKBONE = '''
"""A network of two blocks."""
backbone = dict(type='PointMAE', embed_dim=24, depth=2, num_heads=2, num_groups=8, group_size=8, patch_dims=(8, 12, 16))
when = {'classification': dict(model=dict(head=dict(hidden_dims=(16, ))))}
'''
TASK = '''
"""A few of the built-in shapes, for one epoch."""
_base_ = '{root}/configs/_base_/tasks/shapes.py'
_few = dict(dataset=dict(num_samples=16, num_points=64), batch_size=8)
train_dataloader = val_dataloader = test_dataloader = _few
data_preprocessor = dict(num_points=64)
param_scheduler = []
train_cfg = dict(max_epochs=1)
'''
ROOT = Path(__file__).resolve().parents[2]
OWN = dict(backbone='two_blocks.py', task='few_shapes.py', method='scale.py')


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a part of each kind."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / 'scale_of_test.py').write_text(MODULE)
    (tmp_path / OWN['method']).write_text(METHOD)
    (tmp_path / OWN['backbone']).write_text(BACKBONE)
    (tmp_path / OWN['task']).write_text(TASK.format(root=ROOT))
    return tmp_path


def read(parts: dict[str, str]) -> Config:
    Path('mine.py').write_text(f'parts = {parts}\n')
    cfg = load_config('mine.py')
    check_config(cfg)
    return cfg


@pytest.mark.parametrize('own', OWN)
@pytest.mark.usefixtures('project')
def test_each_goes_with_those_that_are_here(own: str) -> None:
    cfg = read(dict(backbone='pointmae_mini', task='shapes', method='lora') | {own: OWN[own]})
    model = init_model(cfg, allow_random=True)
    assert isinstance(model.backbone, PEFTBackbone) and model.head.num_classes == 16
    assert len(model.backbone.backbone.layers) == (2 if own == 'backbone' else 4)
    assert type(model.backbone.methods[0]).__name__ == ('ScaleOfTest' if own == 'method' else 'LoRA')
    assert cfg.train_dataloader.dataset.num_samples == (16 if own == 'task' else 2000)


def test_all_three_train_and_leave_a_config_that_needs_no_parts(project: Path) -> None:
    """What a run writes into its work dir is complete: plain MMEngine trains from it, to the same weights."""
    runner = Runner.from_cfg(read(OWN))
    runner.train()
    (dumped,) = (project / 'work_dirs' / 'mine').glob('*.py')
    for name in ('mine.py', *OWN.values()):
        (project / name).unlink()
    alone = 'import sys, mmengine; cfg = mmengine.Config.fromfile(sys.argv[1], import_custom_modules=False)\n'
    alone += "print(cfg.model.type, [name for name in sys.modules if name.startswith('point_peft')])"
    done = subprocess.run([sys.executable, '-c', alone, dumped], capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ['PointClassifier', '[]'], done.stderr
    cfg = Config.fromfile(dumped)
    assert not {'parts', 'when', 'tags', 'supports'} & set(cfg) and '${' not in cfg.pretty_text
    cfg.work_dir = str(project / 'again')
    again = Runner.from_cfg(cfg)
    again.train()
    first, second = runner.model.state_dict(), again.model.state_dict()
    assert len(first) > 20 and all(torch.equal(first[name], second[name]) for name in first)
    assert load_config(dumped).model == Config.fromfile(dumped).model


def test_folder_of_configs_of_ones_own(project: Path) -> None:
    """Parts in `configs/_base_` of the working directory have names, like those of the project."""
    for group, folder in dict(backbone='backbones', task='tasks', method='methods').items():
        target = project / 'configs' / '_base_' / folder / OWN[group]
        target.parent.mkdir(parents=True)
        (project / OWN[group]).rename(target)
    assert load_config('scale/two_blocks_few_shapes').model.backbone.embed_dim == 24
    assert (
        load_config('configs/lora/two_blocks_few_shapes.py').work_dir
        == 'work_dirs/lora/two_blocks_few_shapes'
    )
    assert load_config('scale/recon_shapes').model.peft.methods[0].type == 'ScaleOfTest'
    (project / 'configs/_base_/backbones/plain.py').write_text("backbone = dict(type='PointMAE')")
    with torch.device('meta'):  # what a decoder needs, the network says
        encoder = MODELS.build(load_config('scale/plain_votenet_scannet').model.backbone)
    assert encoder.hidden_layers == (3, 7, 11) and encoder.neck.layers[0].in_features == 3 * 384
