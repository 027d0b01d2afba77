from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from point_peft.engine.config import OptionText, load_config, walk_dicts
from point_peft.io.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')


def leaf(tmp_path: Path, text: str, base: str = 'datasets/modelnet40.py', name: str = 'leaf.py') -> Path:
    path = tmp_path / name
    path.write_text(f"_base_ = '{ROOT}/configs/_base_/{base}'\n{text}\n")
    return path


def roots(cfg: Config) -> list[str]:
    return [cfg[name].dataset.data_root for name in LOADERS]


def test_data_root_of_a_leaf_reaches_all_loaders(tmp_path: Path) -> None:
    assert roots(load_config(leaf(tmp_path, "data_root = '/my data/x'"))) == ['/my data/x'] * 3


def test_loader_of_its_own_wins(tmp_path: Path) -> None:
    path = leaf(tmp_path, "data_root = '/mine'\ntest_dataloader = dict(dataset=dict(data_root='/other'))")
    assert roots(load_config(path)) == ['/mine', '/mine', '/other']
    assert roots(load_config(path, {'data_root': '/x'})) == ['/x', '/x', '/other']
    options = {'train_dataloader.dataset.data_root': '/y', 'data_root': '/x'}
    assert roots(load_config(path, options)) == ['/y', '/x', '/other']


def test_leaf_of_a_leaf(tmp_path: Path) -> None:
    leaf(tmp_path, "data_root = '/first'", name='first.py')
    (tmp_path / 'second.py').write_text("_base_ = 'first.py'\ntrain_dataloader = dict(batch_size=3)\n")
    (tmp_path / 'third.py').write_text("_base_ = 'second.py'\ndata_root = '/third'\n")
    assert roots(load_config(tmp_path / 'second.py')) == ['/first'] * 3
    assert roots(load_config(tmp_path / 'third.py')) == ['/third'] * 3


def test_few_shot_draws_from_it(tmp_path: Path) -> None:
    cfg = load_config(leaf(tmp_path, "data_root = '/mine'", 'datasets/fewshot_modelnet10.py'))
    assert cfg.train_dataloader.dataset.dataset.data_root == '/mine'
    assert cfg.test_dataloader.dataset.dataset.data_root == '/mine'


def test_flag_helps_where_the_loaders_were_set_one_by_one(tmp_path: Path) -> None:
    text = '\n'.join(f"{name} = dict(dataset=dict(data_root='/typo'))" for name in LOADERS)
    assert roots(load_config(leaf(tmp_path, text), {'data_root': OptionText('/x y')})) == ['/x y'] * 3


@pytest.mark.parametrize('options', [{}, {'data_root': '/x'}])
def test_data_that_needs_no_files(tmp_path: Path, options: dict[str, Any]) -> None:
    text = '' if options else "data_root = '/x'"
    with pytest.raises(ConfigError, match="data_root='/x' has no effect, as ProceduralShapes reads no files"):
        load_config(leaf(tmp_path, text, 'datasets/shapes.py'), options)


def test_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', '/home/me')
    path = leaf(
        tmp_path,
        "data_root = '~/clouds'\nload_from = '~/a.pth'\nmodel = dict(init_cfg=dict(checkpoint='~/b'))",
    )
    cfg = load_config(path, {'work_dir': OptionText('~/w')})
    assert roots(cfg) == ['/home/me/clouds'] * 3
    assert (cfg.load_from, cfg.model.init_cfg.checkpoint, cfg.work_dir) == (
        '/home/me/a.pth',
        '/home/me/b',
        '/home/me/w',
    )
    assert load_config(path, {'data_root': '~/d'}, work_dir='~/v').work_dir == '/home/me/v'
    assert not [node for _, node in walk_dicts(cfg) if str(node.get('data_root', '')).startswith('~')]
