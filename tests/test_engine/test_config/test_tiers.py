"""Configs that need packages which may not be installed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from point_peft.engine.config import load_config, tiers
from point_peft.engine.config.tiers import MissingTierError, check_tiers
from point_peft.engine.preflight import check_files

ROOT = Path(__file__).resolve().parents[3]
SENTENCE = (
    r'^mmdet3d\.ScanNetSegDataset \(train_dataloader\.dataset\) needs the detection tier, which is not installed or '
    r'not complete \(.+\); install it with: bash tools/setup_env\.sh runtime detection$'
)


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without mmcv, whatever this one has."""
    for name in ('mmcv', 'mmcv.ops', 'mmdet3d', 'mmdet3d.registry'):
        monkeypatch.setitem(sys.modules, name, None)


@pytest.mark.usefixtures('missing')
@pytest.mark.parametrize(
    'dataset', [dict(type='mmdet3d.ScanNetSegDataset'), dict(type='ScanNetSegDataset', _scope_='mmdet3d')]
)
def test_missing(dataset: dict[str, Any]) -> None:
    """One sentence that names what needs the tier, and the command."""
    with pytest.raises(
        MissingTierError, match=SENTENCE.replace(r'mmdet3d\.Scan', r'(mmdet3d\.)?Scan')
    ) as caught:
        check_tiers(Config(dict(train_dataloader=dict(dataset=dataset))))
    assert '\n' not in str(caught.value)


@pytest.mark.usefixtures('missing')
def test_shipped_config() -> None:
    """The tools report it before they miss any file."""
    cfg = load_config(ROOT / 'configs' / 'point_peft' / 'pointmae_scannet_seg.py')
    with pytest.raises(MissingTierError, match=SENTENCE):
        check_files(cfg)


def test_unfitting_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    """What mmdet3d asserts of the others' versions is passed on, in one line."""

    def refuse(name: str) -> None:
        raise AssertionError('MMCV==9.0 is used but incompatible.\nPlease install mmcv<2.2.0.')

    monkeypatch.setattr(tiers, 'import_module', refuse)
    with pytest.raises(
        MissingTierError, match=r'\(MMCV==9\.0 is used but incompatible\. Please install mmcv<2\.2'
    ):
        check_tiers(Config(dict(val_evaluator=dict(type='mmdet3d.SegMetric'))))


@pytest.mark.usefixtures('missing')
def test_other_configs_pass() -> None:
    """Nothing of the tier is imported for configs that do not use it; other packages and unused variables are fine."""
    check_tiers(load_config(ROOT / 'configs' / 'point_peft' / 'pointmae_mini_shapes.py'))
    check_tiers(Config(dict(pipeline=[dict(type='mmdet3d.Pack3DDetInputs')], train_dataloader=None)))
    check_tiers(
        Config(dict(model=dict(type='torch.nn.Linear'), custom_hooks=[dict(type='mmengine.EMAHook')]))
    )
