"""Bit rot in checkpoints, adapters and banks."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from safetensors.torch import load_file, save_file
from toy_engine import ToyModel, make_config

from point_peft.engine.checkpoint import load_weights
from point_peft.engine.runtime.resume import find_resumable_checkpoint
from point_peft.io.errors import CheckpointError, CorruptCheckpointError
from point_peft.io.weights import HASHES_KEY, load_checkpoint_file, save_checkpoint, section_hashes

WEIGHT = torch.arange(200.0).reshape(10, 20)


def flip(path: Path, position: int, bit: int = 3) -> None:
    """Change one bit of a file."""
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def position_of(path: Path, tensor: torch.Tensor) -> int:
    """Where the bytes of a tensor lie in a file."""
    found = path.read_bytes().find(tensor.contiguous().numpy().tobytes())
    assert found >= 0
    return found


def equal(one: Any, other: Any) -> bool:
    """Whether two contents are the same, tensors bit for bit."""
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return (
            isinstance(other, dict)
            and one.keys() == other.keys()
            and all(equal(one[k], other[k]) for k in one)
        )
    if isinstance(one, (list, tuple)):
        return type(one) is type(other) and len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_a_flipped_bit_of_a_tensor(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f'a{suffix}'
    save_checkpoint(path, dict(weight=WEIGHT, bias=torch.ones(3, dtype=torch.float16)), dict(point_peft={}))
    start = position_of(path, WEIGHT)
    for offset in (0, 401, 799):
        flip(path, start + offset)
        with pytest.raises(
            CorruptCheckpointError, match=rf'a{suffix} is damaged: its state_dict .* another copy'
        ):
            load_checkpoint_file(path)
        flip(path, start + offset)
    assert torch.equal(load_checkpoint_file(path)['state_dict']['weight'], WEIGHT)


@pytest.mark.parametrize('suffix', ['.pth', '.safetensors'])
def test_flips_anywhere_are_refused_or_harmless(tmp_path: Path, suffix: str) -> None:
    """Whatever bit of a file changes, the content is the old one or the file is refused.

    A flip in the name of the hashes makes a file without any, but then it is the one flip.
    """
    path = tmp_path / f'a{suffix}'
    save_checkpoint(
        path, dict(weight=WEIGHT, step=torch.tensor(3)), dict(epoch=4, point_peft=dict(base_hash='a'))
    )
    whole, size = load_checkpoint_file(path), path.stat().st_size
    choose = random.Random(0)
    refused = 0
    for _ in range(150):
        position, bit = choose.randrange(size), choose.randrange(8)
        flip(path, position, bit)
        try:
            found = load_checkpoint_file(path)
        except CheckpointError as error:
            assert f'a{suffix}' in str(error) and '\n' not in str(error)
            refused += 1
        else:
            found['meta'] = {key: value for key, value in found['meta'].items() if key in whole['meta']}
            assert all(equal(found[key], whole[key]) for key in whole), (position, bit)
        flip(path, position, bit)
    assert refused > 50


def test_an_edited_file_is_refused_until_the_hashes_are_taken_out(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    save_checkpoint(path, dict(weight=WEIGHT), dict(epoch=4))
    content = torch.load(path, weights_only=True)
    content['meta']['epoch'] = 5
    torch.save(content, path)
    with pytest.raises(
        CorruptCheckpointError, match=f"its meta is not what was saved.*takes '{HASHES_KEY}' out"
    ):
        load_checkpoint_file(path)
    del content[HASHES_KEY]
    torch.save(content, path)
    assert load_checkpoint_file(path)['meta'] == dict(epoch=5)


def test_a_section_may_be_left_out_but_not_the_weights(tmp_path: Path) -> None:
    content = dict(state_dict=dict(a=WEIGHT), optimizer=dict(state={}, param_groups=[]), meta=dict(epoch=1))
    content[HASHES_KEY] = section_hashes(content)
    for left_out, refused in (('optimizer', False), ('state_dict', True)):
        torch.save({key: value for key, value in content.items() if key != left_out}, tmp_path / 'a.pth')
        if refused:
            with pytest.raises(CorruptCheckpointError, match='its state_dict is not what was saved'):
                load_checkpoint_file(tmp_path / 'a.pth')
        else:
            assert set(load_checkpoint_file(tmp_path / 'a.pth')) == {'state_dict', 'meta'}


@pytest.mark.parametrize('hashes', [3, [], 'x', {}, {'state_dict': 4}])
def test_hashes_of_the_wrong_kind(tmp_path: Path, hashes: Any) -> None:
    torch.save({'state_dict': dict(a=WEIGHT), HASHES_KEY: hashes}, tmp_path / 'a.pth')
    with pytest.raises(CorruptCheckpointError, match=r'a\.pth is damaged'):
        load_checkpoint_file(tmp_path / 'a.pth')


def test_files_of_others_have_none(tmp_path: Path) -> None:
    torch.save(dict(model=dict(a=WEIGHT), epoch=300), tmp_path / 'a.pth')
    save_file(dict(a=WEIGHT), tmp_path / 'a.safetensors', metadata=dict(format='pt'))
    assert load_checkpoint_file(tmp_path / 'a.pth')['epoch'] == 300
    assert torch.equal(load_checkpoint_file(tmp_path / 'a.safetensors')['state_dict']['a'], WEIGHT)


def test_others_read_ours(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / 'a.safetensors', dict(a=WEIGHT), dict(x=1))
    assert torch.equal(load_file(tmp_path / 'a.safetensors')['a'], WEIGHT)


def test_a_training_whose_newest_file_decays(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of weights or of the optimizer's state: the file is refused, and ``--resume auto`` takes the one before."""
    Runner.from_cfg(make_config(tmp_path, pretrained, epochs=2)).train()
    newest = tmp_path / 'epoch_2.pth'
    content = torch.load(newest, weights_only=True)
    moment = next(
        state['exp_avg'] for state in content['optimizer']['state'].values() if state['exp_avg'].numel() > 30
    )
    for section, tensor in (('optimizer', moment), ('state_dict', content['state_dict']['head.1.weight'])):
        position = position_of(newest, tensor)
        flip(newest, position)
        with pytest.raises(CorruptCheckpointError, match=rf'epoch_2\.pth is damaged: its {section}'):
            load_weights(ToyModel(str(pretrained)), newest)
        lines: list[str] = []
        with monkeypatch.context() as patch:
            patch.setattr(
                MMLogger, 'handle', lambda self, record, lines=lines: lines.append(record.getMessage())
            )
            assert find_resumable_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
        assert len(lines) == 1 and 'not resuming from epoch_2.pth' in lines[0]
        flip(newest, position)
    assert find_resumable_checkpoint(tmp_path) == newest
