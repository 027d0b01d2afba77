from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.runner import Runner
from torch import nn
from toy_engine import ToyBackbone, ToyBank, make_config, write_pretrained

from point_peft.io.errors import BaseWeightsMismatchError, CheckpointError, UnmatchedCheckpointError
from point_peft.io.weights import load_checkpoint_file
from point_peft.io.weights.content_hash import hash_tensor


def train(work_dir: Path, pretrained: Path | None, **changes: Any) -> Runner:
    runner = Runner.from_cfg(make_config(work_dir, pretrained, epochs=2, **changes))
    runner.train()
    return runner


def test(work_dir: Path, checkpoint: Path, pretrained: Path | None, **changes: Any) -> Runner:
    cfg = make_config(work_dir, pretrained, **changes)
    cfg.load_from = str(checkpoint)
    runner = Runner.from_cfg(cfg)
    runner.metrics = runner.test()
    return runner


test.__test__ = False


def test_adapter_file_by_content(tmp_path: Path, pretrained: Path) -> None:
    runner = train(tmp_path, pretrained)
    checkpoint = load_checkpoint_file(tmp_path / 'epoch_2.pth')
    assert set(checkpoint['state_dict']) == {
        'backbone.linear.bias',
        *(name for name in runner.model.state_dict() if name.startswith(('adapter', 'head'))),
    }
    own = checkpoint['meta']['point_peft']
    assert own['format'] == 'delta'
    assert own['bank_hash'] == runner.model.bank.content_hash()
    assert len(own['base_hash']) == 32


def test_frozen_weights_are_byte_identical_after_training(tmp_path: Path, pretrained: Path) -> None:
    model = train(tmp_path, pretrained).model
    base = load_checkpoint_file(pretrained)['state_dict']
    for name, value in base.items():
        if name != 'linear.bias':
            assert hash_tensor(model.backbone.state_dict()[name]) == hash_tensor(value), name
    assert not torch.equal(model.backbone.linear.bias, base['linear.bias'])


def test_round_trip_in_a_new_runner(tmp_path: Path, pretrained: Path) -> None:
    trained = train(tmp_path / 'a', pretrained)
    tested = test(tmp_path / 'b', tmp_path / 'a' / 'epoch_2.pth', pretrained)
    for name, value in trained.model.state_dict().items():
        assert torch.equal(value, tested.model.state_dict()[name]), name
    assert (
        tested.metrics['overall_accuracy']
        == trained.message_hub.get_scalar('test/overall_accuracy').current()
    )


def test_log_says_what_came_from_where_and_sizes(tmp_path: Path, pretrained: Path) -> None:
    train(tmp_path / 'a', pretrained)
    assert (
        'sizes without optimizer state: adapter 0.00 MB, memory bank 0.00 MB, complete model 0.00 MB'
        in next((tmp_path / 'a').rglob('*.log')).read_text()
    )
    test(tmp_path / 'b', tmp_path / 'a' / 'epoch_2.pth', pretrained)
    log = next((tmp_path / 'b').rglob('*.log')).read_text()
    assert (
        '12 tensors loaded, 7 kept from the base weights and what was fitted, missing: none, unexpected: none'
        in log
    )
    assert 'do not match exactly' not in log  # MMEngine's list of all base weights as missing


def test_wrong_base_is_refused(tmp_path: Path, pretrained: Path) -> None:
    train(tmp_path / 'a', pretrained)
    other = write_pretrained(tmp_path / 'other.pth', seed=9)
    for base in (other, None):
        with pytest.raises(BaseWeightsMismatchError, match=r'epoch_2\.pth is an adapter for base weights'):
            test(tmp_path / 'b', tmp_path / 'a' / 'epoch_2.pth', base)
    test(
        tmp_path / 'c',
        tmp_path / 'a' / 'epoch_2.pth',
        other,
        **{'default_hooks.delta.allow_other_base': True},
    )


def test_resuming_on_other_weights_is_refused(tmp_path: Path, pretrained: Path) -> None:
    train(tmp_path / 'a', pretrained)
    cfg = make_config(tmp_path / 'a', write_pretrained(tmp_path / 'other.pth', seed=9))
    cfg.load_from, cfg.resume = str(tmp_path / 'a' / 'epoch_2.pth'), True
    with pytest.raises(BaseWeightsMismatchError):
        Runner.from_cfg(cfg).train()


def test_full_file_stands_alone(tmp_path: Path, pretrained: Path) -> None:
    trained = train(tmp_path / 'a', pretrained, **{'default_hooks.delta.full': True})
    checkpoint = load_checkpoint_file(tmp_path / 'a' / 'epoch_2.pth')
    assert set(checkpoint['state_dict']) == set(trained.model.state_dict())
    assert checkpoint['meta']['point_peft']['format'] == 'full'
    pretrained.unlink()
    tested = test(tmp_path / 'b', tmp_path / 'a' / 'epoch_2.pth', pretrained)
    assert torch.equal(tested.model.backbone.linear.weight, trained.model.backbone.linear.weight)


def test_full_fine_tuning_gives_a_complete_file(
    tmp_path: Path, pretrained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ToyBank, 'external_state', lambda self: {})  # no bank, and nothing frozen:
    monkeypatch.setattr(ToyBackbone, 'requires_grad_', lambda self, flag=True: self)
    monkeypatch.setattr(ToyBackbone, 'train', nn.Module.train)
    trained = train(tmp_path / 'a', pretrained)
    assert load_checkpoint_file(tmp_path / 'a' / 'epoch_2.pth')['meta']['point_peft']['format'] == 'full'
    for base in (write_pretrained(tmp_path / 'other.pth', seed=9), None):
        tested = test(tmp_path / 'b', tmp_path / 'a' / 'epoch_2.pth', base)
        assert torch.equal(tested.model.backbone.linear.weight, trained.model.backbone.linear.weight)


def test_without_pretrained_file_all_is_saved(tmp_path: Path) -> None:
    trained = train(tmp_path / 'a', None)
    assert set(load_checkpoint_file(tmp_path / 'a' / 'epoch_2.pth')['state_dict']) == set(
        trained.model.state_dict()
    ) - {'bank.rows'}
    tested = test(tmp_path / 'b', tmp_path / 'a' / 'epoch_2.pth', None)
    assert torch.equal(tested.model.backbone.linear.weight, trained.model.backbone.linear.weight)


def test_checkpoint_of_something_else(tmp_path: Path, pretrained: Path) -> None:
    torch.save(dict(state_dict=dict(other=torch.ones(1))), tmp_path / 'a.pth')
    with pytest.raises(UnmatchedCheckpointError, match=r'none of the 1 tensors of .*a\.pth'):
        test(tmp_path / 'b', tmp_path / 'a.pth', pretrained)


def test_bare_state_dict_loads(tmp_path: Path, pretrained: Path) -> None:
    trained = train(tmp_path / 'a', pretrained)
    torch.save(trained.model.state_dict(), tmp_path / 'bare.pth')
    tested = test(tmp_path / 'b', tmp_path / 'bare.pth', None)
    assert torch.equal(tested.model.backbone.linear.weight, trained.model.backbone.linear.weight)


def test_truncated_file_is_a_sentence(tmp_path: Path, pretrained: Path) -> None:
    train(tmp_path / 'a', pretrained)
    path = tmp_path / 'a' / 'epoch_2.pth'
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r'epoch_2\.pth is truncated'):
        test(tmp_path / 'b', path, pretrained)
