from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import torch.distributed as torch_dist
from mmengine.config import Config
from mmengine.registry import MODEL_WRAPPERS
from torch import nn

from point_peft.engine.hooks.sync_batch_norm import SyncBatchNormHook, trained_batch_norms
from point_peft.engine.runtime import distributed
from point_peft.engine.runtime.distributed import (
    DeviceAwareDataParallel,
    init_processes,
    leave_processes,
    wrap_for_any_device,
)
from point_peft.io.errors import ConfigError

VARIABLES = (
    'RANK',
    'WORLD_SIZE',
    'LOCAL_RANK',
    'MASTER_ADDR',
    'MASTER_PORT',
    'SLURM_PROCID',
    'SLURM_NTASKS',
    'SLURM_LOCALID',
    'SLURM_NODELIST',
)


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No launcher's variables before, no process group after."""
    for name in VARIABLES:
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    yield
    leave_processes()


def free_port() -> str:
    with socket.socket() as sock:
        sock.bind(('127.0.0.1', 0))
        return str(sock.getsockname()[1])


@pytest.mark.parametrize('launcher', ['pytorch', 'slurm'])
def test_gloo_group_and_wrapped_model(launcher: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('MASTER_ADDR', '127.0.0.1')
    monkeypatch.setenv('MASTER_PORT', free_port())
    variables = (
        dict(RANK='0', WORLD_SIZE='1', LOCAL_RANK='0')
        if launcher == 'pytorch'
        else dict(SLURM_PROCID='0', SLURM_NTASKS='1', SLURM_LOCALID='0')
    )
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    init_processes(launcher, timeout=10)
    assert torch_dist.get_backend() == 'gloo'
    init_processes(launcher)  # a second call does no harm
    model = nn.Sequential(nn.Linear(2, 2).requires_grad_(False), nn.Linear(2, 1))
    wrapped = MODEL_WRAPPERS.build(
        dict(type='DeviceAwareDataParallel'), default_args=dict(module=model, device_ids=[0])
    )
    assert isinstance(wrapped, DeviceAwareDataParallel)
    assert wrapped.device_ids is None
    assert not wrapped.broadcast_buffers
    wrapped(torch.ones(1, 2)).sum().backward()
    assert model[0].weight.grad is None
    assert model[1].weight.grad is not None


def test_host_name_from_slurm(monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        stdout = 'node7\nnode8\n'

    calls: list[Any] = []
    monkeypatch.setattr(
        distributed.subprocess, 'run', lambda command, **kwargs: calls.append(command) or Done()
    )
    for name, value in dict(SLURM_PROCID='3', SLURM_NTASKS='4', SLURM_NODELIST='node[7-8]').items():
        monkeypatch.setenv(name, value)
    distributed._set_slurm_environment()
    assert calls == [['scontrol', 'show', 'hostname', 'node[7-8]']]
    assert [distributed.os.environ[name] for name in VARIABLES[:5]] == ['3', '4', '0', 'node7', '29500']


def test_gpus_are_left_to_mmengine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distributed, 'get_device', lambda: 'cuda')
    init_processes('pytorch')
    init_processes('none')
    assert not torch_dist.is_initialized()


@pytest.mark.parametrize(
    ('launcher', 'message'),
    [
        ('pytorch', 'needs the environment variable RANK'),
        ('slurm', 'needs SLURM_PROCID'),
        ('mpi', 'not supported'),
    ],
)
def test_missing_launcher(launcher: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        init_processes(launcher)


def test_wrapper_of_the_config_is_kept() -> None:
    cfg = Config(dict(find_unused_parameters=True))
    wrap_for_any_device(cfg)
    assert cfg.model_wrapper_cfg == dict(type='DeviceAwareDataParallel', find_unused_parameters=True)
    own = Config(dict(model_wrapper_cfg=dict(type='Own')))
    wrap_for_any_device(own)
    assert own.model_wrapper_cfg == dict(type='Own')


def test_statistics_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes that see clouds of their own have the statistics of one that sees all of them; one message."""
    from point_peft.engine.hooks import sync_batch_norm

    parts = torch.randn(2, 64, 3) * 2 + torch.tensor([[[5.0, 0.0, -1.0]], [[-3.0, 0.0, 1.0]]])
    models = [nn.Sequential(nn.BatchNorm1d(3, momentum=1.0), nn.BatchNorm1d(3)).train() for _ in parts]
    for model, part in zip(models, parts):
        model(part)
    sent: list[torch.Tensor] = []
    monkeypatch.setattr(sync_batch_norm, 'get_world_size', lambda: 2)
    monkeypatch.setattr(sync_batch_norm, 'all_reduce', lambda tensor, op: sent.append(tensor.clone()))
    for model in models:  # what each would send
        before = [value.clone() for value in model.state_dict().values()]
        SyncBatchNormHook().after_train_epoch(type('Runner', (), dict(model=model)))
        for value, other in zip(model.state_dict().values(), before, strict=True):
            torch.testing.assert_close(value, other)
    assert len(sent) == 2
    mean = (sent[0] + sent[1]) / 2
    monkeypatch.setattr(sync_batch_norm, 'all_reduce', lambda tensor, op: tensor.copy_(mean))
    SyncBatchNormHook().after_train_epoch(type('Runner', (), dict(model=models[0])))
    torch.testing.assert_close(models[0][0].running_mean, parts.flatten(0, 1).mean(0))
    unbiased = parts.var(dim=1).mean(0) + parts.mean(1).var(dim=0, correction=0)
    torch.testing.assert_close(models[0][0].running_var, unbiased)


def test_only_trained_batch_norms_are_averaged(monkeypatch: pytest.MonkeyPatch) -> None:
    model = nn.Sequential(
        nn.BatchNorm1d(2), nn.BatchNorm1d(2), nn.BatchNorm1d(2, track_running_stats=False)
    ).train()
    model[0].eval()
    assert trained_batch_norms(model) == [model[1]]
    from point_peft.engine.hooks import sync_batch_norm

    reduced: list[torch.Tensor] = []
    monkeypatch.setattr(sync_batch_norm, 'all_reduce', lambda tensor, op: reduced.append(tensor))
    runner = type('Runner', (), dict(model=model))
    SyncBatchNormHook().after_train_epoch(runner)
    assert reduced == []  # one process
    monkeypatch.setattr(sync_batch_norm, 'get_world_size', lambda: 2)
    SyncBatchNormHook().after_train_epoch(runner)
    assert [tensor.shape for tensor in reduced] == [(2, 2)]  # mean and square, of two channels


@pytest.mark.parametrize('kind', ['MMFullyShardedDataParallel', 'mmengine.MMFullyShardedDataParallel'])
def test_sharding_is_refused(kind: str) -> None:
    with pytest.raises(
        ConfigError, match=f'model_wrapper_cfg.type is {kind}, .*; leave model_wrapper_cfg out'
    ):
        wrap_for_any_device(Config(dict(model_wrapper_cfg=dict(type=kind))))
