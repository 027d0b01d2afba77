"""The converter of published checkpoints, as a tool."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import golden_inputs
import numpy as np
import published
import pytest
import torch
import warm_python
from safetensors.torch import save_file
from torch import Tensor

from point_peft.io.errors import CheckpointError, MissingFileError, UnsafeCheckpointError
from point_peft.io.weights import OWN_KEY, load_checkpoint_file
from point_peft.models import PointMAEPretrain

ROOT = Path(__file__).resolve().parents[2]
TOOL = 'model_converters/convert_official.py'


@pytest.fixture(scope='module')
def tool(load_tool: Callable[[str], ModuleType]) -> ModuleType:
    """The script as a module."""
    return load_tool(TOOL)


@pytest.fixture(scope='module')
def state() -> dict[str, Tensor]:
    """A small pre-trained file's tensors."""
    torch.manual_seed(0)
    encoder = dict(type='PointMAE', embed_dim=64, depth=1, num_heads=1, group_size=8, class_token=False)
    return dict(PointMAEPretrain(encoder, decoder_depth=1, decoder_num_heads=1).state_dict())


def arguments(src: Path, dst: Path, /, **more: str) -> argparse.Namespace:
    """A command line."""
    return argparse.Namespace(**(dict(src=str(src), dst=str(dst), prior=None, memory_bank=None) | more))


def run(*command: object) -> subprocess.CompletedProcess:
    """Run the tool in a process of its own."""
    environment = {**os.environ, 'OMP_NUM_THREADS': '1'}
    return warm_python.run([sys.executable, ROOT / 'tools' / TOOL, *command], env=environment)


@pytest.mark.parametrize('wrapper', ['base_model', 'model', 'state_dict', None])
@pytest.mark.parametrize('prefix', ['', 'module.'])
def test_wrappers(
    tool: ModuleType,
    state: dict[str, Tensor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    wrapper: str | None,
    prefix: str,
) -> None:
    """Every wrapper key of the field, with and without ``module.``: all tensors arrive, and the report counts them."""
    named = {f'{prefix}{name}': value for name, value in state.items()}
    torch.save(named if wrapper is None else {wrapper: named, 'epoch': 300}, tmp_path / 'src.pth')
    tool.main(arguments(tmp_path / 'src.pth', tmp_path / 'dst.pth'))
    written = load_checkpoint_file(tmp_path / 'dst.pth')
    assert written['state_dict'].keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in written['state_dict'].items())
    expected = {'format': 'full', 'kind': 'Point-MAE, pre-trained', 'source': 'src.pth'}
    assert written['meta'][OWN_KEY] == expected
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith('kind: Point-MAE, pre-trained (for configs/pretrain/')
    assert lines[1:] == [
        f'used: {len(state)} tensors',
        'skipped: 0 tensors',
        'missed: 0 tensors',
        f'wrote {tmp_path / "dst.pth"}',
    ]


def test_file_of_part_segmentation(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """Published part segmentation has a wrapper of its own, beside NumPy numbers and an optimizer."""
    expected = published.build_segmentor('PointMAE').state_dict()
    content = {
        'epoch': 12,
        'train_acc': np.mean([0.5, 0.6]),
        'test_acc': 0.9,
        'inctance_avg_iou': np.float64(0.86),
        'model_state_dict': published.finetuned(published.build_segmentor('PointMAE')),
        'optimizer_state_dict': {'state': {}, 'param_groups': [{'lr': 1e-4, 'params': [0]}]},
    }
    torch.save(content, tmp_path / 'best_model.pth')
    tool.main(arguments(tmp_path / 'best_model.pth', tmp_path / 'dst.pth'))
    assert 'kind: Point-MAE, part segmentation' in capsys.readouterr().out
    written = load_checkpoint_file(tmp_path / 'dst.pth')['state_dict']
    assert written.keys() == expected.keys()
    assert all(torch.equal(value, expected[name]) for name, value in written.items())


def test_report(
    tool: ModuleType, state: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """Skipped and missed tensors are listed by name; safetensors in and out."""
    torch.save(
        {'base_model': {**state, 'extra': torch.zeros(2), 'mask_token': torch.zeros(3)}}, tmp_path / 'a.pth'
    )
    tool.main(arguments(tmp_path / 'a.pth', tmp_path / 'b.safetensors'))
    out = capsys.readouterr().out
    assert f'used: {len(state) - 1} tensors\nskipped: 2 tensors\n' in out
    assert '\n  extra' in out and '\n  mask_token' in out.split('missed: 1 tensors')[1]
    written = load_checkpoint_file(tmp_path / 'b.safetensors')
    assert written['state_dict'].keys() == state.keys() - {'mask_token'}
    assert written['meta'][OWN_KEY]['source'] == 'a.pth'
    tool.main(arguments(tmp_path / 'b.safetensors', tmp_path / 'c.pth'))
    again = load_checkpoint_file(tmp_path / 'c.pth')['state_dict']
    assert all(torch.equal(value, again[name]) for name, value in written['state_dict'].items())


def test_collection(
    tool: ModuleType, state: dict[str, Tensor], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A file of the torch-pointcloud collection: the report says whose naming it has, and uses its names."""
    renamed = {name.replace('.mlp.fc1.', '.mlp.lins.0.'): value for name, value in state.items()}
    save_file(
        {name: value.clone() for name, value in renamed.items()} | {'extra': torch.zeros(2)},
        tmp_path / 'a.safetensors',
    )
    tool.main(arguments(tmp_path / 'a.safetensors', tmp_path / 'b.pth'))
    out = capsys.readouterr().out
    assert out.splitlines()[1] == 'naming: torch-pointcloud' and 'skipped: 1 tensors\n  extra\n' in out
    written = load_checkpoint_file(tmp_path / 'b.pth')['state_dict']
    assert written.keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in written.items())


def test_malicious_files(
    tool: ModuleType, state: dict[str, Tensor], tmp_path: Path, malicious: tuple[Path, Path]
) -> None:
    """Code in any of the three inputs is refused and not run, and nothing is written."""
    file, trace = malicious
    shapes = dict(golden_inputs.description('pointpeft_mae')['state0'])
    torch.save(golden_inputs.weights([('prompt_cor', shapes['prompt_cor'])]), tmp_path / 'peft.pth')
    for changes in (dict(src=str(file)), dict(prior=str(file)), dict(memory_bank=str(file))):
        with pytest.raises(UnsafeCheckpointError, match=r'malicious\.pth was not loaded'):
            tool.main(arguments(tmp_path / 'peft.pth', tmp_path / 'dst.pth', **changes))
    assert not trace.exists() and not (tmp_path / 'dst.pth').exists()


def test_bad_input(tool: ModuleType, state: dict[str, Tensor], tmp_path: Path) -> None:
    """A missing file, a foreign file, and a prior for a plain file; nothing is written."""
    torch.save({'base_model': state}, tmp_path / 'plain.pth')
    torch.save({'conv.weight': torch.zeros(2)}, tmp_path / 'foreign.pth')
    target = tmp_path / 'dst.pth'
    with pytest.raises(MissingFileError, match=r'absent\.pth'):
        tool.main(arguments(tmp_path / 'absent.pth', target))
    with pytest.raises(CheckpointError, match=r'foreign\.pth matches no known layout'):
        tool.main(arguments(tmp_path / 'foreign.pth', target))
    with pytest.raises(CheckpointError, match='leave --prior and --memory-bank out'):
        tool.main(arguments(tmp_path / 'plain.pth', target, prior=str(tmp_path / 'plain.pth')))
    torch.save({'not': torch.zeros(2)}, tmp_path / 'bank.pt')
    with pytest.raises(CheckpointError, match=r'bank\.pt should hold one tensor but holds a dict'):
        tool.main(arguments(tmp_path / 'plain.pth', target, memory_bank=str(tmp_path / 'bank.pt')))
    assert not target.exists()


def test_command_line(state: dict[str, Tensor], tmp_path: Path) -> None:
    """As a command: exit code 0 and a file, or 1 and one sentence without a traceback."""
    torch.save(
        {'base_model': {f'module.{name}': value for name, value in state.items()}}, tmp_path / 'src.pth'
    )
    done = run(tmp_path / 'src.pth', tmp_path / 'dst.safetensors')
    assert done.returncode == 0 and f'used: {len(state)} tensors' in done.stdout, done.stderr
    assert (tmp_path / 'dst.safetensors').is_file()
    failed = run(tmp_path / 'src.pth', tmp_path / 'out.pth', '--prior', tmp_path / 'src.pth')
    assert failed.returncode == 1 and 'Traceback' not in failed.stderr
    assert failed.stderr.startswith('error: ') and failed.stderr.count('\n') == 1
