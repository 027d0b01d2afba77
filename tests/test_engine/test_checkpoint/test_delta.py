from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_engine import ToyModel, write_pretrained

from point_peft.engine.checkpoint import (
    BaseFingerprint,
    adapter_state,
    base_fingerprint,
    check_base,
    checkpoint_sizes,
    delta_state,
    describe_checkpoint,
)
from point_peft.io.errors import BaseWeightsMismatchError

FROZEN = ['backbone.linear.weight', 'backbone.norm.weight', 'backbone.norm.running_mean']


def make_model(pretrained: Path | None) -> ToyModel:
    model = ToyModel(pretrained and str(pretrained))
    model.init_weights()
    base_fingerprint(model)
    return model


def test_delta_by_hand() -> None:
    fingerprint = BaseFingerprint.of(dict(a=torch.ones(2), b=torch.ones(2)))
    state = dict(a=torch.ones(2), b=torch.tensor([1.0, 1.5]), c=torch.zeros(1))
    assert sorted(delta_state(state, fingerprint)) == ['b', 'c']


@settings(deadline=None, max_examples=30)
@given(st.lists(st.booleans(), min_size=1, max_size=6))
def test_delta_and_base_give_the_state_back(changed: list[bool]) -> None:
    base = {str(index): torch.randn(3) for index in range(len(changed))}
    state = {name: value + float(changed[int(name)]) for name, value in base.items()}
    delta = delta_state(state, BaseFingerprint.of(base))
    assert set(delta) == {name for name in base if changed[int(name)]}
    assert all(torch.equal({**base, **delta}[name], state[name]) for name in state)


def test_adapter_has_no_frozen_weights_and_no_bank(pretrained: Path) -> None:
    model = make_model(pretrained)
    state = adapter_state(model)
    assert not set(FROZEN) & set(state)
    assert 'bank.rows' not in state
    assert 'backbone.linear.bias' not in state
    assert {name for name in model.state_dict() if name.startswith(('head', 'adapter'))} <= set(state)
    with torch.no_grad():
        model.backbone.linear.bias += 1
    assert 'backbone.linear.bias' in adapter_state(model)


def test_without_pretrained_file_everything_is_saved() -> None:
    model = make_model(None)
    assert set(adapter_state(model)) == set(model.state_dict()) - {'bank.rows'}
    assert describe_checkpoint(model, 'delta')['base_hash'] is None


def test_model_without_interface_is_saved_whole() -> None:
    model = torch.nn.Linear(2, 2)
    assert set(adapter_state(model)) == {'weight', 'bias'}
    assert describe_checkpoint(model, 'full') == dict(format='full', base_hash=None)


def test_sizes_by_hand(pretrained: Path) -> None:
    model = make_model(pretrained)
    sizes = checkpoint_sizes(model)
    floats = (16 * 4 + 4) + (4 * 16 + 16) + 4 * 16 + (16 * 3 + 3)  # adapter, head's norm and layer
    assert sizes.adapter == (4 * floats + 8) / 2**20  # and the norm's int64 counter
    assert sizes.fitted == 4 * 6 / 2**20
    assert sizes.full == pytest.approx(
        sizes.adapter + sizes.fitted + (4 * (3 * 16 + 16 + 4 * 16) + 8) / 2**20
    )


def test_wrong_base_names_both_hashes(tmp_path: Path, pretrained: Path) -> None:
    meta = dict(point_peft=describe_checkpoint(make_model(pretrained), 'delta'))
    other = base_fingerprint(make_model(write_pretrained(tmp_path / 'other.pth', seed=8)))
    check_base(base_fingerprint(make_model(pretrained)), meta)
    with pytest.raises(BaseWeightsMismatchError) as error:
        check_base(other, meta, 'a.pth')
    assert meta['point_peft']['base_hash'] in str(error.value)
    assert other.hash in str(error.value)
    assert 'a.pth' in str(error.value)
    with pytest.raises(BaseWeightsMismatchError, match='without pre-trained weights'):
        check_base(BaseFingerprint({}), meta)


@pytest.mark.parametrize(
    'meta',
    [
        {},
        dict(point_peft=dict(format='full', base_hash='x')),
        dict(point_peft=dict(format='delta', base_hash=None)),
    ],
)
def test_files_that_need_no_base_pass(meta: dict) -> None:
    check_base(BaseFingerprint.of(dict(a=torch.ones(1))), meta)
