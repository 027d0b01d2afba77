from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from point_peft.cli.tool import add_config_options
from point_peft.engine.config import load_config
from point_peft.io.errors import ConfigError

CONFIG = """
custom_imports = dict(imports=['point_peft.datasets'])
data_root = 'data/a'
train_dataloader = dict(
    batch_size=4,
    dataset=dict(type='PointCloudFolder', data_root=data_root, split='train'))
model = dict(type='Unregistered', name='chair', names=['a', 'b'], sizes=[1, 2], scale=(0.8, 1.25),
             rate=0.5, num=3, on=True, part=dict(x=1),
             hooks=[dict(type='A', size=1)], none=None)
work_dir = 'w'
load_from = None
"""


def parse(*arguments: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    return parser.parse_args(['--cfg-options', *arguments]).cfg_options


def load(tmp_path: Path, *arguments: str) -> Any:
    path = tmp_path / 'c.py'
    path.write_text(CONFIG)
    return load_config(path, parse(*arguments))


@pytest.mark.parametrize(
    ('text', 'value'),
    [
        ('name=2024', '2024'),
        ('name=a,b', 'a,b'),
        ('name=two words', 'two words'),
        ('name= a ', ' a '),
        ('name=True', 'True'),
        ('name=[x]', '[x]'),
        ('name=[0, 1]', [0, 1]),  # such as the numbers of scenes where a file of them stands
        ('name=0,1', '0,1'),
        ("name='[0, 1]'", '[0, 1]'),
        ('name=1e3', '1e3'),
        ('name=a=b', 'a=b'),
        ("name='None'", 'None'),
        ('name="quoted, too"', 'quoted, too'),
        ('name=None', None),
        ('name=', ''),
        ('names=2024,c d', ['2024', 'c d']),
        ('names=[2024]', ['2024']),
        ("names=['x, y', 'z']", ['x, y', 'z']),
        ('names=one', ['one']),
        ('names=[]', []),
        ('sizes=3,4', [3, 4]),
        ('sizes=[5]', [5]),
        ('sizes.1=7', [1, 7]),
        ('scale.0=0.25', (0.25, 1.25)),
        ('scale=0.5,2', (0.5, 2)),
        ('scale=(0.5, 2)', (0.5, 2)),
        ('rate=1e-4', 1e-4),
        ('rate=1', 1.0),
        ('rate=inf', float('inf')),
        ('num=7', 7),
        ('num=[5, 12]', [5, 12]),
        ("num='dynamic'", 'dynamic'),
        ('on=false', False),
        ('part=None', None),
        ('hooks.0.size=4', [dict(type='A', size=4)]),
        ("hooks=[{'type': 'B'}]", [dict(type='B')]),
        ('none=2024', 2024),
        ('none=a b', 'a b'),
        ('new=0.9,0.95', [0.9, 0.95]),
        ('new=a,b', 'a,b'),
        ('new=[a,b]', ['a', 'b']),
        ('new=true', True),
        ("new='2024'", '2024'),
        ('checkpoint=2024', '2024'),
    ],
)
def test_types_follow_what_stands_there(tmp_path: Path, text: str, value: Any) -> None:
    cfg = load(tmp_path, f'model.{text}')
    found = cfg.model[text.partition('=')[0].partition('.')[0]]
    assert found == value
    assert type(found) is type(value) or isinstance(value, list)


def test_text_by_the_signature_of_what_is_built(tmp_path: Path) -> None:
    """Nothing stands there yet, but PointCloudFolder takes a text."""
    cfg = load(tmp_path, 'train_dataloader.dataset.split=2024', 'load_from=2024', 'work_dir=10,20')
    assert cfg.train_dataloader.dataset.split == '2024'
    assert cfg.load_from == '2024'
    assert cfg.work_dir == '10,20'


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('model.num=many', "model.num=many: a number stands there, which 'many' is not"),
        ('model.on=maybe', 'True or False stands there'),
        ('model.part=x', 'a section stands there'),
        ('model.sizes=a,b', 'a list stands there'),
        ('model.hooks=x', 'a list stands there'),
        ('model.hooks.3.size=1', r'model.hooks is a list of 1; address its entries as model.hooks.0 to'),
        ('model.hooks.x.size=1', 'model.hooks is a list of 1'),
        ('model.num.x=1', 'model.num is 3, which has no parts; set model.num itself'),
        (
            'model.scale.2=1',
            'model.scale is a list of 2; address its entries as model.scale.0 to model.scale.1',
        ),
        ('model.none.x=1', 'model.none is None, which has no parts'),
    ],
)
def test_what_cannot_be_put_there(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(tmp_path, text)


@pytest.mark.parametrize('text', ['name', '=1', 'a..b=1', 'data/my', ' =x'])
def test_no_pair(text: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        parse('model.a=1', text)
    assert 'is not KEY=VALUE; quote a value that has spaces' in capsys.readouterr().err


def test_flag_may_be_repeated() -> None:
    parser = argparse.ArgumentParser()
    add_config_options(parser)
    args = parser.parse_args(['--cfg-options', 'a=1', '--cfg-options', 'b=2', 'a=3'])
    assert args.cfg_options == {'a': '3', 'b': '2'}
    assert parser.parse_args([]).cfg_options == {}


def test_paths_stay_paths(tmp_path: Path) -> None:
    """A directory may have any name, brackets included."""
    cfg = load(tmp_path, 'work_dir=[1]', 'data_root=[2024]', 'load_from=(3,)')
    assert (cfg.work_dir, cfg.data_root, cfg.load_from) == ('[1]', '[2024]', '(3,)')
    assert cfg.train_dataloader.dataset.data_root == '[2024]'


@pytest.mark.parametrize(
    ('key', 'message'),
    [
        ('model.backbone.init_cfg.chekpoint', "unknown argument 'chekpoint'; did you mean 'checkpoint'"),
        ('model.backbon.depth', "unknown argument 'backbon'; did you mean 'backbone'"),
        ('model.backbone.backbone.depth', "PointMAE got an unknown argument 'backbone'; it takes"),
        ('train_cfg.max_epoch', "unknown argument 'max_epoch'; did you mean 'max_epochs'"),
        ('default_hooks.chekpoint.interval', "there is no such hook; did you mean 'checkpoint'"),
        ('param_scheduler.0.ends.x', "unknown argument 'ends'; did you mean 'end'"),
    ],
)
def test_places_that_nothing_reads(key: str, message: str) -> None:
    """Also where a config is only loaded; what a class does take may be new."""
    with pytest.raises(ConfigError, match=message):
        load_config('point_peft/pointmae_mini_shapes', {key: 3})
    cfg = load_config('point_peft/pointmae_mini_shapes', {'optim_wrapper.paramwise_cfg.norm_decay_mult': 0.5})
    assert cfg.optim_wrapper.paramwise_cfg.norm_decay_mult == 0.5
