"""Hook that stops a training whose numbers are no numbers any more."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import torch
from mmengine.dist import all_reduce, get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor, nn

from ...registry import HOOKS
from ..checkpoint import unwrap
from ..errors import NonFiniteError
from .sync_batch_norm import trained_batch_norms

SMALLEST_SCALE = 2.0**-24
"""Loss scale below which mixed precision has skipped so many steps that it is not learning any more."""

STATISTICS = ('running_mean', 'running_var')
"""Last parts of the names of a batch norm's statistics."""


@HOOKS.register_module()
class FiniteHook(Hook):
    """Stops training at the first NaN or infinite loss, weight or batch-norm statistic.

    Looks after every step, before any other hook uses the weights, and at every state that is about to be saved,
    so that no file ever holds such a model. All processes stop in the same step. MMEngine fetches the loss from the
    device in every step, so that looking at it waits for nothing new. A step that the loss scaler of mixed precision
    skips is normal, and stops nothing until the scale has vanished.
    """

    priority = 'HIGH'  # behind the hook that notes the loss, before those that average or save the weights

    def __init__(self) -> None:
        self._watched: dict[str, Tensor] = {}
        self._masks: set[str] = set()

    def before_train(self, runner: Runner) -> None:
        """Look at the weights that training starts from.

        Raises:
            NonFiniteError: They are broken already.
        """
        model = unwrap(runner.model)
        self._masks = masks(model)
        broken = non_finite_tensors(model.state_dict(), self._masks)
        if broken:
            raise NonFiniteError(
                f'the weights that training would start from are not finite ({_list(broken)}); '
                f'give other ones than those of {runner._load_from or "the config"}.'
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Forget which tensors are trained; a hook may freeze or thaw some between epochs."""
        self._watched = {}

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Look at the losses and at what the step changed.

        Raises:
            NonFiniteError: Something is NaN or infinite, on this process or another one.
        """
        self._watched = self._watched or trained_tensors(unwrap(runner.model))
        problem = _find_problem(outputs, self._watched) or _vanished_scale(runner)
        if _on_any_process(problem is not None):
            problem = problem or 'another process has a number that is not finite'
            place = f'at iteration {runner.iter + 1} (epoch {runner.epoch + 1})'
            raise NonFiniteError(f'{problem} {place}, so training stops{_way_back(runner)}')

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Look at everything that is about to be saved.

        Raises:
            NonFiniteError: It holds NaN or infinite weights; nothing is written.
        """
        broken = non_finite_tensors(checkpoint.get('state_dict') or {}, self._masks)
        if broken:
            done = (checkpoint.get('meta') or {}).get('iter', runner.iter)
            raise NonFiniteError(
                f'the model is not finite after iteration {done} ({_list(broken)}), so it is not saved and training '
                f'stops{_way_back(runner)}'
            )


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
        if name not in but
        and isinstance(value, Tensor)
        and value.is_floating_point()
        and not bool(_local(value).isfinite().all())
    ]


def _find_problem(outputs: Any, watched: Mapping[str, Tensor]) -> str | None:
    """What is not finite after a step, as the beginning of a sentence."""
    if isinstance(outputs, Mapping):
        for name in [name for name in outputs if 'loss' in name]:
            value = float(torch.as_tensor(outputs[name]).detach())
            if not math.isfinite(value):
                return f'{name} is {value}'
    # A sum per tensor reads it once; only where one is broken, or overflows, all are looked at.
    sums = [_local(tensor.detach()).sum(dtype=torch.float32) for tensor in watched.values()]
    if not sums or bool(torch.stack(sums).isfinite().all()):
        return None
    broken = non_finite_tensors(watched)
    return f'the model is not finite any more ({_list(broken)})' if broken else None


def _vanished_scale(runner: Runner) -> str | None:
    """Whether mixed precision skips all steps: its loss scale has been halved until nothing is left."""
    scaler = getattr(runner.optim_wrapper, 'loss_scaler', None)
    if scaler is None or scaler.get_scale() >= SMALLEST_SCALE:
        return None
    return 'the gradients are not finite at any loss scale of mixed precision'


def _on_any_process(found: bool) -> bool:
    """Whether any process has found something."""
    if get_world_size() == 1:
        return found
    flag = torch.tensor(float(found))
    all_reduce(flag, op='max')
    return bool(flag)


def _way_back(runner: Runner) -> str:
    """Where to go on from, as the end of a sentence."""
    saved = [getattr(hook, 'last_good', None) or getattr(hook, 'last_ckpt', None) for hook in runner.hooks]
    last = next((str(path) for path in saved if path), None)
    advice = 'lower the learning rate or look for what is wrong with the data'
    if last is None:
        return f' before any checkpoint was saved; {advice}.'
    return f'; the last good checkpoint is {last}: {advice}, and go on from it with --resume.'


def _list(names: list[str]) -> str:
    """The first names and how many more there are."""
    return ', '.join(names[:2]) + (f' and {len(names) - 2} more' if len(names) > 2 else '')


def _local(tensor: Tensor) -> Tensor:
    """The part of a sharded tensor that this process has."""
    return tensor.to_local() if hasattr(tensor, 'to_local') else tensor
