"""Configs that lack what nothing can be built without, through the checks before training."""

from __future__ import annotations

import math
from typing import Any

import pytest
from mmengine.config import Config

from point_peft.engine.config.check import check_config
from point_peft.engine.config.required import check_loops
from point_peft.engine.runtime.runner import SparedRunner
from point_peft.io.errors import ConfigError

MODEL = dict(
    type='PointClassifier', backbone=dict(type='PointMAE'), head=dict(type='PointClsHead', num_classes=2)
)


@pytest.mark.parametrize(
    'section, complaint',
    [
        (dict(model={**MODEL, 'head': None}), 'model.head is None, but PointClassifier needs one'),
        (dict(model={**MODEL, 'backbone': None}), 'model.backbone is None'),
        (
            dict(model={**MODEL, 'data_preprocessor': dict(num_points=64)}),
            r'model.data_preprocessor has no type, .* set model\.data_preprocessor\.type',
        ),
        (
            dict(custom_hooks=[dict(interval=1)]),
            r'custom_hooks\[0\] has no type, .* set custom_hooks\.0\.type',
        ),
        (dict(custom_hooks=['EMAHook']), r"custom_hooks\[0\] is 'EMAHook'"),
        (dict(default_hooks=dict(finite=3)), r'default_hooks\.finite is 3'),
        (dict(randomness=None), 'randomness is None; it must be a dict'),
        (dict(log_level='LOUD'), "log_level is 'LOUD'"),
        (dict(default_hooks=dict(logger=dict(type='SparedLoggerHook', interval=0))), 'logger.interval is 0'),
        (dict(optim_wrapper=dict(clip_grad=dict(max_norm=-1))), 'clip_grad.max_norm is -1'),
        (dict(optim_wrapper=dict(clip_grad=dict(max_norm=math.nan))), 'clip_grad.max_norm is nan'),
    ],
)
def test_one_sentence(section: dict[str, Any], complaint: str) -> None:
    """What would end in a traceback of the builder, or turn gradients round, names its place."""
    check_config(Config(dict(model=MODEL)))
    with pytest.raises(ConfigError, match=complaint):
        check_config(Config({'model': MODEL, **section}))


@pytest.mark.parametrize('absent', ['val_dataloader', 'val_cfg', 'val_evaluator'])
def test_sections_that_go_together(absent: str) -> None:
    whole = dict(val_dataloader=dict(batch_size=1), val_cfg=dict(), val_evaluator=dict(type='A'))
    check_loops(Config(whole))
    check_loops(Config(dict.fromkeys(whole)))
    with pytest.raises(ConfigError, match=rf'^{absent} is None but val_\w+ is not; .* go together'):
        SparedRunner.from_cfg(Config({**whole, absent: None}))
