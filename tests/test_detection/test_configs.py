"""Every detection config builds its detector; parameters of the heads are the same for all methods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet3d')

from mmengine.registry import DefaultScope

from point_peft.engine.config import load_config
from point_peft.engine.config_check import check_config
from point_peft.registry import MODELS

CONFIGS = Path(__file__).resolve().parents[2] / 'configs'
BACKBONES = ('pointmae', 'pointmae_mini', 'pointbert', 'act', 'recon', 'pointgpt_s', 'pointm2ae')
TASKS = [
    f'{detector}_{data}'
    for detector in ('votenet', 'groupfree3d', '3detr')
    for data in ('scannet', 'sunrgbd', 'shapes_scene')
]

pytestmark = pytest.mark.filterwarnings('ignore')  # of packages of the tier, for those that they use


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory without data and checkpoints, and the scope of every run."""
    monkeypatch.chdir(tmp_path)
    with DefaultScope.overwrite_default_scope('point_peft'):
        yield


@pytest.mark.parametrize('task', TASKS)
def test_every_method_builds(task: str) -> None:
    """On the mini backbone, with heads of one size; only what is tuned differs."""
    heads, trained = set(), {}
    for method in ('full', 'linear_probe', 'point_peft', 'lora'):
        cfg = load_config(CONFIGS / method / f'pointmae_mini_{task}.py')
        check_config(cfg)
        with torch.device('meta'):
            model = MODELS.build(cfg.model)
        heads.add(sum(p.numel() for part in (model.neck, model.bbox_head) for p in part.parameters()))
        trained[method] = sum(p.numel() for p in model.parameters() if p.requires_grad)
    (head,) = heads
    assert (
        trained['linear_probe'] == head < trained['lora'] < trained['full'] and head < trained['point_peft']
    )


@pytest.mark.parametrize('backbone', BACKBONES)
@pytest.mark.parametrize('task', ['votenet_scannet', 'groupfree3d_sunrgbd', '3detr_scannet'])
def test_every_backbone_builds(backbone: str, task: str) -> None:
    cfg = load_config(CONFIGS / 'point_peft' / f'{backbone}_{task}.py')
    check_config(cfg)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    tuned = sum(p.numel() for p in model.backbone.parameters() if p.requires_grad)
    assert (
        0 < tuned < (1 if 'mini' in backbone else 0.06) * sum(p.numel() for p in model.backbone.parameters())
    )
