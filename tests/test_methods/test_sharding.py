"""A tuned model divided among two processes (FSDP) computes what one process computes, or is refused in a sentence."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from small_shards import WAYS, backward, build, work


@pytest.fixture(scope='module')
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What two processes found."""
    folder = tmp_path_factory.mktemp('sharded')
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        port = sock.getsockname()[1]
    mp.spawn(work, (port, str(folder)), nprocs=2)
    return [torch.load(folder / f'{rank}.pth') for rank in range(2)]


@pytest.mark.parametrize('way', WAYS)
def test_two_processes(found: list[dict[str, Any]], way: str) -> None:
    """The logits of each half and the gradients of the mean loss are those of one process."""
    if way not in found[0]:
        pytest.skip('this torch has no fully_shard')
    model = build(WAYS[way])
    expected = backward(model, slice(None))
    torch.testing.assert_close(torch.cat([part[way][0] for part in found]), expected, atol=1e-5, rtol=1e-5)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            torch.testing.assert_close(found[0][way][1][name], parameter.grad, atol=1e-5, rtol=1e-3, msg=name)


@pytest.mark.parametrize('way', WAYS)
def test_detaching_a_divided_model(found: list[dict[str, Any]], way: str) -> None:
    """Tuned values cannot be exchanged where they are not whole, which is said and not done by half."""
    if way not in found[0]:
        pytest.skip('this torch has no fully_shard')
    assert 'is sharded where it is needed whole; apply FSDP to the model' in found[0][way][2]


def test_network_that_cannot_be_divided_by_block(found: list[dict[str, Any]]) -> None:
    """ReCon's descriptor needs one stream of its blocks only, so they are not called as FSDP expects."""
    if 'refused' not in found[0]:
        pytest.skip('this torch has no fully_shard')
    assert 'ReCon uses parts of its blocks by themselves, so these cannot be sharded' in found[0]['refused']
