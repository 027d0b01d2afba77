from __future__ import annotations

from pathlib import Path

import pytest

from point_peft.engine.config import OptionText, load_config
from point_peft.io.errors import ConfigError

ROOT = Path(__file__).resolve().parents[3]
BASES = ['datasets/modelnet40.py', 'schedules/adamw_mini.py', 'default_runtime.py']


def leaf(tmp_path: Path, text: str, name: str = 'leaf.py') -> Path:
    bases = [f'{ROOT}/configs/_base_/{base}' for base in BASES]
    path = tmp_path / name
    backbone = "backbone=dict(type='PointMAE', depth=4)"
    head = "head=dict(type='PointClsHead', num_classes={{_base_.num_classes}})"
    model = f"model = dict(type='PointClassifier', {backbone}, {head})"
    path.write_text(f'_base_ = {bases}\n{text}\n{model}\n')
    return path


@pytest.mark.parametrize(
    ('text', 'meant'),
    [
        ('max_epochs=2', r'did you mean train_cfg\.max_epochs\?'),
        ('lr=1e-5', r'did you mean optim_wrapper\.optimizer\.lr\?'),
        ('batch_size=8', r'did you mean train_dataloader\.batch_size\?'),
        ('epochs=8', r'did you mean train_cfg\.max_epochs\?'),
        ('learning_rate=8', r'did you mean optim_wrapper\.optimizer\.lr\?'),
        ('Seed=8', r'did you mean randomness\.seed\?'),
        ('num-workers=8', r'did you mean train_dataloader\.num_workers\?'),
        ('workdir=x', r'did you mean work_dir\?'),
        ('resume_from=x', r'did you mean load_from and resume=True\?'),
        ('eta_min=0', r'did you mean param_scheduler\.1\.eta_min\?'),
        ('modle.backbone.depth=2', r'did you mean model\.backbone\.depth\?'),
        ('zzzzz=1', "has no 'zzzzz'; look with python tools/misc/print_config.py"),
        (
            'num_classes=5',
            r'has no effect, as the variable .num_classes. was used up .* set model\.head\.num_classes',
        ),
        ('dataset_type=X', 'has no effect'),
    ],
)
def test_options_that_nothing_reads(tmp_path: Path, text: str, meant: str) -> None:
    key, _, value = text.partition('=')
    with pytest.raises(ConfigError, match=meant):
        load_config(leaf(tmp_path, ''), {key: OptionText(value)})


@pytest.mark.parametrize(
    ('text', 'meant'),
    [
        (
            'max_epochs = 2',
            r"'max_epochs' in .*leaf\.py has no effect.* did you mean train_cfg\.max_epochs\?",
        ),
        ('lr: float = 1e-5', r'did you mean optim_wrapper\.optimizer\.lr\?'),
        ('batchsize = 8', r'did you mean train_dataloader\.batch_size\?'),
        ('a, num_workers = 1, 2', r'did you mean train_dataloader\.num_workers\?'),
        ("work_dirs = 'x'", r'did you mean work_dir\?'),
        ("load_form = 'x'", r'did you mean load_from\?'),
        (
            'num_classes = 5',
            r'inherited value was used up when its file was read; set model\.head\.num_classes itself',
        ),
    ],
)
def test_variables_of_a_file_that_nothing_reads(tmp_path: Path, text: str, meant: str) -> None:
    with pytest.raises(ConfigError, match=meant):
        load_config(leaf(tmp_path, text))


def test_helpers_are_welcome(tmp_path: Path) -> None:
    text = """
lr = 1e-5
number, note = 3, 'my trial'
max_epochs = number
optim_wrapper = dict(optimizer=dict(lr=lr))
train_cfg = dict(max_epochs=max_epochs)
"""
    cfg = load_config(leaf(tmp_path, text), {'train_cfg.max_epochs': OptionText('7')})
    assert cfg.optim_wrapper.optimizer.lr == 1e-5
    assert cfg.train_cfg.max_epochs == 7
    assert cfg.note == 'my trial'
    # A run leaves its config in the work dir, where the helpers have no use any more.
    cfg.dump(tmp_path / 'dumped.py')
    assert load_config(tmp_path / 'dumped.py').train_cfg.max_epochs == 7


def test_variable_that_an_heir_uses(tmp_path: Path) -> None:
    leaf(tmp_path, 'seed = 3\n', 'mine.py').write_text(
        f"_base_ = '{ROOT}/configs/_base_/datasets/modelnet40.py'\nnum_classes = 4\nseed = 3\n"
    )
    (tmp_path / 'heir.py').write_text(
        "_base_ = 'mine.py'\nrandomness = dict(seed={{_base_.seed}})\nmodel = dict(n={{_base_.num_classes}})\n"
    )
    cfg = load_config(tmp_path / 'heir.py')
    assert (cfg.randomness.seed, cfg.model.n) == (3, 4)


def test_key_that_only_the_users_own_code_reads(tmp_path: Path) -> None:
    assert (
        load_config(
            leaf(tmp_path, 'my_hook_setting = 3'), {'my_hook_setting': OptionText('4')}
        ).my_hook_setting
        == 4
    )
