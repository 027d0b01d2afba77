"""Whether a training can go on from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.optim import OptimWrapper
from torch import Tensor
from torch.optim import Optimizer

from ...io.errors import CheckpointError

NEEDED = {
    'meta': ('epoch', 'iter'),
    'message_hub': ('log_scalars', 'runtime_info', 'resumed_keys'),
    'optimizer': (),
}
"""Sections that the runner reads when it resumes, and what must be in them."""

TELLING = (
    'betas',
    'momentum',
    'dampening',
    'alpha',
    'centered',
    'rho',
    'lambd',
    'etas',
    'lr_decay',
    'history_size',
)
"""Settings that tell kinds of optimizers from each other; those that PyTorch adds from version to version do not."""


def check_resumable(checkpoint: Mapping[str, Any], optim_wrapper: Any, source: str) -> None:
    """Refuse a checkpoint that lacks what a training needs to go on, or belongs to another optimizer.

    Args:
        checkpoint (Mapping): Its content.
        optim_wrapper: That of the runner; one of several optimizers is not compared.
        source (str): Name of the checkpoint.

    Raises:
        CheckpointError: Says what is missing or differs.
    """
    for section, keys in NEEDED.items():
        absent = (
            [section]
            if section not in checkpoint
            else [f'{section}.{key}' for key in keys if key not in (checkpoint[section] or {})]
        )
        if absent:
            raise CheckpointError(
                f'{source} cannot be resumed from, as it has no {absent[0]}; give one of the epoch_N.pth files of a '
                'training, or start a new one from it with load_from.'
            )
    if isinstance(optim_wrapper, OptimWrapper):
        problem = _find_difference(checkpoint['optimizer'], optim_wrapper.optimizer)
        if problem:
            raise CheckpointError(
                f'{source} cannot be resumed from: {problem}; resume with the config of that training, or start a new '
                'one from it with load_from.'
            )


def _find_difference(saved: Mapping[str, Any], optimizer: Optimizer) -> str:
    """What tells a saved state from that of an optimizer, in words; empty if nothing does."""
    groups, states = saved.get('param_groups') or [], saved.get('state') or {}
    if len(groups) != len(optimizer.param_groups):
        return (
            f'its optimizer has {len(groups)} groups of parameters, but that of the config '
            f'{len(optimizer.param_groups)}'
        )
    for number, (group, own) in enumerate(zip(groups, optimizer.param_groups)):
        saved_kind, kind = ([name for name in TELLING if name in settings] for settings in (group, own))
        if saved_kind != kind:
            return (
                f'its optimizer is of another kind ({", ".join(saved_kind) or "none of these"}) than '
                f'{type(optimizer).__name__} ({", ".join(kind) or "none of these"})'
            )
        if len(group['params']) != len(own['params']):
            return (
                f'group {number} of its optimizer has {len(group["params"])} parameters, but that of the config '
                f'{len(own["params"])}'
            )
        for index, parameter in zip(group['params'], own['params']):
            for name, value in (states.get(index) or {}).items():
                if isinstance(value, Tensor) and value.dim() and value.shape != parameter.shape:
                    return (
                        f"its optimizer's {name} has shape {tuple(value.shape)} where the parameter has "
                        f'{tuple(parameter.shape)}'
                    )
    return ''
