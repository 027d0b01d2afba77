from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from point_peft.engine.config import OptionText, load_config
from point_peft.engine.config.schedule import check_schedule, schedule_notes
from point_peft.io.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]


def leaf(tmp_path: Path, text: str = '', base: str = 'adamw_300e') -> Path:
    path = tmp_path / 'leaf.py'
    path.write_text(f"_base_ = '{ROOT}/configs/_base_/schedules/{base}.py'\n{text}\n")
    return path


def spans(cfg: Config) -> list[tuple[int, int]]:
    return [(entry.get('begin', 0), entry.end) for entry in cfg.param_scheduler]


def options(*pairs: str) -> dict[str, OptionText]:
    return {key: OptionText(value) for key, _, value in (pair.partition('=') for pair in pairs)}


@pytest.mark.parametrize(
    'path', sorted((ROOT / 'configs/_base_/schedules').glob('*.py')), ids=lambda path: path.stem
)
def test_every_shipped_schedule_follows_the_length_of_the_training(path: Path) -> None:
    usual = load_config(path)
    assert spans(usual)[-1][1] == usual.train_cfg.max_epochs
    assert schedule_notes(usual) == []
    longer = load_config(path, options('train_cfg.max_epochs=700'))
    assert spans(longer) == [*spans(usual)[:-1], (spans(usual)[-1][0], 700)]
    for epochs in (1, 2, 3, 7):
        check_schedule(load_config(path, options(f'train_cfg.max_epochs={epochs}')))


def test_leaf_with_another_number_of_epochs(tmp_path: Path) -> None:
    assert spans(load_config(leaf(tmp_path, 'train_cfg = dict(max_epochs=50)'))) == [(0, 10), (10, 50)]
    (tmp_path / 'second.py').write_text("_base_ = 'leaf.py'\n")
    assert spans(load_config(tmp_path / 'second.py', options('train_cfg.max_epochs=20'))) == [
        (0, 10),
        (10, 20),
    ]


def test_end_that_is_left_out(tmp_path: Path) -> None:
    text = "param_scheduler = [dict(type='CosineAnnealingLR', begin=3)]\ntrain_cfg = dict(max_epochs=9)"
    assert spans(load_config(leaf(tmp_path, text))) == [(3, 9)]


def test_end_that_is_stated_stays_and_is_told(tmp_path: Path) -> None:
    text = "param_scheduler = [dict(type='CosineAnnealingLR', end={})]\ntrain_cfg = dict(max_epochs=30)"
    cfg = load_config(leaf(tmp_path, text.format(50)), options('train_cfg.max_epochs=40'))
    assert spans(cfg) == [(0, 50)]
    assert schedule_notes(cfg)[0].startswith(
        'the learning-rate schedule is made for 50 epochs, but training ends after 40'
    )
    cfg = load_config(leaf(tmp_path, text.format(20)))
    assert schedule_notes(cfg)[0].startswith(
        'the learning-rate schedule ends after epoch 20, and training goes on to 30'
    )
    cfg = load_config(leaf(tmp_path), options('train_cfg.max_epochs=40', 'param_scheduler.1.end=60'))
    assert spans(cfg) == [(0, 10), (10, 60)]
    assert len(schedule_notes(cfg)) == 1


def test_length_of_the_cosine_and_milestones(tmp_path: Path) -> None:
    cosine = "dict(type='CosineAnnealingLR', T_max=90, begin=10, end=100)"
    text = f'param_scheduler = [{cosine}]\ntrain_cfg = dict(max_epochs=100)'
    cfg = load_config(leaf(tmp_path, text), options('train_cfg.max_epochs=40'))
    assert (cfg.param_scheduler[0].T_max, cfg.param_scheduler[0].end) == (30, 40)
    cfg = load_config(leaf(tmp_path, base='detection_36e'), options('train_cfg.max_epochs=30'))
    assert schedule_notes(cfg) == [
        'the learning rate is not lowered at epoch 32 (milestones), as training ends after 30'
    ]


@pytest.mark.parametrize(
    ('base', 'epochs', 'expected'),
    [
        ('adamw_300e', 10, [(0, 3), (3, 10)]),
        ('adamw_300e', 6, [(0, 2), (2, 6)]),
        ('adamw_300e', 5, [(0, 5)]),
        ('adamw_300e', 1, [(0, 1)]),
        ('adamw_mini', 2, [(0, 1), (1, 2)]),
        ('adamw_mini', 1, [(0, 1)]),
        ('adamw_mini', 3, [(0, 2), (2, 3)]),
        ('adamw_300e', 12, [(0, 10), (10, 12)]),
        ('detection_mini', 1, [(0, 1)]),
        ('../../full/pointmae_s3dis_seg', 5, [(0, 5)]),
    ],
)
def test_warmup_of_a_short_training(
    tmp_path: Path, log: list, base: str, epochs: int, expected: list
) -> None:
    notes: list[str] = []
    cfg = load_config(leaf(tmp_path, base=base), options(f'train_cfg.max_epochs={epochs}'), notes=notes)
    assert spans(cfg) == expected
    check_schedule(cfg)
    assert not log.at('WARNING')  # whoever tests or predicts with such a config trains nothing
    assert len(notes) == (expected[0][1] not in (2, 10) or (base, epochs) == ('adamw_300e', 6))


def test_late_decline_of_a_short_training(tmp_path: Path) -> None:
    """What begins late need not follow a warm-up, and is not called one."""
    notes: list[str] = []
    text = "param_scheduler = [dict(type='LinearLR', end_factor=0.01, begin=30)]\ntrain_cfg = dict(max_epochs=40)"
    cfg = load_config(leaf(tmp_path, text), options('train_cfg.max_epochs=9'), notes=notes)
    assert spans(cfg) == [(3, 9)]
    assert notes == ['the learning rate comes down from epoch 3 on, not from 30, as training has 9']


def test_iterations(tmp_path: Path) -> None:
    text = """
param_scheduler = [
    dict(type='LinearLR', end=5, by_epoch=False), dict(type='CosineAnnealingLR', begin=5, by_epoch=False)]
train_cfg = dict(_delete_=True, by_epoch=False, max_iters=100)
"""
    assert spans(load_config(leaf(tmp_path, text))) == [(0, 5), (5, 100)]
    assert spans(load_config(leaf(tmp_path, text), options('train_cfg.max_iters=40'))) == [(0, 5), (5, 40)]
    cfg = load_config(
        leaf(tmp_path, "train_cfg = dict(_delete_=True, type='IterBasedTrainLoop', max_iters=100)")
    )
    with pytest.raises(
        ConfigError, match=r'param_scheduler\[0\] counts epochs, but train_cfg counts iterations'
    ):
        check_schedule(cfg)


@pytest.mark.parametrize(
    ('entry', 'message'),
    [
        ("dict(type='CosineAnnealingLR', begin=9, end=9)", 'begins at 9 and ends at 9'),
        (
            "dict(type='LinearLR', begin=0, end=1)",
            'has a single step, so the learning rate would stay where it starts',
        ),
    ],
)
def test_schedules_that_do_nothing(tmp_path: Path, entry: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_schedule(load_config(leaf(tmp_path, f'param_scheduler = [{entry}]')))
