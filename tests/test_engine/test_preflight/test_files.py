from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmengine.config import Config
from toy_engine import make_config

from point_peft.engine.preflight import check_data, check_files
from point_peft.io.errors import CheckpointError, ConfigError, DatasetError, MissingFileError


def make(tmp_path: Path, **changes: Any) -> Config:
    cfg = make_config(tmp_path)
    cfg.merge_from_dict(changes)
    return cfg


def test_config_without_files_passes(tmp_path: Path) -> None:
    check_files(make(tmp_path))


def test_missing_data_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = make(tmp_path, **{'val_dataloader.dataset.data_root': str(tmp_path / 'none')})
    with pytest.raises(
        MissingFileError, match=r'none.*val_dataloader\.dataset.*docs/datasets\.md.*needs no download'
    ):
        check_files(cfg)
    check_files(cfg, ['train_dataloader'])
    monkeypatch.setattr(sys.modules['toy_engine'], 'ORIGIN', 'https://example.org', raising=False)
    with pytest.raises(MissingFileError, match=r'get it from https://example\.org'):
        check_files(cfg)
    (tmp_path / 'none').mkdir()
    check_files(cfg)


def test_data_below_a_wrapper_is_found(tmp_path: Path) -> None:
    cfg = make(tmp_path)
    cfg.train_dataloader.dataset = dict(
        type='ConcatDataset', datasets=[dict(type='ToyClouds', data_root='nowhere')]
    )
    with pytest.raises(MissingFileError, match=r'train_dataloader\.dataset\.datasets\[0\]'):
        check_files(cfg)


def test_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = make(tmp_path)
    cfg.model.backbone = dict(init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth')))
    with pytest.raises(
        MissingFileError, match=r'a\.pth. \(model\.backbone\.init_cfg\) does not exist.*shipped'
    ):
        check_files(cfg)
    check_files(cfg, pretrained=False)
    (tmp_path / 'a.pth').touch()
    check_files(cfg)
    monkeypatch.setattr('torch.hub.get_dir', lambda: str(tmp_path))
    cfg.model.backbone.init_cfg.checkpoint = 'http://127.0.0.1:9/a.pth'
    with pytest.raises(CheckpointError, match='cannot be downloaded'):
        check_files(cfg)
    check_files(cfg, pretrained=False)


def test_missing_checkpoint_and_model(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"checkpoint 'b\.pth' \(load_from\)"):
        check_files(make(tmp_path, load_from='b.pth'))
    cfg = make(tmp_path)
    cfg.pop('model')
    with pytest.raises(ConfigError, match='has no model'):
        check_files(cfg)


def test_data_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tools that need no model check the data only; a dataset that makes its data needs none."""
    cfg = make(tmp_path, **{'val_dataloader.dataset.data_root': str(tmp_path / 'none')})
    cfg.pop('model')
    with pytest.raises(MissingFileError, match='data of ToyClouds not found'):
        check_data(cfg)
    monkeypatch.setattr(sys.modules['toy_engine'].ToyClouds, 'writes_data_root', True, raising=False)
    check_data(cfg)


class Attack:
    """Runs code when it is unpickled."""

    def __init__(self, victim: Path) -> None:
        self.victim = victim

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return (os.mkdir, (str(self.victim),))


@pytest.mark.parametrize('name', ['ann_file', 'ann_files'])
def test_lists_of_scenes_are_read_before_mmdet3d_trusts_them(name: str, tmp_path: Path) -> None:
    """A missing, a harmless, a poisoned and a damaged list."""
    listed, victim = tmp_path / 'infos.pkl', tmp_path / 'victim'
    cfg = make(tmp_path)
    cfg.train_dataloader.dataset.data_root = str(tmp_path)
    cfg.train_dataloader.dataset[name] = 'infos.pkl' if name == 'ann_file' else ['infos.pkl']
    with pytest.raises(MissingFileError, match=r'infos\.pkl.*docs/datasets\.md'):
        check_data(cfg)
    listed.write_bytes(pickle.dumps(dict(metainfo={}, data_list=[dict(box=np.eye(4))])))
    check_data(cfg)
    listed.write_bytes(pickle.dumps(dict(data_list=[Attack(victim)])))
    with pytest.raises(DatasetError, match=r'infos\.pkl.*was not loaded: it asks for \w+\.mkdir'):
        check_data(cfg)
    assert not victim.exists()
    listed.write_bytes(pickle.dumps(dict(metainfo={}))[:-3])
    with pytest.raises(DatasetError, match=r'infos\.pkl.*truncated'):
        check_data(cfg)
