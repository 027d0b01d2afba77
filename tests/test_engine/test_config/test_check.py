from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from golden_configs import NAMES
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from mmengine.config import Config
from mmengine.optim import LinearLR
from toy_engine import ToyModel, make_config

from point_peft.engine.config import check, load_config, read_config
from point_peft.engine.config.check import accepted_arguments, check_config
from point_peft.engine.config.tiers import MissingTierError
from point_peft.io.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
HAS_TIER = all(importlib.util.find_spec(name) for name in ('mmcv', 'mmdet', 'mmdet3d'))
NEED_THE_TIER = ('_3detr_scannet', '_3detr_sunrgbd', '_groupfree3d_sunrgbd', '_shapes_scene')
"""Ends of the names of configs with types that only the detection tier brings."""


def test_good_config_passes(tmp_path: Path) -> None:
    check_config(make_config(tmp_path))


@pytest.mark.parametrize(
    ('key', 'value', 'wanted'),
    [
        (
            'model.hiden_dim',
            3,
            r"model: ToyModel got an unknown argument 'hiden_dim'; did you mean 'hidden_dim'\?",
        ),
        ('model.type', 'ToyModle', r"model: nothing is registered as 'ToyModle'; did you mean 'ToyModel'"),
        ('default_hooks.checkpoint.max_keep_ckpt', 3, "'max_keep_ckpts'"),
        ('default_hooks.delta.ful', True, "'full'"),
        ('default_hooks.logger.intervall', 3, "'interval'"),
        ('optim_wrapper.optimizer.lrr', 1, "AdamW got an unknown argument 'lrr'; did you mean 'lr'"),
        ('optim_wrapper.clip_gard', {}, "'clip_grad'"),
        (
            'optim_wraper',
            dict(type='x'),
            "section 'optim_wraper', which nothing reads; did you mean 'optim_wrapper'",
        ),
        (
            'param_scheduler.0.start_facto',
            1,
            r"param_scheduler\[0\]: LinearLR got .* did you mean 'start_factor'",
        ),
        ('train_dataloader.batchsize', 3, "'batch_size'"),
        ('train_dataloader.dataset.data_rot', 'x', r'train_dataloader\.dataset: ToyClouds'),
        ('train_dataloader.collate_fn.type', 'pseudo_colate', "'pseudo_collate'"),
        ('train_cfg.max_epoch', 3, "'max_epochs'"),
        ('val_cfg.fp61', True, "'fp16'"),
        ('randomness.seeed', 1, "'seed'"),
        ('test_evaluator.prefx', 'a', "'prefix'"),
        ('visualizer.vis_backend', [], "'vis_backends'"),
        ('model.zzz', 1, 'it takes .*hidden_dim'),
        ('model.type', 'zzzz', 'check its spelling and imports'),
        ('default_hooks.delta.type', 'MemoryBankHook', "did you mean 'FitHook'"),
    ],
)
def test_typos_name_the_place_and_the_nearest(tmp_path: Path, key: str, value: Any, wanted: str) -> None:
    cfg = make_config(tmp_path)
    cfg.merge_from_dict({key: value})
    with pytest.raises(ConfigError, match=wanted):
        check_config(cfg)


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.integers(0, 9), letter=st.sampled_from('aeqz'))
def test_any_changed_letter_of_an_argument_is_found(position: int, letter: str) -> None:
    name = 'hidden_dim'
    typo = name[:position] + letter + name[position + 1 :]
    assume(typo != name)
    with pytest.raises(ConfigError, match="did you mean 'hidden_dim'"):
        check_config(Config(dict(model={'type': 'ToyModel', typo: 4})))


@pytest.mark.parametrize(
    'model',
    [
        dict(type='mmdet3d.VoteNet', anything=dict(type='Whatever', x=1)),
        dict(type='VoteNet', _scope_='mmdet3d', anything=1),
        dict(type=ToyModel, hidden_dim=2),
        dict(type='point_peft.ToyModel', hidden_dim=2),
        dict(
            type='ToyModel', data_preprocessor=dict(type='mmengine.BaseDataPreprocessor', non_blocking=True)
        ),
    ],
)
def test_other_packages_and_scopes_pass(model: dict) -> None:
    check_config(Config(dict(model=model)))


def test_arguments_follow_kwargs_to_the_bases() -> None:
    class Base:
        def __init__(self, a: int, *, b: int = 0) -> None: ...

    class Child(Base):
        def __init__(self, c: int, **kwargs: Any) -> None: ...

    class Closed(Child):
        def __init__(self, d: int) -> None: ...

    class Open:
        def __init__(self, a: int, **kwargs: Any) -> None: ...

    assert accepted_arguments(Base) == {'a', 'b'}
    assert accepted_arguments(Child) == {'a', 'b', 'c'}
    assert accepted_arguments(Closed) == {'d'}
    assert accepted_arguments(Open) is None
    assert {'start_factor', 'begin', 'by_epoch'} <= accepted_arguments(LinearLR)


def test_class_that_takes_anything_is_checked_for_typos_only() -> None:
    check_config(Config(dict(default_hooks=dict(checkpoint=dict(type='AtomicCheckpointHook', unheard_of=1)))))


def test_every_shipped_config_passes() -> None:
    """No typo in any config of the repository, and no false alarm; without the detection tier, one of the others."""
    for name in NAMES:
        if HAS_TIER or not name.endswith(NEED_THE_TIER):
            check_config(read_config(name)[0])


@pytest.mark.skipif(HAS_TIER, reason='the detection tier is installed')
@pytest.mark.parametrize('name', ['pointmae_3detr_scannet', 'pointmae_mini_votenet_shapes_scene'])
def test_types_of_the_tier_without_it(name: str) -> None:
    with pytest.raises(MissingTierError, match='bash tools/setup_env.sh runtime detection'):
        check_config(load_config(ROOT / 'configs' / 'point_peft' / f'{name}.py'))


@pytest.mark.parametrize(
    'model, complaint',
    [
        (
            dict(type='VoteNet', _scope_='mmdet3d', neck=dict(type='point_peft.SeedNeck', out_chanels=2)),
            "model.neck: SeedNeck got an unknown argument 'out_chanels'; did you mean 'out_channels'",
        ),
        (
            dict(
                type='VoteNet',
                _scope_='mmdet3d',
                backbone=dict(type='SceneEncoder', _scope_='point_peft', backbone=dict(type='PointMEA')),
            ),
            "model.backbone.backbone: nothing is registered as 'PointMEA'",
        ),
    ],
)
def test_our_parts_of_other_packages_are_checked(
    model: dict, complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check, 'check_tiers', lambda cfg: None)  # as if the tier were installed
    with pytest.raises(ConfigError, match=complaint):
        check_config(Config(dict(model=model, train_cfg=None)))


def test_unknown_type_without_the_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tier may bring the type, so it goes first."""

    def refuse(cfg: Config) -> None:
        raise MissingTierError('install it')

    monkeypatch.setattr(check, 'check_tiers', refuse)
    check_config(Config(dict(model=dict(type='mmdet3d.VoteNet'))))
    with pytest.raises(MissingTierError, match='install it'):
        check_config(Config(dict(model=dict(type='point_peft.Detr3DHed', _scope_='mmdet3d'))))


def test_our_part_leaves_the_default_scope_around_it() -> None:
    """``_scope_`` holds below a part with our prefix, too."""
    neck = dict(type='point_peft.SeedNeck', out_channels=dict(type='Whatever'))
    check_config(Config(dict(model=dict(type='VoteNet', _scope_='mmdet3d', neck=neck))))
