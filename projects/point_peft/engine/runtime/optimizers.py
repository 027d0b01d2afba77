"""Parameter groups of the optimizer, and training in bfloat16."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIMIZERS
from torch import nn

from ...io.errors import ConfigError
from ...ops.compiling import HAS_CUSTOM_OPERATORS
from ...registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIM_WRAPPERS
from ...registry.wrappers import unwrap


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Takes training steps under autocast to bfloat16, on the CPU too, where MMEngine's ``AmpOptimWrapper`` refuses.

    Without loss scaling, since bfloat16 has the range of float32. Weights, gradients and the geometry of the clouds
    stay in float32, and so does evaluation. Pays on CPUs with AMX; one without bfloat16 instructions slows down.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """What the loss is computed in."""
        device = next(model.parameters()).device.type
        with super().optim_context(model), torch.autocast(device, dtype=torch.bfloat16):
            yield


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class PointOptimWrapperConstructor:
    """Groups the trainable parameters by the published rule of weight decay, and by learning rate.

    No weight decay for vectors and scalars, biases and tokens (``builder.build_opti_sche`` of Point-MAE and
    of Point-PEFT). Frozen parameters get no place in the optimizer.

    Args:
        optim_wrapper_cfg (dict): Config of the optimizer wrapper, with the optimizer's under ``optimizer``.
        paramwise_cfg (dict | None): ``dict(lr_mult={'head': 10.0})`` multiplies the learning rate of the
            modules whose name starts with a key; the longest key counts.

    Raises:
        ConfigError: An unknown option, or multipliers without ``lr`` in the optimizer's config.
    """

    def __init__(
        self, optim_wrapper_cfg: dict[str, Any], paramwise_cfg: dict[str, Any] | None = None
    ) -> None:
        self.optim_wrapper_cfg = dict(optim_wrapper_cfg)
        self.optimizer_cfg = dict(self.optim_wrapper_cfg.pop('optimizer'))
        options = dict(paramwise_cfg or {})
        self.lr_mult: dict[str, float] = dict(options.pop('lr_mult', {}))
        if options:
            raise ConfigError(
                f'paramwise_cfg has the unknown option {next(iter(options))!r}; '
                'PointOptimWrapperConstructor knows lr_mult only.'
            )
        if self.lr_mult and 'lr' not in self.optimizer_cfg:
            raise ConfigError(
                'paramwise_cfg has lr_mult but the optimizer has no lr to multiply; set optimizer.lr.'
            )

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Build the optimizer of a model and log its groups in one line.

        Raises:
            ConfigError: Nothing is trainable, or a key of ``lr_mult`` names no module with trainable
                parameters.
        """
        groups = self.parameter_groups(unwrap(model))
        print_log('optimizer: ' + '; '.join(_describe(group) for group in groups), logger='current')
        fused = {'fused': True} if _can_fuse(self.optimizer_cfg, groups) else {}
        optimizer = OPTIMIZERS.build({**fused, **self.optimizer_cfg, 'params': groups})
        return OPTIM_WRAPPERS.build(
            {'type': 'OptimWrapper', **self.optim_wrapper_cfg}, default_args={'optimizer': optimizer}
        )

    def parameter_groups(self, model: nn.Module) -> list[dict[str, Any]]:
        """Groups for the optimizer, those with the plain learning rate and weight decay first."""
        groups: dict[tuple[str, bool], dict[str, Any]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                key = (_longest_prefix(name, self.lr_mult), is_without_decay(name, parameter))
                groups.setdefault(key, self._new_group(*key))['params'].append(parameter)
        unused = set(self.lr_mult) - {prefix for prefix, _ in groups}
        if unused:
            raise ConfigError(
                f'lr_mult names {sorted(unused)[0]!r}, but no trainable parameter starts with it; the model '
                f'has {sorted(name for name, _ in model.named_children())}.'
            )
        if not groups:
            raise ConfigError('no parameter of the model is trainable; check its methods, or train the head.')
        return [groups[key] for key in sorted(groups)]

    def _new_group(self, prefix: str, without_decay: bool) -> dict[str, Any]:
        """An empty group with its options."""
        group: dict[str, Any] = dict(params=[], name=prefix or 'all')
        if without_decay:
            group['weight_decay'] = 0.0
        if prefix:
            group['lr'] = self.optimizer_cfg['lr'] * self.lr_mult[prefix]
        return group


def _can_fuse(optimizer: Mapping[str, Any], groups: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one operation can update all parameters, which on a CPU torch does not do by itself.

    A loop over the 229 tensors of Point-PEFT is a third of all operations of its step. Whoever says how it
    shall compute is left alone.
    """
    has_kernel = HAS_CUSTOM_OPERATORS and optimizer.get('type') in ('Adam', 'AdamW')  # both since torch 2.4
    is_open = not any(optimizer.get(name) for name in ('foreach', 'differentiable'))
    return (
        has_kernel
        and is_open
        and all(
            parameter.device.type == 'cpu' and not hasattr(parameter, 'full_tensor')  # of FSDP2
            for group in groups
            for parameter in group['params']
        )
    )


def is_without_decay(name: str, parameter: nn.Parameter) -> bool:
    """Whether a parameter is spared weight decay.

    The published rule looks for ``token`` anywhere in the name; here only its last part counts, so that a
    module called tokenizer is not meant. On the published networks both choose the same parameters.
    """
    last = name.rpartition('.')[2]
    return parameter.dim() <= 1 or last == 'bias' or 'token' in last


def _longest_prefix(name: str, multipliers: Mapping[str, float]) -> str:
    """The longest key that is ``name`` or a module above it; empty if there is none."""
    return max((key for key in multipliers if f'{name}.'.startswith(f'{key}.')), key=len, default='')


def _describe(group: Mapping[str, Any]) -> str:
    """A group in a few words."""
    count = sum(parameter.numel() for parameter in group['params'])
    text = f'{count:,} parameters in {len(group["params"])} tensors'
    text += ' without weight decay' if 'weight_decay' in group else ' with weight decay'
    return f"{text}, lr {group['lr']:g} for '{group['name']}'" if 'lr' in group else text
