"""Which configs there are, and where each value of one comes from."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from point_peft.engine.config import find_config, load_config
from point_peft.io.errors import ConfigError

Run = Callable[..., str]


@pytest.fixture
def run(
    load_tool: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> Run:
    """Function that runs a tool of ``tools/misc`` and returns what it prints."""

    def call(name: str, *arguments: str) -> str:
        tool = load_tool(f'misc/{name}')
        monkeypatch.setattr(sys, 'argv', [name, *arguments])
        tool.main(tool.parse_args())
        return capsys.readouterr().out

    return call


def test_table(run: Run) -> None:
    out = run('list_configs.py', '--method', 'lora', 'full', '--task', 'shapes', 'shapenetpart')
    rows = {line.split('│')[1].strip(): line.split('│')[2:-1] for line in out.splitlines() if '│' in line}
    assert set(rows) == {'shapes', 'shapenetpart'} and [cell.strip() for cell in rows['shapes']] == ['+'] * 9
    assert sorted(cell.strip() for cell in rows['shapenetpart']) == ['+'] * 7 + ['[1]'] * 2
    assert (
        '[1] PointGPT-B and -L are published for classification only' in out
        and 'full, lora: the methods' in out
    )


def test_names_can_be_loaded(run: Run) -> None:
    names = run(
        'list_configs.py', '--names', '--backbone', 'recon', 'pointgpt_b', '--method', 'vpt_deep'
    ).split()
    assert 'vpt_deep/recon_s3dis_seg' in names and 'vpt_deep/pointgpt_b_s3dis_seg' not in names
    assert all(str(find_config(name)) == name for name in names) and len(names) == len(set(names)) > 30


def test_every_name_is_one_combination(run: Run) -> None:
    names = run('list_configs.py', '--names', '--method', 'lora').split()
    assert len(names) == len(set(names)) > 150
    assert {'lora/pointmae_mini_shapes_part', 'lora/pointgpt_l_folder', 'lora/act_3detr_shapes_scene'} < set(
        names
    )


def test_unknown_filter(run: Run) -> None:
    with pytest.raises(ConfigError, match="there is no method 'lor'; there is lora"):
        run('list_configs.py', '--method', 'lor')


def test_origin(run: Run, tmp_path: Path) -> None:
    """Each value once, with the file that says it; references with the name that they go by."""
    mine = tmp_path / 'mine.py'
    mine.write_text(
        "_base_ = 'lora/pointm2ae_shapenetpart'\n"
        'model = dict(backbone=dict(num_heads=4))\nparts_per_category = (1, 2)\n'
    )
    options = ['--cfg-options', 'train_cfg.max_epochs=70']
    lines = run('print_config.py', str(mine), '--origin', *options).splitlines()
    found = {place: rest for place, _, rest in (line.partition(' = ') for line in lines)}
    assert len(found) == len(lines)
    parts = 'configs/_base_'
    expected = {
        'model.backbone.num_heads': f'4  # {mine}',
        'model.backbone.depths': f'(5, 5, 5)  # {parts}/backbones/pointm2ae.py (backbone.depths)',
        'model.backbone.stage_norms': f'True  # {parts}/backbones/pointm2ae.py, when part_seg (backbone.stage_norms)',
        'model.head.type': f"'HierarchicalPartSegHead'  # {parts}/backbones/pointm2ae.py, when part_seg",
        'model.head.parts_per_category': f'(1, 2)  # {mine} (parts_per_category)',
        'model.peft.methods.0.rank': f'8  # {parts}/methods/lora.py (peft.methods.0.rank)',
        'optim_wrapper.optimizer.lr': f'0.0002  # {parts}/schedules/part_seg_300e.py',
        'train_dataloader.dataset.split': f"'train'  # {parts}/datasets/shapenetpart.py",
        'train_cfg.max_epochs': '70  # command line, data_root or work dir',
    }
    assert {place: found[place] for place in expected} == expected
    assert {place.partition('.')[0] for place in found} == set(load_config(mine).to_dict())
    mine.write_text(
        "_base_ = './child.py'\nval_cfg = dict(type='ValLoop')\npeft = dict(methods={'0': dict(rank=2)})\n"
    )
    (tmp_path / 'child.py').write_text(
        "parts = dict(backbone='pointmae', task='shapes', method='own.py')\nval_cfg = None\n"
        "peft = dict(methods={'0': dict(targets={'1': 'mlp.fc2'})})\n"
    )
    (tmp_path / 'own.py').write_text(
        "custom_imports = dict(imports=['json'])\n_lora = dict(type='LoRA', rank=8, targets=['attn.qkv', 'mlp.fc1'])\n"
        "peft = dict(type='PEFTBackbone', methods=[_lora])\n"
    )
    lines = run('print_config.py', str(mine), '--origin').splitlines()
    expected = {
        'custom_imports.imports': f"['json']  # {tmp_path / 'own.py'}",
        'val_cfg.type': f"'ValLoop'  # {mine}",
        'val_evaluator.type': f"'ClassificationAccuracy'  # {parts}/datasets/shapes.py",
        'model.peft.type': f"'PEFTBackbone'  # {tmp_path / 'own.py'} (peft.type)",
        'model.peft.methods.0.rank': f'2  # {mine} (peft.methods.0.rank)',
    }
    found = {place: rest for place, _, rest in (line.partition(' = ') for line in lines)}
    assert {place: found[place] for place in expected} == expected
    assert found['peft.methods.0.targets'].startswith("['attn.qkv', 'mlp.fc2']")
    plain = run('print_config.py', 'configs/_base_/datasets/shapes_scan.py', '--origin').splitlines()
    assert f'train_dataloader.dataset.scan = True  # {parts}/datasets/shapes_scan.py' in plain
