"""Every detection config builds its detector; parameters of the heads are the same for all methods."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet3d')

from mmengine.registry import DefaultScope

from point_peft.engine.config import load_config, part_files
from point_peft.engine.config.check import check_config
from point_peft.io.errors import ConfigError
from point_peft.registry import MODELS

BACKBONES = ('pointmae', 'pointmae_mini', 'pointbert', 'act', 'recon', 'pointgpt_s', 'pointm2ae')
TASKS = [
    f'{detector}_{data}'
    for detector in ('votenet', 'groupfree3d', '3detr')
    for data in ('scannet', 'sunrgbd', 'shapes_scene')
]

COMMON = ('full', 'linear_probe', 'point_peft', 'lora', 'vpt_deep')
"""Methods that are built for all tasks."""

EVERY_METHOD = ('votenet_shapes_scene', '3detr_shapes_scene')
"""Tasks that all methods are built for."""

REFUSED = {'gaprompt': 'places of its groups are not places in the room'}
"""Methods that no detector can have, with the reason."""

pytestmark = pytest.mark.filterwarnings('ignore')  # of packages of the tier, for those that they use


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A directory without data and checkpoints, and the scope of every run."""
    monkeypatch.chdir(tmp_path)
    with DefaultScope.overwrite_default_scope('point_peft'):
        yield


@pytest.mark.parametrize('task', TASKS)
@pytest.mark.parametrize('backbone', BACKBONES)
def test_every_method_builds(task: str, backbone: str) -> None:
    """With heads of one size; only what is tuned differs. Methods that a detector cannot have are refused."""
    heads, trained = set(), {}
    for method in part_files('method') if task in EVERY_METHOD else COMMON:
        if method in REFUSED:
            with pytest.raises(ConfigError, match=REFUSED[method]):
                load_config(f'{method}/{backbone}_{task}')
            continue
        cfg = load_config(f'{method}/{backbone}_{task}')
        check_config(cfg)
        with torch.device('meta'):
            model = MODELS.build(cfg.model)
        encoder = model.backbone
        heads.add(sum(p.numel() for part in (encoder.neck, model.bbox_head) for p in part.parameters()))
        trained[method] = sum(
            p.numel()
            for name, p in encoder.named_parameters()
            if p.requires_grad and not name.startswith('neck.')
        )
    assert len(heads) == 1 and trained['linear_probe'] == 0
    share = 1 if 'mini' in backbone else 0.06
    tuned = [trained[method] for method in ('point_peft', 'lora', 'vpt_deep')]
    assert all(0 < number < share * trained['full'] for number in tuned)
