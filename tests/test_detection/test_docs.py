"""The example of docs/detection.md: a config with height and color."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip('mmdet3d')

from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from small_detectors import REAL, ROOT, thin
from small_models import fill_bank

from point_peft.engine.config import load_config
from point_peft.engine.config.check import check_config
from point_peft.registry import DATASETS, MODELS


@pytest.mark.skipif(not (REAL / 'scannet').is_dir(), reason='the real rooms are not here')
@pytest.mark.filterwarnings('ignore')
def test_height_and_color(tmp_path: Path) -> None:
    """Seven columns reach the encoder in training and validation, colors between 0 and 1."""
    text = (ROOT / 'docs' / 'detection.md').read_text()
    (code,) = re.findall(r'```python\n# my_project/color\.py\n(.*?)```', text, re.DOTALL)
    base = ROOT / 'configs' / 'point_peft' / 'pointmae_mini_votenet_scannet.py'
    (tmp_path / 'color.py').write_text(
        code.replace('../configs/point_peft/pointmae_votenet_scannet.py', str(base))
    )
    cfg = load_config(tmp_path / 'color.py', {'data_root': str(REAL / 'scannet')})
    with DefaultScope.overwrite_default_scope('point_peft'):
        check_config(cfg)
        for loader in (cfg.train_dataloader, cfg.val_dataloader):
            thin(loader.dataset)
            points = DATASETS.build(loader.dataset)[0]['inputs']['points']
            assert points.shape[1] == 7 and 0 <= points[:, 4:].min() < 0.5 < points[:, 4:].max() <= 1
        rooms = DATASETS.build(cfg.train_dataloader.dataset)
        model = MODELS.build(cfg.model).train()
    fill_bank(model.backbone)
    losses = model(**model.data_preprocessor(pseudo_collate([rooms[0], rooms[1]]), True), mode='loss')
    losses['vote_loss'].backward()
    gradient = model.backbone.extra.project.weight.grad
    assert model.backbone.extra.embed.in_features == 4 and gradient.abs().sum() > 0
