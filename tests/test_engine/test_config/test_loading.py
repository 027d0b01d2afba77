from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from point_peft.engine.config import load_config, set_data_root, walk_dicts
from point_peft.engine.config.loading import drop_absent_hooks
from point_peft.io.errors import ConfigError, MissingFileError

CONFIG = """
data_root = 'data/a'
dataset = dict(type='D', data_root=data_root)
train_dataloader = dict(dataset=dict(type='Repeat', dataset=dataset))
val_dataloader = dict(dataset=dict(type='Concat', datasets=[dataset, dict(type='D', data_root='data/b')]))
test_dataloader = dict(dataset=dataset)
model = dict(bank=dict(dataset=dataset), lr=1)
"""


def write(path: Path, text: str = CONFIG) -> Path:
    path.write_text(text)
    return path


def test_data_root_reaches_every_dataset(tmp_path: Path) -> None:
    cfg = load_config(write(tmp_path / 'c.py'), {'data_root': '/x', 'model.lr': 2})
    roots = [node['data_root'] for _, node in walk_dicts(cfg) if 'data_root' in node]
    assert roots.count('/x') == 6
    assert roots.count('data/b') == 1
    assert len(roots) == 7
    assert cfg.val_dataloader.dataset.datasets[1].data_root == 'data/b'
    assert cfg.model.lr == 2


def test_data_root_without_a_variable(tmp_path: Path) -> None:
    cfg = load_config(
        write(tmp_path / 'c.py', CONFIG.replace('data_root = ', 'root = ').replace('=data_root', '=root'))
    )
    set_data_root(cfg, '/x')
    assert {
        node['data_root']
        for name in ('train', 'val', 'test')
        for _, node in walk_dicts(cfg[f'{name}_dataloader'])
        if 'data_root' in node
    } == {'/x'}
    assert cfg.model.bank.dataset.data_root == 'data/a'


def test_work_dir(tmp_path: Path) -> None:
    path = write(tmp_path / 'name.py')
    assert load_config(path).work_dir == 'work_dirs/name'
    assert load_config(path, work_dir='w').work_dir == 'w'
    assert load_config(write(tmp_path / 'b.py', "work_dir = 'own'")).work_dir == 'own'


def test_places_of_dicts() -> None:
    node = dict(a=[dict(b=dict()), 1], c=dict())
    assert [place for place, _ in walk_dicts(node, 'model')] == [
        'model',
        'model.a[0]',
        'model.a[0].b',
        'model.c',
    ]


def test_dropped_hooks() -> None:
    cfg = Config(dict(default_hooks=dict(protocol=None, timer=None, delta=dict(type='D'))))
    drop_absent_hooks(cfg)
    assert cfg.default_hooks == dict(timer=None, delta=dict(type='D'))
    drop_absent_hooks(Config(dict()))


@pytest.mark.parametrize('hook', [None, dict(type='MemoryBankHook'), dict(file='bank.safetensors')])
def test_hooks_of_earlier_versions(tmp_path: Path, hook: Any) -> None:
    """Also where one was dropped, which would have no effect by now."""
    file = write(tmp_path / 'a.py', f'default_hooks = dict(memory_bank={hook!r})')
    with pytest.raises(
        ConfigError, match=r"default_hooks has no hook 'memory_bank' any more; did you mean 'fit'\?"
    ):
        load_config(file)
    with pytest.raises(ConfigError, match="did you mean 'fit'"):
        load_config(write(tmp_path / 'b.py', ''), {'default_hooks.memory_bank.file': 'x'})


def test_missing_config_names_similar_ones(tmp_path: Path) -> None:
    write(tmp_path / 'pointmae_modelnet10.py')
    with pytest.raises(MissingFileError, match=r'does not exist; did you mean .*pointmae_modelnet10\.py'):
        load_config(tmp_path / 'pointmae_modelnet1.py')
    with pytest.raises(MissingFileError, match='list_configs.py lists what there is'):
        load_config(tmp_path / 'zzzz')


@pytest.mark.parametrize('text', ['a = (', "_base_ = './none.py'", 'a = b'])
def test_broken_config_is_one_sentence(tmp_path: Path, text: str) -> None:
    with pytest.raises((ConfigError, MissingFileError), match=r'config .* (cannot be read|does not exist)'):
        load_config(write(tmp_path / 'broken.py', text))
