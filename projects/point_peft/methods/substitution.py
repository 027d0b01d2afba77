"""Computing with other values of some parameters than they have, without touching the parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
import torch.distributed as torch_dist
from torch import Tensor, nn
from torch.distributed import fsdp

from ..backbones.layers import DropPath
from ..io.errors import InvalidValueError

COPY = 'pretrained_'
"""Prefix of the buffers that keep the pre-trained values of parameters which are trained in place."""


class ShardingError(InvalidValueError):
    """A model is divided among processes in a way that its tuning methods cannot work with."""


class Place(NamedTuple):
    """Where a parameter stands, and what shall stand there."""

    owner: nn.Module
    key: str
    value: Tensor


@contextmanager
def substituted(module: nn.Module, values: Mapping[str, Tensor]) -> Iterator[None]:
    """Let a module compute with these values of its parameters inside the block.

    The parameters stay as they are, other tensors stand in their places (as ``torch.func.functional_call`` does it). So
    nothing that goes by the parameter, such as the casts that autocast keeps, ever meets the values. Of a part that is
    sharded by itself (FSDP) the parameters are whole during its own forward only, so there they are replaced then.

    Args:
        module (nn.Module): A network.
        values (Mapping[str, Tensor]): Values by the names of parameters.

    Raises:
        ShardingError: If a parameter that is replaced or needed is not whole.
    """
    units = _sharded_units(module)
    by_unit: dict[str, list[Place]] = {}
    for name, value in values.items():
        path, _, key = name.rpartition('.')
        inside = [unit for unit in units if f'{path}.'.startswith(f'{unit}.')]
        unit = max(inside, key=len) if inside else ''  # torch.compile knows no `default`
        by_unit.setdefault(unit, []).append(Place(module.get_submodule(path), key, value))
    with ExitStack() as stack:
        for unit, places in by_unit.items():
            stack.enter_context(_during_forward(units[unit], places) if unit else _replaced(places))
        try:
            yield
        except RuntimeError as error:
            if units and 'DTensor' in str(error):  # what torch says where a parameter is not whole
                raise ShardingError(
                    f'{type(module).__name__} uses parts of its blocks by themselves, so these cannot be sharded block '
                    'by block; apply fully_shard to the model as a whole.'
                ) from error
            raise


def copy_name(name: str) -> str:
    """Name of the buffer with the pre-trained value of a parameter."""
    return COPY + name.replace('.', '_')


def whole_parameter(module: nn.Module, name: str, shape: Sequence[int]) -> Tensor:
    """What stands in the place of a parameter.

    Raises:
        ShardingError: If that is not the whole parameter of this shape.
    """
    path, _, key = name.rpartition('.')
    owner = module.get_submodule(path)
    return _standing(owner, key, shape)


def exchange_values(module: nn.Module, copies: Mapping[str, Tensor]) -> None:
    """Exchange the values of parameters with copies, by exchanging storages; nothing is copied.

    Args:
        module (nn.Module): A network.
        copies (Mapping[str, Tensor]): Other values by the names of parameters.

    Raises:
        ShardingError: If a parameter is divided among processes.
    """
    parameters = [whole_parameter(module, name, copy.shape) for name, copy in copies.items()]
    for parameter, copy in zip(parameters, copies.values()):
        parameter.data, copy.data = copy.data, parameter.data
    torch.clear_autocast_cache()  # which goes by the parameter, and not by its values


@contextmanager
def drop_path_off(module: nn.Module) -> Iterator[None]:
    """Let the drop-path layers in a module drop nothing inside the block."""
    active = [layer for layer in module.modules() if isinstance(layer, DropPath) and layer.training]
    for layer in active:
        layer.training = False
    try:
        yield
    finally:
        for layer in active:
            layer.training = True


def _standing(owner: nn.Module, key: str, shape: Sequence[int]) -> Tensor:
    found = _slots(owner, key).get(key)
    if found is None or found.shape != shape or hasattr(found, 'full_tensor'):  # a DTensor
        raise ShardingError(
            f'the tuned parameter {key} of a {type(owner).__name__} is sharded where it is needed whole; apply FSDP to '
            'the model and to its blocks only (fully_shard, or FullyShardedDataParallel with use_orig_params=True), '
            'attach and detach methods before, or use data parallelism, since few parameters are trained.'
        )
    return found


def _slots(owner: nn.Module, key: str) -> dict[str, Any]:
    """Where a module has a parameter; FSDP of torch 1 hides it behind a plain attribute during the forward."""
    return vars(owner) if key in vars(owner) else owner._parameters


@contextmanager
def _replaced(places: Sequence[Place]) -> Iterator[None]:
    """Other tensors in these places inside the block."""
    before = [_standing(place.owner, place.key, place.value.shape) for place in places]
    slots = [_slots(place.owner, place.key) for place in places]
    try:
        for slot, place, standing in zip(slots, places, before):
            slot[place.key] = place.value.to(standing.dtype)
        yield
    finally:
        for slot, place, standing in zip(slots, places, before):
            slot[place.key] = standing


@contextmanager
def _during_forward(unit: nn.Module, places: Sequence[Place]) -> Iterator[None]:
    """Other tensors in these places whenever a module runs inside the block."""
    with ExitStack() as stack:
        # After FSDP has gathered the parameters, and before it lets go of them.
        handles = [
            unit.register_forward_pre_hook(lambda *_: stack.enter_context(_replaced(places))),
            unit.register_forward_hook(lambda *_: stack.close(), prepend=True, always_call=True),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _sharded_units(module: nn.Module) -> dict[str, nn.Module]:
    """Sub-modules that FSDP gathers the parameters of for their own forward, by name; none with a single process."""
    if not (torch_dist.is_available() and torch_dist.is_initialized()):
        return {}
    kinds = (fsdp.FullyShardedDataParallel, getattr(fsdp, 'FSDPModule', ()))
    return {
        name: getattr(unit, '_fsdp_wrapped_module', unit)
        for name, unit in module.named_modules()
        if name and isinstance(unit, kinds)
    }
