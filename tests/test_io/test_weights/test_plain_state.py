from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.logging import HistoryBuffer

from point_peft.engine.checkpoint.message_hub import reduce_message_hub
from point_peft.io.errors import CheckpointSaveError
from point_peft.io.weights import from_plain, to_plain


def through_a_file(value: Any) -> Any:
    """Save plain, read with torch's restricted unpickler and no allow-list, restore."""
    buffer = io.BytesIO()
    torch.save(to_plain(value), buffer)
    buffer.seek(0)
    return from_plain(torch.load(buffer, weights_only=True))


def test_history_buffer_by_hand() -> None:
    buffer = HistoryBuffer([1.5, 2.5], [1, 3], max_length=10)
    plain = to_plain(buffer)
    assert plain['history'].tolist() == [1.5, 2.5]
    restored = through_a_file(buffer)
    assert isinstance(restored, HistoryBuffer)
    assert restored.max_length == 10
    assert restored.mean() == 1.0  # (1.5 + 2.5) / (1 + 3)
    restored.update(7.0)
    assert restored.current() == 7.0


def test_numpy_and_containers() -> None:
    value = dict(
        a=np.arange(6).reshape(2, 3),
        b=np.float64(0.1),
        c=(1, [np.int64(2)]),
        d={3, 4},
        e=np.array(['x', 'y']),
        f=Path('w'),
        g=np.bool_(True),
        h=np.zeros(()),
    )
    restored = through_a_file(value)
    assert np.array_equal(restored['a'], value['a'])
    assert restored['a'].dtype == value['a'].dtype
    assert restored['b'] == 0.1
    assert type(restored['b']) is float
    assert restored['c'] == (1, [2])
    assert restored['d'] == {3, 4}
    assert restored['e'] == ['x', 'y']
    assert restored['f'] == 'w'
    assert restored['g'] is True
    assert restored['h'].shape == ()


def test_state_dict_keeps_module_versions() -> None:
    state = torch.nn.BatchNorm1d(2).state_dict()
    restored = through_a_file(dict(state_dict=state))['state_dict']
    assert restored._metadata[''] == dict(version=2)
    assert all(torch.equal(restored[name], value) for name, value in state.items())


def test_optimizer_state_is_kept() -> None:
    layer = torch.nn.Linear(2, 1)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=0.1)
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    state = optimizer.state_dict()
    restored = through_a_file(state)
    assert restored['param_groups'] == state['param_groups']
    assert torch.equal(restored['state'][0]['exp_avg'], state['state'][0]['exp_avg'])


leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
)


@settings(max_examples=50, deadline=None)
@given(
    st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.tuples(inner, inner)
            | st.dictionaries(st.text(max_size=3), inner, max_size=3)
        ),
        max_leaves=10,
    )
)
def test_plain_data_comes_back_equal(value: Any) -> None:
    assert through_a_file(value) == value


@pytest.mark.parametrize('value', [object(), HistoryBuffer, lambda: 0])
def test_other_objects_are_refused_with_their_place(value: Any) -> None:
    with pytest.raises(CheckpointSaveError, match=r'meta\.hooks\[1\] is a .* cannot be saved safely'):
        to_plain(dict(hooks=[1, value]), 'meta')


def test_reduced_message_hub() -> None:
    hub = dict(
        log_scalars=dict(loss=HistoryBuffer([1.0], [1])),
        runtime_info=dict(epoch=2),
        resumed_keys=dict(loss=True, epoch=True, temporary=False),
    )
    assert reduce_message_hub(hub, with_curves=True)['resumed_keys'] == dict(loss=True, epoch=True)
    reduced = reduce_message_hub(hub, with_curves=False)
    assert reduced == dict(log_scalars={}, runtime_info=dict(epoch=2), resumed_keys=dict(epoch=True))
