"""Which tensors of a model are finite, without waiting for a GPU."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from ...io.weights.finite import is_finite
from .sync_batch_norm import trained_batch_norms

STATISTICS = ('running_mean', 'running_var')
"""Last parts of the names of a batch norm's statistics."""


def trained_tensors(model: nn.Module) -> dict[str, Tensor]:
    """What a training step changes, by name: trainable parameters, and statistics of trained batch norms."""
    norms = {id(norm) for norm in trained_batch_norms(model)}
    tensors: dict[str, Tensor] = {
        name: value for name, value in model.named_parameters() if value.requires_grad
    }
    for place, module in model.named_modules():
        if id(module) in norms:
            tensors.update({f'{place}.{name}': getattr(module, name) for name in STATISTICS})
    return tensors


def masks(model: nn.Module) -> set[str]:
    """Names of the buffers that hold infinity on purpose: those that do before training, but no statistics."""
    return {
        name
        for name, value in model.named_buffers()
        if value.is_floating_point()
        and name.rpartition('.')[2] not in STATISTICS
        and bool(value.isinf().any())
        and not bool(value.isnan().any())
    }


def non_finite_tensors(state: Mapping[str, Any], but: Collection[str] = ()) -> list[str]:
    """Names of the tensors of a model's state that hold NaN or infinity, except some."""
    return [
        name
        for name, value in state.items()
        if name not in but and isinstance(value, Tensor) and not is_finite(_local(value))
    ]


def flag_of(watched: Mapping[str, Tensor], problem: str | None) -> Tensor:
    """One on the device if there is a problem, or some tensor is not finite (or its sum overflows), else zero."""
    # A sum per tensor reads it once; only where one is broken, or overflows, all are looked at.
    sums = [_local(tensor.detach()).sum(dtype=torch.float32) for tensor in watched.values()]
    if not sums:
        return torch.full((), float(problem is not None))
    return torch.ones_like(sums[0]) if problem else 1 - torch.stack(sums).isfinite().all().float()


def to_host(flag: Tensor) -> tuple[Tensor, torch.cuda.Event | None]:
    """A copy on the host, and when it has arrived there; from a GPU it is not waited for."""
    if flag.device.type != 'cuda':
        return flag.cpu(), None
    host = torch.empty_like(flag, device='cpu', pin_memory=True).copy_(flag, non_blocking=True)
    arrived = torch.cuda.Event()
    arrived.record()
    return host, arrived


def on_any_process(found: bool) -> bool:
    """Whether any process has found something."""
    if get_world_size() == 1:
        return found
    flag = torch.tensor(float(found))
    all_reduce(flag, op='max')
    return bool(flag)


def _local(tensor: Tensor) -> Tensor:
    """The part of a sharded tensor that this process has."""
    return tensor.to_local() if hasattr(tensor, 'to_local') else tensor
