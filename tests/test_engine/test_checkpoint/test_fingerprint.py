from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from toy_engine import ToyModel

from point_peft.engine.checkpoint import (
    BaseFingerprint,
    base_fingerprint,
    external_keys,
    init_pretrained,
)
from point_peft.engine.checkpoint.fitted import describe_states
from point_peft.io.weights.content_hash import hash_tensor
from point_peft.registry.wrappers import outermost_with


def test_hash_sees_bytes_type_and_shape() -> None:
    value = torch.arange(6.0)
    others = [value.reshape(2, 3), value.double(), value + 1, torch.tensor(0.0), torch.zeros(0)]
    assert len({hash_tensor(other) for other in [value, *others]}) == 6
    assert hash_tensor(torch.tensor(0.0)) != hash_tensor(torch.tensor(-0.0))
    assert hash_tensor(torch.tensor([True]))
    assert hash_tensor(torch.ones(2, dtype=torch.bfloat16))


def test_hash_ignores_layout() -> None:
    value = torch.randn(4, 5)
    assert hash_tensor(value.T.contiguous().T) == hash_tensor(value)
    assert hash_tensor(torch.nn.Parameter(value)) == hash_tensor(value)


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=4),
        st.lists(st.floats(width=32, allow_nan=False), max_size=3),
        min_size=1,
        max_size=4,
    ),
    st.data(),
)
def test_combined_hash_changes_with_any_tensor_and_not_with_order(content: dict, data: st.DataObject) -> None:
    state = {name: torch.tensor(values) for name, values in content.items()}
    reference = BaseFingerprint.of(state).hash
    assert BaseFingerprint.of(dict(reversed(state.items()))).hash == reference
    name = data.draw(st.sampled_from(sorted(state)))
    assert BaseFingerprint.of({**state, name: torch.cat([state[name], torch.ones(1)])}).hash != reference
    assert BaseFingerprint.of({key: value for key, value in state.items() if key != name}).hash != reference


def test_no_base_has_no_hash() -> None:
    assert BaseFingerprint.of({}).hash is None
    assert base_fingerprint(nn.Linear(1, 1)).hash is None


def test_fingerprint_is_taken_once(pretrained: Path) -> None:
    model = ToyModel(str(pretrained))
    model.init_weights()
    before = base_fingerprint(model).hash
    with torch.no_grad():
        model.backbone.linear.bias += 1
    assert base_fingerprint(model).hash == before
    assert BaseFingerprint.of(model.base_state()).hash != before
    assert not base_fingerprint(model).is_unchanged('backbone.linear.bias', model.backbone.linear.bias)
    assert base_fingerprint(model).is_unchanged('backbone.linear.weight', model.backbone.linear.weight)


@pytest.mark.parametrize('name', ['unknown', ''])
def test_unknown_tensor_is_not_unchanged(name: str) -> None:
    assert not BaseFingerprint.of(dict(a=torch.ones(1))).is_unchanged(name, torch.ones(1))


def foreign(pretrained: Path) -> nn.Module:
    """A model of another package that holds one of ours, as a detector of mmdet3d does."""
    ours = nn.Sequential(nn.Linear(1, 1), ToyModel(str(pretrained)))
    return nn.ModuleDict(dict(head=nn.Linear(1, 1), encoder=ours))


def test_what_is_ours_is_found_inside_other_models(pretrained: Path) -> None:
    model = foreign(pretrained)
    init_pretrained(model)
    ((prefix, inner),) = outermost_with(model, 'base_state')
    assert prefix == 'encoder.1.' and inner is model['encoder'][1]
    assert outermost_with(inner, 'base_state') == [('', inner)]
    assert set(base_fingerprint(model).tensors) == {f'encoder.1.{name}' for name in inner.base_state()}
    assert base_fingerprint(model).hash is not None
    assert set(base_fingerprint(model).tensors) < set(model.state_dict())
    assert external_keys(model) == {'encoder.1.bank.rows'}
    assert describe_states(model, with_origin=True) == dict(bank_hash=inner.bank.content_hash())


def test_nothing_of_ours() -> None:
    model = nn.Sequential(nn.Linear(1, 1))
    init_pretrained(model)
    assert (
        outermost_with(model, 'base_state') == []
        and external_keys(model) == set()
        and describe_states(model, with_origin=True) == {}
    )
